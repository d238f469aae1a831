"""Scaled dot-product attention over several heads: what the transformers of this package share.

Called by the networks of this package. Must not know which network asks.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


def attend(
    query_BTD: Tensor,
    key_BSD: Tensor,
    value_BSD: Tensor,
    heads: int,
    *,
    mask: Tensor | None = None,
    dropout: float = 0.0,
) -> Tensor:
    """Attention of every head, side by side.

    Parameters
    ----------
    query_BTD, key_BSD, value_BSD
        Projections of ``(B, length, D)``; head ``h`` has the columns ``h * D / heads`` to ``(h + 1) * D / heads``.
    mask
        Boolean, ``(B, 1, 1, S)``: True where a position may be looked at; None: everywhere.
    dropout
        Share of the attention weights dropped; 0 outside training.

    Returns
    -------
    Tensor
        ``(B, T, D)``.

    Notes
    -----
    Source: A. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2.

    Examples
    --------
    >>> import torch
    >>> x = torch.zeros(2, 5, 8)
    >>> attend(x, x, x, 4).shape
    torch.Size([2, 5, 8])
    """
    query, key, value = (split_heads(x, heads) for x in (query_BTD, key_BSD, value_BSD))
    mixed_BHTK = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
    return mixed_BHTK.transpose(1, 2).flatten(2)


def split_heads(x_BTD: Tensor, heads: int) -> Tensor:
    """``(B, T, D)`` as ``(B, heads, T, D / heads)``."""
    batch, length, width = x_BTD.shape
    return x_BTD.view(batch, length, heads, width // heads).transpose(1, 2)


def initialise(module: nn.Module, std: float) -> None:
    """Normally distributed weights of linear layers and embeddings, and biases of zero (Devlin et al. 2019)."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=std)
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)
