"""Every example runs, by `deepseek run` and by its script, and both say the same."""

import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest

from deepseek import local
from deepseek.cli.app import main

EXAMPLES = Path(__file__).parents[2] / "examples"
#: Example -> metric that its script gives back, and what it reaches at least.
REACHED = {
    "01-digits": ("evaluate.accuracy", 0.97),
    "02-table-classification": ("evaluate.accuracy", 0.9),
    "03-table-regression": ("evaluate.r2", 0.3),
    "04-images-your-own": ("evaluate.accuracy", 0.85),
    "05-python-block": ("evaluate.accuracy", 0.9),
    "06-cifar10-fast": ("evaluate.accuracy", 0.5),
    "07-text-classification": ("evaluate.accuracy", 0.8),
    "08-language-models": ("evaluate_experts.token_accuracy", 0.3),
    "09-ddp-two-processes": ("evaluate.accuracy", 0.94),
    "10-compress-search": ("evaluate.accuracy", 0.5),
    "11-distilled-text-classifier": ("evaluate.accuracy", 0.8),
    "12-quantize": ("evaluate.accuracy", 0.95),
    "13-smaller-and-faster": ("evaluate.accuracy", 0.9),
    "14-bert-large-to-base": ("evaluate.accuracy", 0.1),
}
#: They train for longer than a unit test may.
LONG = {
    "07-text-classification",
    "08-language-models",
    "10-compress-search",
    "12-quantize",
    "13-smaller-and-faster",
    "11-distilled-text-classifier",
    "14-bert-large-to-base",
}
#: What an example is run with here, where it would take long; its script takes the same.
SMALL = {
    "06-cifar10-fast": {"data.path": "", "model.widths": [8, 16], "train.epochs": 4},
    "10-compress-search": {"data.path": "", "model.widths": [8, 16], "train.epochs": 4, "compress.candidates": 1},
    "13-smaller-and-faster": {"compress.budget_s": 5},
    "14-bert-large-to-base": {"model.weights": "none", "student.weights": "none"},
}
FOLDERS = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def _home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})  # one thread each: threads that wait for each other crawl on a busy machine
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPSEEK_HOME", str(home))
        patch.setenv("DEEPSEEK_OFFLINE", "1")
        local.catalog.cache_clear()
        yield
    os.sched_setaffinity(0, cpus)
    local.catalog.cache_clear()


def test_every_example_is_tested():
    assert sorted(REACHED) == FOLDERS


def runs(names):
    return [pytest.param(name, marks=pytest.mark.slow if name in LONG else ()) for name in names]


@pytest.mark.usefixtures("_home")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", runs(FOLDERS))
def test_an_example_reaches_its_figure_and_its_script_says_the_same(name, tmp_path, monkeypatch, capsys):
    metric, reached = REACHED[name]
    small = dict(SMALL.get(name, {}))
    if "data.path" in small:
        small["data.path"] = str(coloured_photos(tmp_path / "photos"))
    settings = [word for key, value in small.items() for word in ("--set", f"{key}={value}")]
    assert main(["run", str(EXAMPLES / name), "--json", "--gate", f"{metric}>={reached}", *settings]) == 0
    shown = json.loads(capsys.readouterr().out)
    monkeypatch.chdir(tmp_path)
    arguments = {key.split(".")[1]: value for key, value in small.items()}
    assert load_script(name).main(**arguments) == pytest.approx(shown["metrics"][metric])


def coloured_photos(folder):
    """A small data set in the form of CIFAR-10: ten classes, each with a colour of its own under noise."""
    folder.mkdir()
    draw = np.random.default_rng(0)
    colours = draw.integers(40, 215, (10, 3))
    for name, count in (("data_batch_1.bin", 400), ("test_batch.bin", 100)):
        labels = np.arange(count) % 10
        pixels = colours[labels][:, :, None] + draw.normal(0, 30, (count, 3, 1024))
        records = np.concatenate([labels[:, None], pixels.clip(0, 255).reshape(count, -1)], 1)
        (folder / name).write_bytes(records.astype(np.uint8).tobytes())
    return folder


@pytest.mark.usefixtures("_home")
@pytest.mark.parametrize("name", FOLDERS)
def test_an_example_is_a_template(name):
    lines = (EXAMPLES / name / "README.md").read_text().split("\n\n")
    assert lines[0].startswith("# ")
    assert 40 < len(lines[1]) < 200
    assert "\n" not in lines[1]
    document = local.parse((EXAMPLES / name / "pipeline.json").read_bytes())
    assert not [problem for problem in local.problems(document) if problem["severity"] in ("error", "warning")]
    positions = document["layout"]["positions"]
    assert set(positions) == set(document["blocks"])
    assert len({tuple(place) for place in positions.values()}) == len(positions)


def load_script(name):
    spec = importlib.util.spec_from_file_location(f"example_{name[:2]}", EXAMPLES / name / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
