"""Uploads: kept as they came, looked at by a job, corrected by a person."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from django.conf import settings

from tests.webapp.support import Caller
from webapp.artifacts import store
from webapp.artifacts.models import DataFile, Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def upload(people: Any) -> Any:
    """Send a file as the editor."""

    def send(name: str = "people.csv", content: bytes = b"age\n1\n", **fields: str) -> tuple[int, Any]:
        return Caller(people.editor).upload(f"/projects/{people.project.pk.hex}/data", name, content, **fields)

    return send


def test_a_file_is_kept_and_waits_to_be_looked_at(people: Any, upload: Any) -> None:
    status, row = upload()

    assert status == 201
    assert (row["name"], row["size"], row["status"]) == ("people.csv", 6, "inspecting")
    assert store.owned(people.workspace.pk, row["digest"])
    job = Job.objects.get()
    assert (job.kind, job.status) == ("inspect", "queued")
    assert job.input == {"file": row["digest"], "filename": "people.csv", "options": {}}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\data\\people.csv", "people.csv"),
        ("a b 数据.csv", "a b 数据.csv"),
        ("x" * 250 + ".csv", ("x" * 250 + ".csv")[-200:]),
    ],
)
def test_of_a_file_name_only_the_last_part_is_kept(upload: Any, given: str, kept: str) -> None:
    status, row = upload(given)

    assert (status, row["filename"]) == (201, kept)


def test_an_empty_file_is_refused(upload: Any) -> None:
    status, answer = upload(content=b"")

    assert status == 422
    assert answer["error"]["template"] == "The file {name} is empty"
    assert not DataFile.objects.exists()


def test_a_form_without_a_file_is_refused(people: Any) -> None:
    answer = Caller(people.editor).client.post(f"/api/v1/projects/{people.project.pk.hex}/data", {"name": "x"})

    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == "file is missing"


def test_a_full_disk_is_507_and_leaves_nothing(upload: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("webapp.artifacts.store._write", full)

    status, answer = upload(content=b"never seen before\n")

    assert status == 507
    assert answer["error"]["template"] == "The disk of the server is full"
    assert not DataFile.objects.exists()
    assert not Job.objects.exists()


def test_a_disk_that_is_full_before_the_view_is_507_too(
    people: Any, upload: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("django.core.files.uploadedfile.TemporaryUploadedFile.write", full, raising=False)
    caller = Caller(people.editor, checks_csrf=True)
    caller.client.get("/account")

    status, _ = caller.upload(f"/projects/{people.project.pk.hex}/data", "a.csv", b"a\n1\n")

    assert status == 507
    assert list(settings.TEMPORARY.iterdir()) == []


def test_a_correction_has_the_file_looked_at_again(people: Any, upload: Any) -> None:
    row = upload()[1]
    DataFile.objects.update(status="failed", error={"message": "no"})

    status, changed = Caller(people.editor)("PATCH", f"/data/{row['id']}", {"options": {"delimiter": ";"}})

    assert (status, changed["status"], changed["error"]) == (200, "inspecting", None)
    assert changed["options"] == {"delimiter": ";"}
    assert Job.objects.count() == 2
    assert Job.objects.order_by("-created").first().input["options"] == {"delimiter": ";"}


def test_a_new_name_alone_does_not(people: Any, upload: Any) -> None:
    row = upload()[1]

    assert Caller(people.editor)("PATCH", f"/data/{row['id']}", {"name": "People"})[1]["name"] == "People"
    assert Job.objects.count() == 1


def test_deleting_keeps_the_bytes_for_pipelines_that_use_them(people: Any, upload: Any) -> None:
    row = upload()[1]

    assert Caller(people.editor)("DELETE", f"/data/{row['id']}")[0] == 204
    assert Caller(people.editor)("GET", f"/data/{row['id']}")[0] == 404
    assert store.owned(people.workspace.pk, row["digest"])


def test_lists_leave_pictures_out(people: Any, upload: Any) -> None:
    upload()
    DataFile.objects.update(inspection={"preview": {"kind": "table"}, "columns": [{"name": "age"}]})

    listed = Caller(people.viewer)("GET", f"/projects/{people.project.pk.hex}/data")[1]["items"]

    assert (listed[0]["preview"], listed[0]["columns"]) == (None, [{"name": "age"}])
