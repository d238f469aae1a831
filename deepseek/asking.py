"""What people hand to ``model.predict``, brought to a predictor: images, files, tables, texts, data sets.

Called by ``Model.predict``. Must not know how a model computes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepseek import local, texts
from deepseek.dataset import TABLES, Dataset
from deepseek.errors import UsageError

IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}


def ask(predictor: Any, data: Any) -> list[dict[str, Any]]:
    """One record an example: ``label``, ``probability`` and ``top``, or ``value``."""
    with local.translated():
        records: list[dict[str, Any]] = _answer(predictor, data).records()
        return records


def write(predictor: Any, prompt: str, sampling: Mapping[str, Any]) -> str:
    """What a language model writes behind a prompt."""
    with local.translated():
        return str(predictor.write(prompt, **sampling))


def _answer(predictor: Any, data: Any) -> Any:
    if isinstance(data, Dataset):
        return predictor.predict(data.test.artifact)
    if predictor.spec.input_kind == "tokens":
        return predictor.predict_texts(_texts(data))
    if _is_frame(data):
        return predictor.predict_table(_table(data))
    if isinstance(data, Mapping):
        return _ask_rows(predictor, [data])
    if isinstance(data, str | Path):
        return _ask_path(predictor, Path(data).expanduser())
    if _is_picture(data):
        return _ask_files(predictor, [_png(data)], ["image"])
    if isinstance(data, Sequence) and data and all(isinstance(item, Mapping) for item in data):
        return _ask_rows(predictor, data)
    if isinstance(data, Sequence) and data and all(isinstance(item, str | Path) for item in data):
        return _ask_image_files(predictor, [Path(item).expanduser() for item in data])
    if isinstance(data, Sequence) and data and all(_is_picture(item) for item in data):
        return _ask_files(predictor, [_png(item) for item in data], [f"image {n + 1}" for n in range(len(data))])
    return _ask_array(predictor, data)


def _texts(data: Any) -> list[str]:
    """One text, several, a column of a DataFrame, or the lines of a file."""
    if isinstance(data, Path):
        if not data.is_file():
            raise UsageError(f"There is no file {data}")
        return texts.read_lines(data.read_bytes())
    if isinstance(data, str):
        return [data]
    found = list(data) if not _is_frame(data) else []
    if not found or not all(isinstance(item, str) for item in found):
        raise UsageError(
            f"The model takes texts, and this is a {type(data).__name__}",
            hint="Give a string, a list of strings, a column of a DataFrame, the Path of a text file, or a Dataset.",
        )
    return found


def _ask_path(predictor: Any, path: Path) -> Any:
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in IMAGES)
        if not found:
            raise UsageError(f"There are no images in {path}")
        return _ask_image_files(predictor, found)
    if not path.is_file():
        raise UsageError(f"There is no file {path}")
    if path.suffix.lower() in TABLES:
        return predictor.predict_table(local.read_table(Dataset.load(path).artifact))
    return _ask_image_files(predictor, [path])


def _ask_image_files(predictor: Any, paths: Sequence[Path]) -> Any:
    missing = next((path for path in paths if not path.is_file()), None)
    if missing is not None:
        raise UsageError(f"There is no file {missing}")
    return _ask_files(predictor, [path.read_bytes() for path in paths], [path.name for path in paths])


def _ask_files(predictor: Any, files: Sequence[bytes], names: Sequence[str]) -> Any:
    return predictor.predict_files(files, names)


def _ask_rows(predictor: Any, rows: Sequence[Mapping[str, Any]]) -> Any:
    import pyarrow as pa

    return predictor.predict_table(pa.Table.from_pylist([dict(row) for row in rows]))


def _ask_array(predictor: Any, data: Any) -> Any:
    import numpy as np

    from deepseek import arrays

    array = np.asarray(data.detach().cpu() if hasattr(data, "detach") else data)
    if array.dtype == object or array.ndim not in (2, 3, 4):
        raise UsageError(
            f"Nothing can be predicted from a {type(data).__name__} of shape {array.shape}",
            hint="Give an image, an array of images, a DataFrame, a path or a Dataset.",
        )
    if array.ndim == 2:
        return _ask_flat(predictor, array)
    shape = predictor.spec.input["shape"] if predictor.spec.input_kind == "images" else None
    if shape and array.ndim == 3 and sorted(array.shape) == sorted(shape) and array.shape[0] != 1:
        array = array[None]  # one image with its channels; else a stack of grey ones
    return predictor.predict_images(arrays.to_pixels(array))


def _ask_flat(predictor: Any, array: Any) -> Any:
    """One grey image, or rows of numbers in the order of the model's columns."""
    import pyarrow as pa

    from deepseek import arrays

    if predictor.spec.input_kind == "images":
        return predictor.predict_images(arrays.to_pixels(array[None]))
    columns = [column["name"] for column in predictor.spec.input["columns"]]
    if array.shape[1] != len(columns):
        raise UsageError(f"The model takes {len(columns)} columns, these rows have {array.shape[1]}")
    return predictor.predict_table(pa.table({name: array[:, place] for place, name in enumerate(columns)}))


def _is_frame(data: Any) -> bool:
    return type(data).__module__.split(".")[0] == "pandas" and hasattr(data, "columns")


def _table(frame: Any) -> Any:
    import pyarrow as pa

    return pa.Table.from_pandas(frame.set_axis([str(name) for name in frame.columns], axis=1), preserve_index=False)


def _is_picture(data: Any) -> bool:
    return type(data).__module__.split(".")[0] == "PIL"


def _png(picture: Any) -> bytes:
    import io

    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
