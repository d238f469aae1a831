"""Gates: conditions on the metrics of a run, so that a CI job can refuse a model that is not good enough.

Called by ``deepseek run``. Pure functions on numbers; must not know where the run took place.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from deepseek.errors import UsageError, closest, unknown

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
PATTERN = re.compile(r"\s*([a-z][a-z0-9_]*)\.([A-Za-z0-9_./-]+?)\s*(>=|<=|==|!=|>|<)\s*(\S+)\s*")


@dataclass(frozen=True)
class Gate:
    """One condition, such as ``evaluate.accuracy>=0.9``."""

    text: str
    block: str
    metric: str
    sign: str
    bound: float

    @property
    def address(self) -> str:
        """Address of the metric."""
        return f"{self.block}.{self.metric}"

    def passes(self, metrics: Mapping[str, float]) -> bool:
        """True when the metric is there and meets the condition; NaN meets none.

        >>> parse("evaluate.accuracy >= 0.9").passes({"evaluate.accuracy": 0.95})
        True
        """
        value = metrics.get(self.address)
        return value is not None and value == value and OPERATORS[self.sign](value, self.bound)

    def explain(self, metrics: Mapping[str, float]) -> str:
        """The outcome in words.

        >>> parse("evaluate.accuracy>=0.9").explain({"evaluate.accuracy": 0.5})
        'gate evaluate.accuracy>=0.9 failed: evaluate.accuracy is 0.5'
        """
        if self.passes(metrics):
            return f"gate {self.text} passed: {self.address} is {metrics[self.address]:.6g}"
        if self.address in metrics:
            return f"gate {self.text} failed: {self.address} is {metrics[self.address]:.6g}"
        guess = closest(self.address, metrics)
        there = f"did you mean {guess}?" if guess else f"there are {', '.join(sorted(metrics)) or 'none'}"
        return f"gate {self.text} failed: the run has no metric {self.address}; {there}"


def parse(text: str) -> Gate:
    """Read a gate.

    Raises
    ------
    UsageError
        When it is not ``block.metric>=number``.
    """
    match = PATTERN.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        block, metric, sign, bound = match.groups()
        return Gate(text.strip(), block, metric, sign, float(bound))
    except ValueError:
        raise UsageError(
            f"{text!r} is not a gate", hint='Write block.metric>=number, for example --gate "evaluate.accuracy>=0.9".'
        ) from None


def check_blocks(gates: Iterable[Gate], blocks: Iterable[str]) -> None:
    """Refuse a gate on a block that the pipeline does not have, before the run instead of after it."""
    known = list(blocks)
    for gate in gates:
        if gate.block not in known:
            raise unknown("block", gate.block, known)
