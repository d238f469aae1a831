"""What the API says of a run, field by field: read by the description of the API, and checked on the way out."""

from __future__ import annotations

from typing import Any, Literal

import ninja
from pydantic import Field

from webapp.api.schemas import ErrorBody

RunStatus = Literal["queued", "running", "succeeded", "failed", "cancelled"]
BlockStatus = Literal["waiting", "running", "done", "cached", "failed", "skipped"]


class Reason(ninja.Schema):
    """Why a block ran, or did not."""

    code: str
    template: str = ""
    values: dict[str, Any] = {}
    message: str = ""


class Progress(ninja.Schema):
    done: float
    total: float
    unit: str
    eta_s: float | None = Field(None, description="Seconds that are left, as far as the block can tell")


class Output(ninja.Schema):
    digest: str
    kind: str
    preview: bool = False


class Problem(ErrorBody):
    """Why a block or a run failed."""

    template: str = ""
    values: dict[str, Any] = {}
    traceback: str | None = None


class Maker(ninja.Schema):
    """The run that made a result which was taken from the cache."""

    run: str
    project: str
    number: int
    block: str


class Block(ninja.Schema):
    """One block of a run."""

    state: BlockStatus
    progress: Progress | None = None
    reason: Reason | None = None
    duration_s: float | None = None
    outputs: dict[str, Output] = {}
    error: Problem | None = None
    metrics: dict[str, float | None] = Field({}, description="Newest value of each metric, by its name in the block")
    because: str | None = Field(None, description="The block that stopped this one, or cancelled")
    rung: str | None = Field(None, description="Precision that its training uses now, once it has said so")
    made_by: Maker | None = None


class Person(ninja.Schema):
    id: str
    name: str


class RunBody(ninja.Schema):
    """One run with the state of its blocks."""

    id: str
    name: str
    number: int
    status: RunStatus
    project: str
    pipeline: str | None
    created: str
    started: str | None
    finished: str | None
    duration_s: float | None
    user: Person | None
    tags: list[str]
    notes: str
    attempt: int = Field(description="Number of the current attempt; above 1 when a worker was lost")
    error: Problem | None
    device: str | None
    cancel_requested: bool
    queue_position: int | None = Field(description="1 for the next run of its queue")
    document: dict[str, Any]
    targets: list[str] | None
    rerun_from: str | None
    plan: dict[str, Any] | None = Field(description="The execution plan, once the run has started")
    blocks: dict[str, Block]
    config: dict[str, Any] = Field(description="Every parameter by address, such as train.learning_rate")
    metrics: dict[str, float | None] = Field(description="Newest value of each metric by address, such as train.loss")
    head_seq: int = Field(description="Number of the newest event; GET /runs/{id}/events?after= continues here")
