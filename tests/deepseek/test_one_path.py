"""One training path: the command line and the SDK give the same artifacts, digest for digest, each from scratch."""

import json
from pathlib import Path

import pytest

from deepseek import Dataset, Model, local
from deepseek.cli.app import main

EXAMPLE = Path(__file__).parents[2] / "examples" / "01-digits"


@pytest.fixture
def fresh_home(tmp_path, monkeypatch):
    """Switch to an empty home, so that nothing comes from a cache."""
    local.catalog.cache_clear()

    def switch(name):
        monkeypatch.setenv("DEEPSEEK_HOME", str(tmp_path / name))

    yield switch
    local.catalog.cache_clear()


def test_digits_reach_97_percent_by_command_line_and_sdk_with_the_same_digests(fresh_home, capsys):
    fresh_home("cli")
    words = ["run", str(EXAMPLE), "--json", "--device", "cpu", "--threads", "1", "--gate", "evaluate.accuracy>=0.97"]
    assert main(words) == 0
    shown = json.loads(capsys.readouterr().out)

    fresh_home("sdk")
    dataset = Dataset.load("digits")
    model = Model.create("convnet")
    training = model.train(dataset, epochs=6, batch_size=64, learning_rate=0.003, device="cpu", threads=1, show=False)
    evaluation = model.evaluate(dataset, show=False)
    assert not training.is_cached
    assert evaluation["accuracy"] == shown["metrics"]["evaluate.accuracy"] >= 0.97
    assert model.artifact.digest == shown["outputs"]["train.model"]
    assert dataset.artifact.digest == shown["outputs"]["data.dataset"]
    assert dataset.test.artifact.digest == shown["outputs"]["split.test"]


def test_the_pipeline_of_the_sdk_is_the_pipeline_of_the_example(fresh_home):
    fresh_home("document")
    document = json.loads((EXAMPLE / "pipeline.json").read_text())
    dataset = Dataset.load("digits")
    assert set(document["blocks"]) == {"data", "split", "model", "train", "evaluate"}
    made = dataset.train.pipeline()
    assert set(made["blocks"]) < set(document["blocks"])
    assert all(wire in document["wires"] for wire in made["wires"])
