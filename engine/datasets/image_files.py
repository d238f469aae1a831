"""Image files in a folder or a zip: one folder for each class, decoded to one size.

Called by the image blocks and the inspection of uploads. A file that is no image is skipped, counted and named.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

import numpy as np

from engine.datasets.archives import Entry, Limits, check_zip, read_entry
from engine.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
SUBSETS = {"train": "train", "training": "train", "test": "test", "val": "validation", "valid": "validation"}
SUBSETS["validation"] = "validation"
FILE_BYTES = 128 << 20
PIXELS = 64_000_000

Fit = Literal["crop", "pad", "stretch"]
Colour = Literal["auto", "rgb", "grey"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One image file: its path inside the source, its class and its subset (empty when there are none)."""

    path: str
    label: str
    subset: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was left out, and why."""

    name: str
    why: str


@dataclass(slots=True)
class Source:
    """A folder or zip of images, listed and not yet decoded.

    Attributes
    ----------
    empty
        Class folders without an image.
    read
        Path -> bytes; raises ValueError for a file that cannot be read.
    """

    samples: list[Sample]
    others: list[str]
    empty: list[str]
    read: Callable[[str], bytes]

    @property
    def classes(self) -> list[str]:
        """Class names in alphabetical order."""
        return sorted({sample.label for sample in self.samples})

    @property
    def subsets(self) -> list[str]:
        """Names of the subsets that the source is divided into."""
        return sorted({sample.subset for sample in self.samples if sample.subset})


@contextmanager
def open_source(path: Path, limits: Limits | None = None) -> Iterator[Source]:
    """List the images of a folder or a zip.

    Raises
    ------
    UserError
        When there are no images, they are not in class folders, or the zip is unsafe.
    """
    if path.is_dir():
        names, folders = _walk(path)
        yield _listed(names, folders, lambda name: _read_file(path / name))
        return
    entries = {entry.path: entry for entry in check_zip(path, limits)}
    with zipfile.ZipFile(path) as archive:
        folders = [info.filename.rstrip("/") for info in archive.infolist() if info.is_dir()]
        yield _listed(list(entries), folders, lambda name: _read_zipped(archive, entries[name]))


def _walk(root: Path) -> tuple[list[str], list[str]]:
    """Files and folders below a folder; links that lead out of it are not followed."""
    names, folders = [], []
    for entry in sorted(root.rglob("*")):
        if any(part.startswith(".") for part in entry.relative_to(root).parts):
            continue
        if entry.is_dir():
            folders.append(entry.relative_to(root).as_posix())
        elif entry.is_file() and entry.resolve().is_relative_to(root.resolve()):
            names.append(entry.relative_to(root).as_posix())
    return names, folders


def _read_file(path: Path) -> bytes:
    if path.stat().st_size > FILE_BYTES:
        raise ValueError(f"larger than {FILE_BYTES // 2**20} MiB")
    return path.read_bytes()


def _read_zipped(archive: zipfile.ZipFile, entry: Entry) -> bytes:
    return read_entry(archive, entry, FILE_BYTES)


def _listed(names: Sequence[str], folders: Sequence[str], read: Callable[[str], bytes]) -> Source:
    images = [name for name in names if PurePosixPath(name).suffix.lower() in SUFFIXES]
    others = [name for name in names if PurePosixPath(name).suffix.lower() not in SUFFIXES]
    if not images:
        raise UserError(
            "There are no images in it",
            field="file",
            hint="Put PNG, JPEG, BMP, GIF, WebP or TIFF files into one folder for each class.",
        )
    root = common_folder(images)
    samples = [_sample(name, root) for name in images]
    loose = [sample.path for sample in samples if not sample.label]
    if loose:
        raise UserError(
            "{count} images are in no class folder, such as {name}",
            field="file",
            hint="Put the images into one folder for each class: cats/1.png, dogs/2.png.",
            count=len(loose),
            name=loose[0][:120],
        )
    used = {sample.label for sample in samples}
    level = len(root) + (1 if any(sample.subset for sample in samples) else 0)
    below = {PurePosixPath(name).parts for name in folders}
    empty = sorted({parts[level] for parts in below if parts[: len(root)] == root and len(parts) == level + 1} - used)
    return Source(sorted(samples, key=lambda sample: sample.path), others, empty, read)


def common_folder(names: Sequence[str]) -> tuple[str, ...]:
    """The folders that all files share, less the last one when it would be the only class.

    >>> common_folder(["photos/cat/1.png", "photos/dog/2.png"])
    ('photos',)
    >>> common_folder(["photos/cat/1.png", "photos/cat/2.png"])
    ('photos',)
    """
    parents = [PurePosixPath(name).parent.parts for name in names]
    shared = list(parents[0])
    for parts in parents[1:]:
        while tuple(shared) != parts[: len(shared)]:
            shared.pop()
    if shared and all(len(parts) == len(shared) for parts in parents):
        shared.pop()
    if shared and shared[-1].lower() in SUBSETS:
        shared.pop()
    return tuple(shared)


def _sample(name: str, root: tuple[str, ...]) -> Sample:
    parts = PurePosixPath(name).parent.parts[len(root) :]
    subset = SUBSETS.get(parts[0].lower(), "") if len(parts) >= 2 else ""
    label = parts[1] if subset else parts[0] if parts else ""
    return Sample(name, label, subset)


def decode(data: bytes, size: tuple[int, int] | None, fit: Fit, colour: Literal["rgb", "grey"]) -> np.ndarray:
    """One image file as uint8 (C, H, W).

    Parameters
    ----------
    size
        (height, width), or None to keep the image's own.
    fit
        ``crop`` cuts what is too much, ``pad`` adds black, ``stretch`` changes the shape.

    Raises
    ------
    ValueError
        When it is no image, is damaged, or is too large; the text says which.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
                if opened.width * opened.height > PIXELS:
                    raise ValueError(f"{opened.width} x {opened.height} pixels are too many")
                if size is not None:
                    opened.draft("RGB", (size[1] * 2, size[0] * 2))
                picture = _plain(ImageOps.exif_transpose(opened), colour)
    except ValueError:
        raise
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise ValueError(_reason(error)) from error
    if size is not None and picture.size != (size[1], size[0]):
        target = (size[1], size[0])
        how = Image.Resampling.BILINEAR
        if fit == "stretch":
            picture = picture.resize(target, how)
        elif fit == "crop":
            picture = ImageOps.fit(picture, target, how)
        else:
            picture = ImageOps.pad(picture, target, how)
    array = np.asarray(picture, dtype=np.uint8)
    return array[None] if array.ndim == 2 else np.ascontiguousarray(np.moveaxis(array, -1, 0))


def _plain(picture: Picture, colour: str) -> Picture:
    """Eight bits, three channels or one, no transparency (white shines through)."""
    from PIL import Image

    if picture.mode.startswith("I;16") or picture.mode == "I":
        deep = np.asarray(picture.convert("I"))
        picture = Image.fromarray((np.clip(deep, 0, 65535) >> 8).astype(np.uint8))
    elif picture.mode == "F":
        picture = Image.fromarray(np.clip(np.asarray(picture), 0, 255).astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layers = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers)
    return picture.convert("L" if colour == "grey" else "RGB")


def _reason(error: Exception) -> str:
    text = str(error)
    if "cannot identify" in text:
        return "no image in a known format"
    return text[:120] or type(error).__name__


def is_grey(source: Source, wanted: int = 8) -> bool:
    """True when the first images that can be read have one channel, or three equal ones."""
    seen = 0
    for sample in source.samples:
        try:
            picture = decode(source.read(sample.path), (32, 32), "stretch", "rgb")
        except ValueError:
            continue
        if (picture[0] != picture[1]).any() or (picture[0] != picture[2]).any():
            return False
        seen += 1
        if seen == wanted:
            break
    return seen > 0


def class_counts(labels: Sequence[str]) -> dict[str, int]:
    """How many of each class, in alphabetical order."""
    return dict(sorted(Counter(labels).items()))
