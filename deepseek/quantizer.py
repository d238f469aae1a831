"""Make a trained model smaller and faster by computing in whole numbers.

Called by people; one block is added to the model's pipeline, as for every other verb.
"""

from __future__ import annotations

import time
from typing import Any

from deepseek import blocks, local, pipeline
from deepseek.dataset import Dataset
from deepseek.errors import UsageError, unknown
from deepseek.model import Model, sink
from deepseek.progress import Sink
from deepseek.results import Numbers

METHODS = {"int8": "INT8", "int4": "INT4", "mixed": "INT4/8", "dynamic": "dynamic INT8", "qat": "INT8"}
"""Method -> what the model is called behind its name."""


class Quantizer:
    """Quantises a trained model.

    Parameters
    ----------
    model
        Trained here; it stays as it is.
    method
        ``"int8"``: weights and activations of 8 bits, without training. ``"int4"``: weights of 4 bits, for language
        models. ``"mixed"``: 4 or 8 bits for each layer, as few as the answers bear. ``"dynamic"``: 8 bits with ranges
        read off each input, for transformers. ``"qat"``: 8 bits, trained further so that the answers stay.
    params
        Parameters of the block, see ``deepseek blocks compress.int8`` (or whatever the method is).

    Attributes
    ----------
    report
        After :meth:`optimize`: sizes, latency of one example before and after on this machine, how often both models
        agree, and where there are labels the accuracy of both. ``kept_original`` is 1 where the small model would have
        been slower here, and the original was given back.

    Examples
    --------
    ``small = Quantizer(model, method="int8").optimize()`` and then ``small.save("quantized_model.pt")``.
    """

    def __init__(self, model: Model, method: str = "int8", **params: Any) -> None:
        known = [name for name in METHODS if blocks.exists(f"compress.{name}")]
        if method not in known:
            raise unknown("method", method, known)
        self._model = model
        self._type = f"compress.{method}"
        self._title = METHODS[method]
        self._params = blocks.check_params(self._type, params)
        self.report = Numbers({})

    def optimize(self, dataset: Dataset | None = None, *, show: bool | Sink = True) -> Model:
        """Make the smaller model.

        Parameters
        ----------
        dataset
            Examples like those in use, which the ranges are taken from; by default what the model was trained on.
        show
            False shows nothing; a function is told every event of the run.

        Returns
        -------
        Model
            A new one: it predicts, is evaluated and saved as any other, and cannot be trained further.

        Raises
        ------
        UsageError
            When the model was not trained here and no data is given.
        """
        examples = dataset.train._output if dataset else dict(self._model._output.step.inputs).get("dataset")
        if examples is None:
            raise UsageError(
                "It is not known what the model was trained on",
                hint="Give examples like those in use: quantizer.optimize(dataset).",
            )
        made = pipeline.step("quantize", self._type, self._params, model=self._model._output, dataset=examples)
        document, ids = pipeline.document([made], name=f"{self._model._name}, smaller", seed=self._model._seed)
        started = time.monotonic()
        result = local.checked(local.execute(document, plan=self._model._plan, show=sink(show)))
        self.report = Numbers({**blocks.metrics_of(result, ids[made]), "seconds": time.monotonic() - started})
        small = Model(made.out("model"), f"{self._model._name} {self._title}")
        small._seed, small._plan = self._model._seed, dict(result.plan or self._model._plan)
        small._artifact = result.outputs[ids[made]]["model"]
        return small
