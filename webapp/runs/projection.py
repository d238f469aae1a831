"""From events to the state of a run: a pure fold, the same for the log of an hour ago and the event of now.

Called by the recorder (which keeps the result beside the log) and by tests (which fold the whole log and compare).
Must not know the database.

A block is ``waiting``, ``running``, ``done``, ``cached``, ``failed`` or ``skipped`` (``because`` of another block, or
because the run was ``cancelled``). The browser's fold (``static/studio/src/lib/runState.ts``) follows the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

BlockJson = dict[str, Any]
EMPTY: BlockJson = {
    "state": "waiting",
    "progress": None,
    "reason": None,
    "duration_s": None,
    "outputs": {},
    "error": None,
    "metrics": {},
    "because": None,
    "rung": None,
    "made_by": None,
}
RUNGS = ("fp32", "tf32", "bf16", "fp16", "fp8", "int8")


class Projection:
    """The blocks of one run as its events leave them.

    Examples
    --------
    >>> state = Projection()
    >>> state.apply({"type": "run_started", "plan": {}, "blocks": ["data", "train"], "resumed": False})
    >>> state.apply({"type": "block_started", "block": "data", "reason": {"code": "first_run"}})
    >>> [(name, block["state"]) for name, block in state.blocks.items()]
    [('data', 'running'), ('train', 'waiting')]
    """

    def __init__(self, blocks: Mapping[str, BlockJson] | None = None) -> None:
        self.blocks: dict[str, BlockJson] = {name: dict(data) for name, data in (blocks or {}).items()}
        self.plan: dict[str, Any] | None = None
        self.changed: set[str] = set()

    def apply(self, event: Mapping[str, Any]) -> None:
        """Take one event in; events that say nothing about blocks change nothing."""
        handler = _HANDLERS.get(event["type"])
        if handler is not None:
            handler(self, event)

    def last_value(self, block: str, name: str, value: float | None) -> None:
        """Keep the newest value of a metric that is being drawn."""
        self._block(block)["metrics"][name] = value

    def metrics(self) -> dict[str, float | None]:
        """All metrics by address."""
        return {f"{b}.{name}": value for b, data in self.blocks.items() for name, value in data["metrics"].items()}

    def position(self, block: str) -> int:
        """Where the block stands in the order of the plan."""
        return list(self.blocks).index(block)

    def _block(self, name: str, **changes: Any) -> BlockJson:
        self.changed.add(name)
        block = self.blocks.setdefault(name, {**EMPTY, "outputs": {}, "metrics": {}})
        block.update(changes)
        return block

    def _run_started(self, event: Mapping[str, Any]) -> None:
        self.plan = dict(event["plan"])
        before, self.blocks = self.blocks, {}
        for name in event["blocks"]:
            if name in before:
                self.blocks[name] = before[name]
            self._block(name)
        self.blocks |= {name: before[name] for name in before.keys() - self.blocks.keys()}

    def _block_started(self, event: Mapping[str, Any]) -> None:
        self._block(event["block"], state="running", reason=event["reason"], progress=None, error=None)

    def _block_ready(self, event: Mapping[str, Any]) -> None:
        cached = event["type"] == "block_cached"
        block = self._block(event["block"], state="cached" if cached else "done", progress=None, error=None)
        block["outputs"] = dict(event["outputs"])
        block["metrics"] = {**block["metrics"], **event["metrics"]}
        block["duration_s"] = None if cached else event["duration_s"]
        if cached:
            block["reason"] = event["reason"]
        block["made_by"] = event.get("made_by")

    def _block_failed(self, event: Mapping[str, Any]) -> None:
        self._block(event["block"], state="failed", progress=None, error=event["error"])

    def _block_skipped(self, event: Mapping[str, Any]) -> None:
        self._block(event["block"], state="skipped", because=event["because"])

    def _progress(self, event: Mapping[str, Any]) -> None:
        progress = {name: event.get(name) for name in ("done", "total", "unit", "eta_s")}
        self._block(event["block"], progress=progress)

    def _decision(self, event: Mapping[str, Any]) -> None:
        rung = rung_after(event)
        if rung is not None:
            self._block(event["block"], rung=rung)

    def _interrupted(self, event: Mapping[str, Any]) -> None:
        if event.get("status") == "succeeded":
            return
        for name, block in self.blocks.items():
            if block["state"] == "running":
                self._block(name, state="waiting", progress=None)


def rung_after(decision: Mapping[str, Any]) -> str | None:
    """The precision that holds after a decision; None when it is about something else.

    >>> rung_after({"kind": "precision", "values": {"from": "bf16", "to": "fp32"}})
    'fp32'
    """
    if decision.get("kind") not in {"precision", "probe", "attribution"}:
        return None
    values, evidence = decision.get("values") or {}, decision.get("evidence") or {}
    choice = evidence.get("choice")
    chosen = choice.get("precision") if isinstance(choice, Mapping) else None
    named = (values.get("to"), values.get("rung"), evidence.get("to"), chosen)
    return next((word for word in named if isinstance(word, str) and word in RUNGS), None)


_HANDLERS: dict[str, Callable[[Projection, Mapping[str, Any]], None]] = {
    "run_started": Projection._run_started,
    "block_started": Projection._block_started,
    "block_cached": Projection._block_ready,
    "block_done": Projection._block_ready,
    "block_failed": Projection._block_failed,
    "block_skipped": Projection._block_skipped,
    "progress": Projection._progress,
    "decision": Projection._decision,
    "attempt_lost": Projection._interrupted,
    "run_done": Projection._interrupted,
}
