"""Keep a Plotly figure as an artifact that carries the pipeline which made it.

Called by every block that draws. Dropping the file on the canvas opens that pipeline again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.artifacts import FigureRef, canonical_json
from engine.spec.context import RunContext


def put_figure(ctx: RunContext, figure: Mapping[str, Any], more: Mapping[str, bytes] | None = None) -> FigureRef:
    """Write ``figure.json`` and its preview.

    Parameters
    ----------
    figure
        Plotly's ``data`` and ``layout``.
    more
        Other files of the artifact.
    """
    carrying = {**figure, "provenance": {"document": ctx.document}}
    files = {
        "figure.json": canonical_json(carrying),
        "preview.json": canonical_json({"kind": "figure", "figure": figure}),
    }
    return ctx.store.put(FigureRef, files={**files, **(more or {})})
