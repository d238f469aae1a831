import pytest

from engine.errors import UserError
from engine.run.cache import Hit, LocalCache
from engine.run.preview import preview_run
from engine.run.steps import block_seed, canonical_params, plan_steps, why_it_runs
from engine.spec import ExecutionPlan
from tests.engine.toy import CATALOG, Bench, chain


def test_steps_come_in_an_order_that_wires_allow():
    assert [s.id for s in plan_steps(chain(), CATALOG)] == ["data", "add", "read"]


def test_an_unknown_target_is_named():
    with pytest.raises(UserError, match="nowhere"):
        plan_steps(chain(), CATALOG, ["nowhere"])


def test_optional_numbers_are_canonical_too():
    schema = {"properties": {"x": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None}}}
    assert repr(canonical_params({"x": 2}, schema)) == "{'x': 2.0}"
    assert canonical_params({}, schema) == {"x": None}


def test_block_seeds_differ_by_type_and_by_seed():
    assert len({block_seed(0, "a.b"), block_seed(1, "a.b"), block_seed(0, "a.c")}) == 3


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (None, {}, "first_run"),
        ({"code": "a"}, {"code": "b"}, "code_changed"),
        ({"params": {"a": 1}}, {"params": {"a": 2}}, "params_changed"),
        ({"plan": {"threads": 1}}, {"plan": {"threads": 2}}, "plan_changed"),
        ({"files": {"path": "a"}}, {"files": {"path": "b"}}, "files_changed"),
        ({"seed": 0}, {"seed": 1}, "seed_changed"),
        ({"inputs": {"x": ["a"]}}, {"inputs": {"x": ["b"]}}, "input_changed"),
        ({"seed": 0}, {"seed": 0}, "evicted"),
    ],
)
def test_every_miss_has_its_reason(old, new, code):
    assert why_it_runs(new, old)["code"] == code


def test_the_history_that_explains_a_miss_is_kept_by_scope(tmp_path):
    one, two = LocalCache(tmp_path, "one"), LocalCache(tmp_path, "two")
    one.remember("b", "k1", {"params": {"a": 1}}, Hit({}, {}))
    assert one.lookup("b", "k2", {}).previous == {"params": {"a": 1}}
    assert two.lookup("b", "k2", {}).previous is None
    assert two.lookup("b", "k1", {}).hit == Hit({}, {})


def test_a_preview_says_what_would_run_and_why(tmp_path):
    bench = Bench(tmp_path)
    plan = ExecutionPlan(threads=1)
    kind_of = lambda digest: bench.store.open(digest).kind  # noqa: E731  (used in one line)
    before = preview_run(chain(), catalog=CATALOG, cache=bench.cache, plan=plan, kind_of=kind_of)
    assert [s["state"] for s in before.values()] == ["will_run", "unknown", "unknown"]
    bench.run(chain())
    after = preview_run(chain(amount=9), catalog=CATALOG, cache=bench.cache, plan=plan, kind_of=kind_of)
    assert {k: s["state"] for k, s in after.items()} == {"data": "cached", "add": "will_run", "read": "unknown"}
    assert after["add"]["reason"]["message"] == "amount 1 -> 9"
