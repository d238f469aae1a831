"""Writes what a child says into the database: batches of events and everything that is kept beside them.

Called by :mod:`webapp.supervisor.attempt` with checked messages. One batch is one transaction: the events, the ends
of the metric pyramids, the blocks' states and how far the event file was read are stored together or not at all,
so a batch can be tried again until it is stored, and never counts twice.
"""

from __future__ import annotations

import base64
import json
import time
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from webapp.live.bell import project_changed, ring_after_commit
from webapp.runs import transitions
from webapp.runs.log import Entry, append, entry
from webapp.runs.models import Attempt, BlockState, Run, RunSummary, Series, SeriesPage
from webapp.runs.projection import BlockJson, Projection
from webapp.runs.values import store_values
from webapp.supervisor import protocol
from webapp.supervisor.pyramid import Pyramid

SUMMARY_EVERY_S = 2.0
SYSTEM_BLOCK = "@system"


@dataclass
class Batch:
    """What one transaction stores."""

    entries: list[Entry] = field(default_factory=list)
    series: dict[str, tuple[int, int, float | None]] = field(default_factory=dict)
    pages: dict[tuple[str, int, int], bytes] = field(default_factory=dict)
    blocks: dict[str, tuple[int, BlockJson]] = field(default_factory=dict)
    metrics: dict[str, float | None] | None = None
    plan: dict[str, Any] | None = None
    done: dict[str, Any] | None = None
    read: int = 0


@dataclass
class _Curve:
    """A metric as this attempt knows it."""

    pyramid: Pyramid
    last_step: int
    repeats_until: int | None = None
    """A later attempt says again what came after its checkpoint; up to this step it is known already."""
    pk: int | None = None


class Recorder:
    """Collects messages and stores them in batches, under the fencing number of one attempt."""

    def __init__(self, run_id: UUID, epoch: int) -> None:
        self.run_id = run_id
        self.epoch = epoch
        run = Run.objects.get(pk=run_id)
        self._project = run.project_id
        rows = BlockState.objects.filter(run_id=run_id)
        self.projection = Projection({row.block: row.data for row in rows})
        self._curves = {row.name: _load_curve(row) for row in Series.objects.filter(run_id=run_id)}
        self._batch = Batch()
        self._summary_due = 0.0

    @property
    def is_empty(self) -> bool:
        """True when nothing waits to be stored."""
        return not self._batch.entries

    def expect_repeats(self) -> None:
        """What comes now may begin at a checkpoint: points that are known already are not stored again."""
        for curve in self._curves.values():
            curve.repeats_until = curve.last_step

    def add(self, message: protocol.Event, **more: Any) -> None:
        """Take one message into the batch, with what the supervisor adds to it."""
        if isinstance(message, protocol.Metrics):
            self._add_points(message)
            return
        text = protocol.to_text(message)
        body = json.loads(text)  # what JSON cannot say is gone from it
        if more:
            body |= more
            text = json.dumps(body, separators=(",", ":"))
        self.projection.apply(body)
        if message.type == "run_started":
            self._batch.plan = body["plan"]
        elif message.type == "run_done":
            self._batch.done = body
        if message.type in {"block_done", "block_cached", "run_done"}:
            self._summary_due = 0.0
        self._batch.entries.append(Entry(message.type, text))

    def add_own(self, event: dict[str, Any]) -> None:
        """Take one event of the supervisor itself into the batch."""
        self.projection.apply(event)
        self._batch.entries.append(entry(event))

    def add_system(self, points: Mapping[str, Sequence[tuple[float, float]]]) -> None:
        """Take what the worker measured of the run's processes: curve -> (unix seconds, value).

        They are metrics of a block that no document can hold; a point's step is its time in milliseconds.
        """
        for name, curve in points.items():
            self._add_points(_system_metrics(name, curve))

    def store(self, read: int, attempt: int | None = None) -> None:
        """Store the batch; when it fails nothing is stored, and it can be stored again.

        Parameters
        ----------
        read
            How far the event file of the attempt is stored with it.
        attempt
            An earlier attempt, when these are its leftovers.

        Raises
        ------
        webapp.runs.log.Fenced
            When the run is somebody else's now.
        """
        batch = self._close_batch(read)
        with transaction.atomic():
            append(self.run_id, self.epoch, batch.entries)
            keys = self._store_series(batch)
            _store_pages(batch, {**keys, **{name: c.pk for name, c in self._curves.items() if c.pk is not None}})
            _store_blocks(self.run_id, batch)
            if batch.metrics is not None:
                RunSummary.objects.filter(run_id=self.run_id).update(metrics=batch.metrics)
                store_values(self.run_id, self._project, batch.metrics)
            if batch.plan is not None:
                Run.objects.filter(pk=self.run_id).update(plan=batch.plan)
            Attempt.objects.filter(run_id=self.run_id, number=attempt or self.epoch).update(read=batch.read)
            if batch.done is not None:
                transitions.finish(self.run_id, self.epoch, batch.done["status"], batch.done.get("error"))
                project_changed(self._project, "runs", self.run_id)
            ring_after_commit(self.run_id)
        for name, pk in keys.items():
            self._curves[name].pk = pk
        self._batch = Batch()

    def _add_points(self, message: protocol.Metrics) -> None:
        steps, times, values = _points(message)
        curve = self._curves.get(message.address)
        if curve is None:
            curve = self._curves[message.address] = _Curve(Pyramid(), -1)
        if curve.repeats_until is not None:
            known = curve.repeats_until
            fresh = next((at for at, step in enumerate(steps) if step > known), None)
            if fresh is None:
                return
            curve.repeats_until = None
            if fresh:
                steps, times, values = steps[fresh:], times[fresh:], values[fresh:]
                message = _cut(message, fresh, steps, times, values)
        first = curve.pyramid.count
        curve.pyramid.extend(steps, times, values)
        curve.last_step = steps[-1]
        last = values[-1] if values[-1] == values[-1] and abs(values[-1]) != float("inf") else None
        if message.block != SYSTEM_BLOCK:
            self.projection.last_value(message.block, message.name, last)
        self._batch.series[message.address] = (curve.pyramid.count, curve.last_step, last)
        self._batch.entries.append(Entry("metrics", protocol.to_text(message), message.address, first))

    def _close_batch(self, read: int) -> Batch:
        """Complete the batch with what its messages changed; done again on a retry it gives the same."""
        batch = self._batch
        for name in batch.series:
            for (level, page), data in self._curves[name].pyramid.flush().items():
                batch.pages[name, level, page] = data
        places = {name: at for at, name in enumerate(self.projection.blocks)}
        for name in self.projection.changed:
            batch.blocks[name] = (places[name], self.projection.blocks[name])
        if batch.metrics is None and (self.projection.changed or batch.series):
            now = time.monotonic()
            if now >= self._summary_due:
                self._summary_due = now + SUMMARY_EVERY_S
                batch.metrics = self.projection.metrics()
        self.projection.changed = set()
        batch.read = read
        return batch

    def _store_series(self, batch: Batch) -> dict[str, int]:
        new: dict[str, int] = {}
        for name, (count, last_step, last_value) in batch.series.items():
            values = {"count": count, "last_step": last_step, "last_value": last_value}
            pk = self._curves[name].pk
            if pk is None:
                new[name] = Series.objects.create(run_id=self.run_id, name=name, **values).pk
            else:
                Series.objects.filter(pk=pk).update(**values)
        return new


def _points(message: protocol.Metrics) -> tuple[Sequence[int], list[float], Sequence[float]]:
    values = array("d")
    values.frombytes(message.value_bytes)
    steps: Sequence[int]
    if message.step_bytes is None:
        steps = [message.first_step + index * message.stride for index in range(message.count)]
    else:
        steps = array("q")
        steps.frombytes(message.step_bytes)
    gap = (message.t1 - message.t0) / (message.count - 1) if message.count > 1 else 0.0
    return steps, [message.t0 + index * gap for index in range(message.count)], values


def _system_metrics(name: str, curve: Sequence[tuple[float, float]]) -> protocol.Metrics:
    times = [t for t, _ in curve]
    steps = array("q", (int(t * 1000) for t in times))
    return protocol.Metrics.model_construct(  # the rules are for what a child says: it cannot say this block
        type="metrics",
        block=SYSTEM_BLOCK,
        name=name,
        first_step=steps[0],
        stride=0,
        count=len(curve),
        t0=times[0],
        t1=times[-1],
        values=base64.b64encode(array("d", (value for _, value in curve)).tobytes()).decode(),
        steps=base64.b64encode(steps.tobytes()).decode(),
    )


def _cut(
    message: protocol.Metrics, fresh: int, steps: Sequence[int], times: Sequence[float], values: Sequence[float]
) -> protocol.Metrics:
    """The message without its first points."""
    packed = base64.b64encode(message.value_bytes[8 * fresh :]).decode()
    irregular = message.step_bytes
    return message.model_copy(
        update={
            "first_step": steps[0],
            "count": len(values),
            "t0": times[0],
            "values": packed,
            "steps": None if irregular is None else base64.b64encode(irregular[8 * fresh :]).decode(),
        }
    )


def _load_curve(row: Series) -> _Curve:
    pages = {}
    for last in SeriesPage.objects.filter(series=row).values("level").annotate(page=Max("page")):
        page = SeriesPage.objects.get(series=row, level=last["level"], page=last["page"])
        pages[page.level] = (page.page, bytes(page.data))
    pyramid = Pyramid.restore(row.count, pages)
    return _Curve(pyramid, row.last_step, pk=row.pk)


def _store_pages(batch: Batch, keys: dict[str, int]) -> None:
    SeriesPage.objects.bulk_create(
        [
            SeriesPage(series_id=keys[name], level=level, page=page, data=data)
            for (name, level, page), data in batch.pages.items()
        ],
        update_conflicts=True,
        unique_fields=["series", "level", "page"],
        update_fields=["data"],
    )


def _store_blocks(run_id: UUID, batch: Batch) -> None:
    BlockState.objects.bulk_create(
        [BlockState(run_id=run_id, block=name, position=at, data=data) for name, (at, data) in batch.blocks.items()],
        update_conflicts=True,
        unique_fields=["run", "block"],
        update_fields=["data", "position"],
    )
