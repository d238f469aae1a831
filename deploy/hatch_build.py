"""Put templates, examples and the built front end into the wheel.

Called by hatchling while it builds a wheel. An editable install reads the same folders from the source tree and
needs nothing from here. The front end must have been built before (`make frontend`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: Folder of the source tree -> folder inside the wheel.
DATA_FOLDERS = {
    "templates": "webapp/_data/templates",
    "examples": "webapp/_data/examples",
    "static/dist": "webapp/_data/static/dist",
}


class DataFilesHook(BuildHookInterface[Any]):
    """Add the folders that are not Python packages."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fill `force_include` of a standard wheel; refuse a wheel without its front end."""
        if version == "editable":
            return
        root = Path(self.root)
        missing = [folder for folder in DATA_FOLDERS if not (root / folder).is_dir()]
        if missing:
            raise SystemExit(f"The wheel needs {', '.join(missing)}: run `make frontend` first.")
        build_data["force_include"].update({str(root / source): target for source, target in DATA_FOLDERS.items()})
