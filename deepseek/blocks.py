"""What the SDK needs to know of blocks, read from the catalog; and running the pipeline that ends in one of them.

Called by ``Model`` and ``Dataset``. Adding a block, a model or a public data set adds it here by itself: no names are
listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepseek import local, pipeline
from deepseek.errors import unknown
from deepseek.pipeline import Step
from deepseek.progress import Progress, Sink, points
from deepseek.results import Curve

QUIET_TYPES = ("progress", "log")


def exists(type_: str) -> bool:
    """True when the catalog has this block."""
    return type_ in local.catalog()["blocks"]


def names(category: str) -> list[str]:
    """Blocks of a category, without its prefix."""
    return [id_.split(".", 1)[1] for id_, entry in local.catalog()["blocks"].items() if entry["category"] == category]


def public_datasets() -> list[str]:
    """Data sets that can be loaded by name: blocks without inputs that need no file."""
    entries = local.catalog()["blocks"].values()
    return [
        entry["id"].split(".", 1)[1]
        for entry in entries
        if entry["category"] == "data" and not entry["inputs"] and "file" not in _properties(entry)
    ]


def outputs(type_: str, kind: str) -> list[str]:
    """Output ports of a block that give an artifact of a kind, in order."""
    catalog = local.catalog()
    entry = catalog["blocks"][type_]
    return [port["name"] for port in entry["outputs"] if kind in catalog["kinds"][port["kind"]]]


def inputs(type_: str) -> list[str]:
    """Input ports of a block."""
    return [port["name"] for port in local.catalog()["blocks"][type_]["inputs"]]


def parameters(type_: str) -> list[str]:
    """Parameters of a block."""
    return list(_properties(local.catalog()["blocks"][type_]))


def schema(type_: str) -> Mapping[str, Any]:
    """The JSON Schema of each parameter of a block."""
    return _properties(local.catalog()["blocks"][type_])


def check_params(type_: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that were given, as JSON values; None means the default.

    Raises
    ------
    UsageError
        For a name that the block does not have, with the one that was probably meant.
    """
    known = _properties(local.catalog()["blocks"][type_])
    for name in params:
        if name not in known:
            raise unknown(f"parameter of {type_}", name, known)
    return {name: _plain(value) for name, value in params.items() if value is not None}


def make(target: Step, *, seed: int, plan: Mapping[str, Any] | None = None) -> dict[str, local.Artifact]:
    """Run the pipeline that ends in a step, and give what the step made: port -> artifact.

    Shows a bar only while something takes its time, and warnings.
    """
    progress = Progress()

    def show(event: Mapping[str, Any]) -> None:
        if event["type"] in QUIET_TYPES:
            progress(event)

    document, ids = pipeline.document([target], seed=seed)
    try:
        return local.checked(local.execute(document, plan=plan, show=show)).outputs[ids[target]]
    finally:
        progress.close()


def metrics_of(result: local.Result, block: str) -> dict[str, float]:
    """Metrics of one block of a run, without the block's id."""
    prefix = f"{block}."
    return {name.removeprefix(prefix): value for name, value in result.metrics.items() if name.startswith(prefix)}


class Curves:
    """Gathers the curves of one block while its events pass by on their way to whoever shows them.

    Parameters
    ----------
    block
        Whose metrics are kept.
    show
        Told every event.
    """

    def __init__(self, block: str, show: Sink) -> None:
        self.curves: dict[str, Curve] = {}
        self.is_cached = False
        self._block = block
        self._show = show

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take one event."""
        if event.get("block") == self._block:
            if event["type"] == "metrics":
                curve = self.curves.setdefault(event["name"], Curve())
                steps, values = points(event)
                curve.steps.extend(steps)
                curve.values.extend(values)
            elif event["type"] == "block_cached":
                self.is_cached = True
        self._show(event)

    def close(self) -> None:
        """The run is over."""
        if isinstance(self._show, Progress):
            self._show.close()


def _properties(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    properties: Mapping[str, Any] = entry["params"]["schema"].get("properties", {})
    return properties


def _plain(value: Any) -> Any:
    """A JSON value: numpy numbers become numbers, paths become texts."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str | dict):
        return value
    return str(value)
