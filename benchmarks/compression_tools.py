"""The tools that compression is measured beside, and our own, each as its own documentation says it is used.

Called by :mod:`benchmarks.compression_peers`, in the process of one tool. Each function takes a job (paths of the
network, of its ONNX file in fp32, of calibration inputs; threads) and gives a contestant. Imports are inside, since no
environment has all of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 64
Call = Callable[[np.ndarray], np.ndarray]
Job = dict[str, Any]


class Contestant:
    """What was made, ready to be called.

    Parameters
    ----------
    call
        Inputs (B, ...) to outputs (B, ...).
    size_bytes
        Of what has to be shipped.
    batch
        Inputs at once where only answers count.
    """

    def __init__(self, call: Call, size_bytes: int, batch: int = BATCH, **more: Any) -> None:
        self.call, self.size_bytes, self.batch, self.more = call, size_bytes, batch, more


def network(job: Job) -> Any:
    """The trained network, in evaluation mode."""
    import torch
    from safetensors.torch import load_file

    from engine.models import build

    torch.set_num_threads(job["threads"])
    module = build(job["architecture"], job["config"])
    module.load_state_dict(load_file(job["weights"]))
    return module.eval()


def calibration(job: Job) -> np.ndarray:
    """Inputs that ranges may be taken from."""
    found: np.ndarray = np.load(job["calibration"])
    return found


def tensors(call: Callable[[Any], Any]) -> Callable[[np.ndarray], np.ndarray]:
    """A call that takes tensors, as one that takes arrays."""
    import torch

    @torch.inference_mode()
    def run(x: np.ndarray) -> np.ndarray:
        out: np.ndarray = call(torch.from_numpy(x)).float().numpy()
        return out

    return run


def session(file: Path, threads: int, size: int | None = None, **more: Any) -> Contestant:
    """An ONNX file in ONNX Runtime, with its default settings."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    opened = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    name = opened.get_inputs()[0].name
    return Contestant(lambda x: opened.run(None, {name: x})[0], size or file.stat().st_size, **more)


def eager(job: Job) -> Contestant:
    """PyTorch in fp32, inference mode; ``channels_last`` says how images lie in memory."""
    import torch

    module = network(job)
    if job["settings"].get("channels_last"):
        module = module.to(memory_format=torch.channels_last)
        call = tensors(lambda x: module(x.contiguous(memory_format=torch.channels_last)))
    else:
        call = tensors(module)
    return Contestant(call, Path(job["weights"]).stat().st_size)


def ours(job: Job) -> Contestant:
    """A bundle of ours, opened as a prediction opens it; files are asked with arrays, as those of peers are."""
    import torch

    from engine.artifacts import ArtifactStore
    from engine.runtime.bundle import load_bundle
    from engine.runtime.models import open_model

    torch.set_num_threads(job["threads"])
    bundle = Path(job["settings"]["bundle"])
    opened = open_model(load_bundle(bundle, ArtifactStore(Path(job["folder"]) / "store")))
    opened_file = getattr(opened.module, "session", None)
    call = tensors(opened.module) if opened_file is None else opened_file.run
    return Contestant(call, bundle.stat().st_size, variants=sorted(opened.spec.variants))


def onnx_fp32(job: Job) -> Contestant:
    """The network in fp32 in ONNX Runtime."""
    return session(Path(job["onnx"]), job["threads"])


def onnxruntime_static(job: Job, source: Path | None = None) -> Contestant:
    """Static INT8 by ONNX Runtime's own quantizer: U8 activations and per-channel S8 weights, as it advises for x86."""
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType
    from onnxruntime.quantization import quantize_static as quantize
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # it has no types
        def __init__(self, name: str) -> None:
            self._rows: Iterator[np.ndarray] = iter(calibration(job))
            self._name = name

        def get_next(self) -> dict[str, np.ndarray] | None:
            row = next(self._rows, None)
            return None if row is None else {self._name: row[None]}

    folder, given = Path(job["folder"]), source or Path(job["onnx"])
    ready, made = folder / "ready.onnx", folder / "int8.onnx"
    quant_pre_process(str(given), str(ready), skip_symbolic_shape=True)
    quantize(
        str(ready), str(made), Reader(_input_name(ready)), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod[job["settings"].get("method", "MinMax")],
    )  # fmt: skip
    return session(made, job["threads"])


def onnxruntime_dynamic(job: Job) -> Contestant:
    """Dynamic INT8 by ONNX Runtime's own quantizer."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    folder = Path(job["folder"])
    ready, made = folder / "ready.onnx", folder / "int8.onnx"
    quant_pre_process(job["onnx"], str(ready), skip_symbolic_shape=True)
    quantize_dynamic(str(ready), str(made), per_channel=True, weight_type=QuantType.QInt8)
    return session(made, job["threads"])


def onnxruntime_int4(job: Job) -> Contestant:
    """INT4 weights by ONNX Runtime's own quantizer, rounding to nearest, or HQQ; tables of words stay in floats."""
    import onnx
    from onnxruntime.quantization import matmul_nbits_quantizer as nbits

    group = job["settings"].get("group", 32)
    config = (
        nbits.HQQWeightOnlyQuantConfig(block_size=group)
        if job["settings"].get("method") == "HQQ"
        else nbits.DefaultWeightOnlyQuantConfig(block_size=group, is_symmetric=True, accuracy_level=4)
    )
    quantizer = nbits.MatMulNBitsQuantizer(onnx.load(job["onnx"]), algo_config=config)
    quantizer.process()
    made = Path(job["folder"]) / "int4.onnx"
    onnx.save(quantizer.model.model, str(made))
    return session(made, job["threads"])


def _input_name(file: Path) -> str:
    import onnx

    return str(onnx.load(str(file), load_external_data=False).graph.input[0].name)


def _openvino(job: Job, model: Any) -> Contestant:
    import openvino

    folder = Path(job["folder"])
    openvino.save_model(model, str(folder / "model.xml"), compress_to_fp16=False)
    settings = {"INFERENCE_NUM_THREADS": job["threads"], "PERFORMANCE_HINT": "LATENCY"}
    compiled = openvino.Core().compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()

    def call(x: np.ndarray) -> np.ndarray:
        out: np.ndarray = request.infer([x])[0]
        return out

    return Contestant(call, sum((folder / f"model.{end}").stat().st_size for end in ("xml", "bin")))


def openvino_fp32(job: Job) -> Contestant:
    """The network in fp32 in OpenVINO."""
    import openvino

    return _openvino(job, openvino.convert_model(job["onnx"]))


def nncf_int8(job: Job) -> Contestant:
    """Static INT8 by NNCF with its bias correction, run by OpenVINO."""
    import nncf
    import openvino

    rows = calibration(job)
    given = nncf.Dataset([row[None] for row in rows])
    kind = nncf.ModelType.TRANSFORMER if rows.dtype == np.int64 else None
    preset = nncf.QuantizationPreset.MIXED
    model = openvino.convert_model(job["onnx"])
    return _openvino(job, nncf.quantize(model, given, subset_size=len(rows), model_type=kind, preset=preset))


def nncf_int4(job: Job) -> Contestant:
    """INT4 weights by NNCF with data (AWQ and scale estimation), the first and last layer included."""
    import nncf
    import openvino

    model = openvino.convert_model(job["onnx"])
    small = nncf.compress_weights(
        model, mode=nncf.CompressWeightsMode.INT4_SYM, group_size=job["settings"].get("group", 32), ratio=1.0,
        all_layers=True, dataset=nncf.Dataset([row[None] for row in calibration(job)]), awq=True, scale_estimation=True,
    )  # fmt: skip
    return _openvino(job, small)


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


def torch_pruning(job: Job) -> Contestant:
    """Channels removed by Torch-Pruning, fine-tuned for a given time, in ONNX Runtime; then perhaps its INT8."""
    from benchmarks.compression_pruning import pruned

    file, told = pruned(job, network(job))
    if job["settings"].get("int8"):
        small = onnxruntime_static(job, file)
        small.more |= told
        return small
    return session(file, job["threads"], **told)


TOOLS: dict[str, Callable[[Job], Contestant]] = {
    made.__name__: made
    for made in (
        eager, ours, onnx_fp32, onnxruntime_static, onnxruntime_dynamic, onnxruntime_int4, openvino_fp32, nncf_int8,
        nncf_int4, torchao_pt2e, torchao_dynamic, torchao_int4, torch_pruning,
    )
}  # fmt: skip
