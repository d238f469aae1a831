"""A training with everything that has a state, run in a process of its own that may be killed at any moment."""

import hashlib
import time
from pathlib import Path

import torch
import torch._dynamo  # optimisers import it: here it is done once for all children
from safetensors.torch import save

from engine.compute import applied
from engine.learn import TrainingData, TrainingOptions, train
from engine.learn.checkpoints.checkpoint import CheckpointFolder
from engine.learn.data.augment import make_augmentation
from engine.learn.precision import PrecisionOptions
from engine.models import build
from engine.runtime.examples import Examples
from engine.runtime.images import affine
from engine.spec import ExecutionPlan
from engine.spec.context import Choice
from tests.engine.contexts import Recorder

KEY = "convnet-0123456789abcdef"
EPOCHS, COUNT, BATCH = 5, 42, 8
STEPS = EPOCHS * 6
OPTIONS = TrainingOptions(
    epochs=EPOCHS,
    batch_size=BATCH,
    learning_rate=0.01,
    optimizer="muon",
    warm_up=0.2,
    bias_rate=2.0,
    label_smoothing=0.1,
    mixup=0.4,
    cutmix=0.8,
    averaging="ema",
    averaging_decay=0.9,
    alternating_flip=True,
    accumulation=3,
    gradient_clip=1.0,
    patience=4,
    watch=PrecisionOptions(sample_steps=4, least_snapshot_steps=5),
)
#: Adaptive, and what a probe would have found here.
PLAN = ExecutionPlan(
    threads=1,
    precision="adaptive",
    memory_format="auto",
    choices={KEY: Choice(precision="bf16", memory_format="channels_last")},
)


def learn(folder: str, pause_s: float) -> None:
    """Train, from the newest checkpoint on; tells each step, and at the end the digest of the weights."""
    place = Path(folder)
    place.mkdir(exist_ok=True)
    generator = torch.Generator().manual_seed(5)
    targets = torch.arange(COUNT) % 3
    pixels = torch.randint(0, 90, (COUNT, 1, 8, 8), generator=generator, dtype=torch.uint8)
    pixels[torch.arange(COUNT), 0, :, 3 * targets] += 120
    factor, summand = affine([{"op": "scale", "by": 255.0}], 1)
    augment = make_augmentation([{"op": "flip"}, {"op": "crop", "padding": 1}, {"op": "brightness"}])
    data = TrainingData(Examples(pixels, factor, summand), targets, augment)
    with (place / "steps.txt").open("a") as log:

        def step(ctx: Recorder) -> None:
            log.write("x")
            log.flush()
            time.sleep(pause_s)

        ctx = Recorder(place, stop=step)
        with applied(PLAN, seed=3):
            module = build("convnet", {"num_classes": 3, "in_channels": 1, "widths": [4, 6], "dropout": 0.2})
            train(
                module, data, OPTIONS, ctx, validation=TrainingData(data.examples, targets), seed=3, plan=PLAN,
                workload=KEY, checkpoints=CheckpointFolder(place / "checkpoints", 3),
            )  # fmt: skip
    (place / "precision.txt").write_text(" ".join(d["said"] for d in ctx.decisions))
    (place / "lines.txt").write_text("\n".join(ctx.lines))
    weights = {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
    (place / "digest.txt").write_text(hashlib.sha256(save(weights)).hexdigest())
