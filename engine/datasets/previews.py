"""Small previews of data sets: ``preview.json`` as the browser shows it on a block.

Called by the writers beside it. The same data gives the same bytes.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

THUMBNAILS = 20
THUMBNAIL_SIDE = 48
ROWS = 20
COLUMNS = 40
TEXT = 80
TEXTS = 12
TEXT_LENGTH = 300


def spread(labels: np.ndarray, wanted: int = THUMBNAILS) -> np.ndarray:
    """Positions that show every class early: the first of each class, then the second of each, ...

    Examples
    --------
    >>> spread(np.array([0, 0, 0, 1, 1, 2]), 4).tolist()
    [0, 3, 5, 1]
    """
    order = np.argsort(labels, kind="stable")
    sorted_labels = labels[order]
    starts = np.searchsorted(sorted_labels, sorted_labels, side="left")
    turn = np.arange(len(labels)) - starts
    first = np.lexsort((sorted_labels, turn))[:wanted]
    return np.asarray(order[first], dtype=np.int64)


def png_data_url(image: np.ndarray, side: int = THUMBNAIL_SIDE) -> str:
    """One uint8 CHW image as a PNG data URL, made smaller when it is larger than ``side`` pixels."""
    from PIL import Image

    array = image[0] if image.shape[0] == 1 else np.moveaxis(image[:3], 0, -1)
    picture = Image.fromarray(np.ascontiguousarray(array))
    if max(picture.size) > side:
        picture.thumbnail((side, side), Image.Resampling.BILINEAR)
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=False)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def images_preview(images: np.ndarray, labels: Sequence[str], total: int) -> bytes:
    """Preview of images; the caller picks which, with :func:`spread`.

    Parameters
    ----------
    images
        uint8, shape (n, C, H, W).
    labels
        The n class names.
    total
        How many images the data set has.
    """
    items = [{"src": png_data_url(image), "label": label} for image, label in zip(images, labels, strict=True)]
    return dump({"kind": "images", "total": total, "items": items})


def table_preview(table: pa.Table) -> bytes:
    """Preview of a table: its first rows."""
    names = table.column_names[:COLUMNS]
    rows = table.select(names).slice(0, ROWS).to_pylist()
    return dump(
        {
            "kind": "table",
            "columns": names,
            "rows": [[cell(row[name]) for name in names] for row in rows],
            "total": table.num_rows,
        }
    )


def texts_preview(texts: Sequence[str], labels: Sequence[str] | None, total: int) -> bytes:
    """Preview of texts; the caller picks which."""
    items = [{"text": shortened(text)} for text in texts[:TEXTS]]
    if labels is not None:
        items = [{**item, "label": label} for item, label in zip(items, labels[:TEXTS], strict=True)]
    return dump({"kind": "texts", "total": total, "items": items})


def shortened(text: str, limit: int = TEXT_LENGTH) -> str:
    """The beginning of a text.

    >>> shortened("to be or not", 6)
    'to be…'
    """
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def cell(value: Any) -> Any:
    """One value of a table as JSON: numbers and booleans stay, the rest becomes short text, missing is null."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    text = value.isoformat(sep=" ") if hasattr(value, "hour") else str(value)
    text = text.removesuffix(" 00:00:00")
    return text if len(text) <= TEXT else text[: TEXT - 1] + "…"


def dump(value: Any) -> bytes:
    """JSON bytes that depend on the value only."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
