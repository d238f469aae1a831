"""Write weights in groups as the operators that runtimes have kernels for.

Called after a network was written as ONNX. A product becomes ``MatMulNBits`` and a table ``GatherBlockQuantized``, both
of ONNX Runtime; whatever else reads such a weight gets it through the standard ``DequantizeLinear`` in blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engine.compress.int4_groups import DOMAIN, OPERATOR

RUNTIME_DOMAIN = "com.microsoft"
OPSET = 21
"""The first with blocks and with 4 bits."""
WHOLE_NUMBERS = 4
"""Accuracy level of the products: inputs are rounded to 8 bits, block by block, while they are read."""
Array = NDArray[Any]


def write_groups(content: bytes, *, level: int = WHOLE_NUMBERS) -> bytes:
    """The same file with every weight in groups packed, and read by operators of the runtime.

    Parameters
    ----------
    content
        As :func:`engine.runtime.onnx_export.to_onnx` makes it of a network with such weights.
    level
        Of the products: 0 computes in float32, 4 in whole numbers.
    """
    model = onnx.load_from_string(content)
    grouped = [node for node in model.graph.node if node.domain == DOMAIN and node.op_type == OPERATOR]
    if not grouped:
        return content
    writer = _Writer(model, level)
    for node in grouped:
        writer.replace(node)
    writer.finish()
    written: bytes = model.SerializeToString()
    return written


class _Writer:
    """Rewrites one graph."""

    def __init__(self, model: onnx.ModelProto, level: int) -> None:
        self.model, self.graph, self.level = model, model.graph, level
        self.constants = {item.name: item for item in model.graph.initializer}
        self.added: dict[str, onnx.TensorProto] = {}
        self.places: dict[int, list[onnx.NodeProto]] = {}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in model.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.needs_blocks = False

    def replace(self, node: onnx.NodeProto) -> None:
        """Give everything that reads one weight its own operator."""
        bits, group = (int(self._attribute(node, name)) for name in ("bits", "group"))
        codes, scale, zero = (numpy_helper.to_array(self.constants[name]) for name in node.input)
        weight = _Weight(codes, scale, zero, bits, group)
        name = node.input[0]
        left = False
        for reader in list(self.readers.get(node.output[0], [])):
            if (
                reader.op_type == "Gather"
                and self._attribute(reader, "axis") == 0
                and reader.input[0] == node.output[0]
            ):
                self._gather(reader, name, weight)
            elif reader.op_type == "Transpose":
                left |= not self._products(reader, name, weight)
            elif self._is_product(reader, node.output[0]):
                self._product(reader, name, weight)
            else:
                left = True
        if left:
            self._in_blocks(node, name, weight)

    def finish(self) -> None:
        """Put what was made in its place, and drop what nothing reads."""
        nodes: list[onnx.NodeProto] = []
        for node in self.graph.node:
            nodes += self.places.get(id(node), [node])
        needed = {item.name for item in self.graph.output}
        kept: list[onnx.NodeProto] = []
        for node in reversed(nodes):
            if any(name in needed for name in node.output):
                needed.update(node.input)
                kept.append(node)
        constants = [item for item in [*self.graph.initializer, *self.added.values()] if item.name in needed]
        fresh = [_copied(node) for node in reversed(kept)]
        held = [_copied_tensor(item) for item in constants]
        del self.graph.node[:]
        del self.graph.initializer[:]
        self.graph.node.extend(fresh)
        self.graph.initializer.extend(held)
        imports = {item.domain: item.version for item in self.model.opset_import}
        imports.pop(DOMAIN, None)
        imports[RUNTIME_DOMAIN] = 1
        if self.needs_blocks:
            imports[""] = max(imports.get("", 0), OPSET)
            self.model.ir_version = max(self.model.ir_version, 10)
        del self.model.opset_import[:]
        self.model.opset_import.extend(helper.make_opsetid(*item) for item in imports.items())

    def _is_product(self, node: onnx.NodeProto, weight: str) -> bool:
        """True for ``Gemm`` that turns the weight itself."""
        if node.op_type != "Gemm" or len(node.input) < 2 or node.input[1] != weight:
            return False
        told = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        plain = told.get("alpha", 1.0) == told.get("beta", 1.0) == 1.0 and not told.get("transA", 0)
        return plain and bool(told.get("transB", 0))

    def _products(self, turned: onnx.NodeProto, name: str, weight: _Weight) -> bool:
        """Replace the products with a turned weight; False when something else reads it too."""
        if self._attribute(turned, "perm") != [1, 0]:
            return False
        all_done = True
        for reader in self.readers.get(turned.output[0], []):
            if reader.op_type == "MatMul" and reader.input[1] == turned.output[0]:
                self._product(reader, name, weight)
            else:
                all_done = False
        return all_done

    def _product(self, node: onnx.NodeProto, name: str, weight: _Weight) -> None:
        inputs = [node.input[0], self._constant(f"{name}.blocks", weight.blocks)]
        inputs += [self._constant(f"{name}.scales", weight.scale), self._constant(f"{name}.zeros", weight.zeros)]
        output, made_by = node.output[0], node
        if node.op_type == "Gemm":
            inputs += ["", node.input[2]] if len(node.input) > 2 and node.input[2] else []
        else:
            users = self.readers.get(output, [])
            bias = self._bias(users[0], output, weight.rows) if len(users) == 1 else None
            if bias is not None:
                inputs += ["", bias]
                self.places[id(node)] = []
                made_by, output = users[0], users[0].output[0]
        product = helper.make_node(
            "MatMulNBits", inputs, [output], name=f"{node.name}_bits", domain=RUNTIME_DOMAIN, K=weight.columns,
            N=weight.rows, bits=weight.bits, block_size=weight.group, accuracy_level=self.level,
        )  # fmt: skip
        self.places[id(made_by)] = [product]

    def _bias(self, node: onnx.NodeProto, product: str, rows: int) -> str | None:
        """The bias that a sum adds to a product, if it is one."""
        if node.op_type != "Add":
            return None
        other = next((name for name in node.input if name != product), "")
        item = self.constants.get(other)
        return other if item is not None and list(item.dims) == [rows] else None

    def _gather(self, node: onnx.NodeProto, name: str, weight: _Weight) -> None:
        blocks = f"{name}.blocks"
        flat = f"{name}.rows"
        shape = self._constant(f"{name}.shape", np.array([weight.rows, -1], dtype=np.int64))
        self._constant(blocks, weight.blocks)
        is_whole = weight.columns % weight.group == 0
        gathered = node.output[0] if is_whole else f"{node.output[0]}_wide"
        made = [
            helper.make_node("Reshape", [blocks, shape], [f"{flat}_{node.output[0]}"], name=f"{node.name}_rows"),
            helper.make_node(
                "GatherBlockQuantized",
                [
                    f"{flat}_{node.output[0]}",
                    node.input[1],
                    self._constant(f"{name}.scales", weight.scale),
                    self._constant(f"{name}.zeros", weight.zeros),
                ],
                [gathered],
                name=f"{node.name}_bits",
                domain=RUNTIME_DOMAIN,
                bits=weight.bits,
                block_size=weight.group,
                gather_axis=0,
                quantize_axis=1,
            ),
        ]
        if not is_whole:  # the last group of a row was filled up
            ends = [
                self._constant(f"{name}.{part}", np.array([value], dtype=np.int64))
                for part, value in (("from", 0), ("to", weight.columns), ("along", -1))
            ]
            made.append(helper.make_node("Slice", [gathered, *ends], [node.output[0]], name=f"{node.name}_columns"))
        self.places[id(node)] = made

    def _in_blocks(self, node: onnx.NodeProto, name: str, weight: _Weight) -> None:
        self.needs_blocks = True
        kind = TensorProto.UINT4 if weight.bits == 4 else TensorProto.UINT8
        inputs = []
        for part, values in (("codes", weight.codes), ("codes_zero", weight.zero)):
            held = f"{name}.{part}"
            if held not in self.added:
                self.added[held] = helper.make_tensor(held, kind, values.shape, values.flatten().astype(np.uint8))
            inputs.append(held)
        inputs.insert(1, self._constant(f"{name}.scales", weight.scale))
        self.places[id(node)] = [
            helper.make_node(
                "DequantizeLinear",
                inputs,
                [node.output[0]],
                name=f"{node.name}_blocks",
                axis=1,
                block_size=weight.group,
            )
        ]

    def _constant(self, name: str, values: Array) -> str:
        if name not in self.added:
            self.added[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    @staticmethod
    def _attribute(node: onnx.NodeProto, name: str) -> Any:
        return next((helper.get_attribute_value(one) for one in node.attribute if one.name == name), 0)


class _Weight:
    """A weight in groups in the forms that operators take."""

    def __init__(self, codes: Array, scale: Array, zero: Array, bits: int, group: int) -> None:
        self.codes, self.scale, self.zero, self.bits, self.group = codes, scale, zero, bits, group
        self.rows, self.columns = codes.shape

    @property
    def blocks(self) -> Array:
        """uint8 (N, G, group * bits / 8): the earlier of two numbers in the lower half of a byte."""
        groups = self.scale.shape[1]
        padded = np.pad(self.codes, ((0, 0), (0, groups * self.group - self.columns)))
        return _packed(padded, self.bits).reshape(self.rows, groups, -1)

    @property
    def zeros(self) -> Array:
        """uint8 (N, bytes): packed row by row."""
        return _packed(np.pad(self.zero, ((0, 0), (0, self.zero.shape[1] % 2))), self.bits)[
            :, : (self.zero.shape[1] * self.bits + 7) // 8
        ]


def _packed(values: Array, bits: int) -> Array:
    """uint8 (N, M) as bytes; of 4 bits two to a byte."""
    if bits == 8:
        return values
    low, high = values[:, 0::2], values[:, 1::2]
    packed: Array = (low | (high << 4)).astype(np.uint8)
    return packed


def _copied(node: onnx.NodeProto) -> onnx.NodeProto:
    fresh = onnx.NodeProto()
    fresh.CopyFrom(node)
    return fresh


def _copied_tensor(item: onnx.TensorProto) -> onnx.TensorProto:
    fresh = onnx.TensorProto()
    fresh.CopyFrom(item)
    return fresh
