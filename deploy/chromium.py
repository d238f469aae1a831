"""Make sure that there is a Chromium for the browser tests, and print where.

Called by ``make test``. Takes the system's; installs it by apt when this is Debian's administrator; otherwise fetches
Playwright's own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """The system's Chromium or Chrome: CHROMIUM, or the first of the usual names."""
    return os.environ.get("CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)


def main() -> int:
    """Find or install; returns the exit code."""
    if (path := find()) is None and os.getuid() == 0 and shutil.which("apt-get"):
        print("Installing Chromium from the system's packages (1 minute) ...", flush=True)
        subprocess.run(["apt-get", "update", "-q"], stdout=subprocess.DEVNULL, check=False)
        subprocess.run(
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=False,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )
        path = find()
    if path is None:
        print("Fetching Playwright's Chromium (1 to 3 minutes) ...", flush=True)
        done = subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
        if done.returncode != 0:
            print("error: the browser tests need Chromium. Install it and run the command again.", file=sys.stderr)
        return done.returncode
    print(f"Chromium: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
