"""The catalog: every block's declaration as data.

Called by the web process, the SDK and the browser, which read it as JSON, and by ``make`` and the first start,
which build it. Building imports every block, and torch with them; reading imports nothing. So whoever needs a
newer catalog than there is has it built in a process of its own.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.metadata
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.artifacts import digest_of, ref_classes
from engine.errors import StudioError, UserError
from engine.graph.lookup import Catalog
from engine.home import home
from engine.spec.block import BlockSpec, spec_of

FORMAT = "deepseek.catalog/1"
PACKAGE = "engine.blocks"
ENTRY_POINTS = "deepseek.blocks"
CATEGORIES = {
    "data": "Data",
    "model": "Model",
    "train": "Training",
    "evaluate": "Evaluation",
    "compress": "Compression",
    "predict": "Prediction",
    "code": "Code",
    "export": "Export",
}
_ENGINE = Path(__file__).parent
# Rooms that carry a block's words but cannot change its result: editing them keeps every cache.
_NEUTRAL = ("engine.errors", "engine.events", "engine.home", "engine.spec")


def catalog_path() -> Path:
    """Where the built catalog lies: ``DEEPSEEK_CATALOG``, or in the home folder."""
    return Path(os.environ.get("DEEPSEEK_CATALOG") or home() / "catalog.json")


def load_catalog(path: Path | None = None) -> Catalog:
    """Read the catalog; build it first when it is missing or older than the sources.

    Raises
    ------
    UserError
        When a block's file cannot be imported; names it.
    """
    path = path or catalog_path()
    sources = sources_digest()
    catalog = _read(path)
    if catalog is None or catalog.get("sources") != sources:
        _build_elsewhere(path)
        catalog = _read(path)
        if catalog is None:
            raise StudioError("The catalog {path} was built but cannot be read", path=str(path))
    return catalog


def sources_digest() -> str:
    """Digest of every source file that the catalog is read from."""
    whole = hashlib.sha256()
    for file in sorted(_ENGINE.rglob("*.py")):
        whole.update(f"{file.relative_to(_ENGINE)}\0".encode())
        whole.update(file.read_bytes())
    for point in sorted(importlib.metadata.entry_points(group=ENTRY_POINTS), key=lambda p: p.value):
        version = point.dist.version if point.dist else ""
        whole.update(f"{point.value}\0{version}\0".encode())
    return whole.hexdigest()


def build_catalog() -> Catalog:
    """Import every block and write down its declaration."""
    blocks: dict[str, Any] = {}
    for module in _block_modules():
        spec = spec_of(module)
        if spec is None:
            continue
        if spec.id in blocks:
            raise UserError(
                "Two files declare the block {id}: {first} and {second}",
                id=spec.id,
                first=blocks[spec.id]["module"],
                second=module.__name__,
            )
        blocks[spec.id] = describe_block(spec, module)
    known = list(CATEGORIES) + sorted({b["category"] for b in blocks.values()} - set(CATEGORIES))
    catalog = {
        "format": FORMAT,
        "blocks": dict(sorted(blocks.items())),
        "kinds": {kind: _ancestors(cls) for kind, cls in sorted(ref_classes().items())},
        "categories": [{"id": c, "title": CATEGORIES.get(c, c.replace("_", " ").capitalize())} for c in known],
    }
    return {**catalog, "digest": digest_of(catalog), "sources": sources_digest()}


def describe_block(spec: BlockSpec, module: types.ModuleType) -> dict[str, Any]:
    """One block's entry of the catalog."""
    doc = (spec.run.__doc__ or "").strip()
    return {
        "id": spec.id,
        "title": spec.title,
        "summary": " ".join((module.__doc__ or "").strip().split("\n\n")[0].split()),
        "doc": doc,
        "category": spec.category,
        "module": module.__name__,
        "version": spec.version,
        "needs": spec.needs,
        "required": spec.required,
        "permission": spec.permission,
        "resources": list(spec.resources),
        "cacheable": spec.cacheable,
        "hidden": spec.hidden,
        "code": code_digest(module.__name__),
        "params": {"schema": _params_schema(spec)},
        "inputs": [{"name": p.name, "kinds": [p.kind], "optional": p.optional, "many": p.many} for p in spec.inputs],
        "outputs": [{"name": p.name, "kind": p.kind, "measured": p.measured} for p in spec.outputs],
        "examples": [dict(example) for example in spec.examples],
    }


def code_digest(module_name: str) -> str:
    """Digest of a module and of every engine module it imports, directly or not."""
    whole = hashlib.sha256()
    for name in sorted(_import_closure(module_name)):
        source = _source(name)
        if source is not None:
            whole.update(f"{name}\0".encode())
            whole.update(source.read_bytes())
    return whole.hexdigest()


def write_catalog(path: Path) -> Catalog:
    """Build the catalog into a file, replacing what was there only when it is whole."""
    catalog = build_catalog()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".catalog-")
    with os.fdopen(handle, "w") as stream:
        json.dump(catalog, stream, indent=1)
    Path(name).replace(path)
    return catalog


def _read(path: Path) -> Catalog | None:
    try:
        catalog = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return catalog if isinstance(catalog, dict) and catalog.get("format") == FORMAT else None


def _build_elsewhere(path: Path) -> None:
    command = [sys.executable, "-m", "engine.catalog", "build", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(
            "The catalog of blocks could not be built: {cause}",
            hint="A block's file fails to import. Run `python -m engine.catalog build` to see where.",
            cause=(done.stderr.strip().splitlines() or ["no output"])[-1],
        )


def _block_modules() -> Iterator[types.ModuleType]:
    package = importlib.import_module(PACKAGE)
    for info in pkgutil.walk_packages(package.__path__, f"{PACKAGE}."):
        if not info.ispkg and not info.name.rpartition(".")[2].startswith("_"):
            yield importlib.import_module(info.name)
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        yield importlib.import_module(point.value)


def _ancestors(cls: type) -> list[str]:
    return [c.__dict__["kind"] for c in cls.__mro__ if "kind" in c.__dict__]


def _params_schema(spec: BlockSpec) -> dict[str, Any]:
    schema = spec.params.model_json_schema()
    for name, field in spec.params.model_fields.items():
        if field.title is None:
            schema["properties"][name]["title"] = name.replace("_", " ").capitalize()
    schema.pop("title", None)
    schema.pop("description", None)
    return schema


def _source(module_name: str) -> Path | None:
    base = _ENGINE.parent.joinpath(*module_name.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    module = sys.modules.get(module_name)
    file = getattr(module, "__file__", None)
    return Path(file) if file else None


def _import_closure(module_name: str) -> set[str]:
    seen: set[str] = set()
    queue = [module_name]
    while queue:
        name = queue.pop()
        if name in seen or name.startswith(_NEUTRAL):
            continue
        source = _source(name)
        if source is None:
            continue
        seen.add(name)
        for node in ast.walk(ast.parse(source.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("engine"):
                queue.append(node.module)
                queue.extend(f"{node.module}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Import):
                queue.extend(alias.name for alias in node.names if alias.name.startswith("engine"))
    return seen


if __name__ == "__main__":
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else catalog_path()
    print(f"{len(write_catalog(target)['blocks'])} blocks in {target}")  # noqa: T201  (the command's answer)
