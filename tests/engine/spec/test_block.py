from typing import NamedTuple

import pytest

from engine.artifacts import DatasetRef, MetricsRef, ModelRef
from engine.errors import UserError
from engine.spec import BlockParams, Measured, RunContext, block, param
from engine.spec.params import build_params


class Params(BlockParams):
    ratio: float = param(0.3, ge=0, lt=1, unit="s", help="Share")


class Outputs(NamedTuple):
    model: ModelRef
    report: Measured[MetricsRef]
    extra: MetricsRef | None


def test_ports_and_parameters_are_read_off_the_function():
    @block("compress.prune", title="Prune", needs="gpu")
    def run(
        params: Params, *, model: ModelRef, data: DatasetRef | None = None, more: list[DatasetRef], ctx: RunContext
    ) -> Outputs: ...

    spec = run.__block_spec__
    assert [(p.name, p.kind, p.optional, p.many) for p in spec.inputs] == [
        ("model", "model", False, False),
        ("data", "dataset", True, False),
        ("more", "dataset", False, True),
    ]
    assert [(p.name, p.kind, p.measured) for p in spec.outputs] == [
        ("model", "model", False),
        ("report", "metrics", True),
        ("extra", "metrics", False),
    ]
    assert spec.category == "compress"
    assert spec.params.model_json_schema()["properties"]["ratio"]["unit"] == "s"


def test_a_declaration_that_is_wrong_fails_at_import():
    with pytest.raises(ValueError, match="category.name"):
        block("Prune", title="x")
    with pytest.raises(TypeError, match="not a Ref"):

        @block("a.b", title="x")
        def run(params: Params, *, model: int, ctx: RunContext) -> Outputs: ...

    with pytest.raises(TypeError, match="keyword-only"):

        @block("a.b", title="x")
        def other(params: Params, model: ModelRef, *, ctx: RunContext) -> Outputs: ...


def test_a_bad_value_names_block_and_field():
    with pytest.raises(UserError) as caught:
        build_params(Params, {"ratio": 2}, "prune")
    assert (caught.value.block, caught.value.field) == ("prune", "ratio")
