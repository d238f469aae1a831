import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UserError
from engine.graph import Document, parse_document

GOOD = {
    "format": "deepseek.pipeline/1",
    "blocks": {"a": {"type": "x.y"}, "b": {"type": "x.y"}},
    "wires": [["a.o", "b.i"]],
}


def test_a_document_reads_back_as_it_was_written():
    document = parse_document(GOOD)
    assert parse_document(json.dumps(document.to_json())) == document


def test_an_older_format_is_migrated():
    old = {
        "format": "deepseek.pipeline/0",
        "name": "Old",
        "blocks": [{"id": "a", "type": "x.y", "position": [1, 2]}, {"id": "b", "type": "x.y"}],
        "wires": [{"from": "a.o", "to": "b.i"}],
    }
    document = parse_document(old)
    assert document.wires == (("a.o", "b.i"),)
    assert document.layout["positions"] == {"a": [1, 2]}


def test_an_older_format_that_is_broken_says_so():
    with pytest.raises(UserError, match="does not have its shape"):
        parse_document({"format": "deepseek.pipeline/0", "blocks": [], "wires": [{"to": "b.i"}]})


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{", "not JSON: .* line 1"),
        (b"\x80abc", "not UTF-8"),
        ("[]", "JSON object"),
        ("[" * 100_000, "nested too deeply"),
        ({"nodes": [], "links": []}, "not a pipeline of DeepSeek Studio"),
        ({"format": "deepseek.pipeline/2"}, "newer DeepSeek Studio"),
        ({**GOOD, "extra": 1}, "no extra"),
        ({**GOOD, "seed": -1}, "seed"),
        ({**GOOD, "seed": True}, "seed"),
        ({**GOOD, "blocks": []}, "blocks is an object"),
        ({**GOOD, "blocks": {"A": {"type": "x.y"}}, "wires": []}, "not a block id"),
        ({**GOOD, "blocks": {"a": {}}, "wires": []}, "object with a type"),
        ({**GOOD, "blocks": {"a": {"type": "x.y", "oops": 1}}, "wires": []}, "no oops"),
        ({**GOOD, "wires": [["a.o", "c.i"]]}, "names the block c"),
        ({**GOOD, "wires": [["a", "b.i"]]}, "A wire is"),
        ({**GOOD, "layout": {"positions": {"a": ["x", 2]}}}, "position"),
    ],
)
def test_bad_documents_are_refused_with_the_reason(source, words):
    with pytest.raises(UserError, match=words):
        parse_document(source)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda c: (
            st.lists(c, max_size=3)
            | st.dictionaries(
                st.sampled_from(["format", "blocks", "wires", "layout", "seed", "a", "type"]), c, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_read_or_refused_never_a_crash(body):
    if isinstance(body, dict):
        body = {**body, "format": "deepseek.pipeline/1"}
    with contextlib.suppress(UserError):
        assert isinstance(parse_document(body), Document)


def test_the_run_digest_sees_the_order_of_wires_into_one_input_only():
    blocks = {k: {"type": "x.y"} for k in "abc"}
    digest = lambda wires: parse_document({**GOOD, "blocks": blocks, "wires": wires}).run_digest()  # noqa: E731  (used in one line)
    assert digest([["a.o", "c.i"], ["b.o", "c.j"]]) == digest([["b.o", "c.j"], ["a.o", "c.i"]])
    assert digest([["a.o", "c.i"], ["b.o", "c.i"]]) != digest([["b.o", "c.i"], ["a.o", "c.i"]])
