"""Prune and train, in rounds: from a trained model and its data to a smaller one, with a report.

Called by the prune block. What happens, in order::

    for each round:
        rank the units of what is left, on fresh examples
        take out as many as bring it a step nearer to the goal, mend what reads them, count batch normalisation anew
        train for some epochs, with the original as the teacher where that is wanted
        measure it on the examples set aside; a round that loses too much is not taken, and the last one before is
    time both models; keep the original where the smaller one is slower

A round that is done is remembered in the block's folder, so a run that was cut off goes on with the next.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from engine.artifacts import DatasetRef, ModelRef, canonical_json
from engine.compress.prune.goal import Outcome, RoundContext, Wanted
from engine.compress.prune.groups import structure
from engine.compress.prune.method import Pruned, Pruning
from engine.compress.prune.outcome import Judge, compared, is_slower
from engine.compress.prune.target import cost_of, prune_to, share_of
from engine.compute.plan import applied
from engine.datasets.texts import TOKENIZER
from engine.errors import UserError
from engine.learn.fit import fit
from engine.learn.options import TrainingOptions
from engine.learn.prepare import Prepared, prepare
from engine.runtime.models import WEIGHTS, open_model, read_spec, save_model
from engine.runtime.provenance import provenance
from engine.spec import RunContext

BATCH = 32
COMPARED = 256
CPU = torch.device("cpu")


def prune_in_rounds(
    model: ModelRef,
    dataset: DatasetRef,
    validation: DatasetRef | None,
    wanted: Wanted,
    options: TrainingOptions | None,
    ctx: RunContext,
    *,
    wishes: Mapping[str, Any] | None = None,
    taught: bool = True,
) -> Outcome:
    """Prune a model towards a goal.

    Parameters
    ----------
    model
        Trained, with weights.
    validation
        Set aside: not learned from.
    options
        Of the training after each round; None: no training.
    wishes
        As in :func:`engine.learn.fit.fit`.
    taught
        Whether the original teaches the smaller model.

    Raises
    ------
    UserError
        When the model has no weights or no free widths, the goal cannot be reached, or no channel can go.
    """
    if WEIGHTS not in model.files:
        raise UserError(
            "The model has no weights that could be pruned", field="model", hint="Connect a model trained here."
        )
    return _Rounds(model, dataset, validation, wanted, options, ctx, wishes or {}, taught).run()


class _Rounds:
    def __init__(
        self,
        model: ModelRef,
        dataset: DatasetRef,
        validation: DatasetRef | None,
        wanted: Wanted,
        options: TrainingOptions | None,
        ctx: RunContext,
        wishes: Mapping[str, Any],
        taught: bool,
    ) -> None:
        self.model, self.dataset, self.validation, self.wanted = model, dataset, validation, wanted
        self.options, self.ctx, self.wishes, self.taught = options, ctx, wishes, taught
        self.spec = read_spec(model)
        self.task = str(self.spec.task)
        self.steps = 0
        self.plan = ctx.plan.model_copy(update={"device": "cpu"})

    def run(self) -> Outcome:
        with applied(self.plan, self.ctx.seed):
            self.original = open_model(self.model).module
            ready = prepare(self.model, self.dataset, self.task, CPU)
            self.counted = sum(_channels(self.spec.architecture, self.spec.config, self.wanted.streams).values())
            held = None if self.validation is None else ready.other(self.validation, CPU).prepared()
            self.judge = Judge(ready.task, held, self.ctx.check_cancelled)
            self.before = self.judge.numbers(self.original)
            self.one = self._examples(ready)[0][0][:1]
        taken = self._all()
        return self._outcome(taken)

    def _all(self) -> ModelRef:
        """Every round that is not done yet; the last model that loses little enough."""
        identity: dict[str, Any] = {
            "inputs": [ref.digest for ref in (self.model, self.dataset, self.validation) if ref is not None]
        }
        identity |= {"wanted": asdict(self.wanted), "options": repr(self.options), "seed": self.ctx.seed}
        file = self.ctx.workdir / "rounds.json"
        done = _read(file, identity)
        taken = self.model
        for number in range(self.wanted.rounds):
            if number < len(done) and self.ctx.store.has(done[number]["model"]):
                found = cast(ModelRef, self.ctx.store.open(done[number]["model"]))
                self.steps = int(done[number]["steps"])
            else:
                found = self._round(taken, number)
                done = [*done[:number], {"model": found.digest, "steps": self.steps}]
                file.write_bytes(canonical_json({"identity": identity, "rounds": done}))
            if self._loses_too_much(found, number):
                break
            taken = found
        return taken

    def _round(self, ref: ModelRef, number: int) -> ModelRef:
        ctx = self.ctx
        with applied(self.plan, ctx.seed + number):
            ready = prepare(ref, self.dataset, self.task, CPU)
            small = self._pruned(ready, number)
            config = dict(small.config)
            spec = ready.spec.model_copy(
                update={"config": config, "variants": {}, "metrics": {}, "provenance": provenance(ctx, ctx.plan)}
            )
            files = {TOKENIZER: self.model.path(TOKENIZER)} if TOKENIZER in self.model.files else {}
            made = save_model(ctx.store, spec, small.module.state_dict(), files=files)
        ctx.log(
            "Round {number} of {count} by {importance}: {before} parameters become {after}, {macs} % of the work stays",
            number=number + 1,
            count=self.wanted.rounds,
            importance=small.importance,
            before=small.params_before,
            after=small.params_after,
            macs=round(100 * small.macs_after / max(1, small.macs_before)),
        )
        if self.options is None:
            return made
        place = cast(RunContext, RoundContext(ctx, number, self.wanted.rounds, self.steps))
        teacher = self.model if self.taught else None
        fitted = fit(made, self.dataset, self.validation, self.options, place, self.wishes, (), teacher)
        self.steps += int(fitted.history.read_json("metrics.json")["steps"])
        return fitted.model

    def _pruned(self, ready: Prepared, number: int) -> Pruned:
        wanted = self.wanted
        examples = self._examples(ready)
        pruning = Pruning(
            ready.module.eval(),
            ready.spec.architecture,
            ready.spec.config,
            self.one,
            importance=wanted.importance,
            examples=examples,
            loss=ready.task.loss(),
            counted=[ready.data.batch(rows)[0] for rows in self._rows(ready)],
            streams=wanted.streams,
            mended=wanted.mended,
            check=self.ctx.check_cancelled,
        )
        goal = wanted.remaining ** ((number + 1) / wanted.rounds)
        if wanted.target == "ratio":
            left = sum(group.count * group.channels for group in pruning.groups) / self.counted
            ratio = max(0.0, 1 - goal / left)
            small = pruning.closest(lambda ranked: ranked.at(ratio, wanted.scope, wanted.round_to))
        else:
            share = share_of(wanted.target, self.original, self.one, self.ctx.check_cancelled)
            if not number and wanted.rounds > 1:
                prune_to(pruning, share, wanted.remaining, wanted.scope, wanted.round_to)  # refuses what cannot be
            small = pruning.closest(
                lambda ranked: prune_to(ranked, share, goal, wanted.scope, wanted.round_to)[0], cost_of(wanted.target)
            )
        if wanted.rounds == 1 and not any(small.ratios.values()):
            raise UserError(
                "No channel can go: rounded to multiples of {round_to}, every layer stays as it is",
                field="round_to",
                hint="Round the channels to a smaller number, or take a higher ratio.",
                round_to=wanted.round_to,
            )
        return small

    def _examples(self, ready: Prepared) -> list[tuple[Tensor, Tensor]]:
        data = ready.other(self.dataset, CPU)
        return [data.batch(rows) for rows in self._rows(ready)]

    def _rows(self, ready: Prepared) -> Sequence[Tensor]:
        """Of the same examples in every round's every use, a batch at a time."""
        examples = ready.data.examples
        generator = torch.Generator().manual_seed(self.ctx.seed)
        rows = torch.randperm(len(examples), generator=generator)[: self.wanted.examples]
        return torch.split(rows, min(BATCH, examples.batch_size))

    def _loses_too_much(self, found: ModelRef, number: int) -> bool:
        if "accuracy" not in self.before:
            return False
        with applied(self.plan, self.ctx.seed):
            accuracy = self.judge.numbers(open_model(found).module)["accuracy"]
        self.ctx.metric("accuracy", accuracy, number + 1)
        drop = self.before["accuracy"] - accuracy
        if self.wanted.max_drop is None or drop <= self.wanted.max_drop:
            return False
        self.ctx.warn(
            "Round {number} loses {drop} points of accuracy, more than {allowed}: the model before it is given back",
            number=number + 1,
            drop=round(100 * drop, 2),
            allowed=round(100 * self.wanted.max_drop, 2),
        )
        return True

    def _outcome(self, taken: ModelRef) -> Outcome:
        with applied(self.plan, self.ctx.seed):
            small = open_model(taken).module
            ready = prepare(self.model, self.dataset, self.task, CPU)
            x = torch.cat([inputs for inputs, _ in self._examples(ready)])[:COMPARED]
            numbers = self.before, self.judge.numbers(small)
            report = compared(
                (self.model, taken), (self.original, small), numbers, x, self.task, self.ctx.check_cancelled
            )
        given = taken
        if taken.digest != self.model.digest and is_slower(report):
            given = self.model
            self.ctx.warn(
                "The pruned model is slower on this machine: {after} ms instead of {before} ms for one example. "
                "The original model is given back",
                after=round(report["after_ms"], 2),
                before=round(report["before_ms"], 2),
            )
        elif taken.digest != self.model.digest and report["speed_up"] < 1:
            self.ctx.warn("The pruned model is smaller, and no faster on this machine")
        report["kept_original"] = float(given.digest == self.model.digest)
        before, after = (_units(spec.architecture, spec.config) for spec in (self.spec, read_spec(taken)))
        return Outcome(given, {name: (before[name], after[name]) for name in before}, report)


def _units(architecture: str, config: Mapping[str, Any]) -> dict[str, int]:
    return {group.name: group.count for group in structure(architecture, config).groups}


def _channels(architecture: str, config: Mapping[str, Any], streams: bool) -> dict[str, int]:
    found = structure(architecture, config).groups
    return {group.name: group.count * group.channels for group in found if streams or not group.is_stream}


def _read(file: Path, identity: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rounds that were done before a run was cut off."""
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return []
    same = found.get("identity") == json.loads(canonical_json(identity))
    return list(found["rounds"]) if same else []
