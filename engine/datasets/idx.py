"""The idx format of MNIST and its relatives: a magic number, sizes, then bytes.

Called by the blocks of data sets that come in it.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from engine.errors import UserError


def read_idx(folder: Path, name: str, dimensions: int) -> np.ndarray:
    """One idx file of bytes, packed by gzip or not.

    Parameters
    ----------
    folder, name
        Where it is, and its name without ``.gz``.
    dimensions
        How many sizes it must have.

    Returns
    -------
    numpy.ndarray
        uint8 of the shape that the file states.

    Raises
    ------
    UserError
        When it is not there, or its length is not what its first bytes state.

    References
    ----------
    LeCun, Cortes, Burges (1998), The MNIST database of handwritten digits, "File formats".
    """
    packed, plain = folder / f"{name}.gz", folder / name
    if not packed.is_file() and not plain.is_file():
        raise UserError(
            "{folder} has no file {name}",
            field="path",
            hint="Give the folder with the four files of the data set.",
            folder=str(folder),
            name=f"{name}.gz",
        )
    try:
        data = gzip.decompress(packed.read_bytes()) if packed.is_file() else plain.read_bytes()
    except (OSError, EOFError, zlib.error):
        data = b""
    head = 4 + 4 * dimensions
    shape = tuple(int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(dimensions))
    if data[:4] != bytes([0, 0, 8, dimensions]) or len(data) != head + math.prod(shape):
        raise UserError(
            "The file {name} is damaged or is no idx file", field="path", hint="Fetch the data set again.", name=name
        )
    return np.frombuffer(data, dtype=np.uint8, offset=head).reshape(shape)
