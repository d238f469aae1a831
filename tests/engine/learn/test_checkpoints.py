"""Checkpoints: whatever the moment of a crash, training goes on and ends with the same weights."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import torch
from safetensors.torch import save

from engine.compute import applied
from engine.errors import CancelledRun, InterruptedRun
from engine.learn import TrainingData, TrainingOptions, train
from engine.learn.checkpoints.checkpoint import Checkpoint, CheckpointFolder
from engine.learn.data.augment import make_augmentation
from engine.models import build
from engine.runtime.examples import Examples
from engine.runtime.images import affine
from engine.spec import ExecutionPlan
from tests.engine.contexts import Recorder

OPTIONS = TrainingOptions(epochs=3, batch_size=8, learning_rate=0.01, patience=2)


def train_once(folder, every=2, stop=None, options=OPTIONS, identity=None):
    """A network with batch normalisation, dropout and augmentation: everything that has a state."""
    ctx = Recorder(folder, stop=stop)
    generator = torch.Generator().manual_seed(5)
    targets = torch.arange(40) % 3
    pixels = torch.randint(0, 90, (40, 1, 8, 8), generator=generator, dtype=torch.uint8)
    pixels[torch.arange(40), 0, :, 3 * targets] += 120
    factor, summand = affine([{"op": "scale", "by": 255.0}], 1)
    augment = make_augmentation([{"op": "crop", "padding": 1}, {"op": "brightness"}])
    data = TrainingData(Examples(pixels, factor, summand), targets, augment)
    with applied(ExecutionPlan(threads=1), seed=3):
        module = build("convnet", {"num_classes": 3, "in_channels": 1, "widths": [4, 6], "dropout": 0.2})
        result = train(
            module,
            data,
            options,
            ctx,
            validation=TrainingData(data.examples, targets),
            seed=3,
            checkpoints=CheckpointFolder(folder / "checkpoints", every),
            identity=identity,
        )
    return ctx, result, hashlib.sha256(save(module.state_dict())).hexdigest()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return train_once(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("at", [1, 2, 3, 5, 6, 9, 10, 11, 14, 16])
def test_a_run_that_was_interrupted_at_any_step_ends_with_the_same_weights(tmp_path, uninterrupted, at):
    whole, result, digest = uninterrupted

    def stop(ctx):
        if ctx.steps == at:
            raise InterruptedRun

    with pytest.raises(InterruptedRun):
        train_once(tmp_path, every=1000, stop=stop)
    resumed, again, same = train_once(tmp_path, every=1000)
    assert same == digest
    assert again == result
    steps = [step for step, _ in resumed.series("loss")]
    assert steps == list(range(steps[0], 16))
    assert dict(resumed.series("loss")) == {s: v for s, v in whole.series("loss") if s >= steps[0]}


def test_a_cancelled_run_also_leaves_a_checkpoint(tmp_path):
    def stop(ctx):
        if ctx.steps == 4:
            raise CancelledRun

    with pytest.raises(CancelledRun):
        train_once(tmp_path, every=1000, stop=stop)
    assert [p.name for p in (tmp_path / "checkpoints").glob("step-*")] == ["step-000000000004"]


CHILD = """
    import sys, pathlib
    sys.path.insert(0, {root!r})
    import torch
    from tests.engine.learn.test_checkpoints import train_once
    folder = pathlib.Path(sys.argv[1])
    log = (folder / "steps.txt").open("a")
    def slow(ctx):
        log.write(f"{{ctx.points[-1][2] if ctx.points else 0}}\\n"); log.flush()
        import time; time.sleep(0.05)
    train_once(folder, every=2, stop=slow)
"""


def test_after_a_sigkill_at_most_one_interval_is_redone_and_the_weights_are_the_same(tmp_path, uninterrupted):
    root = str(__import__("pathlib").Path(__file__).parents[3])
    code = textwrap.dedent(CHILD.format(root=root))
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 60
    steps = tmp_path / "steps.txt"
    while time.monotonic() < deadline and not (steps.exists() and len(steps.read_text().splitlines()) >= 7):
        assert child.poll() is None
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    done = len(steps.read_text().splitlines())
    resumed, _, digest = train_once(tmp_path)
    assert digest == uninterrupted[2]
    first = resumed.series("loss")[0][0]
    assert 1 < first <= done + 2
    assert done + 1 - first <= 2


def folder_with(tmp_path, *steps):
    folder = CheckpointFolder(tmp_path / "c")
    for step in steps:
        folder.save(Checkpoint(step, {"model.w": torch.full((3,), float(step))}, {"step": step}))
    return folder


def test_the_newest_loads_and_two_are_kept(tmp_path):
    folder = folder_with(tmp_path, 1, 2, 3)
    found = folder.load()
    assert found.step == 3
    assert found.tensors["model.w"].tolist() == [3.0, 3.0, 3.0]
    assert sorted(p.name for p in folder.folder.iterdir()) == ["latest", "step-000000000002", "step-000000000003"]
    assert (folder.folder / "latest").read_text() == "step-000000000003"


@pytest.mark.parametrize("file", ["tensors.safetensors", "state.json", "manifest.json"])
@pytest.mark.parametrize("harm", ["truncated", "changed", "removed"])
def test_a_damaged_checkpoint_is_passed_over_and_named(tmp_path, file, harm):
    folder = folder_with(tmp_path, 1, 2)
    path = folder.folder / "step-000000000002" / file
    content = path.read_bytes()
    if harm == "removed":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2] if harm == "truncated" else content[:-4] + b"\0\0\0\0")
    assert folder.load().step == 1
    assert folder.skipped == ["step-000000000002"]


def test_a_half_written_folder_is_not_seen_and_is_cleared_by_the_next(tmp_path):
    folder = folder_with(tmp_path, 1)
    half = folder.folder / ".step-000000000002"
    half.mkdir()
    (half / "tensors.safetensors").write_bytes(b"x")
    assert folder.load().step == 1
    folder.save(Checkpoint(2, {"model.w": torch.zeros(1)}, {}))
    assert folder.load().step == 2
    assert not half.exists()


def test_no_folder_means_no_checkpoint(tmp_path):
    assert CheckpointFolder(tmp_path / "absent").load() is None


def test_by_default_checkpoints_cost_at_most_two_percent_of_the_time(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    folder = CheckpointFolder(tmp_path / "c")
    now[0] = 1.9
    assert not folder.due(10)
    now[0] = 2.1
    assert folder.due(11)
    monkeypatch.setattr(
        "engine.learn.checkpoints.checkpoint.save_file", lambda *a: now.__setitem__(0, now[0] + 0.5) or save_stub(*a)
    )
    folder.save(Checkpoint(11, {"w": torch.zeros(1)}, {}))
    now[0] += 24
    assert not folder.due(12)
    now[0] += 1.1
    assert folder.due(13)


def save_stub(tensors, path):
    path.write_bytes(save(tensors))


def test_a_checkpoint_of_another_training_is_not_used_and_the_difference_is_said(tmp_path):
    def stop(ctx):
        if ctx.steps == 4:
            raise InterruptedRun

    with pytest.raises(InterruptedRun):
        train_once(tmp_path, stop=stop, identity={"epochs": 3, "seed": 3})
    ctx, _, _ = train_once(tmp_path, identity={"epochs": 5, "seed": 3})
    assert any("another training (epochs 3 instead of 5)" in line for line in ctx.lines)
    assert ctx.series("loss")[0][0] == 1


def test_a_checkpoint_of_another_model_is_not_used_and_its_weights_are_compared(tmp_path):
    train_once(tmp_path)
    ctx = Recorder(tmp_path)
    targets = torch.arange(40) % 3
    data = TrainingData(Examples(torch.rand(40, 1, 8, 8)), targets)
    with applied(ExecutionPlan(threads=1), seed=3):
        module = build("convnet", {"num_classes": 3, "in_channels": 1, "widths": [4, 8, 8]})
        train(module, data, OPTIONS, ctx, seed=3, checkpoints=CheckpointFolder(tmp_path / "checkpoints", 2))
    (said,) = [line for line in ctx.lines if "another training" in line]
    assert "convs.1.weight has shape 6x4x3x3 instead of 8x4x3x3" in said
    assert "convs.2.weight is missing" in said
    assert ctx.series("loss")[0][0] == 1


def test_a_checkpoint_holds_no_pickle(tmp_path):
    train_once(tmp_path)
    files = {p.name for p in (tmp_path / "checkpoints").rglob("*") if p.is_file()}
    assert files == {"latest", "tensors.safetensors", "state.json", "manifest.json"}
    state = json.loads(next((tmp_path / "checkpoints").glob("step-*/state.json")).read_text())
    assert set(state) == {"training", "identity", "precision", "choice"}
