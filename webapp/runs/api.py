"""REST: submit, list, read, change, cancel and delete runs; their events, curves and log."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import ninja
from django.http import HttpRequest, HttpResponse
from ninja import Field, Query

from webapp import bridge
from webapp.api.errors import ApiError
from webapp.api.idempotency import idempotent
from webapp.api.schemas import ERRORS, Input, items
from webapp.live.bell import project_changed, ring
from webapp.pipelines.models import Pipeline
from webapp.runs import queries, transitions
from webapp.runs.cache import place_of
from webapp.runs.models import Run, RunEvent
from webapp.runs.preview import preview
from webapp.runs.schemas import RunBody
from webapp.runs.series import series_of
from webapp.runs.submit import Wish, submit
from webapp.runs.table import Question, find_runs
from webapp.workspaces.access import find, find_with_access, person
from webapp.workspaces.models import Project

router = ninja.Router(tags=["runs"])


class Options(Input):
    """How to run: all of it, or up to some blocks, or again from one."""

    targets: list[str] | None = Field(None, max_length=1_000)
    rerun_from: str | None = Field(None, max_length=64)
    name: str | None = Field(None, max_length=200)
    plan: dict[str, Any] | None = None
    share_device: bool = False


class WithDocument(Options):
    document: dict[str, Any]


class PlanOptions(Input):
    targets: list[str] | None = Field(None, max_length=1_000)


class Change(Input):
    name: str | None = Field(None, min_length=1, max_length=200)
    tags: list[str] | None = Field(None, max_length=30)
    notes: str | None = Field(None, max_length=20_000)


class Filters(ninja.Schema):
    q: str = Field("", max_length=1_000)
    status: str = Field("", max_length=100)
    tag: str = Field("", max_length=100)
    pipeline: UUID | None = None
    sort: str = Field("-created", max_length=200)
    limit: int = Field(200, ge=0, le=1_000)
    offset: int = Field(0, ge=0)
    columns: str = Field("", max_length=8_000)


class CurveFilters(ninja.Schema):
    names: str = Field("", max_length=4_000)
    points: int = Field(1_000, ge=1, le=500_000)
    x0: float | None = None
    x1: float | None = None
    runs: str = Field("", max_length=8_000)


@router.post("/pipelines/{hexid:id_}/runs", response={201: RunBody, **ERRORS})
def run_pipeline(request: HttpRequest, id_: UUID, payload: Options | None = None) -> Any:
    """Run a pipeline as it is now; without a body all of it."""
    pipeline, access = find_with_access(Pipeline, person(request), id_, "editor")
    wish = Wish(pipeline.document, pipeline, **(payload or Options.model_validate({})).dict())
    return idempotent(request, lambda: ninja.Status(201, _created(submit(pipeline.project, access, wish))))


@router.post("/projects/{hexid:project}/runs", response={201: RunBody, **ERRORS})
def run_document(request: HttpRequest, project: UUID, payload: WithDocument) -> Any:
    """Run a document that is not kept as a pipeline."""
    row, access = find_with_access(Project, person(request), project, "editor")
    wish = Wish(**payload.dict())
    return idempotent(request, lambda: ninja.Status(201, _created(submit(row, access, wish))))


@router.post("/pipelines/{hexid:id_}/plan", response={200: dict[str, Any], **ERRORS})
def plan_pipeline(request: HttpRequest, id_: UUID, payload: PlanOptions | None = None) -> Any:
    """What a run would do: which blocks are cached, which will run, and why."""
    targets = None if payload is None else payload.targets
    pipeline = find(Pipeline, person(request), id_)
    document = bridge.parse_document(pipeline.document)
    place = place_of(pipeline.id, pipeline.project_id)
    return {"blocks": preview(document, pipeline.project, place, targets)}


@router.get("/projects/{hexid:project}/runs", response={200: dict[str, Any], **ERRORS})
def list_runs(request: HttpRequest, project: UUID, filters: Query[Filters]) -> Any:
    """The table of runs."""
    row = find(Project, person(request), project)
    wanted = filters.dict()
    columns = set(_words(wanted.pop("columns")))
    found, total = find_runs(row.id, Question(**{k: v for k, v in wanted.items() if v is not None}))
    return items((queries.summary_json(run, columns) for run in found), total)


@router.get("/runs/{hexid:id_}", response={200: RunBody, **ERRORS})
def read_run(request: HttpRequest, id_: UUID) -> Any:
    """One run with the state of its blocks."""
    return queries.run_json(find(Run, person(request), id_).id)


@router.patch("/runs/{hexid:id_}", response={200: RunBody, **ERRORS})
def change_run(request: HttpRequest, id_: UUID, payload: Change) -> Any:
    """Give a run a name, tags or notes."""
    run = find(Run, person(request), id_, "editor")
    changes = payload.dict(exclude_unset=True)
    if "tags" in changes:
        changes["tags"] = queries.join_tags(changes["tags"] or [])
        if len(changes["tags"]) > 1_000:
            raise ApiError(422, "These tags are too long", field="tags")
    changes = {name: value for name, value in changes.items() if value is not None}
    if changes:
        Run.objects.filter(pk=run.pk).update(**changes)
        project_changed(run.project_id, "runs", run.id)
    return queries.run_json(run.id)


@router.post("/runs/{hexid:id_}/cancel", response={200: RunBody, **ERRORS})
def cancel_run(request: HttpRequest, id_: UUID) -> Any:
    """Stop a run: at once while it waits, within seconds while it runs."""
    from webapp.celery import ring_runs

    run = find(Run, person(request), id_, "editor")
    transitions.cancel(run.id)
    project_changed(run.project_id, "runs", run.id)
    ring_runs()
    return queries.run_json(run.id)


@router.delete("/runs/{hexid:id_}", response={204: None, **ERRORS})
def delete_run(request: HttpRequest, id_: UUID) -> Any:
    """Delete a run that has ended, with its log and curves; what it made stays in the workspace."""
    run = find(Run, person(request), id_, "editor")
    if not run.has_ended:
        raise ApiError(409, "This run has not ended", hint="Cancel it first.")
    project_id = run.project_id
    run.delete()
    project_changed(project_id, "runs", id_)
    ring(id_)
    return ninja.Status(204, None)


@router.get("/runs/{hexid:id_}/events", response={200: dict[str, Any], **ERRORS})
def read_events(request: HttpRequest, id_: UUID, after: int = 0, limit: int = 500, types: str = "") -> Any:
    """The event log after a number; all types, or some."""
    run = find(Run, person(request), id_)
    return _events(run, queries.read_events(run.id, after, limit, _words(types)))


@router.get("/runs/{hexid:id_}/log", response={200: dict[str, Any], **ERRORS})
def read_log(request: HttpRequest, id_: UUID, after: int = 0, limit: int = 1_000) -> Any:
    """The lines of the log, oldest first."""
    run = find(Run, person(request), id_)
    rows = queries.read_events(run.id, after, limit, ["log"])
    total = RunEvent.objects.filter(run_id=run.id, kind="log", metric__isnull=True).count()
    return _json(f'{{"items":{queries.events_text(rows)},"total":{total},"head":{run.head}}}')


@router.get("/runs/{hexid:id_}/series", response={200: dict[str, Any], **ERRORS})
def read_series(request: HttpRequest, id_: UUID, filters: Query[CurveFilters]) -> Any:
    """Curves with as many points as asked for."""
    run = find(Run, person(request), id_)
    curves = series_of([run.id], _words(filters.names), filters.points, filters.x0, filters.x1)
    return {"series": curves[run.id.hex]}


@router.get("/projects/{hexid:project}/series", response={200: dict[str, Any], **ERRORS})
def compare_series(request: HttpRequest, project: UUID, filters: Query[CurveFilters]) -> Any:
    """The curves of several runs, to lay over each other."""
    row = find(Project, person(request), project)
    try:
        wanted = [UUID(hex=word) for word in _words(filters.runs)]
    except ValueError:
        raise ApiError(422, "This is not the id of a run", field="runs") from None
    present = set(Run.objects.filter(project=row, pk__in=wanted).values_list("pk", flat=True))
    runs = [run_id for run_id in wanted if run_id in present]
    return {"runs": series_of(runs, _words(filters.names), filters.points, filters.x0, filters.x1)}


def _created(run: Run) -> dict[str, Any]:
    return queries.run_json(run.id)


def _events(run: Run, rows: list[tuple[int, str]]) -> HttpResponse:
    return _json(f'{{"items":{queries.events_text(rows)},"head":{run.head}}}')


def _json(text: str) -> HttpResponse:
    return HttpResponse(text, content_type="application/json")


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]
