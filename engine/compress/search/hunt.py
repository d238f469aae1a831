"""The search itself: make a candidate, measure it here beside the original, keep or refuse it, say so, and go on.

Called by the block ``compress.search``. What happens, in order::

    measure the model as it was given, eager and as an ONNX file, in every runtime of this machine
    until nothing promising or no time is left:
        make the next candidate of :mod:`strategy`
        judge its answers, on other examples too where it seems good, and time it in turns with the original
        keep or refuse it, say so as a decision, and remember it on disk
    time all points of the front again, in turns
    take the best that also holds on examples which chose nothing

A search that was stopped goes on where it was; time counts on from there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from engine.compress.search.front import Point, Target, drop, front
from engine.compress.search.judge import Judge, Run, Verdict
from engine.compress.search.maker import Made, Maker
from engine.compress.search.memory import Memory
from engine.compress.search.strategy import Means, Recipe, Tried, next_recipe
from engine.errors import UserError
from engine.runtime.measure import compare
from engine.runtime.runtimes import QUICK, READ_FILES, Timed, measured, open_runtime, pytorch_threads
from engine.spec import RunContext

TIMED_WITH = 8
"""Held-out inputs that runtimes are compared on before they are timed."""
TIMING_S = 1.5
SLOWER = 1.02
SHARE_OF_JUDGING = 0.03
LEAST_JUDGED = 200
FIRST_SHARE, LATER_SHARE = 0.6, 0.8
"""Of the time that is left: for the first training, and for each that goes on from one and leaves none for another."""
SAFETY, LEAST_TRAINING_S = 1.5, 2.0
HARMLESS_DROP, LOOKED_AT = 0.03, 256
"""What a network may lose by a bold cut that is not trained yet, and on how many examples that is seen."""
GIVEN, EXPORTED = "original", "fp32"


class OutOfTime(Exception):
    """The budget is spent: the search ends with what it has."""


@dataclass(frozen=True)
class Goal:
    """What a search is for.

    Attributes
    ----------
    max_drop
        Accuracy that may be lost, as a share: 0.005 is half a point.
    budget_s
        Seconds for all of it; None: until nothing promising is left.
    candidates
        How many are tried at most.
    epochs
        Of training what was pruned, where there is time.
    threads
        That latency is measured with; 0: those of the run, which trains with them in any case.
    """

    max_drop: float = 0.005
    target: Target = "latency"
    budget_s: float | None = None
    candidates: int = 12
    epochs: int = 5
    threads: int = 0


class Hunt:
    """One search.

    Parameters
    ----------
    given
        The network on the CPU, in evaluation mode.
    size_bytes
        Of the model as it was given.

    Attributes
    ----------
    maker
        Set before :meth:`run`: it asks this hunt whether there is time.
    threads
        That latency is measured with.
    """

    maker: Maker

    def __init__(
        self,
        judge: Judge,
        given: nn.Module,
        size_bytes: int,
        means: Means,
        goal: Goal,
        memory: Memory,
        ctx: RunContext,
    ) -> None:
        self.judge, self.given, self.size_bytes = judge, given, size_bytes
        self.means, self.goal, self.memory, self.ctx = means, goal, memory, ctx
        self.threads = goal.threads or ctx.plan.threads
        self._started = time.monotonic() - memory.elapsed_s
        self._inputs = judge.inputs(TIMED_WITH)
        self._reference: Timed | None = None
        self._before: float | None = None

    @property
    def seconds(self) -> float:
        """Since the search started, without what lies between its attempts."""
        return time.monotonic() - self._started

    def check(self) -> None:
        """Called often: stops when the run is cancelled or the time is over."""
        self.ctx.check_cancelled()
        if self.goal.budget_s is not None and self.memory.given and self.seconds > self.goal.budget_s:
            raise OutOfTime

    def run(self) -> None:
        """Try candidates until nothing promising or no time is left; the points are in the memory."""
        try:
            self._measure_given()
            for index, point in enumerate(self.memory.points):
                self._say(index, point, self.memory.points[: index + 1])
            while (recipe := next_recipe(self.memory.tried, self.means)) is not None:
                self.check()
                self._try(self._begun(recipe))
                self._tell_progress()
        except OutOfTime:
            self.ctx.log("The time is over: {seconds} s", seconds=round(self.seconds))

    def _measure_given(self) -> None:
        """Points 0 and 1: the model as it is, and its ONNX file, each in its fastest runtime."""
        if self.memory.given:
            self._reference = self._fastest(self.memory.content(EXPORTED))
            return
        made = self.maker.original()
        self.memory.keep(EXPORTED, made.content)
        with pytorch_threads(self.threads):
            ways = measured(
                self._inputs, module=self.given, content=made.content, names=QUICK, threads=self.threads,
                budget_s=TIMING_S, check=self.check,
            )  # fmt: skip
        eager = next(way for way in ways if way.name not in READ_FILES)
        exported = next((way for way in ways if way.name in READ_FILES), eager)
        self._reference = exported
        verdict = self._judged(exported)
        plain = Point(
            GIVEN, (), self.size_bytes, eager.latency.p50_ms, verdict.accuracy, made.counts.params, made.counts.macs,
            eager.name, self.seconds, baseline=True,
        )  # fmt: skip
        file = replace(
            plain, name=EXPORTED, steps=("export",), size_bytes=len(made.content), runtime=exported.name,
            latency_ms=exported.latency.p50_ms, baseline=False, seconds=self.seconds,
        )  # fmt: skip
        if exported is eager or file.latency_ms > SLOWER * plain.latency_ms:
            file = replace(file, status="refused", reason="slower")
        self.memory.given = [plain, file]
        self.memory.save(self.seconds)

    def _judged(self, way: Timed) -> Verdict:
        """The accuracy of the original, on as many examples as the budget allows."""
        if self.goal.budget_s is not None:
            sample = self.judge.inputs(64)
            started = time.perf_counter()
            way.call(sample)
            each_s = (time.perf_counter() - started) / len(sample)
            most = max(LEAST_JUDGED, int(SHARE_OF_JUDGING * self.goal.budget_s / max(each_s, 1e-9)))
            self.judge.choosing = self.judge.choosing[:most]
        return self.judge.choose(way.call, self.check)

    def _try(self, recipe: Recipe) -> None:
        before = self.memory.points
        try:
            made = self.maker.make(recipe, self._seconds_for(recipe))
        except UserError as error:
            self.ctx.warn("{name} cannot be made: {problem}", name=recipe.name, problem=str(error))
            point = replace(
                before[0], name=recipe.name, steps=self.maker.steps(recipe), baseline=False, status="refused",
                reason="failed", seconds=self.seconds,
            )  # fmt: skip
        else:
            point = self._measured(recipe, made)
            self.memory.keep(recipe.name, made.content)
        self.memory.tried.append(Tried(recipe, point))
        self.memory.save(self.seconds)
        self._say(len(before), point, self.memory.points)

    def _begun(self, recipe: Recipe) -> Recipe:
        """The first recipe that takes channels away, with more of them where that can be mended or does no harm."""
        if not recipe.ratio or any(one.recipe.ratio for one in self.memory.tried):
            return recipe
        seconds = self._seconds_for(recipe)  # stops here where there is no time for it
        least = self.memory.given[0].accuracy - HARMLESS_DROP
        try:
            ratio = self.maker.first_ratio(seconds, self._looked, least)
        except UserError:
            return recipe
        return replace(recipe, ratio=ratio)

    def _looked(self, module: nn.Module) -> float:
        call = open_runtime("eager", module=module)
        return self.judge.choose(call, self.check, LOOKED_AT).accuracy

    def _seconds_for(self, recipe: Recipe) -> float | None:
        """How long a training may take: a part of what is left, or less where the rest of the candidate needs it."""
        if self.goal.budget_s is None or not recipe.trains:
            return None
        whole = [one.point.seconds for one in self.memory.tried[:1]]
        rest = whole[0] - self.memory.given[1].seconds if whole else 0.0
        left = self.goal.budget_s - self.seconds
        has_trained = any(one.recipe.trains for one in self.memory.tried)
        seconds = min((LATER_SHARE if has_trained else FIRST_SHARE) * left, left - SAFETY * rest)
        if seconds < LEAST_TRAINING_S:
            raise OutOfTime
        return seconds

    def _measured(self, recipe: Recipe, made: Made) -> Point:
        """A candidate's numbers; its latency is given as if the machine were as busy as at the start."""
        way = self._fastest(made.content)
        verdict = self.judge.choose(way.call, self.check)
        point = Point(
            recipe.name, self.maker.steps(recipe), len(made.content), self._latency_ms(way), verdict.accuracy,
            made.counts.params, made.counts.macs, way.name, self.seconds,
        )  # fmt: skip
        given = self.memory.given[0]
        if self._is_slower(recipe, point, way):
            return replace(point, status="refused", reason="slower")
        lost = drop(point, given)
        if lost <= self.goal.max_drop + 1e-9:
            lost = max(lost, self._lost_elsewhere(way))
        if lost > self.goal.max_drop + 1e-9:
            return replace(point, accuracy=given.accuracy - lost, status="refused", reason="accuracy")
        return point

    def _is_slower(self, recipe: Recipe, point: Point, way: Timed) -> bool:
        """Than the original; of a pruned network also than the same without pruning, since that must pay."""
        if point.latency_ms > SLOWER * min(one.latency_ms for one in self.memory.given):
            return True
        unpruned = replace(recipe, ratio=0.0, again=0)
        whole = next((one.point for one in self.memory.tried if one.recipe == unpruned), None)
        if not recipe.ratio or whole is None or whole.status != "kept":
            return False
        # in turns with each other: what was timed minutes ago was timed on a machine that did other things
        content = self.memory.content(whole.name)
        unpruned_call = open_runtime(whole.runtime, content=content, threads=self.threads)
        return self._times(way.call, unpruned_call) > SLOWER

    def _lost_elsewhere(self, way: Timed) -> float:
        """What is lost on the other half of the held-out examples, which refuses what was good by luck."""
        if self.judge.is_shared:
            return 0.0
        most = None if self.goal.budget_s is None else len(self.judge.choosing)
        if self._before is None:
            assert self._reference is not None
            self._before = self.judge.report(self._reference.call, self.check, most).accuracy
        return self._before - self.judge.report(way.call, self.check, most).accuracy

    def _fastest(self, content: bytes) -> Timed:
        return measured(
            self._inputs, content=content, names=READ_FILES, threads=self.threads, budget_s=TIMING_S / 3,
            check=self.ctx.check_cancelled,
        )[0]  # fmt: skip

    def _latency_ms(self, way: Timed) -> float:
        assert self._reference is not None
        return self.memory.given[1].latency_ms * self._times(way.call, self._reference.call)

    def _times(self, call: Run, other: Run) -> float:
        """How many times as long a call takes as another, for one input, in turns."""
        one = self._inputs[:1]
        found = compare({"this": lambda: call(one), "other": lambda: other(one)}, TIMING_S, self.ctx.check_cancelled)
        return found["this"].p50_ms / found["other"].p50_ms

    def _tell_progress(self) -> None:
        if self.goal.budget_s is not None:
            self.ctx.progress(min(self.seconds, self.goal.budget_s), self.goal.budget_s, "seconds")
        else:
            self.ctx.progress(len(self.memory.tried), self.means.candidates, "candidates")

    def _say(self, index: int, point: Point, points: list[Point]) -> None:
        given = points[0]
        on = [one.name for one in front(points)]
        evidence = {**point.to_json(), "front": on, "max_drop": self.goal.max_drop}
        evidence.pop("digest")
        shown: dict[str, Any] = {
            "name": point.name,
            "ms": f"{point.latency_ms:.3g}",
            "mib": f"{point.size_bytes / 2**20:.3g}",
            "accuracy": f"{point.accuracy:.2%}",
        }
        if point.reason == "slower":
            self.ctx.decide("candidate", index, "{name} is refused: it is slower, {ms} ms", evidence, **shown)
        elif point.reason == "accuracy":
            self.ctx.decide(
                "candidate", index, "{name} is refused: it loses {drop} points, {allowed} are allowed", evidence,
                drop=f"{100 * drop(point, given):.2f}", allowed=f"{100 * self.goal.max_drop:g}", **shown,
            )  # fmt: skip
        elif point.reason == "failed":
            self.ctx.decide("candidate", index, "{name} cannot be made of this model", evidence, **shown)
        else:
            self.ctx.decide("candidate", index, "{name}: {ms} ms, {mib} MiB, accuracy {accuracy}", evidence, **shown)
