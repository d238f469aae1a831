"""Try a model on one uploaded file, in a process of its own: ``python -m engine.runtime.predict FOLDER``.

Called by the Models page through the sandbox. ``FOLDER/job.json`` is ``{"model": digest, "file": "input/name",
"filename": "cat.png", "options": {...}}``, ``FOLDER/store`` holds the model, and ``FOLDER/result.json`` becomes
``{"task", "total", "predictions": [{"name", "label", "probability", "top"} or {"name", "value"}], "preview"}`` or
``{"error"}``. Images: PNG, JPEG or a zip of them; rows: CSV, Excel, Parquet or JSON; texts: see
:mod:`engine.runtime.predict_texts`.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from engine.artifacts import ArtifactStore, ModelRef
from engine.compute.devices import usable_cpus
from engine.datasets.previews import cell, png_data_url
from engine.errors import UserError, error_json
from engine.runtime.images import decode
from engine.runtime.predict_texts import try_texts
from engine.runtime.predictor import Predictor
from engine.tabular import read_table

MAX_ANSWERS = 200
MAX_FILE_BYTES = 64 * 2**20
SHOWN = 20
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def main(argv: list[str]) -> int:
    """Do the job in a folder; the exit status is 0 when there is a result, also one that says what was wrong."""
    folder = Path(argv[0])
    torch.set_num_threads(usable_cpus())
    try:
        result = try_model(folder, json.loads((folder / "job.json").read_bytes()))
    except Exception as error:  # a boundary: whatever goes wrong is shown to the person who dropped the file
        result = {"error": error_json(error)}
    (folder / "result.json").write_text(json.dumps(result, ensure_ascii=False))
    return 0


def try_model(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Answer a file; see the module's text.

    Raises
    ------
    UserError
        When the model is not trained, or the file is not what it takes.
    """
    ref = ArtifactStore(folder / "store").open(job["model"])
    if not isinstance(ref, ModelRef):
        raise UserError("This is a {kind}, not a model", kind=ref.kind)
    predictor = Predictor.open(ref)
    path, name = folder / job["file"], str(job.get("filename") or Path(job["file"]).name)
    if predictor.spec.input_kind == "images":
        answers, preview = _images(predictor, path, name)
    elif predictor.spec.input_kind == "tokens":
        answers, preview = try_texts(predictor, path, job.get("options") or {})
    else:
        answers, preview = _rows(predictor, path, name)
    shown = answers[:MAX_ANSWERS]
    return {"task": predictor.spec.task, "total": len(answers), "predictions": shown, "preview": preview}


def _images(predictor: Predictor, path: Path, name: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    assert predictor.spec.input is not None
    shape = predictor.spec.input["shape"]
    files = _image_files(path, name)
    pixels = np.stack([decode(content, shape, file, predictor.spec.preprocessing) for file, content in files.items()])
    records = predictor.predict_images(pixels).records()
    answers = [{"name": file, **record} for file, record in zip(files, records, strict=True)]
    items = [
        {"src": png_data_url(image, 96), "predicted": record["label"], "probability": record["probability"]}
        for image, record in zip(pixels[:SHOWN], records, strict=False)
        if "label" in record
    ]
    return answers, {"kind": "images", "total": len(answers), "items": items}


def _image_files(path: Path, name: str) -> dict[str, bytes]:
    if not zipfile.is_zipfile(path):
        return {name: path.read_bytes()}
    with zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if info.filename.lower().endswith(SUFFIXES)]
        members = [info for info in members if not info.is_dir() and info.file_size <= MAX_FILE_BYTES][:MAX_ANSWERS]
        if not members:
            raise UserError("The zip file has no images", hint="Put PNG or JPEG files into it.")
        return {info.filename: archive.read(info) for info in members}


def _rows(predictor: Predictor, path: Path, name: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    table = _table(path, name)
    records = predictor.predict_table(table).records()
    answers = [{"name": f"row {number}", **record} for number, record in enumerate(records, start=1)]
    said = ["value"] if predictor.spec.task == "regression" else ["label", "probability"]
    names = table.column_names[:12]
    rows = [
        [*(cell(row[column]) for column in names), *(record[key] for key in said)]
        for row, record in zip(table.select(names).slice(0, SHOWN).to_pylist(), records, strict=False)
    ]
    titles = ["prediction", *said[1:]]
    return answers, {"kind": "table", "columns": [*names, *titles], "rows": rows, "total": len(answers)}


def _table(path: Path, name: str) -> pa.Table:
    if name.lower().endswith(".json"):
        try:
            rows = json.loads(path.read_bytes())
            return pa.Table.from_pylist(rows if isinstance(rows, list) else [rows])
        except (ValueError, TypeError, AttributeError, pa.ArrowException):
            raise UserError(
                "{name} is not a list of rows",
                hint="Write a list of objects, one for each row: column names and values.",
                name=name,
            ) from None
    return read_table(path).table


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
