"""Make a trained model narrower: channels, neurons and heads that matter little are taken out.

Called by people; one block is added to the model's pipeline, as for every other verb.
"""

from __future__ import annotations

from typing import Any

from deepseek import blocks, pipeline
from deepseek.dataset import Dataset
from deepseek.making import learned_from, make
from deepseek.model import Model
from deepseek.progress import Sink
from deepseek.results import Numbers

TYPE = "compress.prune"


class Pruner:
    """Prunes a trained model.

    Parameters
    ----------
    model
        Trained here; it stays as it is.
    params
        Parameters of the block, see ``deepseek blocks compress.prune``: ``ratio=0.3`` takes that share of the channels;
        ``target="latency", remaining=0.5`` as many as it takes to be twice as fast here; ``max_drop=0.01`` gives back
        what loses no more accuracy than that.

    Attributes
    ----------
    report
        After :meth:`optimize`: size, parameters, work, latency on this machine, and accuracy where there was data to
        measure it on, before and after.

    Examples
    --------
    ``small = Pruner(model, ratio=0.3).optimize(dataset)``; ``small.train(dataset)`` goes on from there.
    """

    def __init__(self, model: Model, **params: Any) -> None:
        self._model = model
        self._params = blocks.check_params(TYPE, params)
        self.report = Numbers({})

    def optimize(
        self, dataset: Dataset | None = None, *, validation: Dataset | None = None, show: bool | Sink = True
    ) -> Model:
        """Make the narrower model.

        Parameters
        ----------
        dataset
            What it learns from again after each round; by default what the model was trained on.
        validation
            What it is measured on, before and after; by default ``dataset.validation``, or what watched the training.
        show
            False shows nothing; a function is told every event of the run.

        Returns
        -------
        Model
            A new one, which trains further, is quantised, evaluated and saved as any other.

        Raises
        ------
        UsageError
            When the model was not trained here and no data is given.
        """
        examples = learned_from(self._model, dataset, "pruner.optimize(dataset)")
        if validation is not None:
            watching: pipeline.Output | None = validation.test._output
        elif dataset is not None:
            watching = dataset.validation._output if dataset.validation else None
        else:
            watching = dict(self._model._output.step.inputs).get("validation")
        step = pipeline.step(
            "prune", TYPE, self._params, model=self._model._output, dataset=examples, validation=watching
        )
        made = make(step, self._model, f"{self._model._name}, narrower", show)
        self.report = made.report()
        return made.model(f"{self._model._name}, pruned")
