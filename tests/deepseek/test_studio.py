"""`deepseek run --studio` against a running studio: the same artifacts as here, files uploaded, Ctrl-C passed on."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deepseek import Studio
from deepseek.cli.app import main
from tests.studio import Api

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def key(studio, home, monkeypatch):
    """An API key, configured as a person would; the shared studio is left as it was."""
    with Api(studio) as api:
        made = api.call("POST", "/keys", name="command line")
        monkeypatch.setenv("DEEPSEEK_API_KEY", made["key"])
        yield made["key"]
        api.call("DELETE", f"/keys/{made['id']}")


def test_digits_have_the_same_digests_in_the_studio_and_here(studio, key, capsys):
    gate = ["--gate", "evaluate.accuracy>=0.97", "--json"]
    assert main(["run", str(EXAMPLES / "01-digits"), "--studio", studio.url, *gate]) == 0
    there = json.loads(capsys.readouterr().out)
    threads = str(there["plan"]["threads"])
    assert main(["run", str(EXAMPLES / "01-digits"), "--device", "cpu", "--threads", threads, *gate]) == 0
    here = json.loads(capsys.readouterr().out)
    assert here["plan"] == there["plan"]
    assert here["outputs"] == there["outputs"]
    assert there["url"].startswith(studio.url)


def test_a_file_beside_the_pipeline_is_uploaded(studio, key, capsys):
    assert main(["run", str(EXAMPLES / "02-table-classification"), "--studio", studio.url, "--wait"]) == 0
    assert "evaluate.accuracy" in capsys.readouterr().out


def test_an_output_is_downloaded(studio, key, tmp_path, capsys):
    assert main(["run", str(EXAMPLES / "01-digits"), "--studio", studio.url, "--wait", "--json", "--to", "data"]) == 0
    digest = json.loads(capsys.readouterr().out)["outputs"]["data.dataset"]
    with Studio(studio.url) as connection:
        workspace = connection.request("GET", "/workspaces")["items"][0]["id"]
        folder = connection.download(workspace, digest, tmp_path / "digits")
    assert (folder / "labels.npy").stat().st_size > 1797 * 8


def test_ctrl_c_cancels_the_run_in_the_studio(studio, key):
    words = [
        "run",
        str(EXAMPLES / "01-digits"),
        "--set",
        "train.epochs=100000",
        "--studio",
        studio.url,
        "--wait",
        "--json",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "deepseek.cli.app", *words],
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("split"):
            break
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out)["status"] == "cancelled"


def test_a_wrong_key_and_a_wrong_address_say_what_to_do(studio, home, monkeypatch, capsys):
    monkeypatch.setenv("DEEPSEEK_API_KEY", "dsk_wrong")
    assert main(["run", str(EXAMPLES / "01-digits"), "--studio", studio.url]) == 2
    assert "config set --api-key" in capsys.readouterr().err
    assert main(["run", str(EXAMPLES / "01-digits"), "--studio", "http://localhost:9"]) == 1
    assert "does not answer" in capsys.readouterr().err
