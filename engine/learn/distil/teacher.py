"""From a teacher that was trained here to what a student's training is given.

Called by :mod:`engine.learn.here`. Finds out whether both speak of the same things: task, classes, tokens; and whether
the teacher needs its examples prepared in another way than the student.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

import torch
from torch import Tensor, nn

from engine.artifacts import DatasetRef, ModelRef, TextRef
from engine.datasets import open_texts
from engine.errors import UserError
from engine.learn.distil.distillation import Distillation
from engine.learn.distil.layers import hidden_layers, matched
from engine.learn.options import TrainingOptions
from engine.learn.prepare import Prepared
from engine.learn.state import TrainingData
from engine.models import find
from engine.runtime.examples import Examples, load
from engine.runtime.models import open_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.texts import tokenizer_of
from engine.text.trim import rows_of

NAMED = 5
AT_ONCE = 4096
POSITIONS = "position_embeddings.weight"


def distillation_of(
    teacher: ModelRef,
    dataset: DatasetRef,
    student: Prepared,
    options: TrainingOptions,
    place: torch.device,
    tell: Callable[[int, int], None] | None = None,
) -> Distillation:
    """A teacher, ready to be asked about the student's examples.

    Parameters
    ----------
    student
        With its data. Gets the teacher's weights, where the options say that it starts from them.
    tell
        Told how many examples the teacher has answered beforehand; may raise to stop.

    Raises
    ------
    UserError
        When teacher and student do not fit together: they learned another task, or tell other classes apart.
    """
    opened = open_model(teacher)
    ours, theirs = student.spec, opened.spec
    convert = _conversion(ours, theirs, place)
    chosen = asdict(options.distil)
    rows = _rows(teacher, dataset, student)
    if chosen.pop("start") == "teacher":
        inherit(student.module, opened.module, ours.architecture, keeps_head=convert is not None, rows=rows)
    shares = ours.preprocessing == theirs.preprocessing and ours.input == theirs.input
    if not shares and student.data.derive is not None:
        raise UserError(
            "Teacher and student read other tokens",
            field="teacher",
            hint="Train both on texts that were cut into tokens by the same tokenizer.",
        )
    examples = None if shares else load(dataset, theirs, place, tokenizer_of(teacher))
    found = Distillation(
        opened.module.to(place),
        **chosen,
        examples=examples,
        aligned=examples is None or not examples.is_text or _says_the_same(student.data.examples, examples, rows),
        convert=convert,
    )
    if asks_the_same(student.data, options):
        found.remember(student.data.examples, tell)
    return found


def inherit(
    student: nn.Module,
    teacher: nn.Module,
    architecture: str,
    *,
    keeps_head: bool = False,
    rows: Sequence[int | None] | None = None,
) -> int:
    """Copy the teacher's weights into the layers of a student that have the same shape.

    Layers are taken at even distances, the last one always (V. Sanh et al., "DistilBERT", 2019, section 2); where that
    one does not fit, the one of the same name.

    Parameters
    ----------
    architecture
        Of the student.
    keeps_head
        True: the student's last layers stay as they are.
    rows
        For each word of the student its row among the teacher's words, where both have other ones: see
        :func:`engine.text.trim.rows_of`. A word that the teacher does not have keeps its own row.

    Returns
    -------
    int
        Tensors that were copied.

    Raises
    ------
    UserError
        When no layer has the same shape.

    Examples
    --------
    >>> from engine.models import build
    >>> nets = [build("mlp", {"num_classes": 2, "in_features": 4, "hidden": [6] * n}) for n in (2, 4)]
    >>> inherit(*nets, "mlp")
    6
    >>> torch.equal(nets[0].layers[1].weight, nets[1].layers[3].weight)
    True
    """
    pairs = matched(hidden_layers(student), hidden_layers(teacher))
    given = teacher.state_dict()
    own = student.state_dict()
    skipped = tuple(find(architecture).heads) if keeps_head else ()
    copied: dict[str, Tensor] = {}
    for ours, theirs in pairs:
        copied |= _layer(own, given, ours, theirs) or _layer(own, given, ours, ours)
    layers = tuple(f"{name}." for name in hidden_layers(student))
    rest = [name for name in own if not name.startswith(layers) and not (skipped and name.startswith(skipped))]
    for name in rest:
        if name in given and given[name].shape == own[name].shape:
            copied[name] = given[name]
        elif name in given and rows is not None and own[name].shape == (len(rows), *given[name].shape[1:]):
            copied[name] = _words(own[name], given[name], rows)
        elif name in given and name.endswith(POSITIONS) and own[name].shape == given[name][: len(own[name])].shape:
            copied[name] = given[name][: len(own[name])]  # shorter texts have fewer places
    if not copied:
        raise UserError(
            "The student has no layer of the same shape as the teacher's",
            field="start",
            hint="Let it start from its own weights, or choose the widths of the teacher.",
        )
    student.load_state_dict({**own, **copied})
    return len(copied)


def _words(own: Tensor, given: Tensor, rows: Sequence[int | None]) -> Tensor:
    filled = own.clone()
    known = [place for place, row in enumerate(rows) if row is not None]
    filled[known] = given[[row for row in rows if row is not None]]
    return filled


def _rows(teacher: ModelRef, dataset: DatasetRef, student: Prepared) -> list[int | None] | None:
    """Where the student's words stand among the teacher's; None where both have the same, or no words."""
    theirs = tokenizer_of(teacher)
    if theirs is None or not isinstance(dataset, TextRef):
        return None
    ours = student.tokenizer or open_texts(dataset).tokenizer
    return None if ours.sha256 == theirs.sha256 else rows_of(ours, theirs)


def _says_the_same(ours: Examples, theirs: Examples, rows: Sequence[int | None] | None) -> bool:
    """True when both cut every text at the same places."""
    if rows is None or ours.shape != theirs.shape:
        return False
    places = torch.tensor([-1 if row is None else row for row in rows], device=ours.device)
    parts = torch.split(torch.arange(len(ours), device=ours.device), AT_ONCE)
    return all(torch.equal(places[ours.batch(part)], theirs.batch(part)) for part in parts)


def _layer(own: Mapping[str, Tensor], given: Mapping[str, Tensor], ours: str, theirs: str) -> dict[str, Tensor]:
    """The tensors of one layer, where all of them fit."""
    names = {name: theirs + name.removeprefix(ours) for name in own if name.startswith(f"{ours}.")}
    if any(other not in given or given[other].shape != own[name].shape for name, other in names.items()):
        return {}
    return {name: given[other] for name, other in names.items()}


def asks_the_same(data: TrainingData, options: TrainingOptions) -> bool:
    """True when every epoch, of several, asks a teacher what it was asked before: then it may remember."""
    mixes = options.mixup > 0 or options.cutmix > 0
    return options.epochs > 1 and data.augment is None and data.derive is None and not mixes


def _conversion(ours: ModelSpec, theirs: ModelSpec, place: torch.device) -> Callable[[Tensor], Tensor] | None:
    """How the teacher's outputs become the student's; None where they are the same."""
    if ours.task != theirs.task:
        raise UserError(
            "The teacher learned {theirs}, the student learns {ours}",
            field="teacher",
            hint="Connect a teacher that was trained on the same task.",
            theirs=str(theirs.task),
            ours=str(ours.task),
        )
    if ours.task == "classification":
        return _order(ours.labels or [], theirs.labels or [], place)
    if ours.target is not None and theirs.target is not None and ours.target != theirs.target:
        factor = theirs.target.std / ours.target.std
        summand = (theirs.target.mean - ours.target.mean) / ours.target.std
        return lambda outputs: outputs * factor + summand
    return None


def _order(ours: list[str], theirs: list[str], place: torch.device) -> Callable[[Tensor], Tensor] | None:
    if set(ours) != set(theirs):
        raise UserError(
            "Teacher and student tell different classes apart: only the teacher knows {teacher}; only the student "
            "learns {student}",
            field="teacher",
            hint="Distil on data with the classes that the teacher was trained on.",
            teacher=_named(set(theirs) - set(ours)),
            student=_named(set(ours) - set(theirs)),
        )
    if ours == theirs:
        return None
    places = torch.tensor([theirs.index(label) for label in ours], device=place)
    return lambda outputs: outputs[:, places]


def _named(labels: set[str]) -> str:
    shown = sorted(labels)
    more = f", … ({len(shown)})" if len(shown) > NAMED else ""
    return ", ".join(shown[:NAMED]) + more or "-"
