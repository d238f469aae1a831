"""Doors to rooms that import torch or numpy, opened only when somebody walks through.

Called through :mod:`engine.api` by the SDK. Each reaches its room by dotted path, so that importing the API stays
free of torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.artifacts import ArtifactStore, DatasetRef, ModelRef


def save_bundle(ref: ModelRef, path: Path) -> None:
    """Write a model as one file: a zip of ``model.json`` and ``weights.safetensors``, without pickle."""
    importlib.import_module("engine.runtime.bundle").save_bundle(ref, path)


def load_bundle(path: Path, store: ArtifactStore) -> ModelRef:
    """Read a model file into a store.

    Raises
    ------
    UserError
        When it is damaged, foreign, or from a newer version.
    """
    ref: ModelRef = importlib.import_module("engine.runtime.bundle").load_bundle(path, store)
    return ref


def register_architecture(name: str, build: Callable[[Any], Any]) -> None:
    """Make a person's own module an architecture of this process; ``build(config)`` returns a fresh module."""
    importlib.import_module("engine.models.registry").register_local(name, build)


def remember_choice(evidence: Mapping[str, Any], scope: str = "") -> bool:
    """Store what a run found best for a workload on this machine, out of its ``decision`` event of kind ``probe``.

    Parameters
    ----------
    evidence
        As the run said it: checked strictly, since the run may be anybody's.
    scope
        Whose later runs take it: empty for this installation's own, else a workspace's id.

    Returns
    -------
    bool
        False when it is not of the form that such evidence has; nothing was stored then.
    """
    stored: bool = importlib.import_module("engine.compute.profile").remember_evidence(evidence, scope)
    return stored


def profile_of(scope: str = "") -> bytes:
    """The file of what was measured on this machine, for a run that cannot read it where it lies."""
    path: Path = importlib.import_module("engine.compute.profile").profile_path(scope)
    return path.read_bytes() if path.is_file() else b"{}"


def open_images(ref: DatasetRef) -> Any:
    """Images, or a view on them, as :class:`engine.datasets.ImagesView`."""
    return importlib.import_module("engine.datasets").open_images(ref)


def open_table(ref: DatasetRef) -> Any:
    """A table, or a view on one, as ``pyarrow.Table``."""
    return importlib.import_module("engine.datasets").open_table(ref)


def open_predictor(ref: ModelRef) -> Any:
    """A trained model in memory, as :class:`engine.runtime.predictor.Predictor`; its network is ``.module``."""
    return importlib.import_module("engine.runtime.predictor").Predictor.open(ref)
