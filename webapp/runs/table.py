"""The table of runs: filter, sort, and a page of rows.

Called by the runs endpoint. A filter is words and comparisons separated by spaces:
``resnet evaluate.accuracy>0.9 train.optimizer=adamw status=succeeded tag=best``. Addresses are those of parameters
and metrics; words are looked for in names, tags and notes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.db.models import F, FilteredRelation, Q, QuerySet

from webapp.api.errors import ApiError
from webapp.runs.models import Run, RunValue, Status

COMPARISON = re.compile(r"([A-Za-z_][\w./\-]*)(<=|>=|!=|=|<|>)(.+)")
LOOKUPS = {"<=": "lte", ">=": "gte", "<": "lt", ">": "gt", "=": "exact"}
COLUMNS = {"created", "started", "finished", "number", "name", "status", "user", "duration_s"}
MAX_TERMS = 20
MAX_ROWS = 1_000


@dataclass(frozen=True)
class Question:
    """What somebody asks of the table."""

    q: str = ""
    status: str = ""
    tag: str = ""
    pipeline: str = ""
    sort: str = "-created"
    limit: int = 100
    offset: int = 0


def find_runs(project_id: Any, question: Question) -> tuple[list[Run], int]:
    """A page of runs with their summaries, and how many there are in all."""
    rows = Run.objects.filter(project_id=project_id)
    for term in _terms(question.q):
        rows = rows.filter(_condition(project_id, term))
    if question.status:
        rows = rows.filter(_status(question.status))
    if question.tag:
        rows = rows.filter(_tag(question.tag))
    if question.pipeline:
        rows = rows.filter(pipeline_id=question.pipeline)
    total = rows.count()
    limit, offset = max(0, min(question.limit, MAX_ROWS)), max(0, question.offset)
    # Ids first: sorting wide rows costs more than looking them up.
    ids = list(_sorted(rows, question.sort).values_list("pk", flat=True)[offset : offset + limit])
    found = Run.objects.select_related("summary", "user", "device").in_bulk(ids)
    return [found[pk] for pk in ids if pk in found], total


def _terms(text: str) -> list[str]:
    terms = re.findall(r'(?:[^\s"]+|"[^"]*")+', text)
    if len(terms) > MAX_TERMS:
        raise ApiError(422, "A filter may have at most {count} parts", field="q", count=MAX_TERMS)
    return [term.replace('"', "") for term in terms]


def _condition(project_id: Any, term: str) -> Q:
    match = COMPARISON.fullmatch(term)
    if match is None:
        return Q(name__icontains=term) | Q(notes__icontains=term) | _tag(term)
    address, operator, value = match.groups()
    if address == "status" and operator in "=!=":
        return ~_status(value) if operator == "!=" else _status(value)
    if address == "tag" and operator == "=":
        return _tag(value)
    if address == "number" and value.isdigit():
        return ~Q(number=value) if operator == "!=" else Q(**{f"number__{LOOKUPS[operator]}": int(value)})
    return _comparison(project_id, address, operator, value)


def _comparison(project_id: Any, address: str, operator: str, value: str) -> Q:
    number = {"true": 1.0, "false": 0.0}.get(value.lower())
    try:
        number = float(value) if number is None else number
    except ValueError:
        if operator not in {"=", "!="}:
            raise ApiError(422, "{value} is not a number", field="q", value=value[:80]) from None
    lookup = LOOKUPS.get(operator, "exact")
    wanted = Q(text__iexact=value) if number is None else Q(**{f"number__{lookup}": number})
    # A list of ids by index, instead of one look-up for every run.
    known = RunValue.objects.filter(project_id=project_id, address=address)
    cells = known.exclude(wanted) if operator == "!=" else known.filter(wanted)
    return Q(pk__in=cells.values("run_id"))


def _status(value: str) -> Q:
    wanted = [part for part in value.split(",") if part in Status.values]
    if not wanted:
        raise ApiError(422, "There is no status {value}", field="status", value=value[:80])
    return Q(status__in=wanted)


def _tag(value: str) -> Q:
    return Q(tags__icontains=value)


def _sorted(rows: QuerySet[Run], sort: str) -> QuerySet[Run]:
    falling, name = sort.startswith("-"), sort.lstrip("-+")
    if name in {"", "created"}:
        return rows.order_by("-created" if falling or not name else "created", "pk")
    if name == "duration_s":
        key: Any = F("finished") - F("started")
    elif name == "user":
        key = F("user__name")
    elif name in COLUMNS:
        key = F(name)
    else:
        rows = rows.annotate(cell=FilteredRelation("values", condition=Q(values__address=name)))
        number, text = F("cell__number"), F("cell__text")
        if falling:
            return rows.order_by(number.desc(nulls_last=True), text.desc(nulls_last=True), "-created")
        return rows.order_by(number.asc(nulls_last=True), text.asc(nulls_last=True), "-created")
    return rows.order_by(key.desc(nulls_last=True) if falling else key.asc(nulls_last=True), "-created")
