"""A person's own PyTorch module as an architecture of this process.

Called by ``Model.wrap`` and ``Model.load``. Its weights travel as safetensors and its code not at all: a name that
follows from the code says which module belongs to a saved model.
"""

from __future__ import annotations

import copy
import hashlib
import inspect
import re
from typing import TYPE_CHECKING, Any

from deepseek import local
from deepseek.errors import UsageError

if TYPE_CHECKING:
    from torch import nn


def architecture_of(module: nn.Module) -> str:
    """Name of a module: its class, and a digest of its code and structure, so that changed code is another name.

    >>> from torch import nn
    >>> architecture_of(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))[:19]
    'wrapped:Sequential-'
    """
    _check(module)
    whole = hashlib.sha256(str(module).encode())
    for cls in sorted(
        {type(part) for part in module.modules()}, key=lambda cls: f"{cls.__module__}.{cls.__qualname__}"
    ):
        if not cls.__module__.startswith("torch."):
            whole.update(_source(cls).encode())
    name = re.sub(r"[^A-Za-z0-9_]", "", type(module).__name__) or "Module"
    return f"wrapped:{name}-{whole.hexdigest()[:8]}"


def weights_of(module: nn.Module) -> bytes:
    """Its parameters and buffers as the bytes of a safetensors file."""
    from safetensors.torch import save

    _check(module)
    return save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in module.state_dict().items()})


def register(architecture: str, module: nn.Module) -> None:
    """Let this process build the module under a name; every build is a copy."""
    _check(module)
    kept = copy.deepcopy(module)

    def build(config: Any) -> nn.Module:
        return copy.deepcopy(kept)

    local.register_architecture(architecture, build)


def _check(module: Any) -> None:
    from torch import nn

    if not isinstance(module, nn.Module):
        hint = "Give an instance: Net() instead of Net." if isinstance(module, type) else None
        raise UsageError(f"{module!r} is not a torch.nn.Module", hint=hint)


def _source(cls: type) -> str:
    """Code of a class; where there is none (typed at a prompt), its methods' byte code."""
    try:
        return inspect.getsource(cls)
    except (OSError, TypeError):
        methods = [value for value in vars(cls).values() if inspect.isfunction(value)]
        return "".join(f"{method.__name__}{method.__code__.co_code.hex()}" for method in methods)
