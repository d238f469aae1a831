"""One step of the optimiser.

Called by the training loop and the learning-rate finder. In order::

    the whole batch: raw examples, augmented, prepared, mixed
    for each part of it (one, unless `accumulation` or the memory asks for more):
        outputs = network(part), under the controller's precision
        loss = loss function, with the teacher's part where there is one (see `engine.learn.distil`),
            + what the network adds itself, weighted by the part's share of the batch
        gradient of the loss, added to that of the parts before
    clip the gradient; one step of the optimiser, through the controller
    average the weights

A batch that does not fit in memory is halved and the step begins anew, with the random generators as they were; parts
change nothing but the memory, since the batch is made whole before it is cut. (Batch normalisation sees parts, and its
running statistics keep what the failed attempt fed them.) Between two parts a run may be interrupted: what was added up
so far is in :attr:`Step.partial`, and a checkpoint keeps it.

Nothing here reads a number from the device. Must not know epochs, metrics or checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from engine.compute.devices import is_out_of_memory
from engine.compute.world import ALONE, Share, World
from engine.errors import UserError
from engine.learn.checkpoints import random_state
from engine.learn.data.memory import batch_that_fits
from engine.learn.data.mixing import Mixed, make_mixing
from engine.learn.distil.guide import Lesson, make_guide
from engine.learn.optim.ema import Average
from engine.learn.options import TrainingOptions
from engine.learn.parallel import Network, weight_of
from engine.learn.precision import PrecisionController
from engine.learn.shards import one_tensor
from engine.learn.state import TrainingData
from engine.learn.tasks import Task
from engine.spec import RunContext
from engine.spec.context import Choice

PLAIN = Choice()


class Taken(NamedTuple):
    """What a step saw, still on the device."""

    loss: Tensor
    outputs: Tensor
    targets: Tensor


@dataclass
class Partial:
    """A step whose first parts are done; their gradients are in the network.

    Attributes
    ----------
    done
        Parts that are done.
    started
        The random generators as they were when the batch was made.
    """

    done: int
    loss: Tensor
    outputs: list[Tensor]
    started: dict[str, Tensor]


class Step:
    """Does steps, one a call; see the module's text.

    Attributes
    ----------
    part_size
        Most examples that go through the network at once. Falls when memory runs out.
    partial
        Set while a step is under way between two parts.
    """

    def __init__(
        self,
        module: nn.Module,
        data: TrainingData,
        options: TrainingOptions,
        optimizer: Optimizer,
        ctx: RunContext,
        precision: PrecisionController,
        task: Task,
        average: Average | None = None,
        network: Network | None = None,
        world: World = ALONE,
        choice: Choice = PLAIN,
    ) -> None:
        self.module, self.data, self.options, self.optimizer = module, data, options, optimizer
        self.ctx, self.precision, self.task, self.loss = ctx, precision, task, task.loss(options)
        self.average, self.network, self.world = average, network or Network(module, world), world
        self.part_size = -(-min(options.batch_size, len(data.examples)) // (options.accumulation * world.size))
        self.partial: Partial | None = None
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        self._device = next(module.parameters()).device
        self._mix = make_mixing(options.mixup, options.cutmix)
        self._guide = make_guide(module, data.distillation, task.taught, mixes=self._mix is not None)
        self.forward: Callable[[Tensor], Tensor] = self.network.call
        # What layers put out is kept aside for a teacher: a compiled network has none any more.
        watched = self._guide is not None and self._guide.watches
        self._compiled = _compiled(self.forward) if choice.compile and not watched else None
        self._extra_loss: Callable[[], Tensor] | None = getattr(module, "extra_loss", None)
        self._channels_last = choice.memory_format == "channels_last"
        if self._guide is not None and self._channels_last:
            self._guide.distillation.teacher.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._labels_fit = task.name != "classification"

    def __call__(self, rows: Tensor | Share, number: int, epoch: int = 0) -> Taken:
        """Take one step.

        Parameters
        ----------
        rows
            int64 (B,): the examples of the batch; or this process's share of it.
        number
            Of the step, from 0.

        Raises
        ------
        UserError
            When one example does not fit in memory, or a batch is too small for batch normalisation.
        """
        share = rows if isinstance(rows, Share) else ALONE.share(rows)
        started = self.partial.started if self.partial else random_state.torch_state(self._device)
        while True:
            try:
                return self._attempt(share, number, epoch, started)
            except Exception as error:
                self._take_smaller_parts(error, share.rows, number, epoch)
            # outside of `except`, where the error no longer holds the tensors that did not fit
            self._begin_anew(started)

    def inputs(self, rows: Tensor, epoch: int = 0) -> tuple[Tensor, Tensor, Lesson | None]:
        """A batch as the network takes it, its targets, and what a teacher needs to answer it."""
        inputs, targets, lesson = self.data.lesson(rows, epoch)
        if self._channels_last and inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        return inputs, targets, lesson

    def _attempt(self, share: Share, number: int, epoch: int, started: dict[str, Tensor]) -> Taken:
        if self.partial:
            goes_on = random_state.torch_state(self._device)
            random_state.put_back(started, self._device)
        inputs, targets, lesson = self.inputs(share.rows, epoch)
        if self.partial:
            random_state.put_back(goes_on, self._device)
        self.precision.look(number, inputs, targets)
        mixed = None if self._mix is None else self._mix(inputs, targets)
        self.world.beat(number, "compute")
        counts, parts = weight_of(share, self.task.asked(targets), self.world), self._parts(share)
        if parts == 1:
            loss, outputs = self._part(inputs, targets, mixed, lesson, counts, first=True, last=True)
        else:
            loss, outputs = self._in_parts(inputs, targets, mixed, lesson, counts, parts, started)
        loss = self.world.mean(loss)
        norm = self._norm()
        self.precision.apply(self.optimizer)
        self.precision.observe(number, loss, norm)
        if self.average is not None:
            self.average.update(number + 1)
        return Taken(loss, outputs, targets)

    def _part(
        self,
        inputs: Tensor,
        targets: Tensor,
        mixed: Mixed | None,
        lesson: Lesson | None,
        share: float | Tensor | None,
        *,
        first: bool,
        last: bool,
    ) -> tuple[Tensor, Tensor]:
        """Add the gradient of one part; returns its share of the loss, and its outputs."""
        seen = inputs if mixed is None else mixed.inputs
        with self.network.parts_of_a_step(last), self.precision.autocast():
            outputs, answers = self._answers(seen, lesson)
        outputs = outputs.float()
        if not self._labels_fit:
            self._check_labels(outputs)
        loss = self.loss(outputs, targets)
        if mixed is not None:
            loss = torch.lerp(self.loss(outputs, mixed.others), loss, mixed.share)
        if self._guide is not None and answers is not None:
            loss = self._guide.loss(loss, outputs, answers, targets)
        if self._extra_loss is not None:
            loss = loss + self._extra_loss()
        if share is not None:
            loss = loss * share
        if first:
            # Only now: the backward pass then writes into memory that was freed a moment ago (5 % of a small step).
            self._forget_gradients()
        self.precision.backward(loss)
        return loss.detach(), outputs.detach()

    def _answers(self, inputs: Tensor, lesson: Lesson | None) -> tuple[Tensor, Tensor | None]:
        """Outputs of the network, and of its teacher where there is one."""
        if self._guide is None or lesson is None:
            return self._network(inputs), None
        with self._guide.watching():
            outputs = self._network(inputs)
        return outputs, self._guide.ask(lesson, inputs)

    def _network(self, inputs: Tensor) -> Tensor:
        if self._compiled is None or len(inputs) != self.part_size:
            return self.forward(inputs)
        return self._compiled(inputs)

    def _check_labels(self, outputs: Tensor) -> None:
        """Once: a label without an output stops a GPU for good, so it is found before the first loss."""
        labels = self.data.targets
        if labels is not None and not (int(labels.min()) >= 0 and int(labels.max()) < outputs.shape[1]):
            raise UserError(
                "The labels go from {low} to {high}, and the model tells {classes} classes apart",
                field="dataset",
                hint="Labels count from 0 to the number of classes minus one.",
                low=int(labels.min()),
                high=int(labels.max()),
                classes=outputs.shape[1],
            )
        self._labels_fit = True

    def _parts(self, share: Share) -> int:
        """Into how many parts a batch is cut; as many on every process."""
        if self.world.is_single:
            return -(-share.count // self.part_size)
        return min(self.options.accumulation, share.least)

    def _in_parts(
        self,
        inputs: Tensor,
        targets: Tensor,
        mixed: Mixed | None,
        lesson: Lesson | None,
        weight: float | Tensor | None,
        count: int,
        started: dict[str, Tensor],
    ) -> tuple[Tensor, Tensor]:
        # as even as can be: a part of one example has no spread for batch normalisation
        pieces = list(zip(inputs.tensor_split(count), targets.tensor_split(count), strict=True))
        mixtures = [None] * count if mixed is None else mixed.split(count)
        lessons = [None] * count if lesson is None else lesson.split(count)
        asked = self.task.asked(targets)
        partial = self.partial or Partial(0, torch.zeros((), device=self._device), [], started)
        for index in range(partial.done, count):
            if index:
                self.ctx.check_cancelled()
            part_inputs, part_targets = pieces[index]
            share = self.task.asked(part_targets) / asked * (1.0 if weight is None else weight)
            loss, outputs = self._part(
                part_inputs, part_targets, mixtures[index], lessons[index], share,
                first=index == 0, last=index == count - 1,
            )  # fmt: skip
            partial.loss += loss
            partial.outputs.append(outputs)
            partial.done = index + 1
            self.partial = partial
        self.partial = None
        return partial.loss, torch.cat(partial.outputs)

    def _norm(self) -> Tensor | None:
        """Clip the gradient; returns its norm when somebody wants it."""
        if not self.options.gradient_clip and not self.precision.watches:
            return None
        self.precision.unscale(self.optimizer)
        if self.options.gradient_clip:
            return one_tensor(nn.utils.clip_grad_norm_(self.parameters, self.options.gradient_clip))
        return one_tensor(nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None]))

    def _forget_gradients(self) -> None:
        for weight in self.parameters:
            weight.grad = None

    def _begin_anew(self, started: dict[str, Tensor]) -> None:
        self.partial = None
        self._forget_gradients()
        if self._device.type != "cpu":
            torch.accelerator.empty_cache()
        random_state.put_back(started, self._device)

    def _take_smaller_parts(self, error: Exception, rows: Tensor, number: int, epoch: int) -> None:
        """Cut batches into more parts when memory ran out; raise what else went wrong, in words where known."""
        if isinstance(error, ValueError) and "more than 1 value per channel" in str(error):
            raise UserError(
                "Batch normalisation needs at least 2 examples in a batch",
                field="batch_size",
                hint="Use a larger batch size, or more examples.",
            ) from error
        if not is_out_of_memory(error):
            raise error
        size = min(len(rows), self.part_size)
        if self.options.split_batches and size > 1 and self.world.is_single:
            self.part_size = size // 2
            parts = -(-len(rows) // self.part_size)
            self.ctx.decide(
                "batch",
                number,
                "A batch of {batch} did not fit in memory: it is taken in {parts} parts, whose gradients are added",
                evidence={"batch": len(rows), "parts": parts, "did not fit": size, "device": str(self._device)},
                batch=len(rows),
                parts=parts,
                **{"from": size, "to": size // 2},
            )
            return
        self.optimizer.zero_grad()
        fits = None
        if self.world.is_single:  # the other processes would not take part in trying
            count = len(self.data.examples)
            fits = batch_that_fits(
                self.module, self.loss, lambda some: self.inputs(some, epoch)[:2], count, size, self._device
            )
        raise UserError(
            "Out of memory with a batch of {batch_size}",
            field="batch_size",
            hint="Set the batch size to {fits}, which fits." if fits else "Use a smaller model or smaller examples.",
            batch_size=size,
            fits=fits,
        ) from error


def _compiled(forward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Compiled for one size of batch: those of another size than most go through the network as it is."""
    import torch._inductor.config as compiler

    compiler.deterministic = torch.are_deterministic_algorithms_enabled()
    return torch.compile(forward, dynamic=False)
