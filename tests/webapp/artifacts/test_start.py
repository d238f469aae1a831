"""Start with my data: the pipeline is complete and valid."""

from __future__ import annotations

from typing import Any

import pytest

from tests.webapp.support import Caller, make_artifact
from webapp import bridge
from webapp.artifacts.models import DataFile

pytestmark = pytest.mark.django_db


@pytest.fixture
def start(people: Any, tmp_path: Any) -> Any:
    """Ask for a pipeline on a file of some kind."""

    def ask(
        kind: str, body: dict[str, Any], status: str = "ready", seen: dict[str, Any] | None = None, **options: Any
    ) -> tuple[int, Any]:
        file = make_artifact(people.workspace, tmp_path, content=b"age,city\n1,A\n")
        row = DataFile.objects.create(
            project=people.project,
            name="people.csv",
            filename="people.csv",
            size=1,
            digest=file.digest,
            kind=kind,
            status=status,
            options=options,
            inspection={"columns": [{"name": "age"}, {"name": "city"}], "options": {}, **(seen or {})},
        )
        return Caller(people.editor)("POST", f"/data/{row.pk.hex}/pipeline", body)

    return ask


@pytest.mark.parametrize(
    ("kind", "body", "blocks"),
    [
        ("table", {"target": "city", "task": "classification"}, {"train.classifier", "model.mlp", "data.table"}),
        ("table", {"target": "age", "task": "regression"}, {"train.regressor", "model.mlp", "data.table"}),
        ("images", {}, {"train.classifier", "model.convnet", "data.image_folder"}),
        ("text", {}, {"train.language_model", "model.transformer_lm", "data.text_corpus", "predict.generate"}),
    ],
)
def test_the_pipeline_can_be_run_as_it_is(
    people: Any, start: Any, kind: str, body: dict[str, Any], blocks: set[str]
) -> None:
    status, made = start(kind, body)

    assert status == 201
    found = Caller(people.editor)("GET", f"/pipelines/{made['id']}")[1]
    assert [p["message"] for p in found["problems"] if p["severity"] == "error"] == []
    assert blocks <= {block["type"] for block in found["document"]["blocks"].values()}
    assert set(found["document"]["layout"]["positions"]) == set(found["document"]["blocks"])
    assert found["name"] == "people"


@pytest.mark.parametrize(
    ("sizes", "count", "is_here", "chosen"),
    [
        ({"640 x 480": 140, "32 x 32": 10}, 150, True, "train.transfer"),
        ({"640 x 480": 140, "32 x 32": 10}, 150, False, "train.classifier"),
        ({"28 x 28": 150}, 150, True, "train.classifier"),
        ({"640 x 480": 2000}, 60_000, True, "train.classifier"),
    ],
)
def test_few_photos_learn_from_a_network_that_knows_photos_when_its_weights_are_here(
    people: Any, start: Any, monkeypatch: Any, sizes: dict[str, int], count: int, is_here: bool, chosen: str
) -> None:
    monkeypatch.setattr(bridge, "has_resource", lambda name: is_here)
    made = start("images", {}, seen={"detected": {"sizes": sizes}, "count": count})[1]

    found = Caller(people.editor)("GET", f"/pipelines/{made['id']}")[1]
    assert [p["message"] for p in found["problems"] if p["severity"] == "error"] == []
    assert chosen in {block["type"] for block in found["document"]["blocks"].values()}


@pytest.mark.parametrize(
    ("more", "is_here", "chosen"),
    [
        ([], True, {"data.text", "model.bert", "train.classifier"}),
        ([{"name": "id", "type": "number"}], False, {"data.text", "model.bert", "train.classifier"}),
        ([{"name": "a", "type": "number"}, {"name": "b", "type": "number"}], True, {"data.table", "model.mlp"}),
    ],
)
def test_a_table_of_running_text_becomes_a_text_classifier(
    people: Any, start: Any, monkeypatch: Any, more: list[dict[str, str]], is_here: bool, chosen: set[str]
) -> None:
    monkeypatch.setattr(bridge, "has_resource", lambda name: is_here)
    columns = [{"name": "review", "type": "text"}, {"name": "stars", "type": "category"}, *more]
    made = start("table", {"target": "stars", "task": "classification"}, seen={"columns": columns}, header="yes")[1]

    found = Caller(people.editor)("GET", f"/pipelines/{made['id']}")[1]
    blocks = found["document"]["blocks"]
    assert [p["message"] for p in found["problems"] if p["severity"] == "error"] == []
    assert chosen <= {block["type"] for block in blocks.values()}
    assert blocks["data"]["params"]["header"] == "yes"
    if "model.bert" in chosen:
        assert (blocks["model"]["params"].get("weights") == "minilm") is is_here
        assert blocks["data"]["params"]["label"] == "stars"


def test_corrections_of_the_reading_come_along(people: Any, start: Any) -> None:
    made = start("table", {"target": "city", "task": "classification"}, delimiter=";", unknown=1)[1]

    params = Caller(people.editor)("GET", f"/pipelines/{made['id']}")[1]["document"]["blocks"]["data"]["params"]
    assert params["delimiter"] == ";"
    assert "unknown" not in params
    assert params["target"] == "city"


@pytest.mark.parametrize("target", [None, "", "nothing"])
def test_the_target_must_be_a_column(start: Any, target: str | None) -> None:
    status, answer = start("table", {"target": target})

    assert (status, answer["error"]["field"]) == (422, "target")


def test_other_files_cannot_be_trained_on(start: Any) -> None:
    assert start("other", {})[0] == 422


def test_a_file_that_was_not_read_yet_must_wait(start: Any) -> None:
    assert start("table", {"target": "age"}, status="inspecting")[0] == 409
