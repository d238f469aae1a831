"""Make a candidate: a network pruned, trained and quantised as a recipe says, and its ONNX file, checked.

Called by the search. Each step is a method of the rooms above; here is only their order: channels are removed, batch
normalisation is counted anew, what is left learns from the original, then numbers are rounded. Batch normalisation is
not counted again after the training, which does that by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from engine.compress.dynamic import quantize_dynamic
from engine.compress.int4 import quantize_int4
from engine.compress.int8 import quantize_int8
from engine.compress.macs import Counts, count
from engine.compress.mixed import quantize_mixed
from engine.compress.pack import FREE, plain, written
from engine.compress.prune import Pruned
from engine.compress.prune.method import Pruning
from engine.compress.prune.target import cost_of, prune_to, share_of
from engine.compress.search.front import Target
from engine.compress.search.memory import Memory
from engine.compress.search.strategy import FIRST_RATIO, Recipe
from engine.compress.search.tuning import Tuner
from engine.compress.sensitivity import sensitivity
from engine.learn.tasks import Task
from engine.models import build
from engine.runtime.modelspec import ModelSpec
from engine.runtime.onnx_export import Session
from engine.runtime.verify import verify

Check = Callable[[], None]
Batches = list[tuple[Tensor, Tensor]]
MENDED_BY = ((0.9, 1200), (0.8, 600))
"""Shares to begin with, and how many steps of training must be able to follow."""
BOLD_RATIO = 0.8
"""The share to begin with before a shorter training, where a look finds it harmless."""
ROUND_TO = 8
RANKED_WITH = 4
"""Batches whose gradients rank channels."""


@dataclass(frozen=True)
class Made:
    """A candidate.

    Attributes
    ----------
    content
        The ONNX file.
    counts
        Of the network in floats.
    """

    content: bytes
    counts: Counts


class Maker:
    """Makes candidates of one model.

    Parameters
    ----------
    module
        The network that was given, on the CPU.
    batches
        Inputs with targets: ranges are taken from them, and channels ranked by them.
    counted
        Inputs as the training changes them, that batch normalisation is counted anew on.
    held
        Inputs that files are checked with.
    tuner
        Trains what was pruned; None: nothing can be trained.
    """

    def __init__(
        self,
        spec: ModelSpec,
        module: nn.Module,
        batches: Batches,
        counted: list[Tensor],
        held: Tensor,
        *,
        target: Target,
        task: Task,
        tuner: Tuner | None,
        memory: Memory,
        threads: int,
        check: Check,
    ) -> None:
        self._spec, self._module, self._batches, self._held = spec, module.eval(), batches, held
        self._counted = counted
        self._target, self._task, self._tuner, self._memory = target, task, tuner, memory
        self._threads, self._check = threads, check
        self._inputs = [inputs for inputs, _ in batches]
        self._free = spec.task in FREE
        self._looked_at: Pruned | None = None

    def original(self) -> Made:
        """The network as it was given."""
        return self._floats(self._module)

    def steps(self, recipe: Recipe) -> tuple[str, ...]:
        """What is done for a recipe; what is left after a cut may be trained without the original as its teacher."""
        is_taught = self._tuner is None or self._tuner.teaches
        return recipe.steps if is_taught else tuple("train" if step == "distil" else step for step in recipe.steps)

    def make(self, recipe: Recipe, seconds: float | None) -> Made:
        """What a recipe says.

        Parameters
        ----------
        seconds
            Time that a training may take; None: all of its epochs.

        Raises
        ------
        UserError
            When the network does not allow it, or the file computes something else.
        """
        module = self._pruned(recipe, seconds) if recipe.ratio else self._module
        if recipe.numbers == "fp32":
            return self._floats(module)
        compressed = self._rounded(recipe, module, seconds)
        self._check()
        content = written(compressed, self._held[:2], free_length=self._free)
        self._verified(compressed, content)
        return Made(content, self._counts(module))

    def first_ratio(self, seconds: float | None, accuracy: Callable[[nn.Module], float], least: float) -> float:
        """The share to begin with: a large one, where a long training can follow or none seems to be needed.

        Parameters
        ----------
        seconds
            Time that the training may take; None: all of its epochs.
        accuracy
            Of a network.
        least
            What it must have before it is trained, where the training is short.
        """
        self._looked_at = self._cut(BOLD_RATIO, self._module, self._spec.config)
        steps = 0 if self._tuner is None else self._tuner.steps_in(self._looked_at.module, seconds)
        for ratio, needed in MENDED_BY:
            if steps >= needed:
                return ratio
        return BOLD_RATIO if accuracy(self._looked_at.module) >= least else FIRST_RATIO

    def _rounded(self, recipe: Recipe, module: nn.Module, seconds: float | None) -> nn.Module:
        if recipe.numbers == "dynamic":
            return quantize_dynamic(module, self._inputs, check=self._check).module
        if recipe.numbers == "int4":
            return quantize_int4(module, self._inputs, check=self._check).module
        if recipe.numbers == "mixed":
            return quantize_mixed(module, self._inputs, check=self._check).module
        kept = self._sensitive(module, recipe.kept)
        small = quantize_int8(module, self._inputs, kept=kept, check=self._check)
        if recipe.numbers == "qat" and self._tuner is not None:
            small = self._tuner.refine(small, recipe.name, seconds)
        return small.graph

    def _sensitive(self, module: nn.Module, number: int) -> tuple[str, ...]:
        """The layers that suffer most from 8 bits."""
        if not number:
            return ()
        found = sensitivity(module, self._inputs, bits=(8,), check=self._check)
        ranked = sorted(found, key=lambda row: row.error, reverse=True)
        return tuple(row.layer for row in ranked[:number])

    def _pruned(self, recipe: Recipe, seconds: float | None) -> nn.Module:
        """The original without a share of its work, trained; each is made once."""
        name, ratio = recipe.network, recipe.ratio
        known = self._memory.weights(name)
        if known is not None:
            return self._built(*known)
        if recipe.again:
            before = replace(recipe, again=recipe.again - 1)
            module, config = self._pruned(before, seconds), dict(self._memory.config(before.name) or {})
        else:
            done, start, its_config = self._nearest(ratio)
            pruned = self._looked_at if (done, ratio) == (0.0, BOLD_RATIO) else None
            if pruned is None:
                pruned = self._cut(1 - (1 - ratio) / (1 - done), start, its_config)
            module, config = pruned.module, pruned.config
        if self._tuner is not None:
            self._tuner.tune(module, name, seconds)
        self._memory.keep_weights(name, module.state_dict(), config)
        return module.eval()

    def _cut(self, ratio: float, start: nn.Module, config: Mapping[str, object]) -> Pruned:
        """A network without a share of its work, or of its parameters where size is what counts."""
        pruning = Pruning(
            start,
            self._spec.architecture,
            config,
            self._held[:1],
            importance="measured",
            examples=self._batches[:RANKED_WITH],
            loss=self._task.loss(),
            counted=self._counted,
            check=self._check,
        )
        goal: Literal["size", "macs"] = "size" if self._target == "size" else "macs"
        share = share_of(goal, start, self._held[:1], self._check)
        return pruning.closest(
            lambda ranked: prune_to(ranked, share, 1 - ratio, "global", ROUND_TO, field="model")[0], cost_of(goal)
        )

    def _nearest(self, ratio: float) -> tuple[float, nn.Module, dict[str, object]]:
        """What to prune: the network of the largest smaller ratio that was good enough, else the original."""
        good = [one.recipe for one in self._memory.tried if one.point.status == "kept"]
        for recipe in sorted(good, key=lambda one: (one.ratio, one.again), reverse=True):
            known = self._memory.weights(recipe.network) if 0 < recipe.ratio < ratio else None
            if known is not None:
                return recipe.ratio, self._built(*known), known[1]
        return 0.0, self._module, self._spec.config

    def _built(self, weights: dict[str, Tensor], config: dict[str, object]) -> nn.Module:
        with torch.random.fork_rng([]):
            module = build(self._spec.architecture, config)
        module.load_state_dict(weights)
        return module.eval()

    def _floats(self, module: nn.Module) -> Made:
        content = plain(module, self._held[:2], free_length=self._free)
        self._verified(module, content)
        return Made(content, self._counts(module))

    def _verified(self, module: nn.Module, content: bytes) -> None:
        self._check()
        with torch.inference_mode():
            expected = module(self._held)
        verify(expected, torch.from_numpy(Session(content, self._threads).run(self._held.numpy())))

    def _counts(self, module: nn.Module) -> Counts:
        return count(module, self._held[:1])
