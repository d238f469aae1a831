"""The description of the REST API: complete, and readable without another server."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.webapp.runs_support import make_run
from tests.webapp.support import Caller
from webapp.runs.projection import EMPTY
from webapp.runs.queries import run_json

pytestmark = pytest.mark.django_db


def test_every_endpoint_is_described(people: Any) -> None:
    described = Caller(people.viewer)("GET", "/openapi.json")[1]

    assert described["info"]["title"] == "DeepSeek Studio"
    assert set(described["components"]["securitySchemes"]) == {"ApiKey", "SessionAuth"}
    for path, methods in described["paths"].items():
        for method, entry in methods.items():
            assert entry["description"], (method, path)
            assert entry["security"], (method, path)
            assert "404" in entry["responses"], (method, path)


def test_the_page_loads_nothing_from_elsewhere(people: Any) -> None:
    answer = Caller(people.viewer).client.get("/api/v1/docs")

    page = answer.content.decode()
    assert answer.status_code == 200
    assert re.findall(r"(?:src|href)=\"(https?:[^\"]+)", page) == []
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        found = Caller().client.get(path)
        assert found.status_code == 200, path
        assert b"".join(found)


def test_a_run_is_described_field_by_field(people: Any) -> None:
    described = Caller(people.viewer)("GET", "/openapi.json")[1]
    run = make_run(people.project)

    status, answer = Caller(people.viewer)("GET", f"/runs/{run.pk.hex}")

    assert status == 200
    schemas = described["components"]["schemas"]
    path = next(path for path in described["paths"] if path.endswith("/runs/{id_}"))
    assert described["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"][
        "$ref"
    ].endswith("/RunBody")
    assert set(schemas["RunBody"]["properties"]) == set(run_json(run.pk)) == set(answer)
    assert set(schemas["Block"]["properties"]) == set(EMPTY) == set(answer["blocks"]["train"])
