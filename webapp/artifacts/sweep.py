"""Gives back the room of bytes that no artifact needs any more.

Called by housekeeping (:mod:`webapp.queue.housekeeping`). A blob goes only when no row of any workspace reaches it
and nobody touched it for the time of grace: bytes come before their row, and a run may still be on its way. A store
on another machine is left alone, because nothing there could be locked against an upload of the same bytes.
"""

from __future__ import annotations

import logging
import re
import time
from pathlib import Path

from webapp.artifacts import store
from webapp.artifacts.models import Artifact
from webapp.bridge import UserError

log = logging.getLogger(__name__)
GRACE_S = 2 * 24 * 3600.0
_SHA256 = re.compile(r"[0-9a-f]{64}")


def sweep(grace_s: float = GRACE_S) -> int:
    """Remove what nothing needs; the number of files.

    1. List what nobody touched within the grace. 2. Only then read what the rows need. 3. Remove a file while no
    upload can find it and no backup reads: its age is looked at once more under the lock.
    """
    if store.is_remote():
        return 0
    limit = time.time() - grace_s
    old = [path for path in store.files() if _modified(path) < limit]
    if not old:
        return 0
    try:
        needed = _needed()
    except (UserError, OSError, ValueError) as error:
        log.warning("Nothing is removed from the store, because an artifact in it cannot be read: %s", error)
        return 0
    removed = 0
    for path in old:
        if _SHA256.fullmatch(path.name) and bytes.fromhex(path.name) in needed:
            continue
        with store.removing() as may:
            if not may:
                break
            if _modified(path) < limit:
                path.unlink(missing_ok=True)
                removed += 1
    if removed:
        log.info("Removed %d files from the store that nothing needs", removed)
    return removed


def _needed() -> set[bytes]:
    """The hashes that rows reach: manifests, their files, and what they build on."""
    waiting = list(Artifact.objects.values_list("digest", flat=True).distinct())
    needed: set[bytes] = set()
    while waiting:
        digest = waiting.pop()
        sha256 = bytes.fromhex(digest.removeprefix("sha256:"))
        if sha256 in needed:
            continue
        needed.add(sha256)
        body = store.manifest(digest)
        needed.update(bytes.fromhex(entry["sha256"]) for entry in body["files"].values())
        waiting += body["refs"]
    return needed


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")
