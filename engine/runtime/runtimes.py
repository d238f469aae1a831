"""What can compute a model on this machine, and which of it is fastest: measured, in turns, with equal threads.

Called by the search, the benchmark and whatever packs a model. A runtime that answers otherwise than the model is left
out, and one that is not installed is not named. OpenVINO is optional; it reads the same ONNX files.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.compute.backends import backend_of
from engine.errors import UserError
from engine.runtime.filemodules import OnnxModule, OpenVinoModule
from engine.runtime.measure import Latency, compare
from engine.runtime.verify import LEAST_AGREEMENT, agreement

RUNTIMES = ("eager", "channels_last", "compiled", "onnxruntime", "openvino")
READ_FILES = ("onnxruntime", "openvino")
QUICK = ("eager", "channels_last", "onnxruntime", "openvino")
"""Those that are ready within a second or two: compiling takes half a minute first."""
Call = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Timed:
    """One way to compute a model.

    Attributes
    ----------
    call
        Inputs (B, ...) on the CPU to outputs.
    latency
        Of one example.
    """

    name: str
    call: Call
    latency: Latency


def installed() -> list[str]:
    """The runtimes that this machine has, of :data:`RUNTIMES`.

    >>> "eager" in installed()
    True
    """
    backend = backend_of("cpu")
    has = {
        "eager": True,
        "channels_last": True,
        "compiled": backend is not None and backend.can_compile(),
        "onnxruntime": importlib.util.find_spec("onnxruntime") is not None,
        "openvino": importlib.util.find_spec("openvino") is not None,
    }
    return [name for name in RUNTIMES if has[name]]


def open_runtime(name: str, *, module: nn.Module | None = None, content: bytes | None = None, threads: int = 0) -> Call:
    """A model, ready to be asked.

    Parameters
    ----------
    name
        Of :data:`RUNTIMES`.
    module
        The network, for those that compute with PyTorch; in evaluation mode afterwards.
    content
        The ONNX file, for those that read one.
    threads
        Of a runtime that reads files; 0: every core. PyTorch has the threads that it was given.

    Raises
    ------
    UserError
        When the runtime is not installed, or cannot open the file.
    """
    if name not in installed():
        raise UserError("The runtime {runtime} is not installed here", field="runtime", runtime=name)
    if name in READ_FILES:
        if content is None:
            raise ValueError(f"{name} needs an ONNX file")
        return OnnxModule(content, threads) if name == "onnxruntime" else OpenVinoModule(content, threads)
    if module is None:
        raise ValueError(f"{name} needs the network")
    module.eval()
    if name == "compiled":
        return _without_gradients(torch.compile(module))
    if name == "channels_last":
        return lambda x: _without_gradients(module)(x.contiguous(memory_format=torch.channels_last))
    return _without_gradients(module)


def ways(x: Tensor, *, module: nn.Module | None, content: bytes | None, names: Collection[str]) -> list[str]:
    """Those of ``names`` that are here and fit the model."""
    fitting = []
    for name in installed():
        has_form = content is not None if name in READ_FILES else module is not None
        if name in names and has_form and (name != "channels_last" or x.ndim == 4):
            fitting.append(name)
    return fitting


def measured(
    x: Tensor,
    *,
    module: nn.Module | None = None,
    content: bytes | None = None,
    names: Collection[str] = QUICK,
    threads: int = 0,
    budget_s: float = 1.5,
    check: Callable[[], None] = lambda: None,
) -> list[Timed]:
    """Every runtime that computes the model here, fastest first.

    Parameters
    ----------
    x
        Held-out inputs (B, ...) on the CPU: all of them are compared, the first one is timed.
    budget_s
        Time to measure in, for all together.

    Raises
    ------
    UserError
        When nothing here can compute it.

    Examples
    --------
    >>> found = measured(torch.randn(4, 3), module=nn.Linear(3, 2), names=("eager",), budget_s=0.01)
    >>> [way.name for way in found]
    ['eager']
    """
    calls: dict[str, Call] = {}
    expected: Tensor | None = None
    for name in ways(x, module=module, content=content, names=names):
        check()
        call = open_runtime(name, module=module, content=content, threads=threads)
        found = call(x)
        expected = found if expected is None else expected
        if agreement(expected, found) >= LEAST_AGREEMENT:
            calls[name] = call
    if not calls:
        raise UserError("Nothing on this machine can compute the model", field="model")
    one = x[:1]
    times = compare({name: _asking(call, one) for name, call in calls.items()}, budget_s, check)
    return sorted((Timed(name, calls[name], times[name]) for name in calls), key=lambda way: way.latency.p50_ms)


@contextmanager
def pytorch_threads(count: int) -> Iterator[None]:
    """PyTorch computes with so many threads, as a runtime does that it is timed beside.

    >>> with pytorch_threads(1):
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _asking(call: Call, one: Tensor) -> Callable[[], object]:
    return lambda: call(one)


def _without_gradients(module: Callable[[Tensor], Tensor]) -> Call:
    def call(x: Tensor) -> Tensor:
        with torch.inference_mode():
            return module(x)

    return call
