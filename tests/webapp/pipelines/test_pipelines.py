"""Pipelines: made blank, from a document, from a template; imported, versioned, restored, deleted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone

from tests.webapp.support import DIGITS, EMPTY, Caller
from webapp.artifacts import store
from webapp.pipelines.models import Pipeline, PipelineOperation

pytestmark = pytest.mark.django_db


@pytest.fixture
def pipeline(people: Any) -> Pipeline:
    return Pipeline.objects.create(project=people.project, name="Digits", document=DIGITS, updated=timezone.now())


def test_a_blank_pipeline(people: Any) -> None:
    status, made = Caller(people.editor)("POST", f"/projects/{people.project.pk.hex}/pipelines", {"name": "New"})

    assert status == 201
    assert (made["name"], made["version"], made["can_edit"]) == ("New", 1, True)
    assert made["document"]["blocks"] == {}


def test_a_pipeline_from_a_document(people: Any) -> None:
    made = Caller(people.editor)("POST", f"/projects/{people.project.pk.hex}/pipelines", {"document": DIGITS})[1]

    assert made["name"] == "Digits"
    assert set(made["document"]["blocks"]) == {"data", "split"}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"format": "deepseek.pipeline/99"}, "newer"),
        ({"nodes": [], "links": []}, ""),
        ({**EMPTY, "blocks": []}, ""),
        ({**EMPTY, "wires": [["a.b"]]}, ""),
        ({**EMPTY, "seed": "x"}, "seed"),
    ],
)
def test_a_document_that_cannot_be_read_is_refused_with_the_reason(
    people: Any, document: dict[str, Any], message: str
) -> None:
    status, answer = Caller(people.editor)(
        "POST", f"/projects/{people.project.pk.hex}/pipelines", {"document": document}
    )

    assert status == 400
    assert message in answer["error"]["message"]
    assert answer["error"]["kind"] == "user"
    assert not Pipeline.objects.exists()


def test_unknown_blocks_are_kept_and_named(people: Any) -> None:
    document = {**EMPTY, "blocks": {"odd": {"type": "data.digit", "params": {}}}}

    made = Caller(people.editor)("POST", f"/projects/{people.project.pk.hex}/pipelines", {"document": document})[1]

    assert made["document"]["blocks"]["odd"]["type"] == "data.digit"
    assert [(p["block"], p["hint"]) for p in made["problems"] if p["severity"] == "error"] == [
        ("odd", "Did you mean data.digits?")
    ]


def test_a_viewer_reads_and_is_told_that_he_cannot_edit(people: Any, pipeline: Pipeline) -> None:
    status, found = Caller(people.viewer)("GET", f"/pipelines/{pipeline.pk.hex}")

    assert (status, found["can_edit"], found["project"]) == (200, False, people.project.pk.hex)


def test_the_list_is_the_projects(people: Any, pipeline: Pipeline) -> None:
    listed = Caller(people.viewer)("GET", f"/projects/{people.project.pk.hex}/pipelines")[1]

    assert [(row["name"], row["version"], row["blocks"]) for row in listed["items"]] == [("Digits", 1, 2)]


def test_an_import_is_the_next_version_and_is_in_the_log(people: Any, pipeline: Pipeline) -> None:
    status, found = Caller(people.editor)("POST", f"/pipelines/{pipeline.pk.hex}/import", {"document": EMPTY})

    assert (status, found["version"], found["document"]["blocks"], found["name"]) == (200, 2, {}, "Empty")
    assert [row.ops[0]["op"] for row in PipelineOperation.objects.all()] == ["replace"]


def test_a_named_version_can_be_restored(people: Any, pipeline: Pipeline) -> None:
    caller, path = Caller(people.editor), f"/pipelines/{pipeline.pk.hex}"
    assert caller("POST", f"{path}/versions", {"name": "good"})[0] == 201
    caller("POST", f"{path}/import", {"document": EMPTY})

    status, found = caller("POST", f"{path}/restore", {"version": 1})

    assert (status, found["version"], set(found["document"]["blocks"])) == (200, 3, {"data", "split"})
    versions = caller("GET", f"{path}/versions")[1]["items"]
    assert [(v["name"], v["version"]) for v in versions] == [("good", 1)]


def test_a_version_that_was_not_kept_cannot_be_restored(people: Any, pipeline: Pipeline) -> None:
    assert Caller(people.editor)("POST", f"/pipelines/{pipeline.pk.hex}/restore", {"version": 9})[0] == 404


def test_a_deleted_pipeline_is_gone(people: Any, pipeline: Pipeline) -> None:
    caller = Caller(people.editor)

    assert caller("DELETE", f"/pipelines/{pipeline.pk.hex}")[0] == 204
    assert caller("GET", f"/pipelines/{pipeline.pk.hex}")[0] == 404


def test_templates_are_the_examples(people: Any) -> None:
    found = Caller(people.viewer)("GET", "/templates")[1]["items"]

    digits = next(row for row in found if row["id"] == "01-digits")
    assert digits["title"]
    assert digits["summary"]
    assert set(digits["document"]["blocks"]) == {"data", "split", "model", "train", "evaluate"}


def test_a_pipeline_from_a_template(people: Any) -> None:
    body = {"template": "01-digits"}

    status, made = Caller(people.editor)("POST", f"/projects/{people.project.pk.hex}/pipelines", body)

    assert status == 201
    assert [p for p in made["problems"] if p["severity"] == "error"] == []


def test_a_template_brings_its_file_along(people: Any, tmp_path: Any, settings: Any) -> None:
    folder = tmp_path / "01-own"
    folder.mkdir()
    (folder / "people.csv").write_text("age\n1\n")
    document = {**EMPTY, "blocks": {"data": {"type": "data.table", "params": {"file": "people.csv"}}}}
    (folder / "pipeline.json").write_text(json.dumps(document))
    settings.EXAMPLES = tmp_path

    body = {"template": "01-own"}
    made = Caller(people.editor)("POST", f"/projects/{people.project.pk.hex}/pipelines", body)[1]

    digest = made["document"]["blocks"]["data"]["params"]["file"]
    assert store.owned(people.workspace.pk, digest)
    assert store.manifest(digest)["meta"] == {"filename": "people.csv"}


@pytest.mark.parametrize("name", ["02-nothing", "../01-digits", "01-digits/..", "/etc", ""])
def test_a_template_that_does_not_exist_is_404(people: Any, name: str) -> None:
    status, _ = Caller(people.editor)("POST", f"/projects/{people.project.pk.hex}/pipelines", {"template": name})

    assert status == 404
