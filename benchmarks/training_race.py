"""One training by one side, in a process of its own: ours, Lightning's Trainer or Hugging Face's.

Called by ``benchmarks/training.py --peers``, with the interpreter of that side. All sides train the same network on
the same numbers with the same optimiser (fused AdamW, one rate) in fp32; batches are cut from one tensor, also for the
peers, whose usual loader, which collects examples one by one, is slower. Nothing is saved; ours logs every loss through
a real run context, the peers log nothing. Prints one line of JSON: examples a second after the warm-up, and seconds
from the start of the process to the end of the first step.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

STARTED = float(os.environ.get("RACE_STARTED", time.time()))

import torch  # noqa: E402  (its import belongs to the start-up that is measured)
from torch import Tensor, nn  # noqa: E402

WARM_UP = 10
WORK = {
    "mlp": {"shape": (64,), "batch": 64, "steps": 2000},
    "resnet18-32px": {"shape": (3, 32, 32), "batch": 32, "steps": 16},
}


class Stamped(nn.Module):
    """Notes when each forward pass begins; the same cost for every side."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.stamps: list[float] = []

    def forward(self, x: Tensor) -> Tensor:
        self.stamps.append(time.time())
        out: Tensor = self.network(x)
        return out


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut (K. He et al., 2016)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(after)
        self.short: nn.Module = nn.Identity()
        if stride > 1 or before != after:
            self.short = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(h)) + self.short(x))


def network(name: str) -> nn.Module:
    """A small MLP, where what is around the network dominates; or ResNet-18 with CIFAR's stem."""
    torch.manual_seed(0)
    if name == "mlp":
        return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    before = 64
    for width in (64, 128, 256, 512):
        layers += [Residual(before, width, 1 if width == 64 else 2), Residual(width, width, 1)]
        before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


class Batches(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """A whole batch for a list of rows, so that the peers' loader does not collect examples one by one."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Any) -> tuple[Tensor, Tensor]:
        return self.x[rows], self.y[rows]


def loader(data: Batches, batch: int) -> Any:
    rows = torch.utils.data.BatchSampler(torch.utils.data.RandomSampler(data), batch, drop_last=False)
    return torch.utils.data.DataLoader(data, sampler=rows, batch_size=None)


def ours(module: Stamped, data: Batches, work: dict[str, Any], epochs: int, folder: Path) -> None:
    from engine.artifacts import ArtifactStore
    from engine.compute import applied
    from engine.learn import TrainingData, TrainingOptions, train
    from engine.run.context import BlockContext, EventWriter
    from engine.runtime.examples import Examples
    from engine.spec import ExecutionPlan

    plan = ExecutionPlan(threads=torch.get_num_threads())
    options = TrainingOptions(epochs=epochs, batch_size=work["batch"], schedule="constant")
    with EventWriter(lambda event: json.dumps(event.to_json()) and None) as writer, applied(plan, 0):
        ctx = BlockContext(
            block_id="train", seed=0, plan=plan, document={}, store=ArtifactStore(folder / "store"),
            workdir=folder / "work", writer=writer, stop=lambda: None,
        )  # fmt: skip
        train(module, TrainingData(Examples(data.x), data.y), options, ctx)


def lightning(module: Stamped, data: Batches, work: dict[str, Any], epochs: int, folder: Path) -> None:
    import lightning as pl

    class Task(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def training_step(self, batch: tuple[Tensor, Tensor], number: int) -> Tensor:
            return nn.functional.cross_entropy(self.inner(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), lr=1e-3, fused=True)

    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=str(folder),
    )  # fmt: skip
    trainer.fit(Task(), loader(data, work["batch"]))


def hugging_face(module: Stamped, data: Batches, work: dict[str, Any], epochs: int, folder: Path) -> None:
    import transformers

    class Named(torch.utils.data.Dataset[dict[str, Tensor]]):
        def __len__(self) -> int:
            return len(data)

        def __getitem__(self, rows: Any) -> dict[str, Tensor]:
            return {"x": data.x[rows], "labels": data.y[rows]}

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
            logits = self.inner(x)
            return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}

    class Trainer(transformers.Trainer):  # type: ignore[misc]  # only where the peers are installed
        def get_train_dataloader(self) -> Any:
            rows = torch.utils.data.BatchSampler(torch.utils.data.RandomSampler(data), work["batch"], drop_last=False)
            return torch.utils.data.DataLoader(Named(), sampler=rows, batch_size=None)

    arguments = transformers.TrainingArguments(
        output_dir=str(folder), num_train_epochs=epochs, per_device_train_batch_size=work["batch"],
        optim="adamw_torch_fused", learning_rate=1e-3, lr_scheduler_type="constant", max_grad_norm=0.0,
        save_strategy="no", logging_strategy="no", report_to=[], disable_tqdm=True, use_cpu=True,
    )  # fmt: skip
    Trainer(model=Wrapped(), args=arguments, train_dataset=Named()).train()


SIDES = {"ours": ours, "lightning": lightning, "hugging_face": hugging_face}


def main(side: str, name: str, threads: int) -> None:
    torch.set_num_threads(threads)
    work = WORK[name]
    count, epochs = (6400, work["steps"] // 100) if name == "mlp" else (work["batch"] * work["steps"] // 2, 2)
    generator = torch.Generator().manual_seed(0)
    data = Batches(
        torch.randn(count, *work["shape"], generator=generator), torch.randint(0, 10, (count,), generator=generator)
    )
    module = Stamped(network(name))
    with tempfile.TemporaryDirectory() as folder:
        SIDES[side](module, data, work, epochs, Path(folder))
    ended = time.time()
    warm = min(WARM_UP, len(module.stamps) // 4)
    steps = len(module.stamps) - warm
    found = {
        "per_s": steps * work["batch"] / (ended - module.stamps[warm]),
        "start_s": module.stamps[1] - STARTED,
        "steps": len(module.stamps),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
