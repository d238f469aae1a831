"""The edge package: what its program makes of images, rows and texts, and that it runs alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from engine.artifacts import ArtifactStore, DatasetRef, ModelRef
from engine.blocks.export import edge as edge_block
from engine.errors import UserError
from engine.models import build, complete
from engine.runtime import tables
from engine.runtime.edge import inputs as edge
from engine.runtime.examples import describe, load
from engine.runtime.images import affine, arrange, decode, network_shape
from engine.runtime.models import save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.predictor import Predictor
from engine.testing import images, table, texts, trained, untrained
from engine.text import train_tokenizer
from tests.engine.contexts import Recorder

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 3, 9, 13), dtype=np.uint8)


@pytest.mark.parametrize("size", [[9, 13], [24, 31], [4, 5]])
def test_pixels_become_the_numbers_that_training_saw(size: list[int]) -> None:
    operations = [
        {"op": "fit", "how": "crop"},
        {"op": "resize", "size": size},
        {"op": "scale", "by": 255.0},
        {"op": "normalise", "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]},
    ]
    arranged = arrange(torch.from_numpy(PIXELS), operations).float()
    factor, summand = affine(operations, network_shape(operations, PIXELS.shape[1:])[0])
    expected = torch.addcmul(summand, arranged, factor).numpy()
    np.testing.assert_allclose(edge.network_input(PIXELS, operations), expected, atol=2e-5)


def test_grey_becomes_colour() -> None:
    grey = PIXELS[:, :1]
    found = edge.network_input(grey, [{"op": "colour", "channels": 3}])
    assert (found == grey).all()
    assert found.shape == (2, 3, 9, 13)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_a_png_is_read_as_pillow_reads_it(tmp_path: Path, mode: str) -> None:
    from PIL import Image

    picture = Image.fromarray(PIXELS[0].transpose(1, 2, 0)).convert(mode)
    place = tmp_path / "picture.png"
    picture.save(place)
    expected = np.asarray(picture.convert("L" if mode[0] == "L" else "RGB"))
    found = edge.read_png(place.read_bytes())
    assert (found == expected.reshape(found.shape)).all()


def test_an_image_file_fits_the_model_as_it_does_in_the_studio(tmp_path: Path) -> None:
    from PIL import Image

    smooth = np.linspace(0, 255, 40 * 40 * 3).reshape(40, 40, 3).astype(np.uint8)
    place = tmp_path / "picture.png"
    Image.fromarray(smooth).save(place)
    for shape in ([3, 40, 40], [1, 40, 40], [3, 16, 20]):
        expected = decode(place.read_bytes(), shape).astype(int)
        assert np.abs(edge.pixels(place, shape).astype(int) - expected).max() <= 2


def test_rows_become_the_numbers_that_training_saw() -> None:
    columns = [{"name": n, "type": t} for n, t in (("age", "number"), ("city", "category"), ("day", "date"))]
    operations: list[dict[str, Any]] = [
        {"op": "impute", "column": "age", "value": 3.0},
        {"op": "standardise", "column": "age", "mean": 2.0, "std": 4.0},
        {"op": "one_hot", "column": "city", "categories": ["1", "2"]},
    ]
    day = pa.array(["2024-02-03", "1999-12-31"]).cast(pa.timestamp("ms"))
    known = pa.table({"age": [1.5, None], "city": [2.0, 7.0], "day": day})
    rows = [{"age": "1.5", "city": "2.0", "day": "2024-02-03"}, {"age": "", "city": "7", "day": "1999-12-31"}]
    np.testing.assert_allclose(edge.encode(rows, columns, operations), tables.encode(known, columns, operations))


@pytest.mark.parametrize("lower", [True, False])
def test_texts_become_the_tokens_of_the_library(tmp_path: Path, lower: bool) -> None:
    written = ["The café isn't open; it's 3.5 km away!", "unbelievably Grüße 世界 ok", "the the the " * 9, ""]
    tokenizer = train_tokenizer(written * 3, kind="wordpiece", size=90, lower=lower)
    (tmp_path / "tokenizer.json").write_bytes(tokenizer.content)
    found = edge.WordPieces(tmp_path / "tokenizer.json").rows([*written, "Ωmega"], 16)
    for row, ids in zip(found.tolist(), tokenizer.encode([*written, "Ωmega"]), strict=True):
        expected = ids if len(ids) <= 16 else [*ids[:15], ids[-1]]
        assert row == expected + [tokenizer.pad_id] * (16 - len(expected))


class Package:
    """An edge package of a model, unpacked, and a way to run its program with nothing but its own folder."""

    def __init__(self, folder: Path, model: ModelRef, dataset: DatasetRef, ctx: Recorder) -> None:
        made = edge_block.run(edge_block.Params(name="mine"), model=model, dataset=dataset, ctx=ctx)
        with zipfile.ZipFile(made.file.path("content")) as archive:
            archive.extractall(folder)
        self.folder = folder / "mine"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        # -I: neither the working folder nor the environment adds to what can be imported.
        script = (
            "import runpy, sys; sys.path.insert(0, sys.argv[1]); sys.argv = [sys.argv[1] + '/run.py', *sys.argv[2:]]\n"
            "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
            "finally: print(*[n for n in ('torch', 'engine', 'onnx', 'pandas', 'PIL') if n in sys.modules], "
            "file=sys.stderr)"
        )
        command = [sys.executable, "-I", "-c", script, str(self.folder), *words]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd="/", env={"PATH": os.environ["PATH"]}
        )


@pytest.fixture
def ctx(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path)


def test_the_package_of_an_image_model_answers_alone_as_the_studio_does(tmp_path: Path, ctx: Recorder) -> None:
    dataset = images(ctx.store)
    model = trained(ctx.store, dataset)
    package = Package(tmp_path / "out", model, dataset, ctx)
    view = load(dataset, Predictor.open(model).spec, torch.device("cpu"))
    np.save(tmp_path / "raw.npy", view.take(torch.arange(5)).numpy())
    told = package.run(str(tmp_path / "raw.npy"))
    assert told.returncode == 0
    assert told.stderr.strip() == ""  # nothing but numpy and onnxruntime was imported
    answers = [json.loads(line) for line in told.stdout.splitlines()]
    expected = Predictor.open(model).predict(dataset).records(1)[:5]
    assert [a["label"] for a in answers] == [e["label"] for e in expected]
    assert [a["probability"] for a in answers] == pytest.approx([e["probability"] for e in expected], abs=1e-4)
    checked = package.run("--check")
    assert (checked.returncode, json.loads(checked.stdout)) == (0, {"agreement": 1.0})


def test_a_changed_network_is_refused_by_the_program(tmp_path: Path, ctx: Recorder) -> None:
    dataset = images(ctx.store)
    package = Package(tmp_path / "out", trained(ctx.store, dataset), dataset, ctx)
    place = package.folder / "model.onnx"
    place.write_bytes(place.read_bytes()[:-1] + b"\x00")
    told = package.run("--check")
    assert told.returncode == 1
    assert "was changed or is damaged" in told.stderr


def test_the_package_of_a_table_model_reads_csv(tmp_path: Path, ctx: Recorder) -> None:
    dataset = table(ctx.store)
    model = trained(ctx.store, dataset)
    package = Package(tmp_path / "out", model, dataset, ctx)
    (tmp_path / "rows.csv").write_text("width,height,colour\n0.1,0.5,red\n2.0,-1,green\n")
    told = package.run(str(tmp_path / "rows.csv"))
    rows = pa.table({"width": [0.1, 2.0], "height": [0.5, -1.0], "colour": ["red", "green"]})
    expected = Predictor.open(model).predict_table(rows).records(1)
    assert [json.loads(line)["label"] for line in told.stdout.splitlines()] == [e["label"] for e in expected]


def test_the_package_of_a_text_model_reads_texts(tmp_path: Path, ctx: Recorder) -> None:
    dataset = texts(ctx.store)
    wanted = describe(dataset)
    small = {"hidden_size": 16, "layers": 1, "heads": 2, "intermediate_size": 32}
    config = complete("bert", small, "tokens", wanted.shape, 3, {**wanted.facts, "task": "classification"})
    torch.manual_seed(0)
    spec = ModelSpec(
        architecture="bert", config=config, task="classification", input=wanted.input,
        preprocessing=wanted.preprocessing, labels=wanted.classes,
    )  # fmt: skip
    from engine.datasets import open_texts
    from engine.datasets.texts import TOKENIZER

    files = {TOKENIZER: open_texts(dataset).tokenizer.content}
    model = save_model(ctx.store, spec, build("bert", config).state_dict(), files=files)
    package = Package(tmp_path / "out", model, dataset, ctx)
    told = package.run("number 3 goes to the left", "nowhere")
    expected = Predictor.open(model).predict_texts(["number 3 goes to the left", "nowhere"]).records(1)
    found = [json.loads(line) for line in told.stdout.splitlines()]
    assert [a["probability"] for a in found] == pytest.approx([e["probability"] for e in expected], abs=1e-3)


def test_an_untrained_model_has_no_package(tmp_path: Path, ctx: Recorder) -> None:
    store: ArtifactStore = ctx.store
    with pytest.raises(UserError, match="not trained yet"):
        edge_block.run(edge_block.Params(), model=untrained(store), dataset=images(store), ctx=ctx)


def test_a_name_that_leaves_the_folder_is_refused(ctx: Recorder) -> None:
    dataset = images(ctx.store)
    with pytest.raises(UserError, match="not a name for a file"):
        edge_block.run(edge_block.Params(name="../mine"), model=trained(ctx.store, dataset), dataset=dataset, ctx=ctx)
