"""Data sets as artifacts: how images, tables and texts are written, read and viewed.

Called by data blocks (they write), by training, evaluation and prediction (they read) and by the SDK. Needs
numpy and pyarrow only; must not know how a data set is used.

Images are kept as uint8 in NCHW order with int64 labels. A split, a sample or changed meta is a *view*: it refers to
its base artifact and at most keeps the row numbers, so no pixel is copied.
"""

from engine.datasets.images import ImagesView, open_images, write_images
from engine.datasets.tables import open_table, table_rows, write_table
from engine.datasets.texts import TextsView, open_texts, write_texts
from engine.datasets.views import class_labels, count, subset, with_meta

__all__ = [
    "ImagesView",
    "TextsView",
    "class_labels",
    "count",
    "open_images",
    "open_table",
    "open_texts",
    "subset",
    "table_rows",
    "with_meta",
    "write_images",
    "write_table",
    "write_texts",
]
