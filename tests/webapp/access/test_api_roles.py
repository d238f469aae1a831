"""Who may do what: every endpoint of the live API against everybody. An endpoint without a row here fails."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.webapp.access.world import World
from webapp.accounts.secrets import create_key
from webapp.api.routes import api

ANYBODY = "anybody"  # whoever is logged in: it shows or makes only their own things
EMPTY = {"format": "deepseek.pipeline/1", "blocks": {}, "wires": []}
OPERATION = {"base_version": 1, "op_id": "x", "ops": [{"op": "set_seed", "seed": 1}]}

# "METHOD path": (the least role, a good body, the status that body gets)
POLICY: dict[str, tuple[str, Any, int]] = {
    "GET /me": (ANYBODY, None, 200),
    "PATCH /me": (ANYBODY, {"name": "New"}, 200),
    "GET /keys": (ANYBODY, None, 200),
    "POST /keys": (ANYBODY, {"name": "k"}, 201),
    "GET /workspaces": (ANYBODY, None, 200),
    "POST /workspaces": (ANYBODY, {"name": "W"}, 201),
    "GET /templates": (ANYBODY, None, 200),
    "GET /catalog": (ANYBODY, None, 200),
    "GET /workspaces/{workspace_id}": ("viewer", None, 200),
    "PATCH /workspaces/{workspace_id}": ("owner", {"name": "W"}, 200),
    "GET /workspaces/{workspace_id}/members": ("viewer", None, 200),
    "PATCH /workspaces/{workspace_id}/members/{user_id}": ("owner", {"role": "viewer"}, 200),
    "GET /workspaces/{workspace_id}/invitations": ("owner", None, 200),
    "POST /workspaces/{workspace_id}/invitations": ("owner", {"role": "viewer"}, 201),
    "DELETE /invitations/{invitation_id}": ("owner", None, 204),
    "GET /workspaces/{workspace_id}/projects": ("viewer", None, 200),
    "POST /workspaces/{workspace_id}/projects": ("editor", {"name": "P"}, 201),
    "GET /projects/{project_id}": ("viewer", None, 200),
    "PATCH /projects/{project_id}": ("editor", {"name": "P"}, 200),
    "DELETE /projects/{project_id}": ("owner", None, 409),
    "GET /projects/{project_id}/pipelines": ("viewer", None, 200),
    "POST /projects/{project_id}/pipelines": ("editor", {"name": "P"}, 201),
    "GET /pipelines/{pipeline_id}": ("viewer", None, 200),
    "DELETE /pipelines/{pipeline_id}": ("editor", None, 204),
    "POST /pipelines/{pipeline_id}/operations": ("editor", OPERATION, 200),
    "GET /pipelines/{pipeline_id}/operations": ("viewer", None, 200),
    "POST /pipelines/{pipeline_id}/import": ("editor", {"document": EMPTY}, 200),
    "GET /pipelines/{pipeline_id}/versions": ("viewer", None, 200),
    "POST /pipelines/{pipeline_id}/versions": ("editor", {"name": "v"}, 201),
    "POST /pipelines/{pipeline_id}/restore": ("editor", {"version": 1}, 200),
    "POST /pipelines/{id_}/runs": ("editor", {}, 422),
    "POST /pipelines/{id_}/plan": ("viewer", {}, 200),
    "POST /projects/{project}/runs": ("editor", {"document": EMPTY}, 422),
    "GET /projects/{project}/runs": ("viewer", None, 200),
    "GET /projects/{project}/series": ("viewer", None, 200),
    "GET /runs/{id_}": ("viewer", None, 200),
    "PATCH /runs/{id_}": ("editor", {"notes": "n"}, 200),
    "DELETE /runs/{id_}": ("editor", None, 409),
    "POST /runs/{id_}/cancel": ("editor", {}, 200),
    "GET /runs/{id_}/events": ("viewer", None, 200),
    "GET /runs/{id_}/log": ("viewer", None, 200),
    "GET /runs/{id_}/series": ("viewer", None, 200),
    "GET /workspaces/{workspace}/queue": ("viewer", None, 200),
    "GET /workspaces/{workspace_id}/artifacts/{digest}": ("viewer", None, 200),
    "GET /workspaces/{workspace_id}/artifacts/{digest}/files/{name}": ("viewer", None, 200),
    "GET /projects/{project_id}/data": ("viewer", None, 200),
    "POST /projects/{project_id}/data": ("editor", "file", 201),
    "GET /data/{data_id}": ("viewer", None, 200),
    "PATCH /data/{data_id}": ("editor", {"name": "n"}, 200),
    "DELETE /data/{data_id}": ("editor", None, 204),
    "POST /data/{data_id}/pipeline": ("editor", {"target": "b"}, 201),
    "GET /jobs/{job_id}": ("viewer", None, 200),
    "GET /projects/{project_id}/models": ("viewer", None, 200),
    "POST /projects/{project_id}/models": ("editor", {"name": "m", "digest": "x"}, 422),
    "GET /models/{model_id}": ("viewer", None, 200),
    "PATCH /models/{model_id}": ("editor", {"name": "n"}, 200),
    "DELETE /models/{model_id}": ("editor", None, 204),
    "POST /models/{model_id}/predict": ("editor", "file", 202),
}
# Answers that depend on whose row it is, not on a role; each has a test of its own.
ELSEWHERE = {"DELETE /keys/{key_id}", "DELETE /workspaces/{workspace_id}/members/{user_id}"}
ROLES = ("owner", "editor", "viewer")
ALLOWED = {"viewer": {"owner", "editor", "viewer"}, "editor": {"owner", "editor"}, "owner": {"owner"}}


def live_endpoints() -> set[str]:
    paths = api.get_openapi_schema()["paths"]
    prefix = "/api/v1"
    return {f"{m.upper()} {path.removeprefix(prefix)}" for path, methods in paths.items() for m in methods}


@pytest.fixture
def world(people, tmp_path):
    return World(people, tmp_path)


def call(client: Client, endpoint: str, body: Any, world: World) -> Any:
    method, template = endpoint.split(" ", 1)
    address = "/api/v1" + world.address(template)
    if body == "file":
        return client.post(address, {"file": SimpleUploadedFile("t.csv", b"a,b\n1,2\n")})
    answer = client.generic(method, address, "" if body is None else json.dumps(body), "application/json")
    if answer.streaming:
        b"".join(answer.streaming_content)
    return answer


def test_every_endpoint_has_its_row():
    assert live_endpoints() == set(POLICY) | ELSEWHERE


@pytest.mark.parametrize("endpoint", POLICY)
def test_nobody_gets_in_without_credentials(endpoint, world):
    for client in (Client(), Client(headers={"Authorization": "Bearer dsk_" + "x" * 43})):
        assert call(client, endpoint, POLICY[endpoint][1], world).status_code == 401


@pytest.mark.parametrize("endpoint", [e for e, row in POLICY.items() if row[0] != ANYBODY])
def test_what_belongs_to_others_does_not_exist(endpoint, world, people):
    client = Client()
    client.force_login(people.stranger)
    assert call(client, endpoint, POLICY[endpoint][1], world).status_code == 404


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("endpoint", POLICY)
def test_each_role_may_do_what_its_row_says_and_no_more(endpoint, role, world, people):
    least, body, status = POLICY[endpoint]
    client = Client()
    client.force_login(getattr(people, role))
    answer = call(client, endpoint, body, world)
    expected = status if least == ANYBODY or role in ALLOWED[least] else 403
    assert answer.status_code == expected, answer.content[:300]


@pytest.mark.parametrize("endpoint", [e for e in POLICY if not e.startswith("GET")])
def test_nothing_is_changed_by_a_session_without_the_csrf_token(endpoint, world, people):
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.owner)
    assert call(client, endpoint, POLICY[endpoint][1], world).status_code == 403


@pytest.mark.parametrize("endpoint", [e for e, row in POLICY.items() if not e.startswith("GET") and row[1] != "file"])
def test_nothing_is_changed_by_what_a_plain_form_can_send(endpoint, world, people):
    client = Client()
    client.force_login(people.owner)
    method, template = endpoint.split(" ", 1)
    address = "/api/v1" + world.address(template)
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"):
        assert client.generic(method, address, "{}", kind).status_code in {400, 415}


def test_an_api_key_opens_what_its_owner_may_and_nothing_when_it_was_deleted(world, people):
    row, key = create_key(people.viewer, "ci")
    client = Client(headers={"Authorization": f"Bearer {key}"})
    assert call(client, "GET /pipelines/{pipeline_id}", None, world).status_code == 200
    assert call(client, "DELETE /pipelines/{pipeline_id}", None, world).status_code == 403
    row.delete()
    assert call(client, "GET /pipelines/{pipeline_id}", None, world).status_code == 401


def test_a_key_is_shown_once_kept_hashed_and_deleted_by_its_owner_only(people):
    mine, other = Client(), Client()
    mine.force_login(people.editor)
    other.force_login(people.owner)
    made = mine.post("/api/v1/keys", {"name": "k"}, content_type="application/json").json()
    assert made["key"].startswith("dsk_")
    assert "key" not in mine.get("/api/v1/keys").json()["items"][0]
    from webapp.accounts.models import ApiKey

    stored = ApiKey.objects.get(pk=made["id"])
    assert made["key"] not in "".join(str(value) for value in vars(stored).values())
    assert other.delete(f"/api/v1/keys/{made['id']}").status_code == 404
    assert mine.delete(f"/api/v1/keys/{made['id']}").status_code == 204


def test_a_member_may_leave_but_not_throw_others_out(people):
    client = Client()
    client.force_login(people.editor)
    base = f"/api/v1/workspaces/{people.workspace.pk.hex}/members/"
    assert client.delete(base + people.viewer.pk.hex).status_code == 403
    assert client.delete(base + people.editor.pk.hex).status_code == 204
    client.force_login(people.owner)
    assert client.delete(base + people.owner.pk.hex).status_code == 409
