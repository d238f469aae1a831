"""Gates on metrics."""

import math

import pytest

from deepseek.cli import gate
from deepseek.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value", "passes"),
    [
        ("evaluate.accuracy>=0.9", 0.9, True),
        ("evaluate.accuracy >= 0.9", 0.89, False),
        ("evaluate.loss<0.5", 0.4, True),
        ("evaluate.loss<=5e-1", 0.6, False),
        ("evaluate.accuracy==1", 1.0, True),
        ("evaluate.accuracy!=1", 1.0, False),
        ("evaluate.accuracy>=0.9", math.nan, False),
        ("evaluate.accuracy!=0.9", math.nan, False),
    ],
)
def test_a_gate_compares_the_metric_with_its_bound(text, value, passes):
    parsed = gate.parse(text)
    assert parsed.passes({parsed.address: value}) is passes


@pytest.mark.parametrize("text", ["", "accuracy>=0.9", "evaluate.accuracy", "evaluate.accuracy>=high", "a.b=>1"])
def test_what_is_no_gate_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match=r"evaluate\.accuracy>=0\.9"):
        gate.parse(text)


def test_a_metric_that_the_run_does_not_have_fails_the_gate_and_is_named():
    parsed = gate.parse("evaluate.acuracy>=0.9")
    assert not parsed.passes({"evaluate.accuracy": 1.0})
    assert "did you mean evaluate.accuracy?" in parsed.explain({"evaluate.accuracy": 1.0})


def test_a_gate_on_a_block_that_does_not_exist_is_refused_before_the_run():
    with pytest.raises(UsageError, match="Did you mean 'evaluate'"):
        gate.check_blocks([gate.parse("evalute.accuracy>=0.9")], ["data", "evaluate"])
