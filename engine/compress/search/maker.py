"""Make a candidate: a network pruned, trained and quantised as a recipe says, and its ONNX file, checked.

Called by the search. Each step is a method of the rooms above; here is only their order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.compress.graph import traced
from engine.compress.int8 import quantize_int8
from engine.compress.macs import Counts, count
from engine.compress.rounding import onnx_translations
from engine.compress.search.strategy import Recipe
from engine.errors import UserError
from engine.runtime.modelspec import ModelSpec
from engine.runtime.onnx_export import Session, to_onnx
from engine.runtime.verify import verify

Check = Callable[[], None]


@dataclass(frozen=True)
class Made:
    """A candidate.

    Attributes
    ----------
    spec
        Of the network, with the widths that pruning left.
    content
        The ONNX file.
    counts
        Of the network in floats.
    """

    spec: ModelSpec
    content: bytes
    counts: Counts


class Maker:
    """Makes candidates of one model.

    Parameters
    ----------
    module
        The network that was given, on the CPU.
    batches
        Inputs that ranges are taken from.
    held
        Inputs that files are checked with.
    """

    def __init__(
        self,
        spec: ModelSpec,
        module: nn.Module,
        batches: list[Tensor],
        held: Tensor,
        *,
        threads: int,
        check: Check,
    ) -> None:
        self._spec, self._module, self._batches, self._held = spec, module.eval(), batches, held
        self._threads, self._check = threads, check

    def original(self) -> Made:
        """The network as it was given."""
        return Made(self._spec, self._floats(self._module), self._counts(self._module))

    def make(self, recipe: Recipe) -> Made:
        """What a recipe says.

        Raises
        ------
        UserError
            When the network does not allow it, or the file computes something else.
        """
        spec, module = self._spec, self._module
        counts = self._counts(module)
        if recipe.numbers == "fp32":
            return Made(spec, self._floats(module), counts)
        small = quantize_int8(module, self._batches, check=self._check)
        content = to_onnx(small.graph, self._held[:2], onnx_translations())
        self._verified(small.graph, content)
        return Made(spec, content, counts)

    def _floats(self, module: nn.Module) -> bytes:
        """The file of a network in floats, folded where it can be taken apart."""
        try:
            folded: nn.Module = traced(module, self._held[:2])
        except UserError:
            folded = module
        content = to_onnx(folded, self._held[:2])
        self._verified(module, content)
        return content

    def _verified(self, module: nn.Module, content: bytes) -> None:
        self._check()
        with torch.inference_mode():
            expected = module(self._held)
        verify(expected, torch.from_numpy(Session(content, self._threads).run(self._held.numpy())))

    def _counts(self, module: nn.Module) -> Counts:
        return count(module, self._held[:1])
