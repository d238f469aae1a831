"""A decoder whose feed-forward parts are experts: a router sends every token to a few of them.

Only the experts that are asked compute, so the network has many more weights than it uses for a token. What the router
does is shown while training (``live_metrics``), and a loss keeps the experts equally busy (``extra_loss``).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from engine.models.registry import architecture
from engine.models.transformer_lm import Decoder, TransformerLMConfig
from engine.models.widths import transformer_widths


class MoELMConfig(TransformerLMConfig):
    """Shape of a decoder with experts.

    Attributes
    ----------
    experts
        Experts in each layer.
    top_k
        Experts that each token is sent to.
    capacity_factor
        Tokens that an expert takes in training, as a multiple of its fair share; what is too much passes by on the
        shortcut. When the network is asked, every token is served.
    balance_weight
        Weight of the loss that keeps the experts equally busy.
    router_z_weight
        Weight of the loss that keeps the router's scores small.
    """

    experts: int = Field(8, ge=1)
    top_k: int = Field(2, ge=1)
    capacity_factor: float = Field(1.25, gt=0)
    balance_weight: float = Field(0.01, ge=0)
    router_z_weight: float = Field(0.001, ge=0)


@architecture("moe_lm", config=MoELMConfig, inputs=("tokens",), head="lm_head.", widths=transformer_widths)
def moe_lm(config: MoELMConfig) -> nn.Module:
    """The decoder of :mod:`engine.models.transformer_lm` with a mixture of experts in every layer.

    Sources: N. Shazeer et al., "Outrageously large neural networks", ICLR 2017; W. Fedus, B. Zoph, N. Shazeer, "Switch
    transformers", JMLR 2022 (capacity, balance); A. Jiang et al., "Mixtral of experts", 2024 (top-k, SwiGLU experts);
    B. Zoph et al., "ST-MoE", 2022 (the loss on the scores).

    >>> config = MoELMConfig(vocab_size=9, hidden_size=8, layers=1, heads=2, intermediate_size=16, experts=4)
    >>> network = moe_lm(config)
    >>> network(torch.tensor([[1, 2, 3]])).shape
    torch.Size([1, 3, 9])
    >>> sorted(network.live_metrics())
    ['dropped_share', 'expert_load_max', 'expert_load_min', 'router_balance', 'router_entropy']
    """
    return MoEDecoder(config)


class MoEDecoder(Decoder):
    """See :func:`moe_lm`."""

    def __init__(self, config: MoELMConfig) -> None:
        super().__init__(config, lambda layer: Experts(config, config.inner_of(layer)))
        self.moe = config

    def extra_loss(self) -> Tensor:
        """What the last forward pass adds to the loss: a scalar with a gradient."""
        routed = self._routed()
        balance = torch.stack([one.balance for one in routed]).mean()
        size = torch.stack([one.score_size for one in routed]).mean()
        return self.moe.balance_weight * balance + self.moe.router_z_weight * size

    def live_metrics(self) -> dict[str, Tensor]:
        """What the routers did in the last forward pass, over all layers; scalars that stay on the device.

        ``expert_load_max`` and ``expert_load_min`` are the busiest and the idlest expert's tokens as a multiple of the
        fair share (1 is even); ``router_entropy`` is 1 when a router has no preference and 0 when it is sure;
        ``router_balance`` is the balance loss, 1 when even; ``dropped_share`` is the share of choices not served.
        """
        routed = self._routed()
        load_LE = torch.stack([one.load for one in routed]).detach()
        mean = {
            "router_balance": [one.balance for one in routed],
            "router_entropy": [one.entropy for one in routed],
            "dropped_share": [one.dropped for one in routed],
        }
        return {
            "expert_load_max": load_LE.max() * self.moe.experts,
            "expert_load_min": load_LE.min() * self.moe.experts,
            **{name: torch.stack(values).detach().mean() for name, values in mean.items()},
        }

    def _routed(self) -> list[Routing]:
        found = [part.routing for part in self.modules() if isinstance(part, Experts)]
        kept = [routing for routing in found if routing is not None]
        if not kept:
            raise RuntimeError("nothing was routed yet: call forward first")
        return kept


class Routing(NamedTuple):
    """What one router did: ``load`` is ``(experts,)`` and sums to 1, the others are scalars."""

    load: Tensor
    balance: Tensor
    score_size: Tensor
    entropy: Tensor
    dropped: Tensor


class Experts(nn.Module):
    """Router and experts (SwiGLU each) of one layer; the weights of all experts lie in one tensor."""

    def __init__(self, config: MoELMConfig, inner: int) -> None:
        super().__init__()
        if config.top_k > config.experts:
            raise ValueError("a token cannot be sent to more experts than there are")
        experts, width = config.experts, config.hidden_size
        self.experts, self.top_k, self.capacity_factor = experts, config.top_k, config.capacity_factor
        self.router = nn.Linear(width, experts, bias=False)
        self.gate_proj = nn.Parameter(torch.empty(experts, width, inner))
        self.up_proj = nn.Parameter(torch.empty(experts, width, inner))
        self.down_proj = nn.Parameter(torch.empty(experts, inner, width))
        for weight, std in (
            (self.gate_proj, 0.02),
            (self.up_proj, 0.02),
            (self.down_proj, 0.02 / (2 * config.layers) ** 0.5),
        ):
            nn.init.normal_(weight, std=std)
        self.routing: Routing | None = None

    def forward(self, x_BTD: Tensor, is_real_BT: Tensor | None = None) -> Tensor:
        """``(B, T, D)`` -> ``(B, T, D)``; padding is sent nowhere.

        The first choices of all tokens are served before the second ones; an expert that is full drops the rest.
        """
        x_ND = x_BTD.flatten(0, 1)
        score_NE = self.router(x_ND).float()
        chance_NE = torch.softmax(score_NE, dim=1)
        chance_NK, expert_NK = chance_NE.topk(self.top_k, dim=1)
        weight_NK = chance_NK / chance_NK.sum(1, keepdim=True)
        is_real_N = x_ND.new_ones(len(x_ND), dtype=torch.bool) if is_real_BT is None else is_real_BT.flatten()
        # Row c of a choice: all first choices, then all second ones.
        expert_C = expert_NK.T.flatten()
        chosen_CE = functional.one_hot(expert_C, self.experts) * is_real_N.repeat(self.top_k)[:, None]
        place_C = (chosen_CE.cumsum(0) * chosen_CE).sum(1) - 1
        capacity = self._capacity(chosen_CE)
        is_served_C = (place_C >= 0) & (place_C < capacity)
        row_C = torch.where(is_served_C, expert_C * capacity + place_C, self.experts * capacity)
        # One row more than there is room: what is not served goes there and is never looked at again.
        room = x_ND.new_zeros(self.experts * capacity + 1, x_ND.shape[1])
        room = room.index_copy(0, row_C, x_ND.repeat(self.top_k, 1))
        out = self._compute(room[:-1].view(self.experts, capacity, -1)).flatten(0, 1)
        answer_CD = torch.cat([out, out.new_zeros(1, out.shape[1])])[row_C]
        weight_C = weight_NK.T.flatten().to(out.dtype)
        mixed_ND = (answer_CD * weight_C[:, None]).view(self.top_k, *x_ND.shape).sum(0)
        self.routing = self._describe(score_NE, chance_NE, chosen_CE, is_served_C, is_real_N)
        return mixed_ND.view(x_BTD.shape)

    def __getstate__(self) -> dict[str, Any]:
        """Without the last routing, which belongs to a gradient: a copy of the network starts without one."""
        return {**self.__dict__, "routing": None}

    def _capacity(self, chosen_CE: Tensor) -> int:
        if self.training:
            return max(1, math.ceil(len(chosen_CE) / self.experts * self.capacity_factor))
        return max(1, int(chosen_CE.sum(0).max()))

    def _compute(self, room_ECD: Tensor) -> Tensor:
        gate_ECH = functional.silu(torch.bmm(room_ECD, self.gate_proj))
        return torch.bmm(gate_ECH * torch.bmm(room_ECD, self.up_proj), self.down_proj)

    def _describe(
        self, score_NE: Tensor, chance_NE: Tensor, chosen_CE: Tensor, is_served_C: Tensor, is_real_N: Tensor
    ) -> Routing:
        real_N = is_real_N.to(chance_NE.dtype)
        count = real_N.sum().clamp(min=1)
        load_E = chosen_CE.sum(0).to(chance_NE.dtype) / (count * self.top_k)
        mean_E = (chance_NE * real_N[:, None]).sum(0) / count
        entropy_N = -(chance_NE * chance_NE.clamp(min=1e-9).log()).sum(1)
        return Routing(
            load=load_E,
            balance=self.experts * (load_E * mean_E).sum(),
            score_size=(torch.logsumexp(score_NE, dim=1).square() * real_N).sum() / count,
            entropy=(entropy_N * real_N).sum() / count / max(math.log(self.experts), 1e-9),
            dropped=1 - is_served_C.sum() / (count * self.top_k),
        )
