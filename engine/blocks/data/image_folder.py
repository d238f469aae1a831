"""Images of your own: a zip or a folder with one folder for each class."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from engine.artifacts import ImagesRef
from engine.blocks.data._source import input_file
from engine.datasets import write_images
from engine.datasets.image_files import Sample, Skipped, Source, class_counts, decode, is_grey, open_source
from engine.errors import UserError
from engine.spec import BlockParams, RunContext, block, param

NAMED = 5
KEPT_NAMES = 200


class Params(BlockParams):
    """Which images, and how they become one size."""

    file: str = param("", widget="artifact", help="The uploaded zip, with one folder of images for each class")
    path: str = param("", widget="path", help="Path of a zip or a folder on this machine, instead of an upload")
    size: int = param(64, ge=8, le=512, unit="px", help="Side of the square that every image becomes")
    fit: Literal["crop", "pad", "stretch"] = param(
        "crop", help="Images of another shape: cut what is too much, add black, or stretch"
    )
    colour: Literal["auto", "rgb", "grey"] = param(
        "auto", help="Channels: colour, grey, or grey only when all first images are"
    )
    subset: Literal["all", "train", "validation", "test"] = param(
        "all", help="Where the zip has folders train and test: take only one of them", advanced=True
    )


class Outputs(NamedTuple):
    """What comes out."""

    dataset: ImagesRef


@block(
    "data.image_folder",
    title="Image folder",
    examples=[{}],
    skips={"example": "it needs a file that somebody uploaded; tests/engine/data gives it one"},
)
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Read every image, in the order of the paths; the folder's name is the class.

    A zip is read in place, never unpacked. Files that are no images, or damaged, are skipped, counted and named.

    Returns
    -------
    Outputs
        ``dataset``: uint8 images (N, C, size, size).

    Raises
    ------
    UserError
        When the zip is unsafe, there are no class folders, fewer than two classes, or no image can be read.

    References
    ----------
    Deng et al. (2009), ImageNet: A Large-Scale Hierarchical Image Database, CVPR (one folder for each class).

    Examples
    --------
    >>> Params(size=32).fit
    'crop'
    """
    path, name = input_file(ctx, params.file, params.path)
    with open_source(path) as source:
        samples = _chosen(source, params.subset)
        classes = sorted({sample.label for sample in samples})
        if len(classes) < 2:
            raise UserError(
                "There is only one class folder, {name}",
                field="file",
                hint="To tell classes apart, give at least two folders of images.",
                name=classes[0],
            )
        grey = params.colour == "grey" or (params.colour == "auto" and is_grey(source))
        rows, skipped = _read_all(source, samples, params, "grey" if grey else "rgb", ctx)
    kept = [samples[row] for row in rows]
    if not kept:
        raise UserError(
            "None of the {count} images can be read; the first is {name}: {why}",
            field="file",
            hint="Check that they open in an image viewer.",
            count=len(samples),
            name=skipped[0].name,
            why=skipped[0].why,
        )
    _tell(source, kept, classes, skipped, ctx)
    classes = [label for label in classes if any(sample.label == label for sample in kept)]
    labels = np.array([classes.index(sample.label) for sample in kept], dtype=np.int64)
    meta = {
        "preprocessing": [{"op": "fit", "how": params.fit}, {"op": "scale", "by": 255.0}],
        "skipped": len(skipped),
        "skipped_files": [{"name": one.name, "why": one.why} for one in skipped[:KEPT_NAMES]],
    }
    names = [sample.path for sample in kept]
    images = _scratch(ctx)
    try:
        return Outputs(write_images(ctx.store, images, labels, classes, name=name, names=names, meta=meta))
    finally:
        images.unlink(missing_ok=True)


def _chosen(source: Source, subset: str) -> list[Sample]:
    samples = [sample for sample in source.samples if subset in ("all", sample.subset)]
    if not samples:
        raise UserError(
            "There is no folder {subset} in it",
            field="subset",
            hint="It is divided into: {subsets}.",
            subset=subset,
            subsets=", ".join(source.subsets) or "-",
        )
    return samples


def _scratch(ctx: RunContext) -> Path:
    return ctx.workdir / "images.npy"


def _read_all(
    source: Source, samples: list[Sample], params: Params, colour: Literal["rgb", "grey"], ctx: RunContext
) -> tuple[list[int], list[Skipped]]:
    """Decode every image into the scratch file; the rows that worked, and the files that did not."""
    side = params.size
    shape = (len(samples), 1 if colour == "grey" else 3, side, side)
    pixels = np.lib.format.open_memmap(_scratch(ctx), mode="w+", dtype=np.uint8, shape=shape)
    rows: list[int] = []
    skipped: list[Skipped] = []
    for number, sample in enumerate(samples):
        ctx.check_cancelled()
        ctx.progress(number, len(samples), "images")
        try:
            pixels[len(rows)] = decode(source.read(sample.path), (side, side), params.fit, colour)
        except ValueError as error:
            skipped.append(Skipped(sample.path, str(error)))
            continue
        rows.append(number)
    pixels.flush()
    if skipped and rows:
        np.save(_scratch(ctx), np.array(pixels[: len(rows)]), allow_pickle=False)
    ctx.progress(len(samples), len(samples), "images")
    return rows, skipped


def _tell(source: Source, kept: list[Sample], classes: list[str], skipped: list[Skipped], ctx: RunContext) -> None:
    if skipped:
        ctx.warn(
            "{count} of {total} images were skipped, such as {name}: {why}",
            count=len(skipped),
            total=len(skipped) + len(kept),
            name=skipped[0].name,
            why=skipped[0].why,
            names=[one.name for one in skipped[:KEPT_NAMES]],
        )
    counts = class_counts([sample.label for sample in kept])
    single = [label for label, count in counts.items() if count == 1]
    if single:
        ctx.warn(
            "{count} classes have a single image: {classes}. They cannot be tested",
            count=len(single),
            classes=", ".join(single[:NAMED]),
        )
    empty = source.empty + [label for label in classes if label not in counts]
    if empty:
        ctx.warn("{count} class folders have no image: {classes}", count=len(empty), classes=", ".join(empty[:NAMED]))
    if source.others:
        ctx.log("{count} files are no images, such as {name}", count=len(source.others), name=source.others[0])
