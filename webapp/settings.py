"""Settings of the web application; every choice of the operator comes from the environment.

Read by Django, by the worker and by ``webapp.asgi``. Nothing here needs to be edited to run the studio.

========================  =====================================================================================
``DEEPSEEK_HOME``         folder of everything that must survive (default ``~/.deepseek-studio``)
``DATABASE_URL``          ``postgresql://...``; SQLite in the home folder when absent
``REDIS_URL``             broker and wake-ups; a unix socket in the home folder when absent
``STORE_URL``             where artifacts lie, any fsspec URL; a folder in the home folder when absent
``HOST``, ``PORT``        where the server listens; also the host names it answers to
``ALLOWED_HOSTS``         further host names it answers to, exact
``ALLOWED_ORIGINS``       origins under which browsers reach it, e.g. ``https://studio.example.org``
``CONTENT_ORIGIN``        another host that serves what users produced
``DEEPSEEK_DATA_DIRS``    folders that runs may read, separated by colons
``UPLOAD_MAX_MIB``        largest upload
``BEHIND_PROXY``          1 when a proxy sets ``X-Forwarded-Proto``, and only then
``SECRET_KEY_FILE``       signs sessions; made in the home folder when absent
``KEY_PEPPER_FILE``       goes into the hashes of keys and links; made in the home folder when absent
``LOG_LEVEL``             ``INFO`` when absent
``DEBUG``                 1 only while developing
========================  =====================================================================================
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from webapp import env

ROOT = Path(__file__).resolve().parent.parent
PACKAGED = ROOT / "webapp" / "_data"
DATA = PACKAGED if PACKAGED.is_dir() else ROOT

HOME = Path(env.text("DEEPSEEK_HOME", str(Path.home() / ".deepseek-studio"))).expanduser().resolve()
HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
TEMPORARY = HOME / "tmp"
TEMPORARY.mkdir(mode=0o700, exist_ok=True)

DEBUG = env.boolean("DEBUG", False)
SECRET_KEY = env.secret_file(Path(env.text("SECRET_KEY_FILE", str(HOME / "secret.key"))))
# Apart from SECRET_KEY, so that changing that one does not revoke every API key.
KEY_PEPPER = env.secret_file(Path(env.text("KEY_PEPPER_FILE", str(HOME / "keys.pepper"))))

# Where it is reached ---------------------------------------------------------------------------------------------

HOST = env.text("HOST", "127.0.0.1")
PORT = env.integer("PORT", 8000, low=1, high=65535)
LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
ALLOWED_ORIGINS = env.origins("ALLOWED_ORIGINS")
ALLOWED_HOSTS = sorted(
    {*LOCAL_HOSTS, *env.words("ALLOWED_HOSTS")}
    | {host for origin in ALLOWED_ORIGINS if (host := urlsplit(origin).hostname)}
    | ({HOST} if HOST not in {"0.0.0.0", "::"} else set())  # noqa: S104 (compared, not bound)
)
CSRF_TRUSTED_ORIGINS = ALLOWED_ORIGINS
CONTENT_ORIGIN = env.text("CONTENT_ORIGIN", f"http://content.localhost:{PORT}")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.boolean("BEHIND_PROXY", False) else None
IS_HTTPS = any(origin.startswith("https://") for origin in ALLOWED_ORIGINS)

# Applications ----------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
ROOT_URLCONF = "webapp.urls"
ASGI_APPLICATION = "webapp.asgi.application"
APPEND_SLASH = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "channels",
    "ninja",
    "webapp.shell",
    "webapp.accounts",
    "webapp.workspaces",
    "webapp.pipelines",
    "webapp.artifacts",
    "webapp.queue",
    "webapp.runs",
    "webapp.live",
    "webapp.api",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "webapp.security.ContentSecurityPolicy",
    "webapp.security.StaticFiles",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "webapp.accounts.middleware.Language",
    "webapp.security.DenyByDefault",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [DATA / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": ["django.template.context_processors.request", "webapp.shell.context.shell"],
        },
    }
]

# Data ------------------------------------------------------------------------------------------------------------

DATABASES = {
    "default": env.database(url) if (url := env.text("DATABASE_URL", "")) else env.sqlite(HOME / "studio.sqlite3")
}
REDIS_URL = env.text("REDIS_URL", f"unix://{HOME}/run/redis.sock")
STORE_URL = env.text("STORE_URL", (HOME / "store").as_uri())
EXAMPLES = DATA / "examples"
DATA_DIRS = [Path(folder) for folder in env.text("DEEPSEEK_DATA_DIRS", "").split(":") if folder]

UPLOAD_MAX_MIB = env.integer("UPLOAD_MAX_MIB", 4096, low=1, high=1 << 20)
FILE_UPLOAD_TEMP_DIR = TEMPORARY
FILE_UPLOAD_HANDLERS = ["webapp.artifacts.uploads.TemporaryUpload"]
# Bodies that are not uploads: pipeline documents are the largest.
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 2**20

# People ----------------------------------------------------------------------------------------------------------

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/"
LOGIN_ATTEMPTS = 10
LOGIN_WINDOW_S = 15 * 60

SESSION_COOKIE_AGE = 30 * 24 * 3600
SESSION_COOKIE_NAME = "__Host-session" if IS_HTTPS else "session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = IS_HTTPS
CSRF_COOKIE_NAME = "__Host-csrf" if IS_HTTPS else "csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = IS_HTTPS
CSRF_FAILURE_VIEW = "webapp.shell.errors.csrf_failure"
LANGUAGE_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 31536000 if IS_HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# Languages and time ----------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [ROOT / "webapp" / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

# Static files ----------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = None
FRONT_END = DATA / "static" / "dist"
STATICFILES_DIRS = [("dist", FRONT_END)] if FRONT_END.is_dir() else []
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

# Live ------------------------------------------------------------------------------------------------------------

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            # The layer waits 5 s for a message at a time, which is also redis-py's own patience with a socket.
            "hosts": [
                {"address": f"{REDIS_URL}?db=1" if REDIS_URL.startswith("unix:") else REDIS_URL, "socket_timeout": 15}
            ],
            "prefix": "live",
            "capacity": 100,
            "expiry": 10,
        },
    }
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "INFO").upper()},
}
