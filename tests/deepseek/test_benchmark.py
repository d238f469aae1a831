"""``deepseek benchmark``: files of models in, numbers out; what is no model of ours is refused."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from deepseek import Dataset, Model, compress
from deepseek.cli.app import main
from engine.compress.search import hunt

KEYS = {"size_bytes", "params", "macs", "runtime", "memory_mib", "accuracy", "accuracy_low", "accuracy_high"}

pytestmark = pytest.mark.timeout(600)  # networks are written as ONNX several times


@pytest.fixture(scope="module")
def saved(sdk: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and its compressed form."""
    folder = tmp_path_factory.mktemp("models")
    dataset = Dataset.load("digits")
    model = Model.create("convnet", widths=[8, 32])
    model.train(dataset, epochs=2, show=False)
    model.save(folder / "model.zip")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hunt, "SLOWER", 1000.0)  # on a network this small a clock says little
        found = compress(model, dataset, max_drop=0.2, candidates=1, show=False)
    found.take(next(point["name"] for point in found.front if not point["baseline"])).save(folder / "small.pt")
    return folder


@pytest.mark.slow
def test_a_compressed_model_stands_beside_the_one_it_was_made_of(saved: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["benchmark", "--model", str(saved / "small.pt"), "--dataset", "digits", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert list(rows) == ["small.pt", "uncompressed"]
    small, large = rows.values()
    assert set(small) >= KEYS | {f"{p}_ms_{b}" for p in ("p50", "p95", "p99") for b in (1, 8, 32)}
    assert small["size_bytes"] < 1.1 * large["size_bytes"]
    assert small["params"] == large["params"]
    assert small["accuracy_low"] < small["accuracy"] < small["accuracy_high"]
    assert small["p50_ms_1"] <= small["p95_ms_1"] <= small["p99_ms_1"]
    assert small["per_s_32"] == pytest.approx(32_000 / small["p50_ms_32"])
    assert small["memory_mib"] > 0
    assert small["examples"] == 359


@pytest.mark.slow
def test_the_table_is_for_people(saved: Path, capsys: pytest.CaptureFixture) -> None:
    files = [str(saved / "small.pt"), "--compare", str(saved / "model.zip")]
    assert main(["benchmark", "--model", *files, "--dataset", "digits", "--examples", "50"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["small.pt", "model.zip"]
    assert {line[:18].strip() for line in lines[1:-1]} == {
        "size on disk", "parameters", "MACs", "runtime", "ms at batch 1", "ms at batch 8", "ms at batch 32",
        "per s at batch 1", "per s at batch 8", "per s at batch 32", "memory", "accuracy",
    }  # fmt: skip
    assert "50 examples" in lines[-1]


@pytest.mark.usefixtures("sdk")
def test_a_bundle_that_was_changed_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    whole = Model.create("convnet").save(tmp_path / "model.zip")
    changed = tmp_path / "changed.pt"
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'"convnet"', b'"resnet9"'))
    assert main(["benchmark", "--model", str(changed), "--dataset", "digits"]) == 1
    assert "is damaged or was changed" in capsys.readouterr().err


class Evil:
    """Something that runs code when it is unpickled."""

    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("touched"),))


def test_a_pickled_file_says_what_it_is_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": torch.ones(2)}, tmp_path / "weights.pt")
    torch.save(Evil(), tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Evil()))
    for name in ("weights.pt", "evil.pt", "plain.pt"):
        assert main(["benchmark", "--model", name, "--dataset", "digits"]) == 2
        assert "holds weights, and not which network they are of" in capsys.readouterr().err
    for name in ("evil.pt", "plain.pt"):
        with pytest.raises(Exception, match=r"weights|pickle|safe"):
            _ = Model.load(name, architecture="convnet", num_classes=10).artifact
    assert not (tmp_path / "touched").exists()
