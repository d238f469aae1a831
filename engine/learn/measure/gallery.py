"""Examples of each cell of a confusion matrix, so that a click on a cell shows them.

Called by ``evaluate.classifier``, which writes the result as ``samples.json`` beside ``figure.json``::

    {"limit": 24, "counts": {"3": {"3": 35, "8": 1}},
     "items": [{"label": "3", "predicted": "8", "probability": 0.93, "index": 17, "src": "data:image/png;base64,..."},
               {"label": "no", "predicted": "yes", "probability": 0.6, "index": 4, "row": {"age": 31, "city": "Ulm"}}]}

``label`` and ``predicted`` are names of classes, as on the axes of the figure. ``counts`` says how many examples fell
into each cell in all; of these at most ``limit`` are items, the most confident answers first. Mistakes come before
right answers; when the pictures become too large for one file, every cell keeps its first ones. ``index`` is the row in
the evaluated data set; images have ``src``, texts ``text``, and rows of a table ``row``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.artifacts import DatasetRef, ImagesRef, TextRef
from engine.datasets import open_images, open_table, open_texts
from engine.datasets.previews import cell, png_data_url, shortened

LIMIT = 24
MAX_BYTES = 2 * 2**20
MAX_COLUMNS = 30


def gallery(
    ref: DatasetRef, true_N: np.ndarray, predicted_N: np.ndarray, chance_N: np.ndarray, classes: Sequence[str]
) -> dict[str, Any]:
    """Pick the examples of each cell; see the module's text for the layout.

    Parameters
    ----------
    ref
        The data set that was evaluated.
    true_N, predicted_N
        Numbers of classes.
    chance_N
        Probability that the model gave its answer.
    classes
        Their names.
    """
    cells = pick(true_N, predicted_N, chance_N)
    counts: dict[str, dict[str, int]] = {}
    for (true, predicted), (total, _) in cells.items():
        counts.setdefault(classes[true], {})[classes[predicted]] = total
    rows = [row for turn in range(LIMIT) for _, chosen in cells.values() for row in chosen[turn : turn + 1].tolist()]
    rows.sort(key=lambda row: bool(true_N[row] == predicted_N[row]))  # stable: mistakes first, round by round
    items = [
        {
            "label": classes[true_N[row]],
            "predicted": classes[predicted_N[row]],
            "probability": round(float(chance_N[row]), 4),
            "index": row,
        }
        for row in rows
    ]
    if isinstance(ref, TextRef):
        shown = _with_texts(ref, items)
    else:
        shown = _with_pictures(ref, items) if isinstance(ref, ImagesRef) else _with_rows(ref, items)
    return {"limit": LIMIT, "counts": counts, "items": shown}


def pick(
    true_N: np.ndarray, predicted_N: np.ndarray, chance_N: np.ndarray
) -> dict[tuple[int, int], tuple[int, np.ndarray]]:
    """Cell -> its count and the rows to show, the most confident first.

    >>> {key: (n, rows.tolist()) for key, (n, rows) in
    ...  pick(np.array([0, 0, 1]), np.array([0, 0, 0]), np.array([0.6, 0.9, 0.5])).items()}
    {(0, 0): (2, [1, 0]), (1, 0): (1, [2])}
    """
    order = np.lexsort((-chance_N, predicted_N, true_N))
    pairs = np.stack([true_N[order], predicted_N[order]], axis=1)
    starts = np.flatnonzero(np.r_[True, (pairs[1:] != pairs[:-1]).any(1)])
    ends = np.r_[starts[1:], len(order)]
    return {
        (int(pairs[start][0]), int(pairs[start][1])): (int(end - start), order[start : min(end, start + LIMIT)])
        for start, end in zip(starts, ends, strict=True)
    }


def _with_pictures(ref: ImagesRef, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    view = open_images(ref)
    shown, size = [], 0
    for item in items:
        source = png_data_url(view.take([item["index"]])[0])
        size += len(source) + 100
        if size > MAX_BYTES:
            break
        shown.append({**item, "src": source})
    return shown


def _with_texts(ref: TextRef, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    places = np.array([item["index"] for item in items], dtype=np.int64)
    texts = open_texts(ref).texts(places)
    kept = MAX_BYTES // 4 // 400  # a character has at most 4 bytes
    return [{**item, "text": shortened(text)} for item, text in zip(items[:kept], texts[:kept], strict=True)]


def _with_rows(ref: DatasetRef, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    table = open_table(ref)
    names = table.column_names[:MAX_COLUMNS]
    rows = table.select(names).take([item["index"] for item in items]).to_pylist()
    return [{**item, "row": {name: cell(row[name]) for name in names}} for item, row in zip(items, rows, strict=True)]
