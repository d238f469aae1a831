"""Look at an uploaded file, in a process of its own: ``python -m engine.inspect FOLDER``.

Called by the Data page through the sandbox. ``FOLDER/job.json`` is ``{"file": "input/name", "filename": "people.csv",
"options": {...}}``; ``FOLDER/result.json`` becomes what was found: kind, detected, options, columns, count, classes,
skipped, target, task, preview, profile, statistics and problems, or ``{"error"}``.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from engine.datasets import previews
from engine.datasets.image_files import Skipped, Source, class_counts, decode, open_source
from engine.errors import UserError, error_json
from engine.tabular import Finding, TableOptions, read_table
from engine.tabular.profile import class_figure, overview_figure, statistics
from engine.tabular.read import TableRead
from engine.tabular.targets import check_target, find_target
from engine.text.read import is_running_text, read_corpus

CHECKED_IMAGES = 2_000
FIGURE_COLUMNS = 24
NAMED = 20


def main(argv: list[str]) -> int:
    """Do the job in a folder; the exit status is 0 when there is a result, also one that says what was wrong."""
    folder = Path(argv[0])
    try:
        job = json.loads((folder / "job.json").read_bytes())
        result = inspect_file(folder / job["file"], job.get("options") or {})
    except Exception as error:  # a boundary: whatever goes wrong is shown to the person who uploaded the file
        result = {"error": error_json(error)}
    (folder / "result.json").write_bytes(json.dumps(result, ensure_ascii=False, allow_nan=False).encode())
    return 0


def inspect_file(path: Path, options: dict[str, Any]) -> dict[str, Any]:
    """What a file holds: a table, a zip of images, or running text.

    Raises
    ------
    UserError
        When it is none of these, or cannot be read.
    """
    if zipfile.is_zipfile(path) and not _is_workbook(path):
        return inspect_images(path)
    return inspect_text(path) if not options and is_running_text(path) else inspect_table(path, options)


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.startswith("xl/") for name in archive.namelist())
    except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError):
        return False


def inspect_text(path: Path) -> dict[str, Any]:
    """Say what a plain text holds: its paragraphs."""
    documents = read_corpus(path, divided="paragraphs").texts
    return {
        "kind": "text",
        "detected": {"format": "text"},
        "options": {},
        "columns": [],
        "count": len(documents),
        "classes": None,
        "skipped": [],
        "target": None,
        "task": "language_model",
        "preview": json.loads(previews.texts_preview(documents, None, len(documents))),
        "profile": None,
        "statistics": [{"characters": sum(map(len, documents)), "paragraphs": len(documents)}],
        "problems": [],
    }


def inspect_table(path: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Read a table with what the person set, and say what was found."""
    try:
        given = TableOptions.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            "The option {option} is not valid: {problem}",
            field=str(first["loc"][0]) if first["loc"] else None,
            option=".".join(str(part) for part in first["loc"]),
            problem=first["msg"],
        ) from None
    read = read_table(path, given)
    table, facts = read.table, [column.facts() for column in read.columns]
    problems = [finding.to_json() for finding in [*_ragged(read, given), *read.findings]]
    classes = None
    if read.target is not None and read.task is not None:
        try:
            classes = check_target(find_target(read.columns, read.target), read.task)
        except UserError as error:
            problems.append(Finding("error", error.template, error.values, error.hint_template, error.field).to_json())
    return {
        "kind": "table",
        "detected": read.detected,
        "options": effective(read, given),
        "columns": facts,
        "count": read.count,
        "classes": classes,
        "skipped": [],
        "target": read.target,
        "task": read.task,
        "preview": json.loads(previews.table_preview(table)),
        "profile": overview_figure(table, facts[:FIGURE_COLUMNS]),
        "statistics": statistics(table, facts),
        "problems": problems,
    }


def effective(read: TableRead, given: TableOptions) -> dict[str, Any]:
    """The options with what was detected in place of ``auto``: reading with them gives the same table."""
    found = read.detected
    values = given.model_dump()
    for name in ("encoding", "delimiter", "decimal", "day_first"):
        if values[name] == "auto" and name in found:
            values[name] = found[name]
    if values["header"] == "auto" and "header" in found:
        values["header"] = "yes" if found["header"] else "no"
    values["sheet"] = found.get("sheet", values["sheet"])
    values["target"] = read.target or ""
    values["task"] = read.task or "auto"
    return values


def _ragged(read: TableRead, given: TableOptions) -> list[Finding]:
    if read.ragged is None:
        return []
    first = read.ragged["lines"][0]
    values = {
        "count": read.ragged["count"],
        "expected": read.ragged["expected"],
        "line": first["line"],
        "cells": first["cells"],
        "lines": ", ".join(str(line["line"]) for line in read.ragged["lines"][:5]),
    }
    return [
        Finding(
            "error" if given.ragged == "error" else "warning",
            "{count} lines do not have {expected} cells: line {line} has {cells}",
            values,
            "Correct the lines {lines}, or set what to do with ragged lines to skip or pad.",
            "ragged",
        )
    ]


def inspect_images(path: Path) -> dict[str, Any]:
    """List a zip of images, decode the first ones, and say what was found."""
    with open_source(path) as source:
        skipped, sizes = _checked(source)
        counts = class_counts([sample.label for sample in source.samples])
        shown = _shown(source)
    return {
        "kind": "images",
        "detected": {"subsets": source.subsets, "sizes": sizes, "others": len(source.others)},
        "options": {},
        "columns": [],
        "count": len(source.samples),
        "classes": list(counts),
        "skipped": [{"name": one.name, "why": one.why} for one in skipped[:NAMED]],
        "target": None,
        "task": "classification",
        "preview": {"kind": "images", "total": len(source.samples), "items": shown},
        "profile": class_figure(counts),
        "statistics": [{"class": name, "images": number} for name, number in counts.items()],
        "problems": [finding.to_json() for finding in _image_findings(source, skipped, counts)],
    }


def _checked(source: Source) -> tuple[list[Skipped], dict[str, int]]:
    """Decode up to 2,000 images, spread over the whole: those that fail, and how often each size occurs."""
    skipped: list[Skipped] = []
    sizes: dict[str, int] = {}
    step = max(1, len(source.samples) // CHECKED_IMAGES)
    for sample in source.samples[::step]:
        try:
            image = decode(source.read(sample.path), None, "stretch", "rgb")
        except ValueError as error:
            skipped.append(Skipped(sample.path, str(error)))
            continue
        size = f"{image.shape[2]} x {image.shape[1]}"
        sizes[size] = sizes.get(size, 0) + 1
    return skipped, dict(sorted(sizes.items(), key=lambda entry: -entry[1])[:NAMED])


def _shown(source: Source) -> list[dict[str, str]]:
    classes = source.classes
    labels = np.array([classes.index(sample.label) for sample in source.samples])
    items = []
    for position in previews.spread(labels, 2 * previews.THUMBNAILS).tolist():
        sample = source.samples[position]
        try:
            image = decode(source.read(sample.path), (previews.THUMBNAIL_SIDE, previews.THUMBNAIL_SIDE), "crop", "rgb")
        except ValueError:
            continue
        items.append({"src": previews.png_data_url(image), "label": sample.label})
        if len(items) == previews.THUMBNAILS:
            break
    return items


def _image_findings(source: Source, skipped: list[Skipped], counts: dict[str, int]) -> list[Finding]:
    found = []
    if skipped:
        values = {"count": len(skipped), "name": skipped[0].name, "why": skipped[0].why}
        found.append(
            Finding("warning", "{count} images cannot be read and will be skipped, such as {name}: {why}", values)
        )
    if len(counts) < 2:
        hint = "To tell classes apart, give at least two folders of images."
        found.append(Finding("error", "There is only one class folder, {name}", {"name": next(iter(counts))}, hint))
    single = [name for name, number in counts.items() if number == 1]
    if single:
        values = {"count": len(single), "classes": ", ".join(single[:5])}
        found.append(
            Finding("warning", "{count} classes have a single image: {classes}. They cannot be tested", values)
        )
    if source.empty:
        values = {"count": len(source.empty), "classes": ", ".join(source.empty[:5])}
        found.append(Finding("warning", "{count} class folders have no image: {classes}", values))
    if source.others:
        values = {"count": len(source.others), "name": source.others[0]}
        found.append(Finding("info", "{count} files are no images, such as {name}", values))
    return found


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
