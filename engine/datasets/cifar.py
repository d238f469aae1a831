"""CIFAR-10 in the forms it is found in: Parquet with image bytes, the original binary batches, class folders.

Called by the cifar10 block. The Python version of the original is made of pickles and is never opened.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.datasets.image_files import decode, open_source
from engine.errors import UserError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32
RECORD = 1 + 3 * SIDE * SIDE
ARCHIVE = "cifar-10-binary.tar.gz"
PART_BYTES = 10_000 * RECORD

Step = Callable[[int, int], None]
"""Called with images done and images in all; may raise to stop."""
Arrays = tuple[np.ndarray, np.ndarray]


def read_cifar10(path: Path, part: str, pick: Callable[[np.ndarray], np.ndarray], step: Step) -> Arrays | None:
    """Images and labels of one part.

    Parameters
    ----------
    path
        A folder or file with the data set in any of its forms.
    part
        ``train`` or ``test``.
    pick
        Labels -> positions of the images to read; the others are not decoded.

    Returns
    -------
    tuple or None
        uint8 (N, 3, 32, 32) and int64 (N,); None when the source has no such part.

    Raises
    ------
    UserError
        When nothing here is CIFAR-10, or only the Python version is.
    """
    files = _parquet_files(path, part)
    if files is not None:
        return _read_parquet(files, pick, step) if files else None
    batches = _batches(path, part)
    if batches is not None:
        return _read_batches(batches, pick) if batches else None
    if path.is_dir() and not _is_python_version(path):
        return _read_folder(path, part, pick, step)
    if _is_python_version(path):
        raise UserError(
            "This is the Python version of CIFAR-10: its files are pickles, which can run code and are never opened",
            field="path",
            hint="Use the binary version (cifar-10-binary.tar.gz) or Parquet files.",
        )
    raise UserError(
        "{path} is not CIFAR-10 in a known form",
        field="path",
        hint="Give a folder with train.parquet and test.parquet, with data_batch_1.bin to test_batch.bin, or with "
        "one folder of images for each class.",
        path=str(path),
    )


def _parquet_files(path: Path, part: str) -> list[Path] | None:
    """Parquet files of a part; None when there are no Parquet files here at all."""
    if path.is_file():
        if path.suffix != ".parquet":
            return None
        is_test = "test" in path.stem.lower()
        return [path] if is_test == (part == "test") else []
    found = sorted(path.rglob("*.parquet"))
    if not found:
        return None
    return [file for file in found if part in file.stem.lower() or part in file.parent.name.lower()]


def _read_parquet(files: list[Path], pick: Callable[[np.ndarray], np.ndarray], step: Step) -> Arrays:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pa.concat_tables([pq.read_table(file) for file in files]).combine_chunks()
    image, label = parquet_columns(table.schema)
    labels = np.asarray(table.column(label).to_numpy(), dtype=np.int64)
    kept = pick(labels)
    column = table.column(image)
    if pa.types.is_struct(column.type):
        column = pc.struct_field(column, "bytes")
    images = np.empty((len(kept), 3, SIDE, SIDE), dtype=np.uint8)
    for number, row in enumerate(kept.tolist()):
        if number % 256 == 0:
            step(number, len(kept))
        images[number] = _decoded(column[row].as_py(), f"{image} {row}")
    step(len(kept), len(kept))
    return images, labels[kept]


def parquet_columns(schema: object) -> tuple[str, str]:
    """Names of the image column (bytes, or a structure with bytes) and the label column (whole numbers)."""
    import pyarrow as pa

    assert isinstance(schema, pa.Schema)
    image = label = ""
    for field in schema:
        kind = field.type
        in_struct = pa.types.is_struct(kind) and any(kind.field(i).name == "bytes" for i in range(kind.num_fields))
        if not image and (in_struct or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
            image = field.name
        elif pa.types.is_integer(kind) and (not label or field.name == "label"):
            label = field.name
    if not image or not label:
        raise UserError(
            "The Parquet file has no image and label columns; it has {columns}",
            field="path",
            hint="It needs a column of image bytes and a column of class numbers.",
            columns=", ".join(schema.names),
        )
    return image, label


def _decoded(data: bytes | None, name: str) -> np.ndarray:
    try:
        return decode(data or b"", (SIDE, SIDE), "stretch", "rgb")
    except ValueError as error:
        raise UserError(
            "An image of CIFAR-10 is damaged: {name}: {problem}",
            field="path",
            hint="Fetch the data set again.",
            name=name,
            problem=str(error),
        ) from None


def _batches(path: Path, part: str) -> list[bytes] | None:
    """Contents of the binary batches of a part; None when there are none here at all."""
    wanted = re.compile(r"data_batch_\d+\.bin" if part == "train" else r"test_batch\.bin")
    archive = path if path.name.endswith((".tar.gz", ".tgz", ".tar")) else path / ARCHIVE
    if path.is_file() and path.suffix == ".bin":
        return [path.read_bytes()] if wanted.fullmatch(path.name) else []
    folders = [path, path / "cifar-10-batches-bin"]
    found = next((sorted(folder.glob("*.bin")) for folder in folders if any(folder.glob("*_batch*.bin"))), [])
    if found:
        return [file.read_bytes() for file in found if wanted.fullmatch(file.name)]
    if not archive.is_file():
        return None
    return _archived(archive, wanted)


def _archived(archive: Path, wanted: re.Pattern[str]) -> list[bytes] | None:
    """Read the batches inside the original archive; nothing is unpacked to disk."""
    parts: dict[str, bytes] = {}
    seen = False
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = member.name.rpartition("/")[2]
                seen = seen or name.endswith(".bin")
                stream = tar.extractfile(member) if member.isfile() and wanted.fullmatch(name) else None
                if stream is not None:
                    parts[name] = stream.read(PART_BYTES + 1)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise UserError(
            "{file} cannot be read: {problem}",
            field="path",
            hint="Fetch the data set again.",
            file=archive.name,
            problem=str(error)[:200],
        ) from None
    return [parts[name] for name in sorted(parts)] if seen else None


def _read_batches(batches: list[bytes], pick: Callable[[np.ndarray], np.ndarray]) -> Arrays:
    for content in batches:
        if len(content) == 0 or len(content) % RECORD or len(content) > PART_BYTES:
            raise UserError(
                "A binary batch has {bytes} bytes, which is no whole number of images",
                field="path",
                hint="Fetch the data set again.",
                bytes=len(content),
            )
    records = np.frombuffer(b"".join(batches), dtype=np.uint8).reshape(-1, RECORD)
    labels = records[:, 0].astype(np.int64)
    kept = pick(labels)
    return records[kept, 1:].reshape(-1, 3, SIDE, SIDE), labels[kept]


def _is_python_version(path: Path) -> bool:
    if path.is_file():
        return (
            path.name.startswith("cifar-10-python") or re.fullmatch(r"(data|test)_batch(_\d)?", path.name) is not None
        )
    places = [path, path / "cifar-10-batches-py"]
    return any((place / "data_batch_1").is_file() for place in places) or (path / "cifar-10-python.tar.gz").is_file()


def _read_folder(path: Path, part: str, pick: Callable[[np.ndarray], np.ndarray], step: Step) -> Arrays | None:
    with open_source(path) as source:
        wanted = [s for s in source.samples if s.subset == part or (not s.subset and part == "train")]
        unknown = sorted({sample.label for sample in wanted} - set(CLASSES))
        if unknown:
            raise UserError(
                "{name} is no class of CIFAR-10",
                field="path",
                hint="For images of your own, use the Image folder block.",
                name=unknown[0],
            )
        if not wanted:
            return None
        labels = np.array([CLASSES.index(sample.label) for sample in wanted], dtype=np.int64)
        kept = pick(labels)
        images = np.empty((len(kept), 3, SIDE, SIDE), dtype=np.uint8)
        for number, row in enumerate(kept.tolist()):
            if number % 256 == 0:
                step(number, len(kept))
            images[number] = _decoded(source.read(wanted[row].path), wanted[row].path)
        step(len(kept), len(kept))
    return images, labels[kept]
