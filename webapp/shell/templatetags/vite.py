"""``{% vite %}``: the front end's style sheets and script, as the built manifest names them. Used by ``base.html``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()
ENTRY = "src/main.tsx"


@register.simple_tag
def vite() -> SafeString:
    """Links to the style sheets and the script; empty while the front end is not built."""
    manifest = read_manifest()
    if ENTRY not in manifest:
        return SafeString("")
    styles = [(static(f"dist/{css}"),) for css in dict.fromkeys(_styles(manifest, ENTRY, set()))]
    return format_html(
        '{}<script type="module" src="{}"></script>',
        format_html_join("", '<link rel="stylesheet" href="{}">', styles),
        static(f"dist/{manifest[ENTRY]['file']}"),
    )


def read_manifest() -> dict[str, Any]:
    """What Vite built; empty when it has not."""
    path = settings.FRONT_END / "manifest.json"
    try:
        return _parse(path, path.stat().st_mtime_ns)
    except OSError:
        return {}


@lru_cache(maxsize=1)
def _parse(path: Path, stamp: int) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(path.read_bytes())
    return manifest


def _styles(manifest: dict[str, Any], name: str, seen: set[str]) -> Iterator[str]:
    if name in seen:
        return
    seen.add(name)
    for imported in manifest[name].get("imports", []):
        yield from _styles(manifest, imported, seen)
    yield from manifest[name].get("css", [])
