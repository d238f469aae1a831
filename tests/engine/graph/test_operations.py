import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UserError
from engine.graph import apply_operations, validate
from tests.engine.toy import CATALOG, chain, document


def edit(doc, *operations):
    return apply_operations(doc, operations, CATALOG)


def test_a_pipeline_is_built_by_operations():
    doc = edit(
        document({}),
        {"op": "add_block", "id": "data", "type": "data.source", "position": [10, 20]},
        {"op": "add_block", "id": "add", "type": "train.add", "params": {"amount": 2}},
        {"op": "connect", "from": "data.dataset", "to": "add.dataset"},
        {"op": "set_param", "id": "add", "name": "amount", "value": 3},
        {"op": "rename", "id": "add", "label": "Plus"},
        {"op": "set_name", "name": "Mine"},
        {"op": "set_note", "id": "n1", "text": "hello", "position": [0, 0]},
    )
    assert validate(doc, CATALOG) == []
    assert doc.blocks["add"].params == {"amount": 3}
    assert doc.layout["positions"] == {"data": [10, 20]}
    assert doc.layout["notes"][0]["text"] == "hello"


def test_removing_a_block_removes_its_wires():
    assert edit(chain(), {"op": "remove_block", "id": "add"}).wires == ()


def test_connecting_replaces_the_wire_of_a_single_input_and_adds_to_a_list():
    doc = edit(chain(), {"op": "add_block", "id": "other", "type": "data.source"})
    doc = edit(doc, {"op": "connect", "from": "other.dataset", "to": "add.dataset"})
    assert [w.source for w in doc.wires_into("add", "dataset")] == ["other.dataset"]
    for source in ("data.dataset", "other.dataset"):
        doc = edit(doc, {"op": "connect", "from": source, "to": "add.more"})
    assert len(doc.wires_into("add", "more")) == 2


def test_a_renamed_id_keeps_wires_and_position():
    doc = edit(chain(), {"op": "move", "positions": {"add": [1, 2]}}, {"op": "rename_id", "id": "add", "new_id": "sum"})
    assert list(doc.blocks) == ["data", "sum", "read"]
    assert {w.target for w in doc.wires} == {"sum.dataset", "read.metrics"}
    assert doc.layout["positions"] == {"sum": [1, 2]}


def test_reset_returns_to_the_default():
    assert edit(chain(amount=4), {"op": "reset_param", "id": "add", "name": "amount"}).blocks["add"].params == {}


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ({"op": "explode"}, "no operation explode"),
        ({"op": "add_block", "id": "add", "type": "train.add"}, "already a block add"),
        ({"op": "add_block", "id": "x", "type": "train.ad"}, "no block train.ad"),
        ({"op": "add_block", "id": "x", "type": "train.add", "params": {"amont": 1}}, "no parameter amont"),
        ({"op": "remove_block", "id": "x"}, "no block x"),
        ({"op": "set_param", "id": "add", "name": "amount"}, "needs value"),
        ({"op": "connect", "from": "data.nothing", "to": "add.dataset"}, "no output nothing"),
        ({"op": "connect", "from": "data.dataset", "to": "add.nothing"}, "no input nothing"),
        ({"op": "connect", "from": "add.metrics", "to": "add.dataset"}, "takes dataset"),
        ({"op": "connect", "from": "add.dataset", "to": "add.more"}, "close a circle"),
        ({"op": "bypass", "id": "add", "value": 1}, "true or false"),
        ({"op": "rename_id", "id": "add", "new_id": "Bad Id"}, "not a block id"),
        ({"op": "move", "positions": {"add": [1]}}, "position"),
        ({"op": "set_seed", "seed": "x"}, "seed"),
    ],
)
def test_an_operation_that_does_not_apply_says_why_and_changes_nothing(operation, words):
    doc = chain()
    before = doc.to_json()
    with pytest.raises(UserError, match=words):
        edit(doc, {"op": "set_seed", "seed": 3}, operation)
    assert doc.to_json() == before


def test_a_misspelt_block_type_gets_a_suggestion():
    with pytest.raises(UserError) as caught:
        edit(chain(), {"op": "add_block", "id": "x", "type": "train.ad"})
    assert caught.value.hint == "Did you mean train.add?"


OPERATIONS = st.one_of(
    st.builds(
        lambda i, t: {"op": "add_block", "id": i, "type": t},
        st.sampled_from("abc"),
        st.sampled_from(list(CATALOG["blocks"])),
    ),
    st.builds(lambda i: {"op": "remove_block", "id": i}, st.sampled_from("abc")),
    st.builds(
        lambda a, b, p: {"op": "connect", "from": f"{a}.dataset", "to": f"{b}.{p}"},
        st.sampled_from("abc"),
        st.sampled_from("abc"),
        st.sampled_from(["dataset", "more", "metrics"]),
    ),
    st.builds(lambda a, b: {"op": "rename_id", "id": a, "new_id": b}, st.sampled_from("abc"), st.sampled_from("abcd")),
    st.builds(lambda i, v: {"op": "bypass", "id": i, "value": v}, st.sampled_from("abc"), st.booleans()),
)


@given(st.lists(OPERATIONS, max_size=25))
def test_no_sequence_of_operations_makes_a_broken_document(operations):
    doc = document({})
    for operation in operations:
        try:
            doc = edit(doc, operation)
        except UserError:
            continue
        assert document(doc.to_json()["blocks"], doc.to_json()["wires"]).run_digest() == doc.run_digest()
    assert not [p for p in validate(doc, CATALOG) if "circle" in p.template or "takes one wire" in p.template]
