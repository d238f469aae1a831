"""`deepseek run` in this process, on toy blocks: exit codes, words, and what lands on which stream."""

import io
import json
import signal
import threading

import pytest

from deepseek import local
from deepseek.cli.app import main
from tests.engine.toy import CATALOG, RUNS, chain


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPSEEK_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(local, "catalog", lambda: CATALOG)
    RUNS.clear()


@pytest.fixture
def pipeline(tmp_path):
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(chain(amount=2).to_json()))
    return str(path)


def run(*words):
    return main(["run", "--device", "cpu", "--threads", "1", *map(str, words)])


def test_a_run_prints_its_metrics_and_exits_0(pipeline, capsys):
    assert run(pipeline) == 0
    shown = capsys.readouterr()
    assert "add.total     3" in shown.out
    assert "succeeded in" in shown.err
    assert "\x1b" not in shown.err


def test_json_goes_to_standard_output_alone(pipeline, capsys):
    assert run(pipeline, "--json", "--gate", "add.total>=3") == 0
    body = json.loads(capsys.readouterr().out)
    assert body["status"] == "succeeded"
    assert body["metrics"]["add.total"] == 3
    assert body["gates"] == [{"gate": "add.total>=3", "value": 3.0, "passed": True}]
    assert body["outputs"]["add.dataset"].startswith("sha256:")
    assert body["plan"]["device"] == "cpu"


def test_a_second_run_takes_everything_from_the_cache(pipeline, capsys):
    run(pipeline)
    first = dict(RUNS)
    assert run(pipeline) == 0
    assert dict(RUNS) == first
    assert "cached" in capsys.readouterr().err


def test_set_and_seed_change_what_runs(pipeline, capsys):
    assert run(pipeline, "--set", "add.amount=4", "--seed", "9", "--json") == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["add.total"] == 5


def test_to_runs_only_what_a_block_needs(pipeline, capsys):
    assert run(pipeline, "--to", "data") == 0
    assert dict(RUNS) == {"data": 1}


def test_a_gate_that_fails_exits_3_and_says_the_value(pipeline, capsys):
    assert run(pipeline, "--gate", "add.total>=4") == 3
    assert "gate add.total>=4 failed: add.total is 3" in capsys.readouterr().err


def test_a_failing_block_exits_1_with_its_place_and_words(pipeline, capsys):
    assert run(pipeline, "--set", "add.fail=user") == 1
    assert "add.amount: Column price is missing" in capsys.readouterr().err


def test_a_failing_block_is_in_the_json_too(pipeline, capsys):
    assert run(pipeline, "--set", "add.fail=bug", "--json") == 1
    body = json.loads(capsys.readouterr().out)
    assert body["status"] == "failed"
    assert "ZeroDivisionError" in body["error"]["message"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "add.amont=1"], "Did you mean 'amount'"),
        (["--set", "ad.amount=1"], "Did you mean 'add'"),
        (["--set", "add.amount=-9"], "at least -5"),
        (["--set", "add.amount=much"], "type integer"),
        (["--to", "dta"], "Did you mean 'data'"),
        (["--gate", "add.total"], "is not a gate"),
        (["--gate", "ad.total>1"], "Did you mean 'add'"),
        (["--save", "add.model"], "saves nothing"),
        (["--save", "ad.model=x"], "Did you mean 'add'"),
    ],
)
def test_a_wrong_word_exits_2_says_what_was_meant_and_runs_nothing(pipeline, capsys, words, message):
    assert run(pipeline, *words) == 2
    assert message in capsys.readouterr().err
    assert not RUNS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "JSON object"),
        ('{"nodes": []}', "not a pipeline of DeepSeek Studio"),
        ('{"format": "deepseek.pipeline/99"}', "newer DeepSeek Studio"),
        ('{"format": "deepseek.pipeline/1", "blocks": {"a": {"type": "data.sorce"}}}', "data.source"),
        ('{"format": "deepseek.pipeline/1", "blocks": {"a": {"type": "train.add"}}}', "a.dataset"),
        ('{"format": "deepseek.pipeline/1", "blocks": {}, "wires": [["a.b", "c.d"]]}', "not in the pipeline"),
        (b"\xff\xfe\x00", "UTF-8"),
    ],
)
def test_what_is_no_pipeline_exits_2_with_the_reason(tmp_path, capsys, text, message):
    path = tmp_path / "bad.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert run(path) == 2
    assert message in capsys.readouterr().err


def test_a_file_that_is_not_there_exits_2(capsys):
    assert run("nowhere.json") == 2
    assert "nowhere.json cannot be read" in capsys.readouterr().err


def test_a_pipeline_may_come_from_standard_input(pipeline, monkeypatch, capsys):
    with open(pipeline, "rb") as stream:
        text = stream.read()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert run("-") == 0


def test_ctrl_c_cancels_cleanly_and_the_same_run_goes_on_where_it_stopped(pipeline, capsys):
    slow = ["--set", "add.fail=slow", "--set", "add.steps=60"]
    before = signal.getsignal(signal.SIGINT)  # ignored where the tests were started in the background
    timer = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
    timer.start()
    assert run(pipeline, *slow) == 130
    timer.join()
    assert "cancelled" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before
    done = int(next(local._folder().rglob("done.txt")).read_text())
    assert 0 < done < 59
    assert run(pipeline, *slow) == 0
    assert RUNS["add"] == 2


def test_an_unknown_command_says_what_was_meant(capsys):
    assert main(["rnu"]) == 2
    assert "Did you mean 'run'" in capsys.readouterr().err


def test_blocks_lists_and_explains(capsys, monkeypatch):
    monkeypatch.setitem(CATALOG, "categories", [{"id": "train", "title": "Training"}])
    assert main(["blocks"]) == 0
    assert "train.add" in capsys.readouterr().out
    assert main(["blocks", "train.add"]) == 0
    shown = capsys.readouterr().out
    assert "amount" in shown
    assert ">= -5" in shown
    assert "What it adds" in shown
    assert main(["blocks", "train.ad"]) == 2
    assert "Did you mean 'train.add'" in capsys.readouterr().err
