"""The runtimes of this machine: what fits a model, what answers otherwise, and which is fastest."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.artifacts import ArtifactStore
from engine.errors import UserError
from engine.runtime import runtimes
from engine.runtime.footprint import memory_mib
from engine.runtime.models import save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.onnx_export import to_onnx
from engine.runtime.runtimes import measured, open_runtime, ways
from engine.runtime.variants import add_variant, runner
from engine.runtime.verify import agreement, verify

needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed")


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3)).eval()


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def content(net: nn.Module, x: Tensor) -> bytes:
    return to_onnx(net, x[:2])


def test_every_runtime_that_is_here_answers_as_the_network(net: nn.Module, x: Tensor, content: bytes) -> None:
    with torch.inference_mode():
        expected = net(x).numpy()
    names = ways(x, module=net, content=content, names=runtimes.QUICK)
    assert {"eager", "channels_last", "onnxruntime"} <= set(names)
    for name in names:
        found = open_runtime(name, module=net, content=content, threads=1)(x).numpy()
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_fastest_comes_first(net: nn.Module, x: Tensor, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = runtimes.open_runtime

    def slowed(name: str, **given: object) -> object:
        call = usual(name, **given)
        return (lambda x: [call(x) for _ in range(40)][0]) if name == "eager" else call

    monkeypatch.setattr(runtimes, "open_runtime", slowed)
    found = measured(x, module=net, content=content, names=("eager", "onnxruntime"), threads=1, budget_s=0.2)
    assert [way.name for way in found] == ["onnxruntime", "eager"]
    assert found[0].latency.p50_ms < found[1].latency.p50_ms


def test_a_runtime_that_answers_otherwise_is_left_out(net: nn.Module, x: Tensor) -> None:
    torch.manual_seed(5)
    other = to_onnx(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), x[:2])
    found = measured(x, module=net, content=other, names=("eager", "onnxruntime"), threads=1, budget_s=0.05)
    assert [way.name for way in found] == ["eager"]


def test_only_forms_that_the_model_has_are_tried(net: nn.Module, x: Tensor, content: bytes) -> None:
    assert "onnxruntime" not in ways(x, module=net, content=None, names=runtimes.RUNTIMES)
    assert "eager" not in ways(x, module=None, content=content, names=runtimes.RUNTIMES)
    assert "channels_last" not in ways(x.flatten(1), module=net, content=None, names=runtimes.RUNTIMES)


def test_a_model_that_nothing_can_compute_is_refused(x: Tensor) -> None:
    with pytest.raises(UserError, match="Nothing on this machine"):
        measured(x)


def test_a_runtime_that_is_not_installed_is_named(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "installed", lambda: ["eager"])
    with pytest.raises(UserError, match="openvino is not installed"):
        open_runtime("openvino", content=content)


@pytest.mark.slow
def test_a_compiled_network_answers_as_it_did(net: nn.Module, x: Tensor) -> None:
    if "compiled" not in runtimes.installed():
        pytest.skip("there is no compiler here")
    found = measured(x, module=net, names=("eager", "compiled"), budget_s=0.1)
    assert {way.name for way in found} == {"eager", "compiled"}


@needs_openvino
def test_openvino_reads_the_same_file(net: nn.Module, x: Tensor, content: bytes) -> None:
    found = open_runtime("openvino", content=content, threads=1)(x)
    assert agreement(net(x), found) == 1.0


def test_a_variant_for_openvino_opens_without_it_too(net: nn.Module, x: Tensor, content: bytes, tmp_path: Path) -> None:
    spec = ModelSpec(architecture="convnet", task="classification", input={"kind": "images", "shape": [1, 8, 8]})
    store = ArtifactStore(tmp_path)
    model = add_variant(store, save_model(store, spec), "onnx", content, "openvino")
    opened = runner(model, spec.model_copy(update={"variants": _variants(model)}), threads=1)
    torch.testing.assert_close(opened(x), net(x).detach(), atol=1e-4, rtol=1e-3)


def _variants(model: object) -> object:
    from engine.runtime.models import read_spec

    return read_spec(model).variants  # type: ignore[arg-type]


def test_outputs_agree_by_class_by_number_and_not_by_shape() -> None:
    assert agreement(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 0.0], [3.0, 1.0]])) == 0.5
    numbers = torch.linspace(0, 1, 10)
    assert agreement(numbers, numbers + 1e-3) == 1.0
    assert agreement(numbers, numbers + 1.0) == 0.0
    assert agreement(numbers, numbers[:5]) == 0.0


def test_a_file_that_answers_otherwise_is_refused_with_its_share() -> None:
    with pytest.raises(UserError, match=r"50.0 %"):
        verify(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 0.0], [3.0, 1.0]]))


def test_a_larger_network_takes_more_memory(tmp_path: Path) -> None:
    places = {}
    for size in (64, 3000):
        places[size] = tmp_path / f"{size}.onnx"
        places[size].write_bytes(to_onnx(nn.Linear(size, size), torch.zeros(2, size)))
    job = {"runtime": "onnxruntime", "number": "float32", "threads": 1}
    found = {size: memory_mib({**job, "file": str(place), "shape": [2, size]}) for size, place in places.items()}
    weights_mib = 4 * 3000**2 / 2**20
    assert found[3000] is not None
    assert found[64] is not None
    assert found[3000] - found[64] > 0.8 * weights_mib


def test_memory_of_a_file_that_cannot_be_opened_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"x")
    job = {"runtime": "onnxruntime", "number": "float32", "threads": 1, "shape": [1, 2]}
    assert memory_mib({**job, "file": str(tmp_path / "broken.onnx")}) is None
