"""Killed again and again at random moments, a training ends with the weights of one that nobody touched, bit by bit."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.engine.learn import killed

SEED = int(os.environ.get("DEEPSEEK_KILL_SEED", "0"))


@pytest.fixture(scope="module")
def context():
    root = str(Path(__file__).parents[3])
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["tests.engine.learn.killed"])  # torch is imported once for all children
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])]))
        yield found


def finished(context, folder, pause_s=0.0):
    child = context.Process(target=killed.learn, args=(str(folder), pause_s))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    return (folder / "digest.txt").read_text()


@pytest.fixture(scope="module")
def untouched(context, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return finished(context, folder), (folder / "precision.txt").read_text()


def steps_said(folder):
    said = folder / "steps.txt"
    return len(said.read_text()) if said.exists() else 0


def kill_at(context, folder, steps, delay_s):
    """Start it, and kill it a moment after so many more cancel checks."""
    before = steps_said(folder)
    child = context.Process(target=killed.learn, args=(str(folder), 0.004))
    child.start()
    deadline = time.monotonic() + 60
    while steps_said(folder) - before < steps and child.is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.001)
    time.sleep(delay_s)
    if child.is_alive():
        os.kill(child.pid, signal.SIGKILL)
    child.join()
    return child.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("chain", range(3))
def test_the_weights_are_those_of_a_run_that_nobody_touched(context, untouched, tmp_path, chain):
    draw = random.Random(SEED * 100 + chain)
    folder = tmp_path / "run"
    folder.mkdir()
    kills = sum(kill_at(context, folder, draw.randrange(1, 21), draw.random() * 0.02) for _ in range(4))
    assert kills >= 2
    assert not (folder / "digest.txt").exists()
    assert finished(context, folder) == untouched[0]
    assert "Going on from step" in (folder / "lines.txt").read_text()


def test_the_training_that_is_killed_has_everything_that_has_a_state(untouched):
    assert killed.PLAN.precision == "adaptive"
    assert "bf16" in untouched[1]


def test_a_truncated_checkpoint_is_passed_over_and_the_weights_are_the_same(context, untouched, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    assert kill_at(context, folder, 45, 0.0)
    newest = max((folder / "checkpoints").glob("step-*"))
    tensors = newest / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-100])
    assert finished(context, folder) == untouched[0]
    assert f"The checkpoint {newest.name} is damaged" in (folder / "lines.txt").read_text()
