"""Let a small model learn what a large one knows.

Called by people; one block is added to the pipelines of both models, as for every other verb.
"""

from __future__ import annotations

from typing import Any

from deepseek import blocks, pipeline
from deepseek.dataset import Dataset
from deepseek.making import learned_from, make
from deepseek.model import Model
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
        examples = learned_from(self._teacher, dataset, "distiller.train(dataset)")
        known = dict(self._teacher._output.step.inputs)
        watched = known.get("validation") if dataset is None else None
        own = validation.test if validation is not None else dataset.validation if dataset is not None else None
        step = pipeline.step(
            "distil",
            TYPE,
            blocks.check_params(TYPE, params),
            teacher=self._teacher._output,
            student=self._student._output,
            dataset=examples,
            validation=own._output if own is not None else watched,
        )
        title = f"{self._student._name} taught by {self._teacher._name}"
        made = make(step, self._teacher, title, show, seed=dataset._seed if dataset is not None else None)
        self.report = Numbers(made.metrics)
        self.training = Training(
            made.outputs["history"].read_json("metrics.json"),
            made.curves.curves,
            made.seconds,
            is_cached=made.curves.is_cached,
        )
        return made.model(self._student._name)
