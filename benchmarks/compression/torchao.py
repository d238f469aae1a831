"""torchao in the compression benchmark: static INT8 by its PT2E flow, dynamic INT8 and INT4 weights, with Inductor.

Called by :mod:`benchmarks.compression.tools`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compression.contestant import Contestant, Job, calibration, network


def torchao_pt2e(job: Job) -> Contestant:
    """Static INT8 by torchao's PT2E flow for x86, compiled by Inductor; batch 1 and the batch of answers."""
    os.environ["TORCHINDUCTOR_FREEZING"] = "1"
    import torch
    from torchao.quantization.pt2e import move_exported_model_to_eval
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
        X86InductorQuantizer,
        get_default_x86_inductor_quantization_config,
    )

    module, rows = network(job), torch.from_numpy(calibration(job))
    free = {0: torch.export.Dim("batch", min=1, max=1024)}
    exported = torch.export.export(module, (rows[:4],), dynamic_shapes=(free,), strict=False).module()
    quantizer = X86InductorQuantizer().set_global(get_default_x86_inductor_quantization_config())
    prepared = prepare_pt2e(exported, quantizer)
    with torch.no_grad():
        for part in rows.split(32):
            prepared(part)
    small = convert_pt2e(prepared)
    move_exported_model_to_eval(small)
    with torch.no_grad():
        compiled = torch.compile(small, dynamic=False)
        compiled(rows[:1])
    # What would have to be shipped: its tensors; whole numbers appear only when Inductor freezes the graph.
    size = sum(t.numel() for t in module.parameters()) + sum(4 * t.numel() for t in module.buffers())

    def call(x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = compiled(x)
        return out

    return Contestant(_no_grad(call), size, fixed=True)


def _no_grad(call: Callable[[Any], Any]) -> Callable[[np.ndarray], np.ndarray]:
    import torch

    def run(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():  # frozen graphs do not take inference mode
            out: np.ndarray = call(torch.from_numpy(x)).float().numpy()
        return out

    return run


def torchao_dynamic(job: Job) -> Contestant:
    """Dynamic INT8 of linear layers by torchao, compiled by Inductor."""
    os.environ["TORCHINDUCTOR_FREEZING"] = "1"
    import torch
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    return _torchao(job, quantize_, Int8DynamicActivationInt8WeightConfig(), torch)


def torchao_int4(job: Job) -> Contestant:
    """INT4 weights of linear layers by torchao, compiled by Inductor."""
    import torch
    from torchao.quantization import Int4WeightOnlyConfig, quantize_

    config = Int4WeightOnlyConfig(group_size=job["settings"].get("group", 32), int4_packing_format="opaque")
    return _torchao(job, quantize_, config, torch)


def _torchao(job: Job, quantize: Any, config: Any, torch: Any) -> Contestant:
    module = network(job)
    if job["settings"].get("bfloat16"):
        module = module.to(torch.bfloat16)
    quantize(module, config)
    file = Path(job["folder"]) / "model.pt"
    torch.save(module.state_dict(), file)
    with torch.no_grad():
        compiled = torch.compile(module, dynamic=False)
        compiled(torch.from_numpy(calibration(job)[:1]))
    return Contestant(_no_grad(compiled), file.stat().st_size, fixed=True)
