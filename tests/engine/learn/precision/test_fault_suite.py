"""The fault suite at small size: a few seeds of each kind; the benchmark runs twenty, beside Lightning."""

import pytest

from benchmarks.faults import KINDS, STEPS, data, draw, recovered
from benchmarks.precision import run_fault


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_training_recovers_from_a_drawn_fault(kind, seed):
    fault = draw(kind, seed)
    clean, alarms = run_fault(fault, clean=True)
    outcome, said = run_fault(fault, clean=False)
    assert recovered(fault, outcome, clean), (fault, outcome, clean, said)
    assert alarms == []


def test_a_fault_hits_the_steps_that_its_seed_says_and_no_other():
    fault = draw("nan", 7)
    clean, hit = data(fault, clean=True)[0], data(fault, clean=False)[0]
    changed = {int(row) // 32 for row in (~(clean == hit).all(1)).nonzero()}
    assert changed == {step for step in range(STEPS) if fault.hits(step)}


def test_a_training_that_stood_still_has_not_recovered_from_tiny_updates():
    fault = draw("tiny", 0)
    clean, _ = run_fault(fault, clean=True)
    still = type(clean)(clean.before, clean.before, clean.accuracy)
    assert recovered(fault, clean, clean)
    assert not recovered(fault, still, clean)
