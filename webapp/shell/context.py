"""What every page of the shell shows. Called by Django's templates; pages add the workspace and the project."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import translation

TAGS = {"en": "en", "zh-hans": "zh-Hans"}


def language_tag() -> str:
    """The current language as HTML and the front end name it."""
    return TAGS.get(translation.get_language() or "en", "en")


def shell(request: HttpRequest) -> dict[str, Any]:
    """Language, theme and whether somebody is logged in."""
    user = getattr(request, "user", None)
    return {
        "language": language_tag(),
        "languages": [{"code": TAGS[code], "name": name} for code, name in settings.LANGUAGES],
        "theme": getattr(user, "theme", "system") or "system",
        "user": user if user is not None and user.is_authenticated else None,
    }
