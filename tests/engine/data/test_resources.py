"""Fetching public data sets from a server on this machine."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine import resources
from engine.errors import TransientError, UserError

BODY = bytes(range(256)) * 400


class Handler(http.server.BaseHTTPRequestHandler):
    cut_after: int | None = None
    ranges: list[str | None] = []

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        type(self).ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(BODY) - start))
        self.end_headers()
        end = len(BODY) if self.cut_after is None else self.cut_after
        self.wfile.write(BODY[start:end])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Handler.cut_after, Handler.ranges = None, []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/data.bin"
        running.shutdown()
        thread.join()


@pytest.fixture
def known(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    file = resources.RemoteFile("data.bin", (server,), len(BODY), "sha256", hashlib.sha256(BODY).hexdigest())
    resource = resources.Resource("tiny", "Tiny", "http://page", "MIT", (file,), (("data.bin",),))
    monkeypatch.setattr(resources, "RESOURCES", {"tiny": resource})
    monkeypatch.setenv("DEEPSEEK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DEEPSEEK_DATASETS", raising=False)
    monkeypatch.delenv("DEEPSEEK_OFFLINE", raising=False)
    return "tiny"


def test_a_resource_is_downloaded_once_and_found_afterwards(known: str) -> None:
    steps: list[int] = []
    folder = resources.resolve(known, lambda done, total: steps.append(done))
    assert (folder / "data.bin").read_bytes() == BODY
    assert steps[-1] == len(BODY)
    assert resources.resolve(known) == folder
    assert len(Handler.ranges) == 1


def test_a_download_that_was_cut_goes_on_where_it_stopped(known: str, tmp_path: Path) -> None:
    Handler.cut_after = 50_000
    with pytest.raises(TransientError, match="could not be downloaded"):
        resources.fetch(known, tmp_path / "into")
    assert not (tmp_path / "into" / "data.bin").exists()
    Handler.cut_after = None
    resources.fetch(known, tmp_path / "into")
    assert (tmp_path / "into" / "data.bin").read_bytes() == BODY
    assert Handler.ranges[-1] == "bytes=50000-"


def test_a_changed_file_is_refused_and_does_not_stay(known: str, tmp_path: Path) -> None:
    resource = resources.RESOURCES[known]
    wrong = replace(resource, files=(replace(resource.files[0], checksum="0" * 64),))
    resources.RESOURCES[known] = wrong
    with pytest.raises(UserError, match="not the published file"):
        resources.fetch(known, tmp_path)
    assert list(tmp_path.glob("data.bin*")) == []


def test_without_a_network_the_message_says_what_to_do(known: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSEEK_OFFLINE", "1")
    with pytest.raises(UserError) as caught:
        resources.resolve(known)
    assert "Tiny is not on this machine" in caught.value.message
    assert "python -m engine.resources fetch tiny FOLDER" in (caught.value.hint or "")


def test_folders_named_in_the_environment_come_first(
    known: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for place in (tmp_path / "a" / "tiny", tmp_path / "b"):
        place.mkdir(parents=True)
        (place / "data.bin").write_bytes(BODY)
    monkeypatch.setenv("DEEPSEEK_DATASETS", f"{tmp_path / 'b'}:{tmp_path / 'a'}")
    assert resources.locate(known) == tmp_path / "b"
    monkeypatch.setenv("DEEPSEEK_DATASETS", f"{tmp_path / 'a'}")
    assert resources.locate(known) == tmp_path / "a" / "tiny"


def test_the_debian_package_is_named_when_it_has_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "sudo apt install dataset-fashion-mnist" in (resources.missing("fashion_mnist").hint or "")
