"""Jobs: taken by one worker, ended always, their results read as a stranger's."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from tests.webapp.support import make_artifact
from webapp.artifacts import jobs
from webapp.artifacts.models import DataFile, Job

pytestmark = pytest.mark.django_db
FOUND = {"kind": "table", "detected": {"delimiter": ","}, "options": {}, "columns": [{"name": "age"}]}


@dataclass
class Ended:
    returncode: int = 0
    log_tail: str = ""
    timed_out: bool = False
    out_of_memory: bool = False


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What happens in the sandbox, without one."""

    class Tool:
        calls = 0
        ended = Ended()

        def act(self, folder: Path) -> None:
            (folder / "result.json").write_text(json.dumps(FOUND))

        def __call__(self, argv: list[str], *, folder: Path, timeout_s: float, **_: Any) -> Ended:
            self.calls += 1
            assert argv[:1] == ["-m"]
            self.act(folder)
            return self.ended

    made = Tool()
    monkeypatch.setattr("webapp.supervisor.tools.run_tool", made)
    return made


@pytest.fixture
def file(people: Any, tmp_path: Any) -> DataFile:
    artifact = make_artifact(people.workspace, tmp_path, content=b"age\n1\n")
    job = jobs.create_job(
        people.workspace, people.editor, "inspect", {"file": artifact.digest, "filename": "p.CSV", "options": {"a": 1}}
    )
    return DataFile.objects.create(
        project=people.project, name="p", filename="p.CSV", size=6, digest=artifact.digest, job=job
    )


def run(file: DataFile) -> Job:
    assert file.job is not None
    jobs.run_job(file.job.pk)
    file.refresh_from_db()
    return Job.objects.get(pk=file.job_id)


def test_a_file_becomes_ready_with_what_was_found(tool: Any, file: DataFile) -> None:
    job = run(file)

    assert (job.status, job.lease_until, file.status, file.kind) == ("done", None, "ready", "table")
    assert file.inspection == FOUND


def test_the_tool_gets_the_file_and_the_corrections(tool: Any, file: DataFile) -> None:
    seen = {}

    def look(folder: Path) -> None:
        seen.update(json.loads((folder / "job.json").read_text()))
        seen["content"] = (folder / seen["file"]).read_bytes()

    tool.act = look
    run(file)

    assert (seen["file"], seen["filename"], seen["options"]) == ("input/file.csv", "p.CSV", {"a": 1})
    assert seen["content"] == b"age\n1\n"


def test_nothing_stays_behind(tool: Any, file: DataFile, settings: Any) -> None:
    run(file)

    assert list((Path(settings.HOME) / "jobs").iterdir()) == []


def test_a_model_is_brought_along_with_what_it_builds_on(tool: Any, people: Any, tmp_path: Any) -> None:
    model = make_artifact(people.workspace, tmp_path, "model", model__json=b"{}")
    image = make_artifact(people.workspace, tmp_path, content=b"png")
    blobs = []
    tool.act = lambda folder: blobs.extend(p.name for p in (folder / "store").rglob("*") if p.is_file())

    job = jobs.create_job(
        people.workspace,
        people.editor,
        "predict",
        {"file": image.digest, "filename": "a.png", "model": model.digest},
    )
    jobs.run_job(job.pk)

    assert model.digest[7:] in blobs
    assert len(blobs) == 2


def test_a_job_is_done_once(tool: Any, file: DataFile) -> None:
    run(file)
    run(file)

    assert tool.calls == 1


def test_a_job_whose_worker_died_is_done_by_another(tool: Any, file: DataFile) -> None:
    lease = timezone.now() - timedelta(seconds=1)
    Job.objects.update(status="running", lease_until=lease, tries=1)

    assert jobs.waiting_jobs() == [file.job_id]
    assert run(file).status == "done"


def test_a_job_that_somebody_works_on_is_left_alone(tool: Any, file: DataFile) -> None:
    Job.objects.update(status="running", lease_until=timezone.now() + timedelta(minutes=1))

    assert jobs.waiting_jobs() == []
    assert run(file).status == "running"
    assert tool.calls == 0


def test_a_file_that_keeps_killing_workers_is_given_up(tool: Any, file: DataFile) -> None:
    Job.objects.update(status="running", lease_until=timezone.now() - timedelta(seconds=1), tries=jobs.MAX_TRIES)

    assert run(file).status == "failed"
    assert file.error is not None
    assert file.error["message"] == "The file brought down the worker 3 times"


def test_a_result_that_comes_too_late_changes_nothing(tool: Any, file: DataFile) -> None:
    def slow(folder: Path) -> None:
        Job.objects.update(tries=2)
        (folder / "result.json").write_text(json.dumps(FOUND))

    tool.act = slow

    assert run(file).status == "running"
    assert file.status == "inspecting"


@pytest.mark.parametrize(
    "content",
    [None, "{", "[]", '"x"', '{"detected": []}', '{"options": 3}', "[" * 100_000, "a link", "a folder", "a pipe"],
)
def test_a_result_that_is_none_is_a_failure_with_words(tool: Any, file: DataFile, content: str | None) -> None:
    def leave(folder: Path) -> None:
        place = folder / "result.json"
        if content == "a link":
            place.symlink_to("/etc/passwd")
        elif content == "a folder":
            place.mkdir()
        elif content == "a pipe":
            os.mkfifo(place)
        elif content is not None:
            place.write_text(content)

    tool.act = leave

    assert run(file).status == "failed"
    assert file.error is not None
    assert file.error["message"] == "The file could not be read"


@pytest.mark.parametrize(
    ("ended", "message"),
    [
        (Ended(timed_out=True), "Reading the file took longer than 240 s"),
        (Ended(out_of_memory=True), "The file needs more memory than there is"),
    ],
)
def test_limits_are_said(tool: Any, file: DataFile, ended: Ended, message: str) -> None:
    tool.ended = ended

    run(file)

    assert file.error is not None
    assert (file.status, file.error["message"]) == ("failed", message)


def test_what_the_tool_says_is_wrong_is_shown(tool: Any, file: DataFile) -> None:
    error = {"kind": "user", "message": "Row 3 has 5 cells"}
    tool.act = lambda folder: (folder / "result.json").write_text(json.dumps({"error": error}))

    run(file)

    assert (file.status, file.error) == ("failed", error)


def test_an_unforeseen_error_ends_the_job(tool: Any, file: DataFile) -> None:
    def broken(_: Path) -> None:
        raise RuntimeError("boom")

    tool.act = broken

    job = run(file)

    assert (job.status, file.status) == ("failed", "failed")


def test_only_the_newest_look_counts(tool: Any, file: DataFile, people: Any) -> None:
    old = file.job
    newer = jobs.create_job(people.workspace, people.editor, "inspect", old.input)
    DataFile.objects.update(job=newer)

    jobs.run_job(old.pk)
    file.refresh_from_db()

    assert file.status == "inspecting"
