"""DeepSeek Studio in Python: build, train and use models without leaving your own code.

The names below are loaded when first used, so that ``import deepseek`` is fast and brings in no torch, pandas,
numpy or web framework. Called by people; must not import the engine (``deepseek.local`` is the only door to it).

>>> import deepseek
>>> sorted(deepseek.__all__)
['Dataset', 'DeepSeekError', 'Distiller', 'Model', 'Pruner', 'Quantizer', 'Studio', '__version__', 'compress']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepseek.client import Studio as Studio
    from deepseek.compressing import compress as compress
    from deepseek.dataset import Dataset as Dataset
    from deepseek.distiller import Distiller as Distiller
    from deepseek.errors import DeepSeekError as DeepSeekError
    from deepseek.model import Model as Model
    from deepseek.pruner import Pruner as Pruner
    from deepseek.quantizer import Quantizer as Quantizer

__version__ = "0.1.0"

_PLACES = {
    "Dataset": "deepseek.dataset",
    "DeepSeekError": "deepseek.errors",
    "Distiller": "deepseek.distiller",
    "Model": "deepseek.model",
    "Pruner": "deepseek.pruner",
    "Quantizer": "deepseek.quantizer",
    "Studio": "deepseek.client",
    "compress": "deepseek.compressing",
}

__all__ = ["Dataset", "DeepSeekError", "Distiller", "Model", "Pruner", "Quantizer", "Studio", "__version__", "compress"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'deepseek' has no attribute {name!r}")
    value = getattr(import_module(_PLACES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
