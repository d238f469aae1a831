"""The web application's only door to the engine.

Everything else in ``webapp`` imports from here. Must not import torch, and keeps nothing but the catalog, read again
when its file changes.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from engine.api import (
    ArtifactStore,
    Catalog,
    Document,
    ExecutionPlan,
    FileRef,
    Hit,
    Lookup,
    ModelRef,
    Problem,
    StudioError,
    TransientError,
    UserError,
    arrange,
    canonical_json,
    catalog_path,
    digest_of,
    error_json,
    errors_in,
    find_block,
    fits,
    has_resource,
    hash_file,
    home,
    is_manifest,
    load_catalog,
    parse_document,
    preview_run,
    profile_of,
    remember_choice,
    render,
    unpack_points,
    validate,
)
from engine.api import apply_operations as _apply_operations

__all__ = [
    "ArtifactStore",
    "Catalog",
    "Document",
    "ExecutionPlan",
    "FileRef",
    "Hit",
    "Lookup",
    "ModelRef",
    "Problem",
    "StudioError",
    "TransientError",
    "UserError",
    "apply_operations",
    "arrange",
    "canonical_json",
    "catalog",
    "catalog_path",
    "digest_of",
    "error_json",
    "errors_in",
    "find_block",
    "fits",
    "has_resource",
    "hash_file",
    "home",
    "is_manifest",
    "load_catalog",
    "parse_document",
    "preview_run",
    "problems_of",
    "profile_of",
    "remember_choice",
    "render",
    "unpack_points",
    "validate",
]

_lock = threading.Lock()
_loaded: tuple[tuple[int, int], Catalog] | None = None


def catalog() -> Catalog:
    """The catalog of blocks, as built; the same object until its file changes."""
    global _loaded
    stamp = _stamp()
    if _loaded is not None and _loaded[0] == stamp:
        return _loaded[1]
    with _lock:
        if _loaded is None or _loaded[0] != stamp:
            fresh = load_catalog()
            _loaded = (_stamp(), fresh)
        return _loaded[1]


def problems_of(document: Document) -> list[dict[str, Any]]:
    """What is wrong with a pipeline, as the API says it."""
    return [problem.to_json() for problem in validate(document, catalog())]


def apply_operations(document: Document, operations: Sequence[Mapping[str, Any]]) -> Document:
    """The document after the operations; UserError when one does not apply."""
    return _apply_operations(document, operations, catalog())


def _stamp() -> tuple[int, int]:
    try:
        status = catalog_path().stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)
