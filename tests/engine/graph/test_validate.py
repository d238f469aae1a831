import pytest

from engine.graph import validate
from engine.graph.topology import cycle_in, order
from tests.engine.toy import CATALOG, chain, document


def messages(doc, severity="error"):
    return [p.message for p in validate(doc, CATALOG) if p.severity == severity]


def test_a_good_pipeline_has_no_problems():
    assert validate(chain(), CATALOG) == []


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"value": 11}, "Value must be at most 10, not 11"),
        ({"value": -1}, "Value must be at least 0, not -1"),
        ({"value": "x"}, "Value must be of type number, not 'x'"),
        ({"mode": "odd"}, "Mode must be one of plain, fancy, not 'odd'"),
        ({"nothing": 1}, "The block data.source has no parameter nothing"),
    ],
)
def test_a_parameter_out_of_range_is_told_at_its_field(params, message):
    problems = validate(document({"data": {"type": "data.source", "params": params}}), CATALOG)
    assert [p.message for p in problems] == [message]
    assert problems[0].block == "data"
    assert problems[0].field == next(iter(params))


def test_a_missing_wire_is_told_at_its_input():
    doc = document({"add": {"type": "train.add"}})
    assert messages(doc) == ["The input dataset is not connected"]


def test_a_wire_of_the_wrong_kind_is_told_with_both_kinds():
    doc = document({"d": {"type": "data.source"}, "r": {"type": "evaluate.read"}}, [["d.dataset", "r.metrics"]])
    assert messages(doc) == ["d.dataset gives table, but r.metrics takes metrics"]


def test_a_cycle_is_shown_with_its_path():
    doc = document(
        {"a": {"type": "train.add"}, "b": {"type": "train.add"}},
        [["a.dataset", "b.dataset"], ["b.dataset", "a.dataset"]],
    )
    assert any(m.startswith("These blocks form a circle: ") for m in messages(doc))


def test_an_unknown_block_is_an_error_of_that_block_only():
    doc = document({"a": {"type": "x.y"}, "data": {"type": "data.source"}})
    assert [(p.block, p.severity) for p in validate(doc, CATALOG)] == [("a", "error")]


def test_a_bypassed_block_without_anything_to_pass_on_is_an_error():
    doc = document(
        {"s": {"type": "data.source", "bypass": True}, "add": {"type": "train.add"}}, [["s.dataset", "add.dataset"]]
    )
    assert messages(doc) == ["Bypassed, it has nothing to pass on to its output dataset"]


def test_a_forgotten_block_is_information():
    doc = chain()
    doc = document({**doc.to_json()["blocks"], "left": {"type": "data.source"}}, [list(w) for w in doc.wires])
    assert messages(doc, "info") == ["Nothing is connected to this block"]


def test_order_keeps_ties_and_a_cycle_has_a_path():
    assert order("cba", []) == ["c", "b", "a"]
    edges = [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")]
    found = cycle_in("abcd", edges)
    assert found is not None
    assert set(zip(found, found[1:] + found[:1], strict=True)) <= set(edges)
    assert cycle_in("ab", [("a", "b")]) is None
