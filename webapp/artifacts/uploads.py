"""From an uploaded file to an artifact. Called by the endpoints that take files.

The file is only copied and hashed here; what is in it is looked at by a job, inside the sandbox.
"""

from __future__ import annotations

import contextlib
import tempfile
import uuid
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler

from webapp.api.errors import ApiError
from webapp.artifacts import store
from webapp.artifacts.models import Artifact

MAX_NAME = 200
TEXT_FILE = "text.txt"


class TemporaryUpload(TemporaryFileUploadHandler):
    """Writes an upload to a temporary file; one that fills the disk gives its room back at once."""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Write the next piece."""
        try:
            self.file.write(raw_data)
        except OSError:
            with contextlib.suppress(OSError):  # closing writes what is left, and removes the file in any case
                self.file.close()
            raise


def keep_upload(workspace_id: uuid.UUID, upload: UploadedFile[Any]) -> tuple[Artifact, str]:
    """The artifact of an uploaded file, and the file's name.

    Raises
    ------
    ApiError
        422 for an empty file or one without a usable name.
    OSError
        When the disk is full (answered 507); nothing of the file stays.
    """
    filename = clean_name(upload.name or "")
    if not upload.size:
        raise ApiError(422, "The file {name} is empty", field="file", name=filename)
    assert isinstance(upload, TemporaryUploadedFile), "uploads go to a file (FILE_UPLOAD_HANDLERS)"
    with contextlib.closing(upload):
        content = Path(upload.temporary_file_path())
        row = store.put(workspace_id, "file", {"content": content}, {"filename": filename})
    return row, filename


def keep_text(workspace_id: uuid.UUID, text: str) -> Artifact:
    """A text that somebody typed, as the file that it would be."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", errors="replace", suffix=".txt") as stream:
        stream.write(text)
        stream.flush()
        return store.put(workspace_id, "file", {"content": Path(stream.name)}, {"filename": TEXT_FILE})


def clean_name(name: str) -> str:
    r"""The last part of a file name, without what no file is called.

    >>> clean_name("C:\\data\\../people.csv")
    'people.csv'
    """
    last = name.replace("\\", "/").rpartition("/")[2].strip()
    last = "".join(c for c in last if c.isprintable())[-MAX_NAME:]
    if last in {"", ".", ".."}:
        raise ApiError(422, "The file has no usable name", field="file", hint="Rename it and upload it again.")
    return last
