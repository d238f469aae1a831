"""The training loop.

Called by the training blocks. It knows nothing of pipelines: it gets a network, examples, options and a context to
speak through. What happens, in order::

    load the newest checkpoint, if there is one
    choose precision, memory format and compilation (see `engine.learn.choosing`)
    for each epoch:
        order = a permutation that follows from the seed and the epoch
        for each batch of the order, from where the checkpoint stopped:
            set the learning rate of this step
            take the step (see `engine.learn.step`)
            now and then: let the precision controller look at the last steps (see `engine.learn.precision`); it may
                put the training back to an earlier step, to trace a fault to its cause
            now and then: read the losses of the last steps and log them
            now and then: write a checkpoint
            stop here if the run was cancelled
        evaluate on the validation examples and log; with averaged weights, where there are any
        stop if it has not become better for `patience` epochs
    take the best weights, if `patience` was set; else the averaged ones, where there are any

Everything that changes is in :class:`engine.learn.checkpoints.restore.Parts` and the random generators; a checkpoint
holds both, so a run that was killed and resumed ends with the same weights as one that was not, bit by bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from engine.compute.world import ALONE, World
from engine.errors import CancelledRun, InterruptedRun, UserError
from engine.learn import parallel
from engine.learn.checkpoints import restore
from engine.learn.checkpoints.checkpoint import CheckpointFolder
from engine.learn.checkpoints.placing import placed
from engine.learn.choosing import choose
from engine.learn.data.batches import Sampler
from engine.learn.measure.validation import validate
from engine.learn.optim.ema import make_average
from engine.learn.optim.optimisers import make_optimizer, set_rate
from engine.learn.optim.schedules import factor
from engine.learn.options import TrainingOptions
from engine.learn.precision import make_controller
from engine.learn.progress import Progress
from engine.learn.state import State, TrainingData, TrainingResult
from engine.learn.step import Step
from engine.learn.steplog import StepLog
from engine.learn.tasks import find_task
from engine.spec import ExecutionPlan, RunContext

SEEN = 5000
"""Examples that a network is shown before the first step, when it wants to see some."""


def train(
    module: nn.Module,
    data: TrainingData,
    options: TrainingOptions,
    ctx: RunContext,
    *,
    validation: TrainingData | None = None,
    seed: int = 0,
    checkpoints: CheckpointFolder | None = None,
    identity: Mapping[str, Any] | None = None,
    world: World = ALONE,
    plan: ExecutionPlan | None = None,
    workload: str | None = None,
) -> TrainingResult:
    """Train a network in place.

    Parameters
    ----------
    module
        On the device of the examples.
    data
        What to learn from.
    seed
        Of the order of the examples. The global random generators must be seeded too: see
        :func:`engine.compute.applied`.
    checkpoints
        Where to keep checkpoints and to look for one to go on from.
    identity
        What must be equal for a checkpoint to belong to this training.
    world
        The processes that train together; each calls this with the same network, data and options.
    plan
        In place of the run's.
    workload
        Key under which the best precision, memory format and compilation are remembered; None: nothing is measured.

    Raises
    ------
    UserError
        When there is nothing to learn from, the loss is not a number, or a batch does not fit in memory.
    """
    if len(data.examples) == 0:
        raise UserError("The data set is empty", field="dataset", hint="Check the split or the filter before it.")
    training = _Training(
        module, data, options, ctx, validation, seed, checkpoints, identity or {}, world, plan or ctx.plan, workload
    )
    return training.run()


class _Training:
    """One run of the loop; see the module's text."""

    def __init__(
        self,
        module: nn.Module,
        data: TrainingData,
        options: TrainingOptions,
        ctx: RunContext,
        validation: TrainingData | None,
        seed: int,
        checkpoints: CheckpointFolder | None,
        identity: Mapping[str, Any],
        world: World,
        plan: ExecutionPlan,
        workload: str | None,
    ) -> None:
        parallel.check(options, world)
        self.world = world
        self.module, self.data, self.options, self.ctx = module, data.prepared(), options, ctx
        self.validation, self.checkpoints, self.identity = validation, checkpoints, dict(identity)
        if options.alternating_flip and self.data.augment is not None:
            self.data = replace(self.data, augment=self.data.augment.alternating())
        self.sampler = Sampler(len(data.examples), options.batch_size, seed, data.examples.device)
        self.total_steps = self.sampler.steps * options.epochs
        self.found = None if checkpoints is None else checkpoints.load()
        earlier = restore.choice_of(self.found, self.identity)
        self.choice = parallel.same_choice(
            world, lambda: choose(plan, workload, module, self.data, options, ctx, self.total_steps, earlier)
        )
        see = getattr(module, "see", None)
        if see is not None:  # a network that begins by what its inputs are like
            rows = torch.arange(min(SEEN, len(data.examples)), device=data.examples.device)
            see(data.examples.batch(rows))
        if self.choice.memory_format == "channels_last":
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a stub without it
        self.task = find_task(options.task)
        # before the optimiser: weights that come in a lower precision are raised here
        self.precision = make_controller(
            plan.precision,
            module,
            next(module.parameters()).device,
            ctx.decide,
            chosen=self.choice.precision,
            options=options.watch,
            anywhere=None if world.is_single else world.any,
        )
        self.network = parallel.Network(module, world, options.strategy)
        self.optimizer = make_optimizer(module, options)
        self.average = make_average(module, options, self.total_steps)
        self.step = Step(
            module,
            self.data,
            options,
            self.optimizer,
            ctx,
            self.precision,
            self.task,
            self.average,
            self.network,
            world,
            self.choice,
        )
        self.log = StepLog(ctx, self.task, world)
        self.state = State()
        self.parts = restore.Parts(
            module, self.optimizer, self.step, self.state, self.average, self.precision, self.choice
        )
        self.progress = Progress(ctx, data.examples.rate, self.sampler.steps, options.epochs)
        self._told, self._reported = 0, 0
        self._live_metrics = getattr(module, "live_metrics", None)
        parallel.own_random(world, seed)

    def run(self) -> TrainingResult:
        self._resume()
        self.module.train()
        self.precision.watch(restore.Kept(self.parts, self.log), self.module, self.step.loss, self.state.step)
        try:
            while self.state.epoch < self.options.epochs and not self._stops_early():
                self._epoch()
        except (CancelledRun, InterruptedRun):
            self._stop_here()
            raise
        finally:
            self._say_what_is_saved(wait=True)
        self.precision.finish(self.state.step)
        if self.state.best_weights is not None:
            self.module.load_state_dict(self.state.best_weights)
        elif self.average is not None:
            self.average.put_in_place()
        self.module.eval()
        return self._result()

    def _epoch(self) -> None:
        state = self.state
        for rows in self.sampler.epoch(state.epoch, state.batch):
            if not self.precision.begin(state.step):
                state.step += 1
                state.batch += 1
                if not self._goes_on():
                    return
                continue
            rate = self.precision.rate(state.step, self._rate())
            set_rate(self.optimizer, rate)
            self.world.beat(state.step, "load")
            share = self.world.share(rows)
            loss, outputs, targets = self.step(share, state.step, state.epoch)
            state.step += 1
            state.batch += 1
            self.progress.saw(rows.size(0))
            if not self.world.is_single:
                outputs, targets = outputs[: share.count], targets[: share.count]
            self.log.add(state.step, loss, outputs, targets, rate)
            save = self.checkpoints is not None and self.checkpoints.due(state.step)
            report, save = parallel.agree(self.world, self.log.due, save)
            if (report or save or self.precision.due(state.step)) and not self._goes_on(over=save):
                return
            if report and self.precision.calm:
                self._report()
            if save and self.precision.calm:
                self._checkpoint()
            self.ctx.check_cancelled()
        if not self._goes_on(over=True):
            return
        self._report(over=True)
        self._end_epoch()

    def _goes_on(self, over: bool = False) -> bool:
        """False when a fault was found and the training was put back: the epoch begins anew from there."""
        verdict = self.precision.verdict(self.state.step, over)
        if verdict.error is not None:
            raise verdict.error
        if verdict.goes_back:
            self.log.discard(self.state.step)
        return not verdict.goes_back

    def _stop_here(self) -> None:
        """Keep what is sound, to go on from later."""
        self._goes_on(over=True)
        if self.precision.retreat():
            self.log.discard(self.state.step)
        self._checkpoint()

    def _rate(self) -> float:
        options = self.options
        return options.learning_rate * factor(options.schedule, self.state.step, self.total_steps, options.warm_up)

    def _end_epoch(self) -> None:
        state, log = self.state, self.log
        accuracy = log.correct / max(1, log.asked) if self.task.has_accuracy else None
        numbers = self.task.numbers("train", log.loss_sum / max(1, log.asked), accuracy)
        with nullcontext() if self.average is None else self.average.in_place():
            if self.validation is not None:
                numbers |= validate(self.module, self.validation, self.task, self._check, self.world)
            self._remember_best(numbers.get("validation_loss"), state.epoch + 1)
        is_new, self._told = state.step > self._told, max(state.step, self._told)  # else: it was replayed
        for name, value in numbers.items() if is_new else ():
            self.ctx.metric(name, value, state.step)
        state.history.append(numbers)
        state.epoch += 1
        state.batch = 0
        log.start_epoch()

    def _check(self) -> None:
        self.world.beat(self.state.step, "check")
        self.ctx.check_cancelled()

    def _remember_best(self, loss: float | None, epoch: int) -> None:
        state = self.state
        if not self.options.patience or loss is None:
            return
        if state.best_loss is None or loss < state.best_loss:
            state.best_loss, state.best_epoch = loss, epoch
            state.best_weights = {name: tensor.detach().clone() for name, tensor in self.module.state_dict().items()}

    def _stops_early(self) -> bool:
        waited = self.state.epoch - self.state.best_epoch
        if not self.options.patience or self.state.best_loss is None or waited < self.options.patience:
            return False
        self.ctx.log(
            "Stopped after epoch {epoch}: the validation loss has not fallen since epoch {best}",
            epoch=self.state.epoch,
            best=self.state.best_epoch,
        )
        return True

    def _report(self, over: bool = False) -> None:
        """Log what was gathered, and how far the training is."""
        self.log.flush()
        self._say_what_is_saved()
        if self._live_metrics is not None and self.state.step > self._reported:
            self._reported = self.state.step
            for name, value in self._live_metrics().items():
                self.ctx.metric(name, float(value), self.state.step)
        self.progress.report(self.state.step, over)

    def _checkpoint(self) -> None:
        if self.checkpoints is None:
            return
        self.world.beat(self.state.step, "save")
        self.log.flush()
        self.log.put_sums(self.state)
        captured = restore.capture(self.parts, self.identity)
        if self.world.is_single:
            self.checkpoints.save_beside(captured)
        else:
            self.checkpoints.save(captured)
            self.ctx.checkpoint_saved(self.state.step)

    def _say_what_is_saved(self, wait: bool = False) -> None:
        if self.checkpoints is None:
            return
        if wait:
            self.checkpoints.wait()
        for step in self.checkpoints.newly_complete():
            self.ctx.checkpoint_saved(step)

    def _resume(self) -> None:
        found, self.found = self.found, None
        for name in self.checkpoints.skipped if self.checkpoints else ():
            self.ctx.warn("The checkpoint {name} is damaged; an older one is taken", name=name)
        if found is None:
            return
        found = placed(found, self.parts, self.world)
        different = restore.differences(found, self.identity) or restore.model_differences(found, self.module)
        if self.world.any(bool(different)):
            self.ctx.warn(
                "The checkpoint belongs to another training ({differences}); starting anew", differences=different
            )
            return
        restore.apply(found, self.parts)
        state = self.state
        self.log.take_sums(state)
        self.progress.begin(state.step)
        self.ctx.log("Going on from step {step}, epoch {epoch}", step=state.step, epoch=state.epoch + 1)

    def _result(self) -> TrainingResult:
        state = self.state
        taken = state.best_epoch or state.epoch
        metrics = dict(state.history[taken - 1]) if state.history else {}
        metrics |= {"epochs": float(state.epoch), "best_epoch": float(taken), "steps": float(state.step)}
        return TrainingResult(state.history, metrics)
