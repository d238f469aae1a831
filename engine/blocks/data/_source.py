"""Where a data block's files are: an uploaded file, or a path on this machine.

Called by the data blocks that read files.
"""

from __future__ import annotations

from pathlib import Path, PurePath

from engine.artifacts import FileRef
from engine.errors import UserError
from engine.spec import RunContext


def input_file(ctx: RunContext, file: str, path: str) -> tuple[Path, str]:
    """Where the block's file is, and a name for people.

    Parameters
    ----------
    file
        Digest of an uploaded file, or empty.
    path
        Path on this machine, or empty.

    Raises
    ------
    UserError
        When neither is set, or the artifact is no file.
    """
    if file:
        ref = ctx.store.open(file)
        if not isinstance(ref, FileRef):
            raise UserError(
                "{digest} is a {kind}, not an uploaded file",
                field="file",
                hint="Choose a file on the Data page, or upload one.",
                digest=file[:19],
                kind=ref.kind,
            )
        name = str(ref.meta.get("filename", "upload"))
        return ref.path("content"), PurePath(name).stem or name
    if path:
        found = local(ctx, path)
        return found, found.stem or found.name
    raise UserError("No file is chosen", field="file", hint="Upload a file, or set the path of one on this machine.")


def local(ctx: RunContext, path: str) -> Path:
    """A path that a person set, checked; the error names the field."""
    try:
        return ctx.local_path(path)
    except UserError as error:
        error.field = error.field or "path"
        raise
