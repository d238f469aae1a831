"""The cells of the table of runs: parameters and metrics by address, kept so that a filter uses an index.

Called when a run is submitted (its parameters) and while it runs (its metrics).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from webapp.runs.models import RunValue

MAX_VALUES = 2_000


def store_values(run_id: UUID, project_id: UUID, values: Mapping[str, Any]) -> None:
    """Insert or replace cells of one run."""
    RunValue.objects.bulk_create(
        [
            RunValue(run_id=run_id, project_id=project_id, address=address[:200], number=as_number(v), text=as_text(v))
            for address, v in list(values.items())[:MAX_VALUES]
        ],
        update_conflicts=True,
        unique_fields=["run", "address"],
        update_fields=["number", "text"],
        batch_size=150,
    )


def as_number(value: Any) -> float | None:
    """The value as a number, where it is one.

    >>> as_number(True), as_number(3), as_number("adam")
    (1.0, 3.0, None)
    """
    return float(value) if isinstance(value, int | float) else None


def as_text(value: Any) -> str | None:
    """The value as text, where it is not a number.

    >>> as_text("adam"), as_text([1, 2]), as_text(None)
    ('adam', '[1, 2]', None)
    """
    if value is None or isinstance(value, int | float):
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:200]


def config_of(document: Mapping[str, Any], defaults: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Every parameter of a document by address, also those left at their default, and the seed.

    >>> document = {"seed": 1, "blocks": {"train": {"type": "train.x", "params": {"lr": 0.1}}}}
    >>> config_of(document, {"train.x": {"lr": 1.0, "epochs": 5}})
    {'seed': 1, 'train.lr': 0.1, 'train.epochs': 5}
    """
    config: dict[str, Any] = {"seed": document.get("seed", 0)}
    for name, block in document.get("blocks", {}).items():
        for param, value in {**defaults.get(block["type"], {}), **block.get("params", {})}.items():
            config[f"{name}.{param}"] = value
    return config
