"""The fault suite in Lightning: run by `benchmarks.precision` with the interpreter of the peers.

    python -m benchmarks.faults_lightning KIND SEED COUNT     prints one JSON line a seed

Everything as Lightning has it: its trainer, its mixed precision (fp16 with its scaler where activations overflow, bf16
weights where updates are tiny, else bf16), AdamW or SGD, the learning rate by a scheduler.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from dataclasses import asdict

import lightning
import torch
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.faults import BATCH, STEPS, Fault, Network, Outcome, data, draw, judge


class Task(lightning.LightningModule):
    def __init__(self, network: Network, fault: Fault, clean: bool) -> None:
        super().__init__()
        self.network, self.fault, self.clean = network, fault, clean

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        x, y = batch
        return nn.functional.cross_entropy(self.network(x).float(), y)

    def configure_optimizers(self) -> dict[str, object]:
        fault = self.fault
        if fault.optimizer == "sgd":
            optimizer = torch.optim.SGD(self.parameters(), lr=fault.rate, momentum=0.9, nesterov=True)
        else:
            optimizer = torch.optim.AdamW(self.parameters(), lr=fault.rate, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: 1.0 if self.clean else fault.rate_at(n))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def train(fault: Fault, clean: bool) -> Outcome:
    x, y, held_x, held_y = data(fault, clean)
    network = Network(fault, clean)
    before, _ = judge(Network(fault, clean=True), held_x, held_y)
    chosen: dict[str, object] = {"precision": "bf16-mixed"}
    if fault.kind == "overflow":
        scaler = torch.amp.GradScaler("cpu")
        chosen = {"plugins": [MixedPrecision("16-mixed", "cpu", scaler)]}
    elif fault.kind == "tiny":
        chosen = {"precision": "32-true" if clean else "bf16-true"}
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, **chosen,
    )  # fmt: skip
    loader = DataLoader(TensorDataset(x, y), batch_size=BATCH, shuffle=False)
    assert len(loader) == STEPS
    try:
        trainer.fit(Task(network, fault, clean), loader)
    except Exception as error:
        return Outcome(before, float("nan"), 0.0, f"{type(error).__name__}: {error}"[:200])
    return Outcome(before, *judge(network, held_x, held_y))


def main() -> None:
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    kind, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    for seed in range(first, first + count):
        fault = draw(kind, seed)
        found = {"seed": seed, "clean": asdict(train(fault, True)), "faulty": asdict(train(fault, False))}
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
