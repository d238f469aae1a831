"""Every example runs, by `deepseek run` and by its script, and both say the same."""

import importlib.util
import json
import os
from pathlib import Path

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
    "07-text-classification": ("evaluate.accuracy", 0.8),
    "08-language-models": ("evaluate_experts.token_accuracy", 0.3),
    "09-ddp-two-processes": ("evaluate.accuracy", 0.94),
}
#: They train for longer than a unit test may.
LONG = {"07-text-classification", "08-language-models"}
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
    assert main(["run", str(EXAMPLES / name), "--json", "--gate", f"{metric}>={reached}"]) == 0
    shown = json.loads(capsys.readouterr().out)
    monkeypatch.chdir(tmp_path)
    assert load_script(name).main() == pytest.approx(shown["metrics"][metric])


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
