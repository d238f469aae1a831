"""One suite over every block of the catalog: what a block must keep, whoever wrote it.

A block leaves out a check by ``skips={check: reason}`` in its decorator; the reason is shown.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest

from engine.artifacts import ArtifactStore, Ref
from engine.catalog import load_catalog
from engine.errors import CancelledRun, UserError
from engine.events import Event
from engine.run.context import BlockContext, EventWriter
from engine.run.steps import block_seed
from engine.spec import BlockSpec, ExecutionPlan, spec_of
from engine.spec.params import build_params
from engine.testing import sample

CATALOG = load_catalog()
BLOCKS = sorted(CATALOG["blocks"])
EXAMPLES = [(id_, i) for id_ in BLOCKS for i in range(len(CATALOG["blocks"][id_]["examples"]))]
PLAN = ExecutionPlan(threads=1)


def spec_for(id_: str, check: str) -> BlockSpec:
    spec = spec_of(importlib.import_module(CATALOG["blocks"][id_]["module"]))
    assert spec is not None
    if check in spec.skips:
        pytest.skip(spec.skips[check])
    return spec


class Bench:
    """Runs one block on sample inputs."""

    def __init__(self, folder: Path, spec: BlockSpec) -> None:
        self.store = ArtifactStore(folder / "store")
        self.spec = spec
        self.folder = folder
        self.events: list[Event] = []
        self.inputs = self._sample_inputs()

    def _sample_inputs(self) -> dict[str, Any]:
        chosen = {}
        for port in self.spec.inputs:
            ref = sample(port.kind, self.store, block=self.spec.id, port=port.name)
            chosen[port.name] = [ref] if port.many else ref
        return chosen

    def run(self, params: dict[str, Any], name: str = "one", stop: Any = lambda: None) -> dict[str, Ref]:
        with EventWriter(self.events.append) as writer:
            context = BlockContext(
                block_id="block",
                seed=block_seed(0, self.spec.id),
                plan=PLAN,
                document={"format": "deepseek.pipeline/1", "seed": 0, "blocks": {}, "wires": []},
                store=self.store,
                workdir=self.folder / name,
                writer=writer,
                stop=stop,
            )
            made = self.spec.run(build_params(self.spec.params, params, "block"), **self.inputs, ctx=context)
        return {p.name: ref for p in self.spec.outputs if (ref := getattr(made, p.name)) is not None}


@pytest.mark.parametrize("id_", BLOCKS)
def test_defaults_are_valid_and_every_parameter_has_help(id_):
    spec = spec_for(id_, "defaults")
    for name, field in spec.params.model_fields.items():
        assert field.description, f"{id_}.{name} has no help"
        assert field.description.strip()[0].isupper(), f"the help of {id_}.{name} starts with a small letter"
    required = [n for n, f in spec.params.model_fields.items() if f.is_required()]
    if not required:
        spec.params()


@pytest.mark.parametrize("id_", BLOCKS)
def test_the_documentation_has_a_source_and_an_example(id_):
    spec = spec_for(id_, "documentation")
    module = inspect.getmodule(spec.run)
    text = f"{module.__doc__}\n{spec.run.__doc__}"
    assert "Examples" in text or ">>>" in text, f"{id_} has no example"
    assert any(word in text for word in ("Source", "References", "Notes")), f"{id_} names no source"


@pytest.mark.parametrize("id_", BLOCKS)
def test_an_unknown_parameter_is_refused_with_its_name(id_):
    spec = spec_for(id_, "parameters")
    with pytest.raises(UserError) as caught:
        build_params(spec.params, {"no_such_parameter": 1}, "block")
    assert caught.value.field == "no_such_parameter"
    assert caught.value.block == "block"


@pytest.mark.parametrize(("id_", "index"), EXAMPLES)
def test_an_example_runs_twice_to_the_same_digests_and_leaves_its_inputs_alone(id_, index, tmp_path):
    spec = spec_for(id_, "example")
    bench = Bench(tmp_path, spec)
    params = dict(spec.examples[index])
    before = fingerprint(bench.store.root)
    first = bench.run(params, "one")
    assert {k: v for k, v in fingerprint(bench.store.root).items() if k in before} == before
    assert set(first) <= {p.name for p in spec.outputs}
    if "deterministic" in spec.skips:
        return
    second = bench.run(params, "two")
    measured = {p.name for p in spec.outputs if p.measured}
    assert {n: r.digest for n, r in first.items() if n not in measured} == {
        n: r.digest for n, r in second.items() if n not in measured
    }


@pytest.mark.parametrize(("id_", "index"), EXAMPLES)
def test_outputs_have_the_kinds_that_the_catalog_names(id_, index, tmp_path):
    spec = spec_for(id_, "example")
    made = Bench(tmp_path, spec).run(dict(spec.examples[index]))
    kinds = {p["name"]: p["kind"] for p in CATALOG["blocks"][id_]["outputs"]}
    for name, ref in made.items():
        assert kinds[name] in CATALOG["kinds"][ref.kind]
        if ref.kind == "figure":
            # Dropped on the canvas, a figure opens the pipeline that made it.
            assert ref.read_json("figure.json")["provenance"]["document"]["format"].startswith("deepseek.pipeline/")


LONG = [id_ for id_ in BLOCKS if CATALOG["blocks"][id_]["needs"] == "gpu"]


@pytest.mark.parametrize("id_", LONG)
def test_cancel_stops_a_computing_block_within_one_step(id_, tmp_path):
    spec = spec_for(id_, "cancel")
    bench = Bench(tmp_path, spec)
    asked = 0

    def stop() -> CancelledRun | None:
        nonlocal asked
        asked += 1
        return CancelledRun() if asked >= 2 else None

    try:
        bench.run(dict(spec.examples[0]), stop=stop)
    except CancelledRun:
        # Once it was told, it must not have gone on asking (which it would, step by step).
        assert asked == 2
    else:
        assert asked <= 1, f"{id_} went on after it was told to stop"
    assert asked >= 1, f"{id_} never asked whether it should stop"


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }
