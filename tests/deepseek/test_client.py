"""The client of a studio, against one made of a function."""

import httpx
import pytest

from deepseek import client as client_module
from deepseek.client import Studio
from deepseek.errors import DeepSeekError, StudioUnreachable, UsageError

WORKSPACES = {"items": [{"id": "w1", "name": "Lab"}], "total": 1}
PROJECTS = {"items": [{"id": "p1", "name": "First"}, {"id": "p2", "name": "Second"}], "total": 2}


class FakeStudio:
    """Answers the REST API from a table; every request is kept."""

    def __init__(self):
        self.requests = []
        self.events = []
        self.status = "running"
        self.failures = []

    def __call__(self, request):
        self.requests.append(request)
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return failure
        path = request.url.path.removeprefix("/api/v1")
        if path == "/runs/r1/cancel":
            self.status = "cancelled"
        if path == "/runs/r1/events":
            after = int(request.url.params["after"])
            page = [event for event in self.events if event["seq"] > after][:2]
            return httpx.Response(200, json={"items": page, "head": len(self.events)})
        answers = {
            "/workspaces": WORKSPACES,
            "/workspaces/w1/projects": PROJECTS,
            "/projects/p1/runs": {"id": "r1", "project": "p1", "number": 1},
            "/runs/r1": {"id": "r1", "status": self.status, "metrics": {"evaluate.accuracy": 1.0}},
            "/runs/r1/cancel": {},
            "/workspaces/w1/artifacts/sha256:1": {"files": {"a/b.json": {"size": 2}}},
            "/workspaces/w1/artifacts/sha256:2": {"files": {"../evil": {"size": 2}}},
            "/workspaces/w1/artifacts/sha256:1/files/a/b.json": {},
        }
        if path in answers:
            return httpx.Response(200, json=answers[path])
        return httpx.Response(404, json={"error": {"kind": "user", "message": "There is no such thing"}})


@pytest.fixture
def fake(monkeypatch, tmp_path):
    monkeypatch.setenv("DEEPSEEK_HOME", str(tmp_path))
    monkeypatch.setattr(client_module, "POLL_S", 0.0)
    return FakeStudio()


def connect(fake, **options):
    return Studio("http://studio.test", "dsk_1", transport=httpx.MockTransport(fake), **options)


def test_a_run_goes_to_the_first_project_with_an_idempotency_key(fake):
    with connect(fake) as studio:
        run = studio.submit({"format": "deepseek.pipeline/1"}, targets=["train"])
        assert studio.run_url(run) == "http://studio.test/p/p1/runs/r1"
    last = fake.requests[-1]
    assert last.url.path == "/api/v1/projects/p1/runs"
    assert last.headers["authorization"] == "Bearer dsk_1"
    assert len(last.headers["idempotency-key"]) == 32
    assert b'"targets":["train"]' in last.content.replace(b" ", b"")


def test_a_lost_answer_to_a_submission_is_asked_for_again_with_the_same_key(fake):
    studio = connect(fake)
    studio.project()
    fake.requests.clear()

    def lose_first(request, *, seen=[]):  # noqa: B006  (remembers the first)
        if request.url.path.endswith("/runs") and not seen:
            seen.append(request.headers["idempotency-key"])
            raise httpx.ReadTimeout("lost", request=request)
        if request.url.path.endswith("/runs"):
            assert request.headers["idempotency-key"] == seen[0]
        return fake(request)

    studio = Studio("http://studio.test", "dsk_1", transport=httpx.MockTransport(lose_first))
    assert studio.submit({})["id"] == "r1"


@pytest.mark.parametrize("wanted", ["p2", "Second"])
def test_a_project_is_found_by_id_or_name(fake, wanted):
    assert connect(fake, project=wanted).project()["id"] == "p2"


def test_a_project_that_is_not_there_names_those_that_are(fake):
    with pytest.raises(UsageError, match="First, Second"):
        connect(fake, project="Third").project()


def test_every_event_arrives_once_and_in_order_over_a_broken_connection(fake):
    fake.events = [{"seq": n, "type": "log"} for n in range(1, 5)] + [{"seq": 5, "type": "run_done"}]
    fake.failures = [httpx.ConnectError("down"), httpx.Response(503)]
    assert [event["seq"] for event in connect(fake).events("r1")] == [1, 2, 3, 4, 5]


def test_events_end_with_a_run_that_ended_without_a_last_event(fake):
    fake.events = [{"seq": 1, "type": "log"}]
    fake.status = "failed"
    assert [event["seq"] for event in connect(fake).events("r1")] == [1]


def test_waiting_gives_the_finished_run(fake):
    fake.events = [{"seq": 1, "type": "run_done"}]
    fake.status = "succeeded"
    seen = []
    assert connect(fake).wait("r1", seen.append)["metrics"] == {"evaluate.accuracy": 1.0}
    assert [event["type"] for event in seen] == ["run_done"]


def test_patience_ends(fake):
    fake.failures = [httpx.ConnectError("down")] * 50
    with pytest.raises(StudioUnreachable, match=r"studio\.test"):
        list(connect(fake, patience_s=0.0).events("r1"))


def test_a_refusal_carries_the_words_of_the_studio(fake):
    with pytest.raises(UsageError, match="There is no such thing"):
        connect(fake).request("GET", "/nothing")


def test_a_key_that_is_not_accepted_says_how_to_get_one(fake):
    fake.failures = [httpx.Response(401, json={})]
    with pytest.raises(UsageError, match="config set --api-key"):
        connect(fake).run("r1")


def test_an_answer_that_is_no_json_is_still_an_error(fake):
    fake.failures = [httpx.Response(500, text="<html>")]
    with pytest.raises(DeepSeekError, match="500"):
        connect(fake).run("r1")


def test_the_files_of_an_artifact_are_written_under_their_names(fake, tmp_path):
    connect(fake).download("w1", "sha256:1", tmp_path / "out")
    assert (tmp_path / "out/a/b.json").read_bytes() == b"{}"


def test_a_file_name_that_leaves_the_folder_is_refused(fake, tmp_path):
    with pytest.raises(DeepSeekError, match="outside the folder"):
        connect(fake).download("w1", "sha256:2", tmp_path / "out")
    assert not (tmp_path / "evil").exists()


def test_without_configuration_the_error_says_what_to_do(fake, monkeypatch):
    monkeypatch.delenv("DEEPSEEK_STUDIO_URL", raising=False)
    monkeypatch.delenv("DEEPSEEK_API_KEY", raising=False)
    with pytest.raises(UsageError, match="config set --studio"):
        Studio()
    with pytest.raises(UsageError, match="config set --api-key"):
        Studio("http://studio.test")
