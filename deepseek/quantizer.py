"""Make a trained model smaller and faster by computing in whole numbers.

Called by people; one block is added to the model's pipeline, as for every other verb.
"""

from __future__ import annotations

from typing import Any

from deepseek import blocks, pipeline
from deepseek.dataset import Dataset
from deepseek.errors import unknown
from deepseek.making import learned_from, make
from deepseek.model import Model
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
        examples = learned_from(self._model, dataset, "quantizer.optimize(dataset)")
        step = pipeline.step("quantize", self._type, self._params, model=self._model._output, dataset=examples)
        made = make(step, self._model, f"{self._model._name}, smaller", show)
        self.report = made.report()
        return made.model(f"{self._model._name} {self._title}")
