"""Put a model into a package for machines without the studio; see :mod:`engine.runtime.edge`."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.artifacts import ModelRef, canonical_json
from engine.datasets.texts import TOKENIZER
from engine.errors import UserError
from engine.runtime.models import WEIGHTS, open_model, read_spec
from engine.runtime.modelspec import ModelSpec
from engine.runtime.onnx_export import Session, to_onnx
from engine.runtime.verify import verify

HERE = Path(__file__).parent
PROGRAM = ("run.py", "inputs.py")
OWN_IMPORT = "from engine.runtime.edge.inputs import"
SAMPLES = 8
_EPOCH = (1980, 1, 1, 0, 0, 0)


def edge_files(ref: ModelRef, raw: Tensor, inputs: Tensor, variant: str | None = None) -> dict[str, bytes]:
    """The files of a package.

    Parameters
    ----------
    ref
        A trained model; one with weights alone is written as ONNX in floats.
    raw
        A few examples as they are kept, at least two: uint8 pixels (N, C, H, W), float32 rows, or tokens.
    inputs
        The same as the network takes them.
    variant
        Name of the form that is taken; None: the only one, or INT8 before others.

    Raises
    ------
    UserError
        When the model is not trained, has no such form, or cannot be written.
    """
    spec = read_spec(ref)
    if not spec.trained:
        raise UserError("The model is not trained yet", field="model", hint="Connect it to a training block first.")
    content, expected = _network(ref, spec, inputs, variant)
    facts = {
        "format": "deepseek.edge/1",
        "task": spec.task,
        "input": spec.input,
        "preprocessing": spec.preprocessing,
        "labels": spec.labels,
        "target": None if spec.target is None else spec.target.model_dump(),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    sample = io.BytesIO()
    np.savez_compressed(sample, inputs=_kept(raw), outputs=expected.numpy())
    files = {"model.onnx": content, "edge.json": canonical_json(facts), "sample.npz": sample.getvalue()}
    files |= {name: _alone((HERE / name).read_text(encoding="utf-8")) for name in PROGRAM}
    if TOKENIZER in ref.files:
        files[TOKENIZER] = ref.read_bytes(TOKENIZER)
    return {**files, "README.md": _readme(spec, len(content)).encode()}


def write_edge(files: dict[str, bytes], path: Path, folder: str) -> None:
    """Write the files as one zip, in a folder of its own; the same files give the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(f"{folder}/{name}", _EPOCH)
            info.external_attr, info.create_system, info.compress_type = 0o644 << 16, 3, zipfile.ZIP_DEFLATED
            archive.writestr(info, files[name])


def _network(ref: ModelRef, spec: ModelSpec, inputs: Tensor, variant: str | None) -> tuple[bytes, Tensor]:
    """The ONNX file, and what it answers."""
    name = variant or ("int8" if "int8" in spec.variants else next(iter(sorted(spec.variants)), None))
    if name is not None:
        if name not in spec.variants:
            raise UserError(
                "The model has no variant {name}",
                field="variant",
                hint="It has: {known}.",
                name=name,
                known=", ".join(sorted(spec.variants)) or "-",
            )
        content = ref.read_bytes(spec.variants[name].file)
        return content, torch.from_numpy(Session(content).run(inputs.numpy()))
    if WEIGHTS not in ref.files:
        raise UserError("The model has no weights yet", field="model", hint="Train it first.")
    module = open_model(ref).module
    content = to_onnx(module, inputs[:2])
    found = torch.from_numpy(Session(content).run(inputs.numpy()))
    with torch.inference_mode():
        verify(module(inputs), found)
    return content, found


def _kept(raw: Tensor) -> np.ndarray:
    """Examples in a form that ``numpy.load`` opens without pickle; tokens as the network counts them."""
    array = raw.cpu().numpy()
    return array.astype(np.int64) if array.dtype == np.int32 else array


def _alone(source: str) -> bytes:
    """A module of the program, importing what lies beside it."""
    return source.replace(OWN_IMPORT, "from inputs import").encode()


def _readme(spec: ModelSpec, size: int) -> str:
    given = {"images": "photo.png", "table": "rows.csv", "tokens": '"a text"'}.get(str(spec.input_kind), "inputs.npy")
    labels = f"It knows {len(spec.labels)} classes. " if spec.labels else ""
    return f"""# A model to take along

{labels}The network is {size / 2**20:.2f} MiB. It needs Python 3.11 or newer, numpy and onnxruntime:

```
pip install numpy onnxruntime
python run.py --check      # answers here as where it was made?
python run.py {given}
```

`run.py --time` says how long one example takes on this machine. `edge.json` says what goes in and comes out.
"""
