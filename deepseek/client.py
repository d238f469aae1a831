"""A studio over HTTP: submit a pipeline, follow the run, fetch what it made.

Called by ``deepseek run --studio`` and by people. Speaks only the public REST API with an API key, so it needs neither
the engine nor torch. A broken connection is not a failed run: following goes on from the last event that arrived.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from deepseek import config
from deepseek.errors import DeepSeekError, StudioUnreachable, UsageError

POLL_S = 0.5
PATIENCE_S = 300.0
EVENTS_AT_ONCE = 500
FINISHED = ("succeeded", "failed", "cancelled")
BUSY = (429, 502, 503, 504)


class Studio:
    """A connection to a studio.

    Parameters
    ----------
    url, api_key
        Where it is and the key of an account; by default as ``deepseek config set`` keeps them, or from
        ``DEEPSEEK_STUDIO_URL`` and ``DEEPSEEK_API_KEY``.
    project
        Id or name of the project that runs and data go to; by default the first one.
    patience_s
        How long to go on trying when the studio does not answer while a run is followed.
    transport
        Replaces the network, for tests.

    Examples
    --------
    >>> studio = Studio("http://localhost:8000", "dsk_example")
    >>> studio
    Studio('http://localhost:8000')
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        project: str | None = None,
        patience_s: float = PATIENCE_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        known = config.load()
        address = url or known.studio
        if not address:
            raise UsageError(
                "No studio is configured", hint="Run `deepseek config set --studio URL --api-key KEY` first."
            )
        key = api_key or known.api_key
        if not key:
            raise UsageError(
                "No API key is configured",
                hint="Make one on the account page of the studio, then run `deepseek config set --api-key KEY`.",
            )
        self.url = config.check_url(address)
        self._project = project or known.project
        self._patience_s = patience_s
        self._http = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {key}", "Accept": "application/json"},
            timeout=httpx.Timeout(30.0, connect=10.0),
            transport=transport,
        )

    def __repr__(self) -> str:
        return f"Studio({self.url!r})"

    def __enter__(self) -> Studio:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Call the REST API.

        Parameters
        ----------
        method, path
            For example ``"GET", "/runs/4f..."``; the path is below ``/api/v1``.
        options
            What ``httpx.Client.request`` takes: ``json``, ``params``, ``headers``, ``files``.

        Raises
        ------
        DeepSeekError
            With the studio's own words when it refuses; `StudioUnreachable` when it does not answer.
        """
        response = self._send(method, path, **options)
        return response.json() if response.content else None

    def project(self) -> dict[str, Any]:
        """The project that runs go to.

        Raises
        ------
        UsageError
            When there is none of that id or name.
        """
        found: list[dict[str, Any]] = []
        for workspace in self.request("GET", "/workspaces")["items"]:
            found.extend(self.request("GET", f"/workspaces/{workspace['id']}/projects")["items"])
        if not found:
            raise UsageError("This account has no project", hint=f"Make one at {self.url}.")
        if self._project is None:
            return found[0]
        for project in found:
            if self._project in (project["id"], project["name"]):
                return project
        names = ", ".join(sorted(project["name"] for project in found))
        raise UsageError(f"There is no project {self._project!r}", hint=f"There are: {names}.")

    def submit(
        self,
        document: Mapping[str, Any],
        *,
        targets: Sequence[str] = (),
        name: str | None = None,
        key: str | None = None,
    ) -> dict[str, Any]:
        """Queue a run of a pipeline document.

        Parameters
        ----------
        targets
            Block ids to run to; empty: the whole pipeline.
        key
            Idempotency key: two submissions with the same key are one run. A fresh one by default, so that a lost
            answer can be asked for again.

        Returns
        -------
        dict
            The run, as ``GET /runs/{id}`` answers it.
        """
        body: dict[str, Any] = {"document": dict(document)}
        if targets:
            body["targets"] = list(targets)
        if name:
            body["name"] = name
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        path = f"/projects/{self.project()['id']}/runs"
        run: dict[str, Any] = self._patiently(lambda: self.request("POST", path, json=body, headers=headers))
        return run

    def run(self, run_id: str) -> dict[str, Any]:
        """A run as it stands now."""
        found: dict[str, Any] = self.request("GET", f"/runs/{run_id}")
        return found

    def run_url(self, run: Mapping[str, Any]) -> str:
        """The page of a run."""
        project = run["project"]
        project_id = project["id"] if isinstance(project, Mapping) else project
        return f"{self.url}/p/{project_id}/runs/{run['id']}"

    def cancel(self, run_id: str) -> None:
        """Ask for the end of a run."""
        self.request("POST", f"/runs/{run_id}/cancel")

    def events(self, run_id: str, after: int = 0) -> Iterator[dict[str, Any]]:
        """Events of a run as they come, until its last one.

        Every event is given once and in order, whatever happens to the connection in between.
        """
        path = f"/runs/{run_id}/events"
        while True:
            page = self._patiently(partial(self.request, "GET", path, params={"after": after, "limit": EVENTS_AT_ONCE}))
            for event in page["items"]:
                after = event["seq"]
                yield event
                if event["type"] == "run_done":
                    return
            if not page["items"]:
                if self.run(run_id)["status"] in FINISHED and after >= page["head"]:
                    return
                time.sleep(POLL_S)

    def wait(self, run_id: str, on_event: Callable[[Mapping[str, Any]], None] | None = None) -> dict[str, Any]:
        """Follow a run to its end.

        Returns
        -------
        dict
            The finished run: ``status``, ``metrics``, ``blocks``, ``error``.
        """
        for event in self.events(run_id):
            if on_event is not None:
                on_event(event)
        while (run := self._patiently(lambda: self.run(run_id)))["status"] not in FINISHED:
            time.sleep(POLL_S)
        return dict(run)

    def upload(self, path: str | Path) -> dict[str, Any]:
        """Upload a file as data of the project and wait until it is looked at.

        Returns
        -------
        dict
            The data file; its ``digest`` is what an artifact parameter of a block takes.
        """
        file = Path(path)
        with file.open("rb") as stream:
            data: dict[str, Any] = self.request(
                "POST",
                f"/projects/{self.project()['id']}/data",
                files={"file": (file.name, stream)},
                data={"name": file.name},
            )
        while data["status"] == "inspecting" and not data.get("digest"):
            time.sleep(POLL_S)
            data = self.request("GET", f"/data/{data['id']}")
        return data

    def download(self, workspace: str, digest: str, folder: str | Path) -> Path:
        """Fetch every file of an artifact into a folder.

        Parameters
        ----------
        workspace
            Id of the workspace that holds it.
        """
        place = Path(folder)
        base = f"/workspaces/{workspace}/artifacts/{digest}"
        for name in self.request("GET", base)["files"]:
            target = place / name
            if not target.resolve().is_relative_to(place.resolve()):
                raise DeepSeekError(f"The studio names a file outside the folder: {name}")
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._http.stream("GET", f"{base}/files/{name}") as response:
                if response.is_error:
                    response.read()
                    raise _refusal(response)
                with target.open("wb") as out:
                    for chunk in response.iter_bytes():
                        out.write(chunk)
        return place

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise StudioUnreachable(
                f"The studio at {self.url} does not answer ({type(error).__name__})",
                hint="Is it running, and is the address right?",
            ) from None
        if response.status_code in BUSY:
            raise StudioUnreachable(f"The studio at {self.url} is busy or starting ({response.status_code})")
        if response.is_error:
            raise _refusal(response)
        return response

    def _patiently(self, call: Callable[[], Any]) -> Any:
        """Call, and while the studio does not answer call again, more slowly each time, up to ``patience_s``."""
        pause, until = POLL_S, time.monotonic() + self._patience_s
        while True:
            try:
                return call()
            except StudioUnreachable:
                if time.monotonic() + pause > until:
                    raise
                time.sleep(pause)
                pause = min(pause * 2, 10.0)


def _refusal(response: httpx.Response) -> DeepSeekError:
    """What the studio said, as an error."""
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        error = None
    if response.status_code == 401:
        return UsageError(
            "The studio does not accept this API key",
            hint="Make one on its account page, then run `deepseek config set --api-key KEY`.",
        )
    if isinstance(error, Mapping):
        kind = UsageError if response.status_code in (400, 404, 413, 422) else DeepSeekError
        return kind.from_json(error)
    return DeepSeekError(f"The studio answered {response.status_code} to {response.request.url.path}")
