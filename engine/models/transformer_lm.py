"""A decoder-only transformer that continues texts; parameter names as in transformers' Llama, so its weights load.

Pre-norm with RMSNorm, rotary positions, grouped-query attention, SwiGLU. The layers are shared with ``moe_lm``, which
has another feed-forward part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from engine.models.attention import initialise, split_heads
from engine.models.registry import architecture
from engine.models.widths import TransformerConfig, transformer_widths

SIZES: Mapping[str, Mapping[str, int]] = {
    name: {"hidden_size": hidden, "layers": layers, "heads": heads, "intermediate_size": inner}
    for name, hidden, layers, heads, inner in (
        ("tiny", 128, 4, 4, 352),
        ("small", 384, 6, 6, 1024),
        ("base", 768, 12, 12, 2048),
    )
}
"""Inner widths are 8/3 of the width, so that SwiGLU has as many parameters as a plain layer of 4 (Shazeer 2020)."""


class TransformerLMConfig(TransformerConfig):
    """Shape of a decoder; more in :class:`engine.models.widths.TransformerConfig`.

    Attributes
    ----------
    task
        ``"language_model"``.
    vocab_size
        Number of different tokens.
    pad_id
        The token that fills up short texts; it is never looked at, because it stands behind them. None: there is none.
    max_length
        Longest text that it is trained on, in tokens.
    key_value_heads
        Heads of keys and values, each shared by several of the queries; None: one for each.
    rotary_base
        Longest wave of the rotary positions, in tokens per radian.
    tied
        True: the last layer shares the embeddings of the words.
    """

    task: Literal["language_model"] | None = None
    vocab_size: int | None = Field(None, ge=1)
    pad_id: int | None = Field(None, ge=0)
    max_length: int | None = Field(None, ge=1)
    hidden_size: int = Field(SIZES["tiny"]["hidden_size"], ge=1)
    layers: int = Field(SIZES["tiny"]["layers"], ge=1)
    heads: int = Field(SIZES["tiny"]["heads"], ge=1)
    key_value_heads: int | None = Field(None, ge=1)
    intermediate_size: int = Field(SIZES["tiny"]["intermediate_size"], ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    rotary_base: float = Field(10_000.0, gt=1)
    norm_eps: float = Field(1e-5, gt=0)
    tied: bool = True

    def filled(self, kind: str, shape: Sequence[int], num_classes: int) -> dict[str, Any]:
        """What the tokenizer tells comes as facts."""
        return {}

    def missing(self) -> list[str]:
        """There are no classes."""
        return [] if self.vocab_size is not None else ["vocab_size"]

    def heads_of(self, layer: int) -> int:
        """Heads of keys and values of a layer."""
        return self.layer_heads[layer] if self.layer_heads else self.key_value_heads or self.heads

    def attention_of(self, layer: int) -> tuple[int, int]:
        """Heads of queries of a layer, and those of keys and values."""
        shared = self.heads // (self.key_value_heads or self.heads)
        return shared * self.heads_of(layer), self.heads_of(layer)


@architecture(
    "transformer_lm", config=TransformerLMConfig, inputs=("tokens",), head="lm_head.", widths=transformer_widths
)
def transformer_lm(config: TransformerLMConfig) -> nn.Module:
    """A decoder in today's form.

    Sources: A. Vaswani et al., "Attention is all you need", NeurIPS 2017; H. Touvron et al., "LLaMA", 2023 (the whole);
    B. Zhang, R. Sennrich, "Root mean square layer normalization", NeurIPS 2019; J. Su et al., "RoFormer", 2021;
    N. Shazeer, "GLU variants improve transformer", 2020; J. Ainslie et al., "GQA", EMNLP 2023.

    >>> transformer_lm(TransformerLMConfig(vocab_size=9, hidden_size=8, heads=2))(torch.tensor([[1, 2, 3]])).shape
    torch.Size([1, 3, 9])
    """
    return Decoder(config, lambda layer: SwiGLU(config.hidden_size, config.inner_of(layer)))


class Decoder(nn.Module):
    """See :func:`transformer_lm`.

    Parameters
    ----------
    make_feed_forward
        Makes the feed-forward part of a layer, given its number.
    """

    def __init__(self, config: TransformerLMConfig, make_feed_forward: Callable[[int], nn.Module]) -> None:
        super().__init__()
        assert config.vocab_size is not None
        self.config = config
        self.model = Body(config, make_feed_forward)
        self.lm_head = None if config.tied else nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        initialise(self, std=0.02)
        # Each layer adds twice to the stream: smaller last steps keep its size (Radford et al. 2019, section 2.3).
        for name, weight in self.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                nn.init.normal_(weight, std=0.02 / (2 * config.layers) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(B, T, vocab_size)`` of the token after each of ``(B, T)``."""
        hidden_BTD = self.hidden(x)
        weight = self.model.embed_tokens.weight if self.lm_head is None else self.lm_head.weight
        return functional.linear(hidden_BTD, weight)

    def hidden(self, x: Tensor) -> Tensor:
        """What every token has become: ``(B, T, hidden_size)``."""
        hidden: Tensor = self.model(x)
        return hidden

    def features(self, x: Tensor) -> Tensor:
        """What every text has become at its last token: ``(B, hidden_size)``."""
        hidden_BTD = self.hidden(x)
        if self.config.pad_id is None:
            return hidden_BTD[:, -1]
        last_B = (x != self.config.pad_id).sum(1).clamp(min=1) - 1
        return hidden_BTD[torch.arange(len(x), device=x.device), last_B]


class Body(nn.Module):
    """Embeddings, layers and the last normalisation."""

    def __init__(self, config: TransformerLMConfig, make_feed_forward: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size or 1, config.hidden_size)
        self.layers = nn.ModuleList(
            DecoderLayer(config, layer, make_feed_forward(layer)) for layer in range(config.layers)
        )
        self.norm = nn.RMSNorm(config.hidden_size, config.norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, T)`` -> ``(B, T, D)``."""
        hidden_BTD = self.dropout(self.embed_tokens(x))
        turns = rotations(x.shape[1], self.config.size_of_head, self.config.rotary_base, x.device)
        is_real_BT = None if self.config.pad_id is None else x != self.config.pad_id
        for layer in self.layers:
            hidden_BTD = layer(hidden_BTD, turns, is_real_BT)
        normed: Tensor = self.norm(hidden_BTD)
        return normed


class DecoderLayer(nn.Module):
    """Attention and feed-forward, each behind a normalisation and with its shortcut."""

    def __init__(self, config: TransformerLMConfig, number: int, feed_forward: nn.Module) -> None:
        super().__init__()
        self.self_attn = CausalAttention(config, *config.attention_of(number))
        self.mlp = feed_forward
        self.input_layernorm = nn.RMSNorm(config.hidden_size, config.norm_eps)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden_size, config.norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x_BTD: Tensor, turns: tuple[Tensor, Tensor], is_real_BT: Tensor | None) -> Tensor:
        """``(B, T, D)`` -> ``(B, T, D)``."""
        h_BTD = x_BTD + self.dropout(self.self_attn(self.input_layernorm(x_BTD), turns))
        added: Tensor = h_BTD + self.dropout(self.mlp(self.post_attention_layernorm(h_BTD), is_real_BT))
        return added


class CausalAttention(nn.Module):
    """Attention of each token to itself and those before it."""

    def __init__(self, config: TransformerLMConfig, heads: int, key_value_heads: int) -> None:
        super().__init__()
        width, size = config.hidden_size, config.size_of_head
        self.heads, self.key_value_heads = heads, key_value_heads
        self.q_proj = nn.Linear(width, self.heads * size, bias=False)
        self.k_proj = nn.Linear(width, self.key_value_heads * size, bias=False)
        self.v_proj = nn.Linear(width, self.key_value_heads * size, bias=False)
        self.o_proj = nn.Linear(self.heads * size, width, bias=False)

    def forward(self, x_BTD: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        """``(B, T, D)`` -> ``(B, T, D)``."""
        query = rotate(split_heads(self.q_proj(x_BTD), self.heads), *turns)
        key = rotate(split_heads(self.k_proj(x_BTD), self.key_value_heads), *turns)
        value = split_heads(self.v_proj(x_BTD), self.key_value_heads)
        shared = self.key_value_heads != self.heads
        mixed_BHTK = functional.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=shared)
        out: Tensor = self.o_proj(mixed_BHTK.transpose(1, 2).flatten(2))
        return out


class SwiGLU(nn.Module):
    """Feed-forward layer with a gate (Shazeer 2020)."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x_BTD: Tensor, is_real_BT: Tensor | None = None) -> Tensor:
        """``(B, T, D)`` -> ``(B, T, D)``; every token is treated alike, padding too."""
        out: Tensor = self.down_proj(functional.silu(self.gate_proj(x_BTD)) * self.up_proj(x_BTD))
        return out


def rotations(length: int, size: int, base: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the angle at every position: ``(T, size)`` each, the two halves equal (Su et al. 2021).

    >>> rotations(3, 4, 10_000.0, torch.device("cpu"))[0][0].tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    wave_K = base ** (-torch.arange(0, size, 2, device=device, dtype=torch.float32) / size)
    angle_TK = torch.arange(length, device=device, dtype=torch.float32)[:, None] * wave_K
    angle_TK = torch.cat([angle_TK, angle_TK], dim=1)
    return angle_TK.cos(), angle_TK.sin()


def rotate(x_BHTK: Tensor, cosine_TK: Tensor, sine_TK: Tensor) -> Tensor:
    """Turn pairs of numbers by the angle of their position; the first half is paired with the second."""
    first, second = x_BHTK.chunk(2, dim=-1)
    turned = torch.cat([-second, first], dim=-1)
    return (x_BHTK * cosine_TK + turned * sine_TK).to(x_BHTK.dtype)
