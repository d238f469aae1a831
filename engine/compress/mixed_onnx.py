"""Keep whole numbers that fit into 4 bits in 4 bits.

Called after a network was written as ONNX. The runtime widens them once, when it opens the file, and then computes as
with 8 bits.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engine.compress.int4_onnx import OPSET

LEAST_NUMBERS = 256
"""Fewer would not pay for the operator that widens them."""


def narrow(content: bytes) -> bytes:
    """The same file with weights of -8 to 7 in 4 bits.

    Parameters
    ----------
    content
        With weights of 8 bits that are read by ``DequantizeLinear``.
    """
    model = onnx.load_from_string(content)
    graph = model.graph
    read = {node.input[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    widened = []
    for item in list(graph.initializer):
        if item.name not in read or item.data_type != TensorProto.INT8:
            continue
        values = numpy_helper.to_array(item)
        if values.size < LEAST_NUMBERS or values.min() < -8 or values.max() > 7:
            continue
        held = f"{item.name}.narrow"
        graph.initializer.remove(item)
        graph.initializer.append(
            helper.make_tensor(held, TensorProto.INT4, values.shape, values.flatten().astype(np.int8))
        )
        widened.append(helper.make_node("Cast", [held], [item.name], name=f"{item.name}.wide", to=TensorProto.INT8))
    if not widened:
        return content
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*widened, *nodes])
    for one in model.opset_import:
        if one.domain == "":
            one.version = max(one.version, OPSET)
    model.ir_version = max(model.ir_version, 10)
    written: bytes = model.SerializeToString()
    return written
