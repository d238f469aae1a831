"""The training loop.

Called by the training blocks. It knows nothing of pipelines: it gets a network, examples, options and a context to
speak through. What happens, in order::

    load the newest checkpoint, if there is one
    for each epoch:
        order = a permutation that follows from the seed and the epoch
        for each batch of the order, from where the checkpoint stopped:
            set the learning rate of this step
            x = preprocess(augment(raw pixels of the batch))
            loss = loss function(network(x), y)
            gradient of the loss; clip it; one step of the optimiser
            now and then: read the losses of the last steps and log them; stop if one is not a number
            now and then: write a checkpoint
            stop here if the run was cancelled
        evaluate on the validation examples and log
        stop if it has not become better for `patience` epochs
    take the best weights, if `patience` was set

Everything that changes is in the network, the optimiser, the random generators and :class:`State`; a checkpoint holds
all four, so a run that was killed and resumed ends with the same weights as one that was not, bit by bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from engine.compute.devices import is_out_of_memory
from engine.errors import CancelledRun, InterruptedRun, UserError
from engine.learn import restore
from engine.learn.checkpoint import CheckpointFolder
from engine.learn.memory import batch_that_fits
from engine.learn.optimisers import make_optimizer
from engine.learn.options import TrainingOptions
from engine.learn.schedules import factor
from engine.learn.state import State, TrainingData, TrainingResult
from engine.learn.steplog import StepLog
from engine.learn.tasks import find_task
from engine.learn.validation import validate
from engine.spec import RunContext


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

    Raises
    ------
    UserError
        When the loss is not a number, or a batch does not fit in memory.
    """
    return _Training(module, data, options, ctx, validation, seed, checkpoints, identity or {}).run()


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
    ) -> None:
        self.module, self.data, self.options, self.ctx = module, data, options, ctx
        self.validation, self.seed, self.checkpoints, self.identity = validation, seed, checkpoints, dict(identity)
        self.data = data.prepared()
        if ctx.plan.memory_format == "channels_last":
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a stub without it
        self.task = find_task(options.task)
        self.loss = self.task.loss(options)
        self.optimizer = make_optimizer(module, options)
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        self.log = StepLog(ctx, self.task)
        self.state = State()
        count = len(data.examples)
        # A last batch of one example has no spread to normalise by: it is left out (another one in each epoch).
        self.steps_per_epoch = max(1, math.ceil(count / options.batch_size) - (count % options.batch_size == 1))
        self.total_steps = self.steps_per_epoch * options.epochs
        self._started, self._first_step = time.monotonic(), 0

    def run(self) -> TrainingResult:
        self._resume()
        self.module.train()
        try:
            while self.state.epoch < self.options.epochs and not self._stops_early():
                self._epoch()
        except (CancelledRun, InterruptedRun):
            self._checkpoint()
            raise
        if self.state.best_weights is not None:
            self.module.load_state_dict(self.state.best_weights)
        self.module.eval()
        return self._result()

    def _epoch(self) -> None:
        state, options = self.state, self.options
        started, seen_before = time.monotonic(), self.log.seen
        for rows in self._batches():
            rate = options.learning_rate * factor(options.schedule, state.step, self.total_steps)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            loss, outputs, targets = self._step(rows)
            state.step += 1
            state.batch += 1
            self.log.add(state.step, loss, outputs, targets, rate)
            if self.log.due:
                self._report()
            if self.checkpoints is not None and self.checkpoints.due(state.step):
                self._checkpoint()
            self.ctx.check_cancelled()
        self.log.flush()
        self._end_epoch((self.log.seen - seen_before) / max(1e-9, time.monotonic() - started))
        self._report()

    def _step(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One step of the optimiser; returns loss, outputs and targets, still on the device."""
        try:
            inputs, targets = self._batch(rows)
            outputs = self.module(inputs)
            loss = self.loss(outputs, targets)
            for weight in self.parameters:
                weight.grad = None
            torch.autograd.backward(loss)
            if self.options.gradient_clip:
                nn.utils.clip_grad_norm_(self.parameters, self.options.gradient_clip)
            self.optimizer.step()
        except Exception as error:
            explained = self._explained(error, len(rows))
            if explained is None:
                raise
            raise explained from error
        return loss, outputs, targets

    def _batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        inputs, targets = self.data.batch(rows)
        if self.ctx.plan.memory_format == "channels_last" and inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        return inputs, targets

    def _batches(self) -> Iterator[Tensor]:
        """Rows of each batch of this epoch that is not done yet."""
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + self.state.epoch) % 2**63)
        order = torch.randperm(len(self.data.examples), generator=generator).to(self.data.examples.device)
        batches = torch.split(order, self.options.batch_size)[: self.steps_per_epoch]
        return iter(batches[self.state.batch :])

    def _end_epoch(self, examples_per_s: float) -> None:
        state, log = self.state, self.log
        accuracy = log.correct / max(1, log.asked) if self.task.has_accuracy else None
        numbers = self.task.numbers("train", log.loss_sum / max(1, log.asked), accuracy)
        if self.validation is not None:
            numbers |= validate(self.module, self.validation, self.task, self.ctx.check_cancelled)
        for name, value in numbers.items():
            self.ctx.metric(name, value, state.step)
        if examples_per_s > 0:  # not when a run goes on behind the last batch of an epoch
            name, units = self.data.examples.rate
            self.ctx.metric(name, examples_per_s * units, state.step)
        state.history.append(numbers)
        state.epoch += 1
        state.batch = 0
        log.start_epoch()
        self._remember_best(numbers.get("validation_loss"))

    def _remember_best(self, loss: float | None) -> None:
        state = self.state
        if not self.options.patience or loss is None:
            return
        if state.best_loss is None or loss < state.best_loss:
            state.best_loss, state.best_epoch = loss, state.epoch
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

    def _report(self) -> None:
        """Log what was gathered, and how far the training is."""
        self.log.flush()
        done = self.state.step - self._first_step
        left = self.total_steps - self.state.step
        eta_s = (time.monotonic() - self._started) / done * left if done else None
        self.ctx.progress(self.state.step / self.steps_per_epoch, self.options.epochs, "epochs", eta_s)

    def _checkpoint(self) -> None:
        if self.checkpoints is None:
            return
        self.log.flush()
        state = self.state
        state.loss_sum, state.correct, state.asked = self.log.loss_sum, self.log.correct, self.log.asked
        state.seen = self.log.seen
        self.checkpoints.save(
            restore.capture(self.module, self.optimizer, state.best_weights, state.to_json(), self.identity)
        )
        self.ctx.checkpoint_saved(state.step)

    def _resume(self) -> None:
        found = None if self.checkpoints is None else self.checkpoints.load()
        for name in self.checkpoints.skipped if self.checkpoints else ():
            self.ctx.warn("The checkpoint {name} is damaged; an older one is taken", name=name)
        if found is None:
            return
        different = restore.differences(found, self.identity)
        if different:
            self.ctx.warn(
                "The checkpoint belongs to another training ({differences}); starting anew", differences=different
            )
            return
        best = restore.apply(found, self.module, self.optimizer)
        self.state = State(**found.state["training"], best_weights=best)
        self.log.loss_sum, self.log.correct, self.log.asked = self.state.loss_sum, self.state.correct, self.state.asked
        self.log.seen = self.state.seen
        self._first_step = self.state.step
        self.ctx.log("Going on from step {step}, epoch {epoch}", step=self.state.step, epoch=self.state.epoch + 1)

    def _explained(self, error: Exception, batch_size: int) -> UserError | None:
        """A known failure in words: memory, or a batch that is too small. None: it is a bug."""
        if isinstance(error, ValueError) and "more than 1 value per channel" in str(error):
            return UserError(
                "Batch normalisation needs at least 2 examples in a batch",
                field="batch_size",
                hint="Use a larger batch size, or more examples.",
            )
        if not is_out_of_memory(error):
            return None
        self.optimizer.zero_grad()
        fits = batch_that_fits(
            self.module, self.loss, self._batch, len(self.data.examples), batch_size, self.data.examples.device
        )
        hint = "Set the batch size to {fits}, which fits." if fits else "Use a smaller model or smaller images."
        return UserError(
            "Out of memory with a batch of {batch_size}",
            field="batch_size",
            hint=hint,
            batch_size=batch_size,
            fits=fits,
        )

    def _result(self) -> TrainingResult:
        state = self.state
        taken = state.best_epoch or state.epoch
        metrics = dict(state.history[taken - 1]) if state.history else {}
        metrics |= {"epochs": float(state.epoch), "best_epoch": float(taken), "steps": float(state.step)}
        return TrainingResult(state.history, metrics)
