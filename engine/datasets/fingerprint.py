"""What lies at a path, as a short text that changes when the files do.

Called for cache keys: a block that reads a local path must run again when somebody changed the files.
"""

from __future__ import annotations

import hashlib
from pathlib import Path


def fingerprint(text: str) -> str:
    """Digest over names, sizes and modification times; empty when nothing is there.

    Examples
    --------
    >>> fingerprint("/no/such/place")
    ''
    """
    path = Path(text).expanduser()
    try:
        if path.is_file():
            found = [path]
        elif path.is_dir():
            found = sorted(entry for entry in path.rglob("*") if entry.is_file())
        else:
            return ""
        digest = hashlib.sha256()
        for entry in found:
            facts = entry.stat()
            digest.update(f"{entry.relative_to(path)}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    except (OSError, ValueError):
        return ""
    return digest.hexdigest()
