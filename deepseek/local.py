"""The SDK's only door to the engine: run a pipeline in this process, keep its files on this machine.

Called by ``Model``, ``Dataset`` and the command line. The engine is imported inside functions, so that ``import
deepseek`` stays light; its errors leave here as ``deepseek.errors``. Must not know any block.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from deepseek import config, workplace
from deepseek.errors import DeepSeekError, RunCancelled, UsageError
from deepseek.progress import Progress, Sink, points


class Artifact(Protocol):
    """What the engine calls a Ref: a handle to something that a run made."""

    @property
    def digest(self) -> str:
        """Its content, as ``sha256:...``."""

    @property
    def kind(self) -> str:
        """``images``, ``table``, ``model``, ``metrics``, ``figure``, ``predictions`` or ``file``."""

    @property
    def meta(self) -> dict[str, Any]:
        """What it says about itself."""

    @property
    def files(self) -> dict[str, dict[str, Any]]:
        """Its files: name -> sha256 and size."""

    @property
    def refs(self) -> list[Any]:
        """The artifacts that it builds on."""

    def path(self, name: str) -> Path:
        """Where one of its files lies; read it, never write it."""

    def read_json(self, name: str) -> Any:
        """One of its files as JSON."""


@dataclass(frozen=True)
class Result:
    """How a run in this process ended.

    Parameters
    ----------
    outputs
        Block -> port -> artifact.
    metrics
        ``block.name`` -> last number, those of curves too.
    error
        Error JSON of the first block that failed.
    plan
        The execution plan that was resolved: device, precision, threads.
    """

    status: str
    outputs: dict[str, dict[str, Artifact]] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    plan: dict[str, Any] | None = None
    duration_s: float = 0.0


@lru_cache(maxsize=1)
def catalog() -> Any:
    """Every block's declaration, as data; built when it is missing or stale."""
    from engine import api

    with translated():
        return api.load_catalog()


def store() -> Any:
    """Where artifacts of runs in this process are kept."""
    from engine import api

    return api.ArtifactStore(_folder() / "store")


def parse(source: Any) -> dict[str, Any]:
    """Read a pipeline document from JSON, its text or its bytes; older formats are carried over.

    Raises
    ------
    UsageError
        Saying what is wrong with it.
    """
    from engine import api

    with translated():
        return api.parse_document(source).to_json()


def problems(document: Mapping[str, Any], targets: Sequence[str] = ()) -> list[Mapping[str, Any]]:
    """What is wrong with a pipeline; with targets, only in what they need."""
    from engine import api

    needed = _needed(document, targets)
    with translated():
        found = api.validate(api.parse_document(dict(document)), catalog())
    return [problem.to_json() for problem in found if problem.block is None or problem.block in needed]


def put_file(path: Path) -> str:
    """Keep a file as an artifact.

    Returns
    -------
    str
        Its digest, which an artifact parameter of a block takes.
    """
    from engine import api

    ref = store().put(api.FileRef, files={"content": path}, meta={"filename": path.name})
    return str(ref.digest)


def put_bytes(name: str, content: bytes) -> str:
    """Keep bytes as an artifact under a file name; gives back the digest."""
    from engine import api

    return str(store().put(api.FileRef, files={"content": content}, meta={"filename": name}).digest)


def open_artifact(digest: str) -> Artifact:
    """The artifact with this digest."""
    with translated():
        found: Artifact = store().open(digest)
        return found


def execute(
    document: Mapping[str, Any],
    *,
    targets: Sequence[str] = (),
    plan: Mapping[str, Any] | None = None,
    show: Sink | None = None,
) -> Result:
    """Run a pipeline to its end. What ran before with the same inputs, parameters and code is taken from the cache.

    Ctrl-C stops the run at its next step and keeps a checkpoint: the same run goes on from there.

    Parameters
    ----------
    targets
        Block ids to run to; empty: all of the pipeline.
    plan
        Wishes for the execution plan: ``device``, ``threads``, ``precision``.
    show
        Told every event; by default a progress bar on standard error.

    Raises
    ------
    UsageError
        When the pipeline is invalid; nothing ran. A block that fails is in the result.
    """
    from engine import api

    shown = Progress() if show is None else show
    resolved: list[dict[str, Any]] = []
    last: dict[str, float] = {}

    def sink(event: Any) -> None:
        body = event.to_json()
        if body["type"] == "run_started":
            resolved.append(dict(body["plan"]))
        elif body["type"] == "metrics":
            last[f"{body['block']}.{body['name']}"] = points(body)[1][-1]
        elif body["type"] == "decision" and body["kind"] == "probe":
            api.remember_choice(body["evidence"])
        shown(body)

    started = time.monotonic()
    try:
        with translated(), workplace.interruptible(api.CancelledRun) as stop:
            parsed = api.parse_document(dict(document))
            with workplace.work_folder(_folder() / "work", parsed.run_digest()) as folder:
                done = api.execute(
                    parsed,
                    catalog=catalog(),
                    store=store(),
                    cache=api.LocalCache(_folder() / "cache", scope=parsed.name),
                    sink=sink,
                    folder=folder,
                    plan={key: value for key, value in (plan or {}).items() if value is not None},
                    targets=list(targets) or None,
                    stop=stop,
                )
                if done.status == "succeeded":
                    shutil.rmtree(folder, ignore_errors=True)
    finally:
        close = getattr(shown, "close", None)
        if close is not None:
            close()
    return Result(
        done.status,
        {block: {port: _artifact(ref) for port, ref in ports.items()} for block, ports in done.outputs.items()},
        {**last, **done.metrics},
        done.error,
        resolved[0] if resolved else None,
        time.monotonic() - started,
    )


def checked(result: Result) -> Result:
    """The result of a run that succeeded.

    Raises
    ------
    RunFailed
        With the words of the block that failed.
    KeyboardInterrupt
        When the run was cancelled.
    """
    from deepseek.errors import RunFailed

    if result.status == "cancelled":
        raise KeyboardInterrupt("The run was cancelled")
    if result.status != "succeeded":
        raise RunFailed.from_json(result.error or {})
    return result


def read_images(artifact: Artifact) -> tuple[Any, Any]:
    """Pixels and labels of a data set of images, as arrays."""
    from engine import api

    with translated():
        view = api.open_images(store().open(artifact.digest))
        return view.take(slice(None)), view.labels


def read_table(artifact: Artifact) -> Any:
    """A table, as ``pyarrow.Table``."""
    from engine import api

    with translated():
        return api.open_table(store().open(artifact.digest))


def open_predictor(artifact: Artifact) -> Any:
    """A trained model in memory: it answers images, files and tables, and its network is ``.module``."""
    from engine import api

    with translated():
        return api.open_predictor(store().open(artifact.digest))


def load_bundle(path: Path) -> Artifact:
    """Read a model file and check every byte of it."""
    from engine import api

    with translated():
        return api.load_bundle(path, store())


def register_architecture(name: str, build: Callable[[Any], Any]) -> None:
    """Make a person's own module an architecture of this process; ``build(config)`` returns a fresh module."""
    from engine import api

    api.register_architecture(name, build)


def save(digest: str, path: Path) -> None:
    """Write an artifact to disk: a model as a bundle, a file under its name, anything else as a folder of its files."""
    from engine import api

    with translated():
        ref = store().open(digest)
        if ref.kind == "model":
            api.save_bundle(ref, path)
        elif ref.kind == "file":
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ref.path("content"), path)
        else:
            store().export(digest, path)


def _artifact(ref: Artifact) -> Artifact:
    return ref


def _folder() -> Path:
    return config.home() / "local"


def _needed(document: Mapping[str, Any], targets: Sequence[str]) -> set[str]:
    """The targets and everything they depend on; all blocks without targets."""
    if not targets:
        return set(document["blocks"])
    sources: dict[str, set[str]] = {}
    for source, target in document["wires"]:
        sources.setdefault(target.split(".")[0], set()).add(source.split(".")[0])
    needed: set[str] = set()
    queue = list(targets)
    while queue:
        block = queue.pop()
        if block not in needed:
            needed.add(block)
            queue.extend(sources.get(block, ()))
    return needed


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """The engine's errors in the SDK's words."""
    from engine import api

    try:
        yield
    except api.CancelledRun as error:
        raise RunCancelled.from_json(error.to_json()) from None
    except api.UserError as error:
        raise UsageError.from_json(error.to_json()) from None
    except api.StudioError as error:
        raise DeepSeekError.from_json(error.to_json()) from None
