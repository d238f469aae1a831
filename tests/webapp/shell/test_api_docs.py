"""The description of the REST API: complete, and readable without another server."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.webapp.support import Caller

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
