"""A training on hidden tokens that was interrupted hides the same tokens afterwards: equal weights in the end."""

import hashlib

import pytest
import torch
from safetensors.torch import save

from engine.compute import applied
from engine.errors import InterruptedRun
from engine.learn import TrainingData, TrainingOptions, train
from engine.learn.checkpoints.checkpoint import CheckpointFolder
from engine.learn.tasks import find_task
from engine.models import build
from engine.runtime.examples import Examples
from engine.spec import ExecutionPlan
from tests.engine.contexts import Recorder
from tests.engine.text.test_tasks import META

OPTIONS = TrainingOptions(task="masked_lm", epochs=2, batch_size=4, learning_rate=0.01)
SHAPE = {"hidden_size": 16, "layers": 1, "heads": 2, "intermediate_size": 32, "dropout": 0.1}


def train_once(folder, stop=None):
    ctx = Recorder(folder, stop=stop)
    tokens = torch.randint(5, 40, (22, 12), dtype=torch.int32, generator=torch.Generator().manual_seed(1))
    task, meta = find_task("masked_lm"), {**META, "vocab_size": 40}
    data = TrainingData(Examples(tokens), None, derive=task.derive(meta, training=True))
    watched = TrainingData(data.examples, None, derive=task.derive(meta, training=False))
    with applied(ExecutionPlan(threads=1), seed=3):
        module = build("bert", {**SHAPE, "task": "masked_lm", "vocab_size": 40, "pad_id": 0, "max_length": 12})
        folder = CheckpointFolder(folder / "checkpoints", 1000)
        train(module, data, OPTIONS, ctx, validation=watched, seed=3, checkpoints=folder)
    return dict(ctx.series("loss")), hashlib.sha256(save(module.state_dict())).hexdigest()


@pytest.mark.parametrize("at", [1, 4, 8])
def test_an_interrupted_training_on_hidden_tokens_ends_with_the_same_weights(tmp_path, at):
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    losses, digest = train_once(tmp_path / "whole")

    def stop(ctx):
        if ctx.steps == at:
            raise InterruptedRun

    with pytest.raises(InterruptedRun):
        train_once(tmp_path / "cut", stop)
    resumed, same = train_once(tmp_path / "cut")
    assert same == digest
    assert resumed == {step: loss for step, loss in losses.items() if step in resumed}
    assert 0 < len(resumed) < len(losses)
