"""Write a network as ONNX, and run ONNX.

Called by compression, export and whatever measures a variant. The session's threads are stated, so that a comparison is
one of equals. Needs the packages onnx, onnxscript and onnxruntime.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from engine.errors import UserError

OPSET = 20
TOLERANCE = 1e-3
Translations = Mapping[Any, Callable[..., Any]]


def to_onnx(
    module: nn.Module, example: Tensor, translations: Translations | None = None, *, free_length: bool = False
) -> bytes:
    """A network in evaluation mode as an ONNX file, for any number of examples.

    Parameters
    ----------
    example
        One batch of inputs, of two examples or more: its other sides are fixed.
    translations
        Operators of our own -> how they are written.
    free_length
        True: the second side is free too, as texts of any length need it.

    Raises
    ------
    UserError
        When an operator cannot be written, naming it.

    Examples
    --------
    >>> content = to_onnx(nn.Linear(3, 2), torch.zeros(2, 3))
    >>> Session(content).run(np.zeros((5, 3), dtype=np.float32)).shape
    (5, 2)
    """
    sides = {0: torch.export.Dim("batch", min=1)}
    if free_length:
        sides[1] = torch.export.Dim("length", min=1)
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                module.eval(), (example,), dynamo=True, opset_version=OPSET, dynamic_shapes=(sides,),
                custom_translation_table=dict(translations or {}), verbose=False, optimize=True,
            )  # fmt: skip
    except Exception as error:  # the exporter wraps whatever went wrong in classes of its own
        raise UserError(
            "The network cannot be written as ONNX: {problem}", field="model", problem=_first_line(error)
        ) from error
    assert program is not None
    model = program.model_proto
    store_whole_numbers(model)
    _forget_sources(model)
    content: bytes = model.SerializeToString()
    return content


def store_whole_numbers(model: onnx.ModelProto) -> None:
    """Keep rounded weights as whole numbers: what ``QuantizeLinear`` makes of a constant is computed now.

    The file shrinks by three quarters, and a runtime need not do it at every start.
    """
    graph = model.graph
    constants = {item.name: item for item in graph.initializer}
    for node in list(graph.node):
        if node.op_type != "QuantizeLinear" or any(name not in constants for name in node.input):
            continue
        x, scale, zero = (numpy_helper.to_array(constants[name]) for name in node.input)
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        if scale.ndim == 1:
            shape = [1] * x.ndim
            shape[axis] = -1
            scale, zero = scale.reshape(shape), zero.reshape(shape)
        info = np.iinfo(zero.dtype)
        whole = np.clip(np.rint(x / scale) + zero, info.min, info.max).astype(zero.dtype)
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(whole), node.output[0]))
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input} | {item.name for item in graph.output}
    for name, item in constants.items():
        if name not in used:
            graph.initializer.remove(item)
    onnx.checker.check_model(model)


def _forget_sources(model: onnx.ModelProto) -> None:
    """Leave out where each node came from in Python: paths of this machine, and a fifth of a small file."""
    for part in (
        model,
        model.graph,
        *model.graph.node,
        *model.graph.initializer,
        *model.graph.input,
        *model.graph.output,
    ):
        del part.metadata_props[:]
        part.doc_string = ""
    del model.graph.value_info[:]


class Session:
    """An ONNX file, ready to compute on the CPU.

    Parameters
    ----------
    threads
        0: every core.
    waits
        Whether its threads keep a core busy while they wait for the next call: faster, where nothing else computes.

    Attributes
    ----------
    input_shape, output_shape
        With None for a side that is free, such as the number of examples.
    input_type
        As ONNX names it, such as ``"tensor(float)"``.
    """

    def __init__(self, content: bytes, threads: int = 0, *, waits: bool = True) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(waits)))
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors share no base class
            raise UserError("The ONNX file cannot be opened: {problem}", problem=_first_line(error)) from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1:
            raise UserError("The ONNX file takes {count} inputs, not one", count=len(inputs))
        self._input = inputs[0].name
        self.input_shape: list[int | None] = [n if isinstance(n, int) else None for n in inputs[0].shape]
        self.output_shape: list[int | None] = [n if isinstance(n, int) else None for n in outputs[0].shape]
        self.input_type: str = inputs[0].type

    def run(self, x: np.ndarray) -> np.ndarray:
        """Outputs ``(B, ...)`` of inputs ``(B, ...)``."""
        out: np.ndarray = self._session.run(None, {self._input: x})[0]
        return out


def largest_difference(content: bytes, module: nn.Module, x: Tensor) -> float:
    """How far the file's outputs are from the network's, relative to their largest.

    >>> net = nn.Linear(3, 2)
    >>> largest_difference(to_onnx(net, torch.zeros(2, 3)), net, torch.randn(4, 3)) < TOLERANCE
    True
    """
    with torch.no_grad():
        true = module.eval()(x).float().numpy()
    found = Session(content).run(x.numpy())
    return float(np.abs(found - true).max() / max(1e-12, np.abs(true).max()))


@contextlib.contextmanager
def quiet() -> Any:
    """Without the exporter's remarks on packages that are not needed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _first_line(error: BaseException) -> str:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return (str(cause) or type(cause).__name__).strip().splitlines()[0][:300]
