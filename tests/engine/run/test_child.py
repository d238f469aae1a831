"""The child process over real pipes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine import toy

ROOT = Path(__file__).parents[3]


class Child:
    def __init__(self, folder, document, answer=lambda m: {"hit": None, "previous": None}):
        folder.mkdir(exist_ok=True)
        (folder / "catalog.json").write_text(json.dumps({**toy.CATALOG, "sources": self._sources()}))
        job = {"document": document.to_json(), "plan": {"device": "cpu", "threads": 1}}
        (folder / "job.json").write_text(json.dumps(job))
        env = {**os.environ, "DEEPSEEK_CATALOG": str(folder / "catalog.json"), "PYTHONPATH": str(ROOT)}
        # The toy blocks live in modules that only exist once the toy catalog is imported.
        code = "import tests.engine.toy, sys; from engine.run.child import main; from pathlib import Path; "
        code += "sys.exit(main(Path(sys.argv[1])))"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, cwd=ROOT
        )
        self.answer = answer
        self.messages = []

    @staticmethod
    def _sources():
        from engine.catalog import sources_digest

        return sources_digest()

    def tell(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def listen(self, until=lambda m: False):
        for line in self.process.stdout:
            message = json.loads(line)
            self.messages.append(message)
            if message["type"] == "cache_lookup":
                self.tell({"type": "cache_answer", "id": message["id"], **self.answer(message)})
            if until(message):
                return
        self.process.wait(20)

    def types(self):
        return [m["type"] for m in self.messages]


@pytest.fixture
def start(tmp_path):
    children = []

    def make(document, **options):
        children.append(Child(tmp_path / "run", document, **options))
        return children[-1]

    yield make
    for child in children:
        child.process.kill()
        child.process.wait()
        child.process.stdin.close()
        child.process.stdout.close()


def test_a_child_runs_its_job_and_ends_well(start):
    child = start(toy.chain(steps=2))
    child.listen()
    assert child.process.returncode == 0
    assert child.types()[-1] == "run_done"
    assert child.messages[-1]["status"] == "succeeded"
    # What must be durable before the block counts as done is said before it.
    assert child.types().index("cache_store") < child.types().index("block_done")


def test_a_failed_run_is_no_crash(start):
    child = start(toy.chain(fail="bug"))
    child.listen()
    assert child.process.returncode == 0
    assert child.messages[-1]["status"] == "failed"


def test_sigterm_keeps_what_was_done_and_asks_to_go_on(start, tmp_path):
    child = start(toy.chain(steps=500, fail="slow"))
    child.listen(until=lambda m: m["type"] == "metrics")
    child.process.send_signal(signal.SIGTERM)
    child.listen()
    assert child.process.returncode == 75
    assert "run_done" not in child.types()
    assert list((tmp_path / "run" / "work").rglob("done.txt"))


def test_cancel_over_the_pipe_ends_the_run_as_cancelled(start):
    child = start(toy.chain(steps=500, fail="slow"))
    child.listen(until=lambda m: m["type"] == "metrics")
    child.tell({"type": "cancel"})
    child.listen()
    assert child.process.returncode == 0
    assert child.messages[-1]["status"] == "cancelled"


def test_a_supervisor_that_is_gone_stops_the_run(start):
    child = start(toy.chain(steps=500, fail="slow"))
    child.listen(until=lambda m: m["type"] == "metrics")
    child.process.stdin.close()
    child.listen()
    assert child.process.returncode == 75


def test_a_job_that_cannot_start_says_why(start):
    child = start(toy.document({"add": {"type": "train.add"}}))
    child.listen()
    assert child.process.returncode == 0
    assert child.messages[-1]["error"]["template"] == "The input {port} is not connected"


def test_what_blocks_print_goes_to_the_log_and_never_into_the_pipe(start, tmp_path):
    child = start(toy.chain(amount=-5, value=0))
    child.listen()
    assert all("type" in m for m in child.messages)
    assert (tmp_path / "run" / "log.txt").exists()
