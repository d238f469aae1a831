"""The studio inside Jupyter: a server extension that shows notebooks the runs of a studio.

Loaded by ``jupyter_server`` (``jupyter server extension enable notebooks_ext``, which the installation does). Talks to
the studio over HTTP through ``deepseek.client``; must not import the engine, the web application or torch.
"""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """What Jupyter asks for when it loads the extension."""
    from notebooks_ext.app import StudioExtension

    return [{"module": "notebooks_ext", "app": StudioExtension}]
