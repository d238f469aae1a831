"""Everything that answers without a login. A route that is not here needs one: review every change of this file."""

from __future__ import annotations

import re

PUBLIC = (
    re.compile(r"/healthz"),  # is it up: no data of anybody
    re.compile(r"/login"),
    re.compile(r"/link/[A-Za-z0-9_-]{20,100}"),  # the token in the path is the credential
    re.compile(r"/invite/[A-Za-z0-9_-]{20,100}"),  # likewise
    re.compile(r"/language"),  # sets a cookie
    re.compile(r"/static/.*"),  # our own scripts and styles
)


def is_public(path: str) -> bool:
    """True for the few paths that anybody may ask for."""
    return any(pattern.fullmatch(path) for pattern in PUBLIC)
