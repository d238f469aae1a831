"""Templates: every example of the project, with its title, its words and its picture-worthy document.

Called by the API. A parameter of an example may name a file that lies beside its ``pipeline.json``; a pipeline made
from it gets that file as an upload of its own.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from django.conf import settings

from webapp import bridge
from webapp.api.errors import ApiError
from webapp.artifacts import store
from webapp.workspaces.models import Project

FOLDER = re.compile(r"\d\d-[a-z0-9-]+")


def list_templates() -> list[dict[str, Any]]:
    """Every example as id, title, summary and document."""
    folders = sorted(settings.EXAMPLES.glob("*/pipeline.json")) if settings.EXAMPLES.is_dir() else []
    return [_read(path.parent) for path in folders if FOLDER.fullmatch(path.parent.name)]


def template_document(template: str, project: Project) -> bridge.Document:
    """The document of an example, its files put into the project's workspace.

    Raises
    ------
    ApiError
        404 for an example that does not exist.
    """
    folder = settings.EXAMPLES / template
    if not FOLDER.fullmatch(template) or not (folder / "pipeline.json").is_file():
        raise ApiError(404, "There is no template {name}", name=template[:80])
    document = bridge.parse_document((folder / "pipeline.json").read_bytes())
    operations = [
        {"op": "set_param", "id": id_, "name": name, "value": _keep(folder, value, project)}
        for id_, name, value in _file_params(document)
    ]
    return bridge.apply_operations(document, operations)


def _file_params(document: bridge.Document) -> list[tuple[str, str, str]]:
    found = []
    for id_, block in document.blocks.items():
        entry = bridge.find_block(bridge.catalog(), block.type)
        fields = entry["params"]["schema"].get("properties", {}) if entry else {}
        for name, value in block.params.items():
            if fields.get(name, {}).get("widget") == "artifact" and isinstance(value, str) and value:
                found.append((id_, name, value))
    return found


def _keep(folder: Path, value: str, project: Project) -> str:
    path = folder / Path(value).name
    if not path.is_file():
        return value
    return store.put(project.workspace_id, "file", {"content": path}, {"filename": path.name}).digest


def _read(folder: Path) -> dict[str, Any]:
    title, summary = folder.name, ""
    readme = folder / "README.md"
    if readme.is_file():
        paragraphs = [p.strip() for p in readme.read_text(encoding="utf-8").split("\n\n") if p.strip()]
        title = paragraphs[0].lstrip("# ").strip()
        summary = " ".join(paragraphs[1].split()) if len(paragraphs) > 1 else ""
    document = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
    return {"id": folder.name, "title": title, "summary": summary, "document": document}
