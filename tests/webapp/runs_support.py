"""Makes runs without the checks of a submission, for tests of what comes after it."""

from __future__ import annotations

import json
from typing import Any

from webapp.runs.clock import now
from webapp.runs.models import BlockState, Run, RunEvent, RunSpec, RunSummary
from webapp.runs.projection import EMPTY, Projection
from webapp.supervisor.recorder import SYSTEM_BLOCK

DOCUMENT = {
    "format": "deepseek.pipeline/1",
    "name": "Test",
    "seed": 0,
    "blocks": {"train": {"type": "train.test", "params": {}}},
    "wires": [],
}


def make_run(project: Any, **fields: Any) -> Run:
    """A waiting run."""
    number = Run.objects.filter(project=project).count() + 1
    run = Run.objects.create(project=project, number=number, name=f"Run {number}", available=now(), **fields)
    RunSpec.objects.create(run=run, document=DOCUMENT)
    RunSummary.objects.create(run=run)
    BlockState.objects.create(run=run, block="train", data=EMPTY)
    return Run.objects.get(pk=run.pk)


def events_of(run: Run) -> list[dict[str, Any]]:
    """The run's log; fails when a number is missing or comes twice."""
    before = Run.objects.get(pk=run.pk).head
    rows = list(RunEvent.objects.filter(run=run).order_by("seq").values_list("seq", "payload"))
    assert [seq for seq, _ in rows] == list(range(1, len(rows) + 1))
    assert before <= len(rows) <= Run.objects.get(pk=run.pk).head  # events may come between two looks
    return [json.loads(payload) for _, payload in rows]


def types_of(run: Run) -> list[str]:
    """The types of the run's events; the curves of the machine come whenever they are measured."""
    return [event["type"] for event in events_of(run) if event.get("block") != SYSTEM_BLOCK]


def check_projection(run: Run) -> None:
    """What is stored beside the log is what the whole log folds to."""
    projection = Projection({"train": EMPTY})
    for event in events_of(run):
        if event["type"] != "metrics":
            projection.apply(event)
    stored = {row.block: row.data for row in BlockState.objects.filter(run=run)}
    for name, block in projection.blocks.items():
        assert {**stored[name], "metrics": None} == {**block, "metrics": None}
