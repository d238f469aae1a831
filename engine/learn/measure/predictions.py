"""A model's answers to a data set as an artifact.

Called by the predict blocks. Files: ``predictions.parquet`` (one row per example: ``index``, then ``label`` where it is
known, ``predicted`` and ``probability``, or ``value``) and ``preview.json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from engine.artifacts import ArtifactStore, DatasetRef, ImagesRef, PredictionsRef, TextRef, canonical_json
from engine.datasets import class_labels, open_images, open_table, open_texts
from engine.datasets.previews import TEXTS, cell, png_data_url, shortened
from engine.datasets.tables import parquet_bytes
from engine.runtime.predictor import Answers

SHOWN = 20
COLUMNS = 12


def write_predictions(store: ArtifactStore, ref: DatasetRef, answers: Answers) -> PredictionsRef:
    """Keep the answers to every example of a data set."""
    count = len(answers.outputs)
    columns: dict[str, Any] = {"index": np.arange(count, dtype=np.int64)}
    if answers.labels is None:
        columns["value"] = answers.outputs.double().numpy()
    else:
        known = _known_labels(ref)
        if known is not None:
            columns["label"] = known
        best = answers.probabilities.max(1)
        columns["predicted"] = [answers.labels[number] for number in best.indices.tolist()]
        columns["probability"] = best.values.double().numpy()
    table = pa.table(columns)
    files = {"predictions.parquet": parquet_bytes(table), "preview.json": canonical_json(_preview(ref, table))}
    return store.put(PredictionsRef, files=files, meta={"count": count, "columns": table.column_names})


def write_generated(store: ArtifactStore, written: Sequence[tuple[str, str]]) -> PredictionsRef:
    """Keep texts that a language model wrote: ``predictions.parquet`` with ``index``, ``prompt`` and ``text``."""
    prompts, texts = [prompt for prompt, _ in written], [text for _, text in written]
    table = pa.table({"index": np.arange(len(written), dtype=np.int64), "prompt": prompts, "text": texts})
    items = [{"text": shortened(prompt + text)} for prompt, text in written[:TEXTS]]
    preview = {"kind": "texts", "total": len(written), "items": items}
    files = {"predictions.parquet": parquet_bytes(table), "preview.json": canonical_json(preview)}
    return store.put(PredictionsRef, files=files, meta={"count": len(written), "columns": table.column_names})


def _known_labels(ref: DatasetRef) -> list[str] | None:
    numbers, classes = class_labels(ref), ref.meta.get("classes")
    return None if numbers is None or not classes else [classes[number] for number in numbers]


def _preview(ref: DatasetRef, table: pa.Table) -> dict[str, Any]:
    rows = table.slice(0, SHOWN).to_pylist()
    if isinstance(ref, ImagesRef):
        view = open_images(ref)
        pictures = view.take(np.arange(len(rows)))
        items = [
            {"src": png_data_url(pixels), **{k: v for k, v in row.items() if k != "index"}}
            for pixels, row in zip(pictures, rows, strict=True)
        ]
        return {"kind": "images", "total": table.num_rows, "items": items}
    if isinstance(ref, TextRef):
        texts = open_texts(ref).texts(np.arange(min(len(rows), TEXTS)))
        items = [
            {"text": shortened(text), **{k: v for k, v in row.items() if k != "index"}}
            for text, row in zip(texts, rows, strict=False)
        ]
        return {"kind": "texts", "total": table.num_rows, "items": items}
    source = open_table(ref)
    names = source.column_names[:COLUMNS]
    said = [name for name in table.column_names if name not in ("index", "label")]
    cells = source.select(names).slice(0, len(rows)).to_pylist()
    shown = [[*(cell(line[n]) for n in names), *(row[n] for n in said)] for line, row in zip(cells, rows, strict=True)]
    return {"kind": "table", "columns": [*names, *said], "rows": shown, "total": table.num_rows}
