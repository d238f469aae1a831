"""What the blocks of language models share: the shape of a decoder from the name of its size.

Called by ``model.transformer_lm`` and ``model.moe_lm``.
"""

from __future__ import annotations

from typing import Any

from engine.errors import UserError
from engine.models.transformer_lm import SIZES


def decoder_config(size: str, layers: int | None, hidden_size: int | None, heads: int | None) -> dict[str, Any]:
    """The shape of a decoder; what is None is as the size has it.

    Raises
    ------
    UserError
        When the width cannot be divided among the heads into even parts.

    Examples
    --------
    >>> decoder_config("tiny", 2, 96, None)["intermediate_size"]
    256
    """
    config = dict(SIZES[size])
    config |= {k: v for k, v in {"layers": layers, "hidden_size": hidden_size, "heads": heads}.items() if v is not None}
    if hidden_size is not None:
        config["intermediate_size"] = max(8, 8 * round(hidden_size / 3))
    if config["hidden_size"] % (2 * config["heads"]):
        raise UserError(
            "A width of {width} cannot be divided among {heads} heads into even parts",
            field="heads",
            hint="Take a multiple of twice the number of heads as the width.",
            width=config["hidden_size"],
            heads=config["heads"],
        )
    return config
