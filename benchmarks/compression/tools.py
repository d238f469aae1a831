"""The tools that compression is measured beside, and our own, each as its own documentation says it is used.

Called by :mod:`benchmarks.compression.peers`, in the process of one tool. Each function takes a job (paths of the
network, of its ONNX file in fp32, of calibration inputs; threads) and gives a contestant. Imports are inside, since no
environment has all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compression.contestant import Contestant, Job, calibration, network, session, tensors
from benchmarks.compression.torchao import torchao_dynamic, torchao_int4, torchao_pt2e


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
    from engine.runtime.models import WEIGHTS, open_model, read_spec
    from engine.runtime.variants import runner

    torch.set_num_threads(job["threads"])
    bundle = Path(job["settings"]["bundle"])
    ref = load_bundle(bundle, ArtifactStore(Path(job["folder"]) / "store"))
    spec = read_spec(ref)
    told = {"variants": {name: variant.runtime for name, variant in spec.variants.items()}}
    if WEIGHTS in ref.files:
        return Contestant(tensors(open_model(ref).module), bundle.stat().st_size, **told)
    module = runner(ref, spec, threads=job["threads"])
    opened_file = getattr(module, "session", None)
    return Contestant(tensors(module) if opened_file is None else opened_file.run, bundle.stat().st_size, **told)


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


def torch_pruning(job: Job) -> Contestant:
    """Channels removed by Torch-Pruning, fine-tuned for a given time, in ONNX Runtime; then perhaps its INT8."""
    from benchmarks.compression.pruning import pruned

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
