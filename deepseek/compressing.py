"""Search the smallest or fastest form of a trained model that answers as well, measured on this machine.

Called by people; one block is added to the model's pipeline, as for every other verb.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Literal

from deepseek import blocks, local, pipeline
from deepseek.dataset import Dataset
from deepseek.errors import unknown
from deepseek.making import make
from deepseek.model import Model
from deepseek.progress import Sink
from deepseek.results import Numbers

TYPE = "compress.search"


class Compression:
    """What a search found.

    Attributes
    ----------
    model
        The best; the model that was given, where nothing else was good enough.
    report
        Before and after: sizes, latencies, accuracy.
    points
        Every candidate as a dict: ``name``, ``latency_ms``, ``size_bytes``, ``accuracy``, ``status``, ``reason``, ...
    """

    def __init__(
        self, model: Model, report: Numbers, points: list[dict[str, Any]], figure: dict[str, Any], best: str
    ) -> None:
        self.model, self.report, self.points, self.best = model, report, points, best
        self._figure = figure

    @property
    def front(self) -> list[dict[str, Any]]:
        """The points that no other beats in size, latency and accuracy, fastest first."""
        on = [point for point in self.points if point["digest"] and (point["reason"] in (None, "accuracy"))]
        return sorted(on, key=lambda point: float(point["latency_ms"]))

    def take(self, name: str) -> Model:
        """The model of a point of the front, for whoever weighs otherwise than the target did."""
        known = {point["name"]: point for point in self.front}
        if name not in known:
            raise unknown("point of the front", name, known)
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "point.zip"
            local.save(known[name]["digest"], place)
            return Model.load(place)

    def figure(self) -> Any:
        """The picture of the front as ``plotly.graph_objects.Figure``."""
        import plotly.graph_objects

        return plotly.graph_objects.Figure(self._figure)

    def __str__(self) -> str:
        head = f"{'':<2}{'candidate':<28}{'ms':>9}{'MiB':>9}{'accuracy':>10}  "
        return "\n".join([head, *(self._row(point) for point in self.points)])

    def __repr__(self) -> str:
        return f"Compression({self.best}, {len(self.points)} candidates, {len(self.front)} on the front)"

    def _row(self, point: dict[str, Any]) -> str:
        mark = "*" if point["name"] == self.best else ""
        said = f"refused: {point['reason']}" if point["status"] == "refused" else point["runtime"]
        size = point["size_bytes"] / 2**20
        return f"{mark:<2}{point['name']:<28}{point['latency_ms']:>9.3g}{size:>9.3g}{point['accuracy']:>10.2%}  {said}"


def compress(
    model: Model,
    dataset: Dataset,
    max_drop: float = 0.005,
    target: Literal["latency", "size"] = "latency",
    *,
    validation: Dataset | None = None,
    device: str | None = None,
    budget_s: float | None = None,
    show: bool | Sink = True,
    **params: Any,
) -> Compression:
    """Compress a trained model by whatever serves best on this machine.

    Channels are removed, the rest is trained again, and numbers become whole numbers of 8 bits; every
    candidate is measured here, one that is slower or loses too much is refused, and the best is given back. Ctrl-C
    stops cleanly; the same call goes on where it stopped.

    Parameters
    ----------
    model
        Trained here; it stays as it is.
    dataset
        What it was trained on: its part to train on is learned from.
    max_drop
        Accuracy that may be lost, as a share: 0.005 is half a point.
    target
        What the best model is: the fastest for one example, or the smallest.
    validation
        Labelled examples that candidates are judged by, and that the model was not trained on; by default the part
        to test on. Of many, half choose and the other half confirm the best.
    device
        Where smaller networks are trained: ``"auto"``, ``"cpu"``, ``"cuda"``. Latency is measured on the CPU.
    budget_s
        Seconds for the whole search; None: until nothing promising is left.
    show
        False shows nothing; a function is told every event of the run.
    params
        Other parameters of the block, see ``deepseek blocks compress.search``.

    Returns
    -------
    Compression
        ``.model`` is the best; ``print()`` shows the table; ``.take(name)`` gives another point of the front.

    Examples
    --------
    ``small = compress(model, dataset, max_drop=0.005, budget_s=90).model`` and then ``small.save("small.pt")``.
    """
    given = {"max_drop": max_drop, "target": target, "budget_s": budget_s or 0.0, **params}
    step = pipeline.step(
        "compress",
        TYPE,
        blocks.check_params(TYPE, given),
        model=model._output,
        dataset=dataset.train._output,
        held_out=(validation or dataset).test._output,
    )
    plan = {**model._plan, **({} if device is None else {"device": device})}
    made = make(step, model, f"{model._name}, compressed", show, plan=plan)
    points = made.outputs["front"].read_json("front.json")
    chosen = made.outputs["model"].digest
    best = next((point["name"] for point in points if point["digest"] == chosen), points[0]["name"])
    figure = made.outputs["figure"].read_json("figure.json")
    return Compression(made.model(f"{model._name}, compressed"), Numbers(made.metrics), points, figure, best)
