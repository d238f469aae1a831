"""Bring inputs to one scale: pixels to mean 0 and deviation 1, columns of a table to numbers of one size."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from engine.artifacts import DatasetRef, TableRef
from engine.datasets import ImagesView, open_images, open_table, with_meta
from engine.errors import UserError
from engine.spec import BlockParams, RunContext, block, param
from engine.tabular.encoders import fit_encoders

CHUNK = 4096


class Params(BlockParams):
    """How to scale."""

    mean: list[float] = param([], help="Images: mean of each channel, from 0 to 1; empty to compute it", advanced=True)
    std: list[float] = param(
        [], help="Images: standard deviation of each channel, from 0 to 1; empty to compute it", advanced=True
    )
    impute: Literal["median", "mean"] = param("median", help="Tables: what a missing number becomes")
    standardise: bool = param(True, help="Tables: bring numbers to mean 0 and standard deviation 1")
    categories: int = param(
        64, ge=2, le=1000, help="Tables: most categories of a column that get a number of their own", advanced=True
    )


class Outputs(NamedTuple):
    """What comes out."""

    dataset: DatasetRef


@block("data.normalise", title="Normalise", examples=[{}, {"impute": "mean"}])
def run(params: Params, *, dataset: DatasetRef, ctx: RunContext) -> Outputs:
    """Compute the scale on this data set and declare it; the model takes it along.

    Wire it behind Split, before the training input: so nothing of the test data is seen, and evaluation and
    prediction use the same scale by themselves.

    Parameters
    ----------
    dataset
        Images, or a table: missing numbers are filled, numbers standardised, categories become one column each, free
        text is left out.

    Returns
    -------
    Outputs
        ``dataset``: the same samples; ``meta["preprocessing"]`` has the operations.

    Raises
    ------
    UserError
        When the given means do not fit the channels.

    References
    ----------
    LeCun, Bottou, Orr, Müller (1998), Efficient BackProp, section 4.3.

    Examples
    --------
    >>> Params(mean=[0.5], std=[0.25]).mean
    [0.5]
    """
    if isinstance(dataset, TableRef):
        return Outputs(with_meta(ctx.store, dataset, preprocessing=_table_operations(params, dataset, ctx)))
    view = open_images(dataset)
    channels = view.shape[0]
    for name, given in (("mean", params.mean), ("std", params.std)):
        if given and len(given) != channels:
            raise UserError(
                "The images have {channels} channels, and {count} values are given",
                field=name,
                hint="Give one value for each channel, or none.",
                channels=channels,
                count=len(given),
            )
    if any(value <= 0 for value in params.std):
        raise UserError("A standard deviation is above 0", field="std", hint="Leave it empty to compute it.")
    mean, std = (params.mean, params.std) if params.mean and params.std else channel_statistics(view, ctx)
    operation = {"op": "normalise", "mean": params.mean or mean, "std": params.std or std}
    fits = [one for one in dataset.meta["preprocessing"] if one["op"] == "fit"]
    return Outputs(with_meta(ctx.store, dataset, preprocessing=[*fits, {"op": "scale", "by": 255.0}, operation]))


def channel_statistics(view: ImagesView, ctx: RunContext) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, of pixels from 0 to 1; a channel of one value gets 1."""
    channels = view.shape[0]
    total, squares, pixels = np.zeros(channels), np.zeros(channels), 0
    for start in range(0, len(view), CHUNK):
        ctx.check_cancelled()
        ctx.progress(start, len(view), "images")
        chunk = view.take(slice(start, start + CHUNK)).astype(np.float64) / 255.0
        total += chunk.sum(axis=(0, 2, 3))
        squares += np.square(chunk).sum(axis=(0, 2, 3))
        pixels += chunk[:, 0].size
    mean = total / pixels
    std = np.sqrt(np.maximum(squares / pixels - mean**2, 0))
    std = np.where(std < 1e-6, 1.0, std)
    return [round(float(value), 6) for value in mean], [round(float(value), 6) for value in std]


def _table_operations(params: Params, dataset: TableRef, ctx: RunContext) -> list[dict[str, Any]]:
    meta = dataset.meta
    operations = fit_encoders(
        open_table(dataset),
        meta["columns"],
        meta["target"],
        impute=params.impute,
        standardise=params.standardise,
        most_categories=params.categories,
    )
    dropped = [operation["column"] for operation in operations if operation["op"] == "drop"]
    if dropped:
        ctx.log(
            "{count} columns are left out, because they hold free text or one value: {columns}",
            count=len(dropped),
            columns=", ".join(dropped[:10]),
        )
    if len(dropped) == len(meta["columns"]) - (meta["target"] is not None):
        raise UserError(
            "No column is left to predict from",
            field="dataset",
            hint="Set columns of the table to number or category, or add some.",
        )
    return operations
