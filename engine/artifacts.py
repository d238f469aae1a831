"""Content-addressed artifacts: immutable sets of named files with a digest.

Called by blocks (through ``ctx.store``), the executor, the SDK and the supervisor. Must not know what is in
the files: that belongs to the rooms above.

Layout, much as git keeps objects: ``blobs/ab/abcdef...`` holds every file once, named by its sha256. An artifact
is a *manifest* blob (canonical JSON of kind, files, meta and refs); its digest is the hash of that blob. ``refs``
are the artifacts it builds on, so a view of a data set needs no copy of the pixels.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from engine.errors import UserError

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*(/[A-Za-z0-9_][A-Za-z0-9_.\-]*){0,3}")
MAX_MANIFEST_BYTES = 16 * 2**20


class Ref:
    """A handle to one artifact; it reads files only when asked.

    Subclasses say what kind an artifact is. A block's ports are typed with them, and an output fits an input
    when its class is a subclass of the input's.
    """

    kind: ClassVar[str] = "artifact"

    def __init__(self, store: ArtifactStore, digest: str, manifest: Mapping[str, Any]) -> None:
        self.store = store
        self.digest = digest
        self._manifest = manifest

    @property
    def meta(self) -> dict[str, Any]:
        """A copy of what the artifact says about itself."""
        copied: dict[str, Any] = json.loads(json.dumps(self._manifest["meta"]))
        return copied

    @property
    def files(self) -> dict[str, dict[str, Any]]:
        """File name -> ``{"sha256", "size"}``."""
        return dict(self._manifest["files"])

    @property
    def refs(self) -> list[Ref]:
        """The artifacts this one builds on."""
        return [self.store.open(digest) for digest in self._manifest["refs"]]

    def path(self, name: str) -> Path:
        """Where the file lies. Read it, never write it."""
        try:
            return self.store.blob_path(self._manifest["files"][name]["sha256"])
        except KeyError:
            raise UserError(
                "The {kind} {digest} has no file {name}",
                kind=self.kind,
                digest=self.digest[:19],
                name=name,
            ) from None

    def read_bytes(self, name: str) -> bytes:
        """The whole file."""
        return self.path(name).read_bytes()

    def read_json(self, name: str) -> Any:
        """The whole file as JSON."""
        return json.loads(self.read_bytes(name))

    def summary(self) -> dict[str, Any]:
        """What events carry about this artifact."""
        return {"digest": self.digest, "kind": self.kind, "preview": "preview.json" in self._manifest["files"]}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.digest[:19]})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)


class DatasetRef(Ref):
    """Examples to learn from: images, a table or texts."""

    kind = "dataset"


class ImagesRef(DatasetRef):
    """Labelled images."""

    kind = "images"


class TableRef(DatasetRef):
    """Rows and columns."""

    kind = "table"


class TextRef(DatasetRef):
    """Texts in tokens: one text or one block of a corpus a row."""

    kind = "text"


class ModelRef(Ref):
    """A model: ``model.json`` and, once trained, ``weights.safetensors``."""

    kind = "model"


class MetricsRef(Ref):
    """Named numbers: ``metrics.json``."""

    kind = "metrics"


class FigureRef(Ref):
    """A Plotly figure: ``figure.json``."""

    kind = "figure"


class FrontRef(Ref):
    """What a search measured: ``front.json``, a list of points; the models on the front are its refs."""

    kind = "front"


class PredictionsRef(Ref):
    """What a model said about each example."""

    kind = "predictions"


class FileRef(Ref):
    """A file as somebody uploaded or will download it; ``meta["filename"]`` is its name."""

    kind = "file"


R = TypeVar("R", bound=Ref)


def ref_classes() -> dict[str, type[Ref]]:
    """Kind -> class, for every Ref class that is known in this process."""
    found: dict[str, type[Ref]] = {}
    queue: list[type[Ref]] = [Ref]
    while queue:
        cls = queue.pop()
        found[cls.kind] = cls
        queue.extend(cls.__subclasses__())
    return found


class ArtifactStore:
    """Artifacts in a local folder.

    Examples
    --------
    >>> import tempfile
    >>> store = ArtifactStore(Path(tempfile.mkdtemp()))
    >>> ref = store.put(MetricsRef, files={"metrics.json": b'{"accuracy": 0.9}'})
    >>> store.open(ref.digest).read_json("metrics.json")
    {'accuracy': 0.9}
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._blobs = self.root / "blobs"
        self._blobs.mkdir(parents=True, exist_ok=True)

    def blob_path(self, sha256: str) -> Path:
        """Where a blob lies or would lie."""
        return self._blobs / sha256[:2] / sha256

    def put(
        self,
        kind: type[R],
        *,
        files: Mapping[str, Path | bytes],
        meta: Mapping[str, Any] | None = None,
        refs: Sequence[Ref] = (),
    ) -> R:
        """Keep files as one artifact.

        Parameters
        ----------
        files
            Name -> bytes, or the path of a file, which is copied.
        meta
            JSON object. It is part of the digest: no clock times, no machine names.
        refs
            Artifacts that this one builds on; they must be in this store.
        """
        entries = {}
        for name, content in files.items():
            if not FILE_NAME.fullmatch(name):
                raise ValueError(f"not a file name for an artifact: {name!r}")
            entries[name] = self._put_blob(content)
        manifest = {
            "kind": kind.kind,
            "files": entries,
            "meta": dict(meta or {}),
            "refs": [ref.digest for ref in refs],
        }
        sha256 = self._put_blob(canonical_json(manifest))["sha256"]
        ref = self.open(f"sha256:{sha256}")
        if not isinstance(ref, kind):
            raise TypeError(f"two Ref classes share the kind {kind.kind!r}")
        return ref

    def open(self, digest: str) -> Ref:
        """The artifact with this digest.

        Raises
        ------
        UserError
            When it is not here, or what is here is not a manifest.
        """
        manifest = self.manifest(digest)
        cls = ref_classes().get(manifest["kind"], Ref)
        return cls(self, digest, manifest)

    def manifest(self, digest: str) -> dict[str, Any]:
        """The manifest, checked for its shape."""
        if DIGEST.fullmatch(str(digest)) is None:
            raise UserError("{digest} is not the digest of an artifact", digest=str(digest)[:80])
        path = self.blob_path(digest[7:])
        try:
            if path.stat().st_size > MAX_MANIFEST_BYTES:
                raise ValueError("too large")
            manifest = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise UserError(
                "The artifact {digest} is not here",
                digest=digest[:19],
                hint="Run the block that makes it again, or upload the file again.",
            ) from None
        except ValueError:
            manifest = None
        if not is_manifest(manifest):
            raise UserError("{digest} is a file, not an artifact", digest=digest[:19])
        return dict(manifest)

    def has(self, digest: str) -> bool:
        """True when the artifact, its files and its refs are all here."""
        try:
            return all(self.blob_path(sha256).exists() for sha256, _ in self.blobs_of(digest))
        except UserError:
            return False

    def blobs_of(self, digest: str) -> Iterator[tuple[str, int]]:
        """(sha256, size) of every blob the artifact needs: manifests, files, and those of its refs."""
        seen: set[str] = set()
        queue = [digest]
        while queue:
            current = queue.pop()
            if current in seen:
                continue
            seen.add(current)
            manifest = self.manifest(current)
            yield current[7:], self.blob_path(current[7:]).stat().st_size
            for entry in manifest["files"].values():
                yield entry["sha256"], entry["size"]
            queue.extend(manifest["refs"])

    def copy(self, digest: str, target: ArtifactStore) -> None:
        """Bring the artifact and all it builds on into another store.

        Always a copy: a hard link would let whoever may write the other store change this one.
        """
        for sha256, _ in self.blobs_of(digest):
            place = target.blob_path(sha256)
            if place.exists():
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with _atomic(place) as temporary:
                shutil.copyfile(self.blob_path(sha256), temporary)

    def export(self, digest: str, folder: Path) -> None:
        """Write the artifact's files under their names."""
        ref = self.open(digest)
        for name in ref.files:
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ref.path(name), place)

    def verify(self, digest: str) -> None:
        """Hash every file of the artifact again; UserError names the first that is not what it was."""
        for sha256, _ in self.blobs_of(digest):
            path = self.blob_path(sha256)
            if not path.exists() or hash_file(path) != sha256:
                raise UserError("A file of artifact {digest} is missing or was changed", digest=digest[:19])

    def _put_blob(self, content: Path | bytes) -> dict[str, Any]:
        if isinstance(content, bytes):
            sha256, size = hashlib.sha256(content).hexdigest(), len(content)
        else:
            sha256, size = hash_file(content), content.stat().st_size
        place = self.blob_path(sha256)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            with _atomic(place) as temporary:
                if isinstance(content, bytes):
                    temporary.write_bytes(content)
                else:
                    shutil.copyfile(content, temporary)
        return {"sha256": sha256, "size": size}


class _atomic:  # reads as a verb: with _atomic(place) as temporary
    """A temporary path beside ``place`` that becomes it when the block ends well."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __enter__(self) -> Path:
        handle, name = tempfile.mkstemp(dir=self._place.parent, prefix=".new-")
        os.close(handle)
        self._temporary = Path(name)
        return self._temporary

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._temporary.unlink(missing_ok=True)
            return
        self._temporary.chmod(0o444)
        self._temporary.replace(self._place)


def hash_file(path: Path) -> str:
    """sha256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: equal values, equal bytes.

    >>> canonical_json({"b": 1, "a": [1.5, None]})
    b'{"a":[1.5,null],"b":1}'
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def digest_of(value: Any) -> str:
    """sha256 of the canonical JSON of a value, in hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def is_manifest(value: object) -> bool:
    """True when the value has the shape of a manifest: nothing in it can name a path outside a store."""
    if not isinstance(value, dict) or set(value) != {"kind", "files", "meta", "refs"}:
        return False
    if not isinstance(value["kind"], str) or not isinstance(value["meta"], dict):
        return False
    if not isinstance(value["files"], dict) or not isinstance(value["refs"], list):
        return False
    for name, entry in value["files"].items():
        if not FILE_NAME.fullmatch(name) or not isinstance(entry, dict) or set(entry) != {"sha256", "size"}:
            return False
        if not DIGEST.fullmatch(f"sha256:{entry['sha256']}") or not isinstance(entry["size"], int):
            return False
    return all(isinstance(ref, str) and DIGEST.fullmatch(ref) for ref in value["refs"])
