"""The state of every random generator that training draws from, as tensors.

Called by the step, which begins anew after running out of memory, and by checkpoints. Generators: PyTorch's on the CPU
and on the device of the network, NumPy's and Python's own, which networks and augmentation from outside may use.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


def torch_state(device: torch.device) -> dict[str, Tensor]:
    """State of PyTorch's generators, on the CPU; about a microsecond.

    >>> sorted(torch_state(torch.device("cpu")))
    ['cpu']
    """
    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states[device.type] = torch.get_device_module(device.type).get_rng_state(*_which(device))
    return states


def _which(device: torch.device) -> tuple[torch.device, ...]:
    """How a module of PyTorch is told whose generator is meant: Apple's has only one, and takes no name."""
    return () if device.type == "mps" else (device,)


def full_state(device: torch.device) -> dict[str, Tensor]:
    """State of all generators, PyTorch's and those of NumPy and Python."""
    _, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    version, words, following = random.getstate()
    return {
        **torch_state(device),
        "numpy_keys": torch.from_numpy(np.asarray(keys).astype(np.int64)),
        "numpy_rest": torch.tensor([position, has_gauss, gauss], dtype=torch.float64),
        "python_words": torch.tensor([version, *words], dtype=torch.int64),
        "python_rest": torch.tensor([] if following is None else [following], dtype=torch.float64),
    }


def put_back(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Set the generators to a state of :func:`torch_state` or :func:`full_state`.

    >>> before = full_state(torch.device("cpu"))
    >>> first = torch.rand(1), random.random(), np.random.rand()
    >>> put_back(before, torch.device("cpu"))
    >>> (torch.rand(1), random.random(), np.random.rand()) == first
    True
    """
    torch.set_rng_state(states["cpu"])
    if device.type != "cpu":
        torch.get_device_module(device.type).set_rng_state(states[device.type], *_which(device))
    if "numpy_keys" in states:
        position, has_gauss, gauss = states["numpy_rest"].tolist()
        keys = states["numpy_keys"].numpy().astype(np.uint32)
        np.random.set_state(("MT19937", keys, int(position), int(has_gauss), gauss))
        version, *words = states["python_words"].tolist()
        following = states["python_rest"].tolist()
        random.setstate((version, tuple(words), following[0] if following else None))
