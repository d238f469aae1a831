"""How a block is declared: parameters, ports, context. Imported by every block file; knows no block."""

from engine.spec.block import BlockSpec, Measured, block, spec_of
from engine.spec.context import Choice, ExecutionPlan, RunContext
from engine.spec.figures import put_figure
from engine.spec.params import BlockParams, param

__all__ = [
    "BlockParams",
    "BlockSpec",
    "Choice",
    "ExecutionPlan",
    "Measured",
    "RunContext",
    "block",
    "param",
    "put_figure",
    "spec_of",
]
