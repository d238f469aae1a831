"""Registered models: kept under a name, tried on a file."""

from __future__ import annotations

from typing import Any

import pytest

from tests.webapp.runs_support import make_run
from tests.webapp.support import Caller, make_artifact
from webapp.artifacts import store
from webapp.artifacts.models import Artifact, Job, RegisteredModel
from webapp.bridge import canonical_json
from webapp.runs.models import BlockState

pytestmark = pytest.mark.django_db
SPEC = b'{"task": "classification", "metrics": {"accuracy": 0.9, "data_digest": "x"}}'


@pytest.fixture
def model(people: Any, tmp_path: Any) -> Artifact:
    return make_artifact(people.workspace, tmp_path, "model", model__json=SPEC)


def register(people: Any, **body: Any) -> tuple[int, Any]:
    return Caller(people.editor)("POST", f"/projects/{people.project.pk.hex}/models", {"name": "best", **body})


def test_a_model_is_kept_by_its_digest(people: Any, model: Artifact) -> None:
    status, row = register(people, digest=model.digest)

    assert status == 201
    assert (row["name"], row["task"], row["metrics"], row["size"]) == (
        "best",
        "classification",
        {"accuracy": 0.9},
        len(SPEC),
    )
    assert Caller(people.viewer)("GET", f"/projects/{people.project.pk.hex}/models")[1]["total"] == 1


def test_a_model_is_kept_by_the_run_that_made_it(people: Any, model: Artifact) -> None:
    run = make_run(people.project)
    data = {"state": "done", "outputs": {"model": {"digest": model.digest, "kind": "model", "preview": False}}}
    BlockState.objects.filter(run=run, block="train").update(data=data)

    status, row = register(people, run=run.pk.hex, block="train", port="model")

    assert (status, row["run"], row["block"], row["digest"]) == (201, run.pk.hex, "train", model.digest)


def test_a_model_is_named_one_way_or_the_other(people: Any) -> None:
    assert register(people)[0] == 422


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "x"])
def test_a_digest_that_the_workspace_does_not_own_is_404(people: Any, digest: str) -> None:
    assert register(people, digest=digest)[0] == 404


def test_the_model_of_another_workspace_is_404(people: Any, tmp_path: Any) -> None:
    theirs = make_artifact(people.stranger.workspaces.get(), tmp_path, "model", model__json=SPEC)

    assert register(people, digest=theirs.digest)[0] == 404
    assert not RegisteredModel.objects.exists()


def test_a_viewer_registers_nothing(people: Any, model: Artifact) -> None:
    body = {"name": "best", "digest": model.digest}

    assert Caller(people.viewer)("POST", f"/projects/{people.project.pk.hex}/models", body)[0] == 403
    assert not RegisteredModel.objects.exists()


@pytest.fixture
def searched(people: Any, model: Artifact, tmp_path: Any) -> Any:
    """A run whose block put out a front that builds on a model."""
    front = front_of(people.workspace, tmp_path, model)
    run = make_run(people.project)
    outputs = {"front": {"digest": front, "kind": "front", "preview": False}}
    BlockState.objects.filter(run=run, block="train").update(data={"state": "done", "outputs": outputs})
    return run


def front_of(workspace: Any, folder: Any, *models: Artifact) -> str:
    """An artifact that builds on models."""
    path = folder / "front"
    path.write_bytes(
        canonical_json({"kind": "front", "files": {}, "meta": {}, "refs": [model.digest for model in models]})
    )
    sha256, _ = store.keep_file(path)
    return str(store.register(workspace.pk, f"sha256:{sha256}").digest)


def test_a_point_of_a_front_is_kept_with_the_run_that_found_it(people: Any, model: Artifact, searched: Any) -> None:
    status, row = register(people, run=searched.pk.hex, block="train", digest=model.digest)

    assert (status, row["run"], row["block"], row["digest"]) == (201, searched.pk.hex, "train", model.digest)


def test_a_model_that_the_block_did_not_make_is_404(people: Any, searched: Any, tmp_path: Any) -> None:
    other = make_artifact(people.workspace, tmp_path, "model", model__json=b'{"task": "regression"}')

    assert register(people, run=searched.pk.hex, block="train", digest=other.digest)[0] == 404


def test_a_file_is_no_model(people: Any, tmp_path: Any) -> None:
    file = make_artifact(people.workspace, tmp_path, content=b"x")

    assert register(people, digest=file.digest)[0] == 422


def test_the_run_of_another_workspace_is_404(people: Any) -> None:
    run = make_run(people.stranger.workspaces.get().projects.get())

    assert register(people, run=run.pk.hex, block="train", port="model")[0] == 404


def test_a_model_is_renamed_and_deleted(people: Any, model: Artifact) -> None:
    row = register(people, digest=model.digest)[1]
    caller = Caller(people.editor)

    assert caller("PATCH", f"/models/{row['id']}", {"name": "Newer", "notes": "ok"})[1]["notes"] == "ok"
    assert caller("DELETE", f"/models/{row['id']}")[0] == 204
    assert caller("GET", f"/models/{row['id']}")[0] == 404


def test_trying_a_model_is_a_job(people: Any, model: Artifact) -> None:
    row = register(people, digest=model.digest)[1]

    status, answer = Caller(people.editor).upload(f"/models/{row['id']}/predict", "3.png", b"png")

    assert status == 202
    job = Job.objects.get()
    assert job.pk.hex == answer["job"]
    assert (job.kind, job.input["model"], job.input["filename"]) == ("predict", model.digest, "3.png")
    assert Caller(people.viewer)("GET", f"/jobs/{answer['job']}")[1]["status"] == "queued"


def test_a_model_is_tried_on_a_typed_text(people: Any, model: Artifact) -> None:
    row = register(people, digest=model.digest)[1]
    caller = Caller(people.editor)

    answer = caller.client.post(
        f"/api/v1/models/{row['id']}/predict", {"text": "Es war einmal …", "options": '{"max_tokens": 20}'}
    )

    assert answer.status_code == 202
    job = Job.objects.get()
    assert job.input["options"] == {"max_tokens": 20}
    assert job.input["filename"] == "text.txt"
    content = store.manifest(job.input["file"])["files"]["content"]["sha256"]
    assert store.local_blob(content).read_text(encoding="utf-8") == "Es war einmal …"


@pytest.mark.parametrize(
    "form", [{}, {"text": "  "}, {"text": "a", "options": "[1]"}, {"text": "a", "options": "{"}, {"options": "{}"}]
)
def test_nothing_to_predict_is_said_before_a_job_is_made(people: Any, model: Artifact, form: dict[str, str]) -> None:
    row = register(people, digest=model.digest)[1]

    answer = Caller(people.editor).client.post(f"/api/v1/models/{row['id']}/predict", form)

    assert answer.status_code == 422
    assert not Job.objects.exists()
