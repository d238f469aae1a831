"""The catalog, manifests and files: immutable, and never shown under this site's name."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import AsyncClient

from tests.webapp.support import Caller, make_artifact

pytestmark = pytest.mark.django_db


def test_the_catalog_is_sent_again_only_when_it_has_changed(people: Any) -> None:
    caller = Caller(people.viewer)
    first = caller.ask("GET", "/catalog")

    again = caller.ask("GET", "/catalog", **{"If-None-Match": first["ETag"]})

    assert "data.digits" in first.content.decode()
    assert (again.status_code, again.content) == (304, b"")


def test_a_manifest(people: Any, tmp_path: Any) -> None:
    row = make_artifact(people.workspace, tmp_path, content=b"age\n1\n")

    status, body = Caller(people.viewer)("GET", f"/workspaces/{people.workspace.pk.hex}/artifacts/{row.digest}")

    assert (status, body["digest"], body["kind"], body["meta"]) == (200, row.digest, "file", {"filename": "a file.csv"})
    assert body["files"]["content"]["size"] == 6


def test_a_file_is_a_download_in_a_sandbox(people: Any, tmp_path: Any) -> None:
    row = make_artifact(people.workspace, tmp_path, content=b"<script>alert(1)</script>")

    answer = Caller(people.viewer).ask(
        "GET", f"/workspaces/{people.workspace.pk.hex}/artifacts/{row.digest}/files/content"
    )

    assert b"".join(answer) == b"<script>alert(1)</script>"
    assert answer["Content-Disposition"] == 'attachment; filename="a file.csv"'
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["Content-Length"] == "25"
    assert "immutable" in answer["Cache-Control"]


@pytest.mark.parametrize("filename", ['x"; evil="1', "a\r\nSet-Cookie: x=1", "数据.csv"])
def test_a_file_name_cannot_write_headers(people: Any, tmp_path: Any, filename: str) -> None:
    from webapp.artifacts import store

    path = tmp_path / "content"
    path.write_bytes(b"x")
    row = store.put(people.workspace.pk, "file", {"content": path}, {"filename": filename})

    answer = Caller(people.viewer).ask(
        "GET", f"/workspaces/{people.workspace.pk.hex}/artifacts/{row.digest}/files/content"
    )

    assert b"".join(answer) == b"x"
    assert "Set-Cookie" not in answer
    assert answer["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize("name", ["nothing", "../content", "%2e%2e/content", "content/", "/etc/passwd"])
def test_only_files_of_the_manifest_exist(people: Any, tmp_path: Any, name: str) -> None:
    row = make_artifact(people.workspace, tmp_path, content=b"x")

    path = f"/workspaces/{people.workspace.pk.hex}/artifacts/{row.digest}/files/{name}"

    assert Caller(people.viewer)("GET", path)[0] == 404


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "sha256:..", "x"])
def test_other_digests_are_404(people: Any, digest: str) -> None:
    assert Caller(people.viewer)("GET", f"/workspaces/{people.workspace.pk.hex}/artifacts/{digest}")[0] == 404


def test_knowing_a_digest_opens_nothing(people: Any, tmp_path: Any) -> None:
    row = make_artifact(people.workspace, tmp_path, content=b"secret")
    elsewhere = people.stranger.workspaces.get()

    for workspace in (people.workspace, elsewhere):
        path = f"/workspaces/{workspace.pk.hex}/artifacts/{row.digest}/files/content"
        assert Caller(people.stranger)("GET", path)[0] == 404


@pytest.mark.django_db(transaction=True)
async def test_under_asgi_a_file_comes_in_pieces(people: Any, tmp_path: Any) -> None:
    from asgiref.sync import sync_to_async

    content = bytes(range(256)) * 4096
    row = await sync_to_async(make_artifact)(people.workspace, tmp_path, content=content)
    client = AsyncClient(headers={"host": "localhost"})
    await client.aforce_login(people.viewer)

    answer = await client.get(f"/api/v1/workspaces/{people.workspace.pk.hex}/artifacts/{row.digest}/files/content")

    pieces = [piece async for piece in answer.streaming_content]
    assert len(pieces) == 4
    assert b"".join(pieces) == content
