"""Other forms of a model, such as an ONNX file: add one, and compute with one.

Called by whatever opens or makes models. A variant lies in the model's artifact beside the weights, or alone; its name,
file, runtime and checksum stand in ``model.json``. Every file is ONNX, which is data, while a ``torch.export`` archive
can hold pickled code and is turned into ONNX before it becomes a model. The runtime is the one that was measured to be
fastest: ``"onnxruntime"``, or ``"openvino"`` where that is installed.
"""

from __future__ import annotations

import hashlib
import importlib.util

from torch import nn

from engine.artifacts import ArtifactStore, ModelRef, canonical_json
from engine.errors import UserError
from engine.runtime.filemodules import OnnxModule, OpenVinoModule
from engine.runtime.modelspec import ModelSpec, Variant, parse

RUNTIME = "onnxruntime"
OPENVINO = "openvino"
MODEL = "model.json"


def add_variant(store: ArtifactStore, ref: ModelRef, name: str, content: bytes, runtime: str = RUNTIME) -> ModelRef:
    """The same model with one form more.

    Parameters
    ----------
    name
        Of the variant, such as ``"onnx"`` or ``"int8"``; one of the same name is replaced.
    content
        The file.
    """
    spec = parse(ref.read_json(MODEL))
    file = f"{name}.onnx"
    variant = Variant(file=file, runtime=runtime, sha256=hashlib.sha256(content).hexdigest())
    spec = spec.model_copy(update={"variants": {**spec.variants, name: variant}})
    files = {known: ref.path(known) for known in ref.files} | {MODEL: canonical_json(spec.to_json()), file: content}
    return store.put(ModelRef, files=files, meta=ref.meta)


def runner(ref: ModelRef, spec: ModelSpec, name: str | None = None, threads: int = 0) -> nn.Module:
    """A variant as a module: inputs to outputs, as the network itself would give them.

    Parameters
    ----------
    name
        Of the variant; None: the first one.
    threads
        Of the runtime; 0: every core.

    Raises
    ------
    UserError
        When there is no such variant, its runtime is not installed, or its file is damaged.
    """
    name = name or next(iter(sorted(spec.variants)), "")
    variant = spec.variants.get(name)
    if variant is None:
        raise UserError(
            "The model has no variant {name}",
            field="model",
            hint="It has: {known}.",
            name=name,
            known=", ".join(sorted(spec.variants)) or "-",
        )
    if variant.runtime not in (RUNTIME, OPENVINO):
        raise UserError(
            "The variant {name} needs the runtime {runtime}, which this version does not have",
            field="model",
            name=name,
            runtime=variant.runtime,
        )
    content = ref.read_bytes(variant.file)
    if variant.runtime == OPENVINO and importlib.util.find_spec(OPENVINO) is not None:
        return OpenVinoModule(content, threads)
    return OnnxModule(content, threads)  # which reads the same files
