"""Sends files that users made: as downloads that no browser shows or runs under this site's name.

Called by the API. Reads in pieces, so that a large file costs no memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header

CHUNK = 2**18
UNTRUSTED = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "private, max-age=31536000, immutable",
}


def send_file(request: HttpRequest, path: Path, filename: str) -> StreamingHttpResponse:
    """The file as a download under this name."""
    pieces = _pieces_async(path) if isinstance(request, ASGIRequest) else _pieces(path)
    kind = "application/json" if filename.endswith(".json") else "application/octet-stream"
    response = StreamingHttpResponse(pieces, content_type=kind, headers=UNTRUSTED)
    response["Content-Length"] = str(path.stat().st_size)
    response["Content-Disposition"] = content_disposition_header(True, filename) or "attachment"
    return response


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while piece := stream.read(CHUNK):
            yield piece


async def _pieces_async(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as stream:  # opens a local file; reading it is what takes time
        while piece := await asyncio.to_thread(stream.read, CHUNK):
            yield piece
