"""Complete static/studio/package-lock.json with the optional packages of other platforms.

Run by hand after `npm install` changed the lock. Where a package index lacks the binaries of a platform, npm leaves
them out of the lock, and then `npm ci` refuses it everywhere. An entry needs no digest: npm installs an optional
package only where its platform fits.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parent.parent / "static" / "studio" / "package-lock.json"

SYSTEMS = ("aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32")
PROCESSORS = ("arm64", "arm", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64")


def missing(lock: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Entries that a complete lock would have, by their place."""
    found = {}
    for package in lock["packages"].values():
        for name, version in package.get("optionalDependencies", {}).items():
            place = f"node_modules/{name}"
            if place not in lock["packages"]:
                found[place] = entry(name, version, package)
    return found


def entry(name: str, version: str, package: dict[str, Any]) -> dict[str, Any]:
    """The entry of one package; its name tells the platform.

    >>> entry("@rollup/rollup-linux-arm-musleabihf", "1.0.0", {"dev": True})["libc"]
    ['musl']
    """
    words = name.rpartition("/")[2].split("-")
    made: dict[str, Any] = {"version": version}
    made["cpu"] = [word for word in words if word in PROCESSORS]
    if package.get("dev"):
        made["dev"] = True
    if libc := [kind for kind, sign in (("musl", "musl"), ("glibc", "gnu")) if sign in words[-1] and "linux" in words]:
        made["libc"] = libc
    made["optional"] = True
    made["os"] = [word for word in words if word in SYSTEMS]
    return made


def main() -> int:
    """Complete the lock in place."""
    lock = json.loads(LOCK.read_text())
    added = missing(lock)
    root = {place: value for place, value in lock["packages"].items() if place == ""}
    others = {**lock["packages"], **added}
    others.pop("", None)
    lock["packages"] = {**root, **dict(sorted(others.items()))}
    LOCK.write_text(json.dumps(lock, indent=2, ensure_ascii=False) + "\n")
    print(f"{len(added)} packages of other platforms added")
    return 0


if __name__ == "__main__":
    sys.exit(main())
