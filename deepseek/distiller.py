"""Let a small model learn what a large one knows.

Called by people; one block is added to the pipelines of both models, as for every other verb.
"""

from __future__ import annotations

import time
from typing import Any

from deepseek import blocks, local, pipeline
from deepseek.dataset import Dataset
from deepseek.errors import UsageError
from deepseek.model import Model, sink
from deepseek.progress import Sink
from deepseek.results import Numbers, Training

TYPE = "compress.distil"


class Distiller:
    """Trains a student on the answers of a teacher.

    Parameters
    ----------
    teacher
        A trained model.
    student
        A smaller one, trained or not; both stay as they are.

    Attributes
    ----------
    report
        After :meth:`train`: sizes, work, latency of one example on this machine for teacher and student, how often both
        agree, and, where there is validation data, how well each answers it.
    training
        After :meth:`train`: the student's last numbers and its curves.

    Examples
    --------
    ``small = Distiller(teacher, Model.create("bert", size="mini")).train(dataset, epochs=20)`` and then
    ``small.save("student.pt")``.
    """

    def __init__(self, teacher: Model, student: Model) -> None:
        self._teacher, self._student = teacher, student
        self.report = Numbers({})
        self.training: Training | None = None

    def train(
        self,
        dataset: Dataset | None = None,
        *,
        validation: Dataset | None = None,
        show: bool | Sink = True,
        **params: Any,
    ) -> Model:
        """Make the trained student.

        The same call on the same data and machine gives the same weights; one that was stopped goes on.

        Parameters
        ----------
        dataset
            Its part to train on is used; by default what the teacher was trained on.
        validation
            Data to look at after every epoch and to compare both on; by default ``dataset.validation``.
        show
            False shows nothing; a function is told every event of the run.
        params
            ``temperature``, ``weight``, ``hidden``, ``attention``, ``start`` and everything that a training takes: see
            ``deepseek blocks compress.distil``.

        Returns
        -------
        Model
            A new one: it predicts, is evaluated, saved and trained further as any other.

        Raises
        ------
        UsageError
            When the teacher was not trained here and no data is given.
        """
        self._teacher._require_training()
        known = dict(self._teacher._output.step.inputs)
        examples = dataset.train._output if dataset else known.get("dataset")
        if examples is None:
            raise UsageError(
                "It is not known what the teacher was trained on",
                hint="Give examples of what it knows: distiller.train(dataset).",
            )
        watched = known.get("validation") if dataset is None else None
        own = validation.test if validation is not None else dataset.validation if dataset is not None else None
        made = pipeline.step(
            "distil",
            TYPE,
            blocks.check_params(TYPE, params),
            teacher=self._teacher._output,
            student=self._student._output,
            dataset=examples,
            validation=own._output if own is not None else watched,
        )
        seed = dataset._seed if dataset is not None else self._teacher._seed
        name = f"{self._student._name} taught by {self._teacher._name}"
        document, ids = pipeline.document([made], name=name, seed=seed)
        curves = blocks.Curves(ids[made], sink(show))
        started = time.monotonic()
        result = local.checked(local.execute(document, plan=self._teacher._plan, show=curves))
        outputs = result.outputs[ids[made]]
        self.report = Numbers(outputs["report"].read_json("metrics.json"))
        self.training = Training(
            outputs["history"].read_json("metrics.json"),
            curves.curves,
            time.monotonic() - started,
            is_cached=curves.is_cached,
        )
        student = Model(made.out("model"), self._student._name)
        student._seed, student._plan = seed, dict(result.plan or self._teacher._plan)
        student._artifact = outputs["model"]
        return student
