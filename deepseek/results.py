"""What ``train``, ``evaluate`` and ``predict`` give back: plain values that print well.

Made by ``Model``. Must not know how they came about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deepseek.errors import unknown
from deepseek.progress import duration

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Curve:
    """One metric over a training: the value at each step."""

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    @property
    def last(self) -> float:
        """The newest value."""
        return self.values[-1]


class Numbers(Mapping[str, float]):
    """Named numbers, such as the metrics of an evaluation.

    Examples
    --------
    >>> numbers = Numbers({"accuracy": 0.975, "count": 360})
    >>> numbers["accuracy"]
    0.975
    >>> print(numbers)
    accuracy  0.975
    count     360
    """

    def __init__(self, numbers: Mapping[str, float]) -> None:
        self._numbers = dict(numbers)

    def __getitem__(self, name: str) -> float:
        try:
            return self._numbers[name]
        except KeyError:
            raise KeyError(str(unknown("metric", name, self._numbers))) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def __str__(self) -> str:
        width = max((len(name) for name in self), default=0)
        return "\n".join(f"{name:<{width}}  {value:.6g}" for name, value in self.items())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value:.6g}' for name, value in self.items())})"


class Training(Numbers):
    """How a training went: its last numbers, and its curves.

    Parameters
    ----------
    numbers
        Metrics of the epoch whose weights were taken.
    curves
        Metric -> curve. Empty when the training was taken from the cache.
    is_cached
        True when nothing was trained, because the same training ran before.
    """

    def __init__(
        self, numbers: Mapping[str, float], curves: Mapping[str, Curve], duration_s: float, *, is_cached: bool
    ) -> None:
        super().__init__(numbers)
        self.curves = dict(curves)
        self.duration_s = duration_s
        self.is_cached = is_cached

    def __str__(self) -> str:
        head = "Taken from the cache" if self.is_cached else f"Trained in {duration(self.duration_s)}"
        return f"{head}\n{super().__str__()}"


class Evaluation(Numbers):
    """How good a model is on some data.

    Parameters
    ----------
    numbers
        Metrics.
    figures
        Plotly figures as JSON, such as the confusion matrix.
    tables
        Tables, such as the report per class.
    """

    def __init__(
        self,
        numbers: Mapping[str, float],
        figures: Mapping[str, Mapping[str, Any]],
        tables: Mapping[str, pd.DataFrame],
    ) -> None:
        super().__init__(numbers)
        self.figures = dict(figures)
        self.tables = dict(tables)

    def figure(self, name: str) -> Any:
        """A figure as ``plotly.graph_objects.Figure``."""
        if name not in self.figures:
            raise unknown("figure", name, self.figures)
        import plotly.graph_objects

        return plotly.graph_objects.Figure(self.figures[name])


class Predictions(Sequence[dict[str, Any]]):
    """What a model said about each example: ``label``, ``probability`` and ``top``, or ``value`` for a number.

    Examples
    --------
    >>> predictions = Predictions([{"label": "cat", "probability": 0.9, "top": []}])
    >>> predictions.labels, predictions[0]["probability"]
    (['cat'], 0.9)
    """

    def __init__(self, records: Sequence[dict[str, Any]]) -> None:
        self._records = list(records)

    @property
    def labels(self) -> list[str]:
        """The likeliest class of each example."""
        return [record["label"] for record in self._records]

    @property
    def values(self) -> list[float]:
        """The predicted number of each example."""
        return [record["value"] for record in self._records]

    def to_pandas(self) -> pd.DataFrame:
        """One row an example."""
        import pandas as pd

        return pd.DataFrame([{k: v for k, v in record.items() if k != "top"} for record in self._records])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Predictions(self._records[index])
        return self._records[index]

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        shown = [
            f"{record['label']} ({record['probability']:.0%})" if "label" in record else f"{record['value']:.6g}"
            for record in self._records[:6]
        ]
        more = f", ... {len(self):,} in all" if len(self) > len(shown) else ""
        return f"Predictions({', '.join(shown)}{more})"
