"""The share of a batch that each process has, and parts of tensors that other processes read: no process is started."""

import json
import os
import time

import pytest
import torch
from torch import nn

from engine.artifacts import canonical_json
from engine.compute.world import ALONE, World
from engine.distributed.agent import Loss
from engine.distributed.health import Beat, Pulse, Watch, read_beat
from engine.distributed.messages import Inbox, Outbox, RankFolder
from engine.distributed.nodes import VARIABLE, nodes_of
from engine.errors import UserError
from engine.learn import parallel
from engine.learn.checkpoints.checkpoint import MANIFEST, Checkpoint
from engine.learn.checkpoints.sharded import FORMAT, Pieces, ShardedFolder
from engine.learn.measure.validation import _batches
from engine.learn.options import TrainingOptions


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("count", [1, 2, 5, 16, 17])
def test_shares_are_the_batch_and_their_weighted_means_its_mean(size, count):
    values = torch.arange(count).double() ** 2
    shares = [World(rank=rank, size=size).share(torch.arange(count)) for rank in range(size)]
    counted = torch.cat([share.rows[: share.count] for share in shares])
    assert sorted(counted.tolist()) == list(range(count))
    mean = sum(share.weight * values[share.rows].mean() for share in shares) / size
    assert mean == pytest.approx(float(values.mean()))
    assert min(len(share.rows) for share in shares) == shares[0].least
    assert all(len(share.rows) >= 2 for share in shares) or count == 1


def test_a_world_of_one_changes_nothing():
    rows = torch.arange(5)
    tensor = torch.ones(3)
    assert ALONE.share(rows).rows is rows
    assert ALONE.mean(tensor) is tensor
    assert ALONE.sum(tensor) is tensor
    assert parallel.agree(ALONE, True, False) == (True, False)
    module = nn.Linear(2, 2)
    assert parallel.Network(module, ALONE, "fsdp").call is module


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 4, 9, 10])
def test_every_process_measures_as_many_batches_and_every_example_once(size, count):
    batches = [list(_batches(count, 2, World(rank=rank, size=size))) for rank in range(size)]
    assert len({len(mine) for mine in batches}) == 1
    seen = [int(row) for mine in batches for rows, counts in mine if counts for row in rows]
    assert sorted(seen) == list(range(count))


def parts_of(tensor, size):
    """As FSDP cuts a tensor: along its first side, the last parts may be short or empty."""
    step = -(-len(tensor) // size)
    return [
        (tensor[i * step : (i + 1) * step], (min(i * step, len(tensor)), *(0,) * (tensor.ndim - 1)))
        for i in range(size)
    ]


class OneByOne(World):
    """A process that does not wait for the others: they write one after the other."""

    def barrier(self):
        pass


def written(folder, tensors, size, monkeypatch):
    """A checkpoint as `size` processes write it, one after the other; rank 0 comes last."""
    monkeypatch.setattr("shutil.rmtree", lambda *args, **kwargs: None)
    place = folder / ".step-000000000007"
    place.mkdir(parents=True)
    monkeypatch.setattr("pathlib.Path.mkdir", lambda *args, **kwargs: None)
    for rank in reversed(range(size)):
        mine, offsets = {"plain": torch.tensor(3.5), "random.cpu": torch.tensor([rank])}, {}
        for name, tensor in tensors.items():
            part, offset = parts_of(tensor, size)[rank]
            mine[name], offsets[name] = part.contiguous(), (tuple(tensor.shape), offset)
        world = OneByOne(rank=rank, size=size)
        ShardedFolder(folder, world=world).save(Checkpoint(7, mine, {"training": {"step": 7}}, offsets))
    monkeypatch.undo()


@pytest.mark.parametrize("size", [2, 3, 4])
def test_what_some_processes_wrote_any_number_reads(tmp_path, monkeypatch, size):
    tensors = {"model.a": torch.randn(7, 3), "model.b": torch.arange(5), "model.c": torch.randn(2, 2, 2)}
    written(tmp_path, tensors, size, monkeypatch)
    found = ShardedFolder(tmp_path).load()
    assert found.step == 7
    assert float(found.tensors["plain"]) == 3.5
    assert [int(found.tensors[f"random.cpu@{rank}"]) for rank in range(size)] == list(range(size))
    for name, tensor in tensors.items():
        assert torch.equal(found.tensors[name], tensor)
        for others in (1, 2, 3, 5):
            for part, offset in parts_of(tensor, others):
                assert torch.equal(found.tensors.part(name, offset, part.shape), part)


def test_a_damaged_part_makes_an_older_checkpoint_load(tmp_path, monkeypatch):
    written(tmp_path, {"model.a": torch.randn(8, 2)}, 2, monkeypatch)
    part = tmp_path / "step-000000000007" / "tensors-00001.safetensors"
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    folder = ShardedFolder(tmp_path)
    assert folder.load() is None
    assert folder.skipped == ["step-000000000007"]


def test_the_index_of_a_sharded_checkpoint_is_json_with_shapes_and_offsets(tmp_path, monkeypatch):
    written(tmp_path, {"model.a": torch.randn(5, 2)}, 2, monkeypatch)
    manifest = json.loads((tmp_path / "step-000000000007" / MANIFEST).read_bytes())
    assert manifest["format"] == FORMAT
    assert manifest["world"] == 2
    assert manifest["tensors"]["model.a"] == {
        "shape": [5, 2],
        "dtype": "float32",
        "pieces": [
            {"file": "tensors-00000.safetensors", "offset": [0, 0], "shape": [3, 2]},
            {"file": "tensors-00001.safetensors", "offset": [3, 0], "shape": [2, 2]},
        ],
    }
    assert sorted(path.suffix for path in (tmp_path / "step-000000000007").iterdir()) == [
        ".json", ".json", ".safetensors", ".safetensors"
    ]  # fmt: skip


def test_a_batch_that_is_too_small_for_the_processes_is_refused_with_the_size_that_is_not():
    with pytest.raises(UserError, match="A batch of 6 is too small for 4 processes") as caught:
        parallel.check(TrainingOptions(batch_size=6), World(size=4))
    assert caught.value.field == "batch_size"
    assert "at least 8" in caught.value.hint
    with pytest.raises(UserError, match="Muon needs whole matrices"):
        parallel.check(TrainingOptions(optimizer="muon", strategy="fsdp"), World(size=2))


def test_more_machines_than_were_leased_are_refused():
    with pytest.raises(UserError, match="2 machines were asked for, and this run has one"):
        nodes_of(2, {})
    told = {VARIABLE: json.dumps({"count": 3, "endpoint": "10.0.0.1:5000"})}
    assert nodes_of(3, told).endpoint == "10.0.0.1:5000"
    with pytest.raises(UserError, match="and this run has 3"):
        nodes_of(2, told)


def beats(tmp_path, monkeypatch, *phases, silent_s=30.0, steps=5):
    folder = RankFolder(tmp_path)
    folder.make()
    now = time.monotonic()
    for rank, (step, phase) in enumerate(phases):
        said = [1000 + rank, step, phase, now - silent_s, steps, 0.1, 0.2, 10.0]
        folder.beat(rank).write_bytes(canonical_json(said))
    monkeypatch.setattr(Watch, "_asked", lambda self, ranks, pids: dict.fromkeys(ranks, "mine.py, line 3, in forward"))
    return Watch(folder).hung({rank: 1000 + rank for rank in range(len(phases))})


def test_the_rank_that_came_less_far_is_the_one_that_hangs(tmp_path, monkeypatch):
    (hung,) = beats(tmp_path, monkeypatch, (8, "compute"), (8, "load"), (8, "compute"))
    assert hung.local_rank == 1
    assert hung.silent_s == pytest.approx(30, abs=1)
    assert hung.where == "mine.py, line 3, in forward"


def test_ranks_that_wait_for_another_machine_are_not_the_ones_that_hang(tmp_path, monkeypatch):
    beats(tmp_path, monkeypatch, (8, "compute"), (8, "compute"))
    monkeypatch.setattr(Watch, "_asked", lambda self, ranks, pids: dict.fromkeys(ranks))
    pids = {0: 1000, 1: 1001}
    assert Watch(RankFolder(tmp_path), sees_all=False).hung(pids) == []
    assert [hung.local_rank for hung in Watch(RankFolder(tmp_path)).hung(pids)] == [0, 1]


def test_slow_steps_and_loading_are_not_taken_for_hanging(tmp_path, monkeypatch):
    assert beats(tmp_path, monkeypatch, (8, "compute"), (8, "load"), silent_s=20) == []
    assert beats(tmp_path, monkeypatch, (0, "start"), (0, "start"), steps=0) == []
    assert Beat(1, 5, "compute", 0.0, 5, 4.0, 4.0, 0.0).limit_s(25.0) == 40.0


def test_a_pulse_tells_step_time_and_memory(tmp_path):
    pulse = Pulse(tmp_path / "0")
    for step in range(3):
        pulse.beat(step, "load")
        pulse.beat(step, "compute")
        time.sleep(0.02)
    pulse.beat(3, "load")
    beat = read_beat(tmp_path / "0")
    assert (beat.pid, beat.step, beat.phase, beat.steps) == (os.getpid(), 3, "load", 3)
    assert beat.slowest_s >= beat.step_s >= 0.02
    assert beat.memory_mib > 10


def test_half_a_line_of_a_killed_rank_is_left_out(tmp_path):
    path = tmp_path / "said"
    path.write_bytes(b'["metric", ["loss", 1.0, 1], {}]\n["metric", ["lo')
    inbox = Inbox(path)
    assert [args for _, args, _ in inbox.take()] == [["loss", 1.0, 1]]
    outbox = Outbox(path)
    outbox.call("log", "It is {what}", values={"what": "well"}, now=True)
    assert list(inbox.take()) == [("log", ["It is {what}"], {"what": "well"})]
    outbox.close()
    inbox.close()


def test_a_loss_says_what_happened():
    assert Loss(1, 1, 77, 5, -9).how == "was ended by SIGKILL"
    assert Loss(1, 1, 77, 5, 3).how == "ended with exit code 3"
    assert Loss(1, 1, 77, 5, None, 26.2, "mine.py, line 3, in forward").how == (
        "gave no sign for 26 s (mine.py, line 3, in forward)"
    )


def test_a_checkpoint_of_one_process_is_what_it_always_was(tmp_path):
    ShardedFolder(tmp_path).save(Checkpoint(1, {"model.a": torch.ones(2)}, {"training": {}}))
    assert sorted(path.name for path in (tmp_path / "step-000000000001").iterdir()) == [
        "manifest.json", "state.json", "tensors.safetensors"
    ]  # fmt: skip
    assert not isinstance(ShardedFolder(tmp_path).load().tensors, Pieces)
