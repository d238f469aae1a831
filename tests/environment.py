"""The environment of a test process, set before Django reads its settings.

Loaded by pytest as a plugin (`-p tests.environment` in pyproject.toml): every test process gets a home folder of its
own that goes away with it. TEST_DATABASE_URL names another database than SQLite to test with. The catalog of blocks
is kept between runs; it is built anew when a block has changed.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

for name in ("DATABASE_URL", "REDIS_URL", "STORE_URL", "HOST", "PORT", "ALLOWED_ORIGINS", "DEBUG"):
    os.environ.pop(name, None)
for name in [name for name in os.environ if name.startswith("DEEPSEEK_")]:
    del os.environ[name]

if os.environ.get("TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]

HOME = Path(tempfile.mkdtemp(prefix="deepseek-test-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

os.environ["DEEPSEEK_HOME"] = str(HOME)
os.environ["DEEPSEEK_CATALOG"] = str(ROOT / ".pytest_cache" / "catalog.json")
os.environ.setdefault("OMP_NUM_THREADS", "1")
