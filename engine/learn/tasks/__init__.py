"""What can be learned: one file for each task. See :mod:`engine.learn.tasks.base`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from engine.errors import UserError
from engine.learn.tasks.base import Derive, Loss, Task

__all__ = ["Derive", "Loss", "Task", "find_task", "tasks"]


@cache
def tasks() -> dict[str, Task]:
    """Name -> task, for every file of this package.

    >>> sorted(tasks())
    ['classification', 'language_model', 'masked_lm', 'reconstruction', 'regression']
    """
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return {cls.name: cls() for cls in Task.__subclasses__()}


def find_task(name: str | None) -> Task:
    """The task of this name.

    Raises
    ------
    UserError
        When there is none.
    """
    found = tasks().get(str(name))
    if found is None:
        raise UserError(
            "There is no task {name}",
            hint="This version has: {known}.",
            name=str(name),
            known=", ".join(sorted(tasks())),
        )
    return found
