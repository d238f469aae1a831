"""The model bundle: one zip file with ``model.json``, ``weights.safetensors`` and ``manifest.json``; no pickle.

Called by the export block, the SDK and the Models page. The zip is deterministic: the same model gives the same
bytes. ``manifest.json`` is the artifact's manifest with the sha256 of every file, so a bundle that was loaded has the
digest of the model that was saved, and a changed byte is found.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

from engine.artifacts import ArtifactStore, ModelRef, canonical_json, is_manifest
from engine.errors import UserError
from engine.runtime.models import MODEL
from engine.runtime.modelspec import ModelSpec, parse

MANIFEST = "manifest.json"
MAX_JSON_BYTES = 64 * 2**20
MAX_FILES = 256
_EPOCH = (1980, 1, 1, 0, 0, 0)


def save_bundle(ref: ModelRef, path: Path) -> None:
    """Write a model as a zip file.

    Parameters
    ----------
    path
        The file to make; it replaces an older one only when it is whole.
    """
    entries: dict[str, Any] = {
        MANIFEST: canonical_json({"kind": ref.kind, "files": ref.files, "meta": ref.meta, "refs": []})
    }
    entries |= {name: ref.path(name) for name in ref.files}
    temporary = path.with_name(path.name + ".part")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = 0o644 << 16
            info.create_system = 3
            content = entries[name]
            archive.writestr(info, content if isinstance(content, bytes) else content.read_bytes())
    temporary.replace(path)


def load_bundle(path: Path, store: ArtifactStore) -> ModelRef:
    """Read a bundle into a store, checking every byte.

    Raises
    ------
    UserError
        When the file is no bundle, is cut off, was changed, or belongs to a newer version.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if MODEL not in names:
                raise UserError(
                    "{file} is not a model bundle: it has no model.json",
                    hint="Choose a zip file that was exported here or saved by model.save.",
                    file=path.name,
                )
            spec = parse(_json(archive, MODEL, path))
            manifest = _manifest(archive, names, path)
            files = {name: _member(archive, name, entry, path) for name, entry in manifest["files"].items()}
    except zipfile.BadZipFile:
        raise _damaged(path, path.name) from None
    except FileNotFoundError:
        raise UserError("There is no file {file}", file=str(path)) from None
    _check_variants(spec, manifest["files"], path)
    return store.put(ModelRef, files=files, meta=manifest["meta"])


def _manifest(archive: zipfile.ZipFile, names: list[str], path: Path) -> dict[str, Any]:
    manifest: Any = _json(archive, MANIFEST, path) if MANIFEST in names else None
    if not is_manifest(manifest) or manifest["kind"] != ModelRef.kind or manifest["refs"]:
        raise _damaged(path, MANIFEST)
    listed = {MANIFEST, *manifest["files"]}
    extra = sorted(set(names) - listed) or sorted(listed - set(names))
    if extra or len(names) != len(listed) or len(names) > MAX_FILES:
        raise _damaged(path, extra[0] if extra else MANIFEST)
    return dict(manifest)


def _member(archive: zipfile.ZipFile, name: str, entry: dict[str, Any], path: Path) -> bytes:
    """One file of the archive; never reads more bytes than the manifest promised."""
    if archive.getinfo(name).file_size != entry["size"]:
        raise _damaged(path, name)
    try:
        with archive.open(name) as stream:
            content = stream.read(entry["size"] + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError):
        raise _damaged(path, name) from None
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise _damaged(path, name)
    return content


def _json(archive: zipfile.ZipFile, name: str, path: Path) -> Any:
    if archive.getinfo(name).file_size > MAX_JSON_BYTES:
        raise _damaged(path, name)
    try:
        with archive.open(name) as stream:
            return json.loads(stream.read(MAX_JSON_BYTES))
    except (ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError):
        raise _damaged(path, name) from None


def _check_variants(spec: ModelSpec, files: dict[str, Any], path: Path) -> None:
    for variant in spec.variants.values():
        if files.get(variant.file, {}).get("sha256") != variant.sha256:
            raise _damaged(path, variant.file)


def _damaged(path: Path, place: str) -> UserError:
    return UserError(
        "{file} is damaged or was changed: {place} is not what was saved",
        hint="Copy or download the bundle again.",
        file=path.name,
        place=place,
    )
