"""BERT: an encoder of texts, for classification and for guessing hidden words; parameter names as in transformers.

So public weights load as they are. Tokens go in alone: the network knows itself which are padding (``pad_id``), and
every text is one segment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from engine.models.attention import attend, initialise
from engine.models.registry import architecture
from engine.models.widths import TransformerConfig, transformer_widths

SIZES: Mapping[str, Mapping[str, int]] = {
    name: {"hidden_size": hidden, "layers": layers, "heads": heads, "intermediate_size": 4 * hidden}
    for name, hidden, layers, heads in (
        ("tiny", 128, 2, 2),
        ("mini", 256, 4, 4),
        ("small", 512, 4, 8),
        ("medium", 512, 8, 8),
        ("base", 768, 12, 12),
        ("large", 1024, 24, 16),
    )
}
"""Base and large as in Devlin et al. 2019; the others as in Turc et al., "Well-read students learn better", 2019."""


class BertConfig(TransformerConfig):
    """Shape of a BERT; more in :class:`engine.models.widths.TransformerConfig`.

    Attributes
    ----------
    task
        ``"classification"`` or ``"masked_lm"``: which last layers there are; None until training.
    vocab_size
        Number of different tokens.
    pad_id
        The token that fills up short texts; None when there is none.
    max_length
        Longest text, in tokens.
    pooling
        What a text is summed up as: ``"cls"``, a layer on its first token, as in the paper; ``"mean"``, the mean over
        its tokens, as sentence encoders have it.
    """

    task: Literal["classification", "masked_lm"] | None = None
    vocab_size: int | None = Field(None, ge=1)
    pad_id: int | None = Field(None, ge=0)
    max_length: int | None = Field(None, ge=1)
    hidden_size: int = Field(SIZES["tiny"]["hidden_size"], ge=1)
    layers: int = Field(SIZES["tiny"]["layers"], ge=1)
    heads: int = Field(SIZES["tiny"]["heads"], ge=1)
    intermediate_size: int = Field(SIZES["tiny"]["intermediate_size"], ge=1)
    pooling: Literal["cls", "mean"] = "cls"
    dropout: float = Field(0.1, ge=0, lt=1)
    norm_eps: float = Field(1e-12, gt=0)

    def filled(self, kind: str, shape: Sequence[int], num_classes: int) -> dict[str, Any]:
        """The number of classes; what the tokenizer tells comes as facts."""
        return {} if self.task == "masked_lm" else {"num_classes": num_classes}

    def missing(self) -> list[str]:
        """Masked words need no classes."""
        needed = ["task", "vocab_size", "max_length", *([] if self.task == "masked_lm" else ["num_classes"])]
        return [field for field in needed if getattr(self, field) is None]


@architecture(
    "bert",
    config=BertConfig,
    inputs=("tokens",),
    head=("classifier.", "cls.", "bert.pooler."),
    widths=transformer_widths,
)
def bert(config: BertConfig) -> nn.Module:
    """Layers of self-attention and feed-forward, normalised after each.

    Source: J. Devlin, M.-W. Chang, K. Lee, K. Toutanova, "BERT: Pre-training of deep bidirectional transformers for
    language understanding", NAACL 2019.

    >>> tokens = torch.tensor([[1, 2, 3], [1, 4, 0]])
    >>> known = {"vocab_size": 9, "pad_id": 0, "max_length": 3}
    >>> bert(BertConfig(task="classification", num_classes=2, **known))(tokens).shape
    torch.Size([2, 2])
    >>> bert(BertConfig(task="masked_lm", **known))(tokens).shape
    torch.Size([2, 3, 9])
    """
    return Bert(config)


class Bert(nn.Module):
    """See :func:`bert`."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        pools = config.task == "classification" and config.pooling == "cls"
        self.bert = Encoder(config, pools=pools)
        self.dropout = nn.Dropout(config.dropout)
        if config.task == "masked_lm":
            self.cls = MaskedWords(config)
        else:
            assert config.num_classes is not None
            self.classifier = nn.Linear(config.hidden_size, config.num_classes)
        initialise(self, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(B, num_classes)``, or ``(B, T, vocab_size)`` of masked words, of tokens ``(B, T)``."""
        if self.config.task == "masked_lm":
            words: Tensor = self.cls(self.hidden(x), self.bert.embeddings.word_embeddings.weight)
            return words
        logits: Tensor = self.classifier(self.dropout(self.features(x)))
        return logits

    def hidden(self, x: Tensor) -> Tensor:
        """What every token has become: ``(B, T, hidden_size)``."""
        hidden: Tensor = self.bert(x)
        return hidden

    def features(self, x: Tensor) -> Tensor:
        """What every text is summed up as: ``(B, hidden_size)``."""
        hidden_BTD = self.hidden(x)
        if self.bert.pooler is not None:
            pooled: Tensor = self.bert.pooler(hidden_BTD)
            return pooled
        if self.config.pooling == "cls":
            return hidden_BTD[:, 0]
        is_real_BT1 = self.bert.is_real(x).to(hidden_BTD.dtype)[:, :, None]
        return (hidden_BTD * is_real_BT1).sum(1) / is_real_BT1.sum(1)


class Encoder(nn.Module):
    """Embeddings, layers and, for classification by the first token, the pooler."""

    def __init__(self, config: BertConfig, *, pools: bool) -> None:
        super().__init__()
        self.pad_id = config.pad_id
        self.embeddings = Embeddings(config)
        self.encoder = Layers(config)
        self.pooler = Pooler(config.hidden_size) if pools else None

    def forward(self, x: Tensor) -> Tensor:
        """``(B, T)`` -> ``(B, T, D)``."""
        mask = None if self.pad_id is None else self.is_real(x)[:, None, None]
        hidden_BTD: Tensor = self.encoder(self.embeddings(x), mask)
        return hidden_BTD

    def is_real(self, x: Tensor) -> Tensor:
        """True for tokens that are not padding, and for the first: a text of nothing looks at itself."""
        if self.pad_id is None:
            return torch.ones_like(x, dtype=torch.bool)
        is_first_T = torch.arange(x.shape[1], device=x.device) == 0
        return (x != self.pad_id) | is_first_T


class Layers(nn.Module):
    """One layer after the other."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(config, number) for number in range(config.layers))

    def forward(self, x_BTD: Tensor, mask: Tensor | None) -> Tensor:
        """``(B, T, D)`` -> ``(B, T, D)``."""
        for layer in self.layer:
            x_BTD = layer(x_BTD, mask)
        return x_BTD


class Embeddings(nn.Module):
    """Sum of the embeddings of token, position and (only) segment, normalised."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        assert config.vocab_size is not None
        assert config.max_length is not None
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embeddings = nn.Embedding(config.max_length, config.hidden_size)
        self.token_type_embeddings = nn.Embedding(2, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, config.norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, T)`` -> ``(B, T, D)``."""
        hidden_BTD = self.word_embeddings(x) + self.token_type_embeddings.weight[0]
        hidden_BTD = hidden_BTD + self.position_embeddings.weight[: x.shape[1]]
        normed: Tensor = self.dropout(self.LayerNorm(hidden_BTD))
        return normed


class Layer(nn.Module):
    """Self-attention and feed-forward, each with its shortcut (Devlin et al. 2019; post-norm)."""

    def __init__(self, config: BertConfig, number: int) -> None:
        super().__init__()
        inner = config.inner_of(number)
        self.attention = SelfAttention(config, config.heads_of(number))
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(config.hidden_size, inner)})
        self.output = Added(inner, config)

    def forward(self, x_BTD: Tensor, mask: Tensor | None) -> Tensor:
        """``(B, T, D)`` -> ``(B, T, D)``."""
        h_BTD = self.attention(x_BTD, mask)
        added: Tensor = self.output(functional.gelu(self.intermediate["dense"](h_BTD)), h_BTD)
        return added


class SelfAttention(nn.Module):
    """Query, key and value of every token, attention, and the shortcut."""

    def __init__(self, config: BertConfig, heads: int) -> None:
        super().__init__()
        width, inner = config.hidden_size, heads * config.size_of_head
        self.heads, self.dropout = heads, config.dropout
        self.self = nn.ModuleDict({name: nn.Linear(width, inner) for name in ("query", "key", "value")})
        self.output = Added(inner, config)

    def forward(self, x_BTD: Tensor, mask: Tensor | None) -> Tensor:
        """``(B, T, D)`` -> ``(B, T, D)``."""
        query, key, value = (self.self[name](x_BTD) for name in ("query", "key", "value"))
        mixed_BTD = attend(query, key, value, self.heads, mask=mask, dropout=self.dropout if self.training else 0.0)
        added: Tensor = self.output(mixed_BTD, x_BTD)
        return added


class Added(nn.Module):
    """A linear layer on ``x``, dropout, the shortcut from ``before``, and normalisation."""

    def __init__(self, before: int, config: BertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(before, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, config.norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        """``(B, T, before)`` and ``(B, T, D)`` -> ``(B, T, D)``."""
        added: Tensor = self.LayerNorm(before + self.dropout(self.dense(x)))
        return added


class Pooler(nn.Module):
    """A layer on the first token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)

    def forward(self, hidden_BTD: Tensor) -> Tensor:
        """``(B, T, D)`` -> ``(B, D)``."""
        return torch.tanh(self.dense(hidden_BTD[:, 0]))


class MaskedWords(nn.Module):
    """Scores of every word at every place; the last layer shares the embeddings of the words."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.predictions = WordScores(config)

    def forward(self, hidden_BTD: Tensor, words_VD: Tensor) -> Tensor:
        """``(B, T, D)`` -> ``(B, T, V)``."""
        scores: Tensor = self.predictions(hidden_BTD, words_VD)
        return scores


class WordScores(nn.Module):
    """See :class:`MaskedWords`."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        assert config.vocab_size is not None
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.transform = WordTransform(config)

    def forward(self, hidden_BTD: Tensor, words_VD: Tensor) -> Tensor:
        """``(B, T, D)`` -> ``(B, T, V)``."""
        return functional.linear(self.transform(hidden_BTD), words_VD, self.bias)


class WordTransform(nn.Module):
    """One more layer before words are scored."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, config.norm_eps)

    def forward(self, hidden_BTD: Tensor) -> Tensor:
        """``(B, T, D)`` -> ``(B, T, D)``."""
        normed: Tensor = self.LayerNorm(functional.gelu(self.dense(hidden_BTD)))
        return normed
