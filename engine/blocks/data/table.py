"""A table of your own: CSV, Excel or Parquet. How it is written is detected and can be corrected."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import pyarrow.compute as pc

from engine.artifacts import TableRef
from engine.blocks.data._source import input_file
from engine.datasets import write_table
from engine.errors import UserError
from engine.spec import BlockParams, RunContext, block, param
from engine.tabular import TableOptions, TableRead, read_table
from engine.tabular.options import ColumnType, Encoding
from engine.tabular.targets import check_target, find_target

NAMED = 5


class Params(BlockParams):
    """Which file, what to predict, and how to read it."""

    file: str = param("", widget="artifact", help="The uploaded table")
    path: str = param("", widget="path", help="Path of the table on this machine, instead of an upload")
    target: str = param("", widget="column", help="Column to predict; empty to guess it")
    task: Literal["auto", "classification", "regression"] = param(
        "auto", help="Predict a class or a number; auto decides by the target"
    )
    columns: dict[str, ColumnType] = param({}, help="Type of columns that were guessed wrong", advanced=True)
    missing: list[str] | None = param(
        None, help="Words that mean that a value is missing; empty for the usual ones, such as NA", advanced=True
    )
    ragged: Literal["error", "skip", "pad"] = param(
        "error", help="Lines with too few or too many cells: stop, leave them out, or fill and cut them", advanced=True
    )
    encoding: Encoding = param("auto", help="Encoding of a text file", advanced=True)
    delimiter: str = param(
        "auto", choices=["auto", ",", ";", "tab", "|"], help="Character between the cells of a text file", advanced=True
    )
    header: Literal["auto", "yes", "no"] = param("auto", help="Whether the first line names the columns", advanced=True)
    decimal: Literal["auto", ".", ","] = param("auto", help="Decimal sign of a text file", advanced=True)
    thousands: Literal["auto", "none", ",", ".", " ", "'"] = param(
        "auto", help="Sign between thousands in a text file", advanced=True
    )
    day_first: Literal["auto", "yes", "no"] = param(
        "auto", help="Whether the day comes before the month in dates such as 03/04/2024", advanced=True
    )
    sheet: str = param("", help="Name of the Excel sheet; empty for the first with data", advanced=True)


class Outputs(NamedTuple):
    """What comes out."""

    dataset: TableRef


@block(
    "data.table",
    title="Table",
    examples=[{}],
    skips={"example": "it needs a file that somebody uploaded; tests/engine/data gives it one"},
)
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Read a table and find out what its columns hold.

    Rows whose target is missing are left out, and a warning counts them.

    Returns
    -------
    Outputs
        ``dataset``: the table, its column types, the target and the task.

    Raises
    ------
    UserError
        At the parameter that may help: the file is empty or no table, lines are ragged, the encoding is wrong, the
        target is missing, free text, or has one value.

    References
    ----------
    Shafranovich (2005), RFC 4180, Common Format and MIME Type for Comma-Separated Values Files.

    Examples
    --------
    >>> Params(path="people.csv", target="age").task
    'auto'
    """
    path, name = input_file(ctx, params.file, params.path)
    ctx.check_cancelled()
    read = read_table(path, TableOptions(**params.model_dump(exclude={"file", "path"})))
    _check_ragged(read, params.ragged, ctx)
    for finding in read.findings:
        say = ctx.warn if finding.severity == "warning" else ctx.log
        say(finding.template, **finding.values)
    classes = None
    if read.target is not None and read.task is not None:
        column = find_target(read.columns, read.target)
        _drop_without_target(read, ctx)
        classes = check_target(column, read.task)
        _warn_of_rare(column.values, ctx, read.task)
    facts: list[dict[str, Any]] = [column.facts() for column in read.columns]
    return Outputs(
        write_table(ctx.store, read.table, facts, name=name, target=read.target, task=read.task, classes=classes)
    )


def _check_ragged(read: TableRead, policy: str, ctx: RunContext) -> None:
    if read.ragged is None:
        return
    first = read.ragged["lines"][0]
    values = {
        "count": read.ragged["count"],
        "expected": read.ragged["expected"],
        "line": first["line"],
        "cells": first["cells"],
        "lines": ", ".join(str(line["line"]) for line in read.ragged["lines"][:NAMED]),
    }
    if policy == "error":
        raise UserError(
            "{count} lines do not have {expected} cells: line {line} has {cells}",
            field="ragged",
            hint="Correct the lines {lines}, or set what to do with ragged lines to skip or pad.",
            **values,
        )
    if policy == "skip":
        ctx.warn("{count} lines that do not have {expected} cells were left out: {lines}", **values)
    else:
        ctx.warn("{count} lines that do not have {expected} cells were filled or cut: {lines}", **values)


def _drop_without_target(read: TableRead, ctx: RunContext) -> None:
    assert read.target is not None
    values = find_target(read.columns, read.target).values
    if values.null_count == 0:
        return
    ctx.warn(
        "{count} rows have no value in {column}, which is to be predicted, and were left out",
        count=values.null_count,
        column=read.target,
    )
    kept = pc.is_valid(values)
    for column in read.columns:
        column.values = column.values.filter(kept)


def _warn_of_rare(values: Any, ctx: RunContext, task: str) -> None:
    if task != "classification":
        return
    counts = pc.value_counts(values).to_pylist()
    rare = [str(entry["values"]) for entry in counts if entry["counts"] == 1]
    if rare:
        ctx.warn(
            "{count} classes have a single row: {classes}. They cannot be tested",
            count=len(rare),
            classes=", ".join(sorted(rare)[:NAMED]),
        )
