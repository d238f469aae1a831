"""Make a trained model narrower: channels, neurons and heads that matter little are taken out.

Called by people; one block is added to the model's pipeline, as for every other verb.
"""

from __future__ import annotations

import time
from typing import Any

from deepseek import blocks, local, pipeline
from deepseek.dataset import Dataset
from deepseek.errors import UsageError
from deepseek.model import Model, sink
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
        known = dict(self._model._output.step.inputs)
        examples = dataset.train._output if dataset else known.get("dataset")
        if examples is None:
            raise UsageError(
                "It is not known what the model was trained on",
                hint="Give examples like those in use: pruner.optimize(dataset).",
            )
        if validation is not None:
            watching: pipeline.Output | None = validation.test._output
        elif dataset is not None:
            watching = dataset.validation._output if dataset.validation else None
        else:
            watching = known.get("validation")
        made = pipeline.step(
            "prune", TYPE, self._params, model=self._model._output, dataset=examples, validation=watching
        )
        document, ids = pipeline.document([made], name=f"{self._model._name}, narrower", seed=self._model._seed)
        started = time.monotonic()
        result = local.checked(local.execute(document, plan=self._model._plan, show=sink(show)))
        self.report = Numbers({**blocks.metrics_of(result, ids[made]), "seconds": time.monotonic() - started})
        small = Model(made.out("model"), f"{self._model._name}, pruned")
        small._seed, small._plan = self._model._seed, dict(result.plan or self._model._plan)
        small._artifact = result.outputs[ids[made]]["model"]
        return small
