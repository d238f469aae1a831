"""Public files, data sets and weights: where they are looked for, and how they are fetched.

Called by the run's context (``ctx.resource``), by the supervisor before a sandboxed run starts, and as a command::

    python -m engine.resources fetch cifar10 FOLDER

A file is downloaded to ``NAME.part`` beside its place, goes on where it stopped, is checked and then renamed: a
half-finished file never has the right name. Must not know what is in the files.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from engine.errors import TransientError, UserError
from engine.home import home
from engine.published import RESOURCES, RemoteFile, Resource

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all, over all files of the resource."""

CHUNK = 1 << 20
TIMEOUT_S = 30


def get(name: str) -> Resource:
    """The resource of this name; UserError when there is none.

    >>> get("cifar10").title
    'CIFAR-10'
    """
    try:
        return RESOURCES[name]
    except KeyError:
        raise UserError(
            "There is no public data set {name}", hint="Known: {known}.", name=name, known=", ".join(RESOURCES)
        ) from None


def download_folder(name: str) -> Path:
    """Where a download of this resource is kept."""
    return home() / "datasets" / name


def search_path(name: str) -> list[Path]:
    """Folders that may hold the resource, best first.

    Every folder of ``DEEPSEEK_DATASETS`` (separated by colons) may hold it directly or in a folder of its name; then
    the download folder, the system's, and that of an installed Python package which ships the files.
    """
    named = [Path(entry) for entry in os.environ.get("DEEPSEEK_DATASETS", "").split(os.pathsep) if entry]
    mine = [folder for entry in named for folder in (entry / name, entry)]
    return [*mine, download_folder(name), *get(name).system, *_package_folder(get(name))]


def _package_folder(resource: Resource) -> list[Path]:
    """Where the Python package with the files is installed; it is looked for and not imported."""
    if resource.python is None:
        return []
    module, _, inside = resource.python.partition("/")
    found = importlib.util.find_spec(module)
    return [Path(place) / inside for place in found.submodule_search_locations or ()] if found else []


def locate(name: str) -> Path | None:
    """The first folder that holds the resource's files, or None. Uses no network."""
    layouts = get(name).layouts
    for folder in search_path(name):
        if any(all((folder / file).is_file() for file in layout) for layout in layouts):
            return folder
    return None


def is_here(name: str) -> bool:
    """True when the resource needs no network."""
    return locate(name) is not None


def missing(name: str) -> UserError:
    """The error for a resource that is not here and cannot be fetched: it says what to do."""
    resource = get(name)
    package = resource.package or (resource.python or "").partition("/")[0].replace("_", "-")
    if resource.python:
        hint = "Run `pip install {package}`, or put {files} into {folder}. Source: {page}"
    elif resource.is_weights:
        hint = (
            "Put {files} into {folder}, from {page}; or on a machine with a network run "
            "`python -m engine.resources fetch {name} FOLDER` and copy FOLDER there."
        )
    elif resource.package:
        hint = (
            "Run `sudo apt install {package}`, or on a machine with a network run "
            "`python -m engine.resources fetch {name} FOLDER` and copy FOLDER to {folder}."
        )
    else:
        hint = (
            "On a machine with a network run `python -m engine.resources fetch {name} FOLDER` and copy FOLDER to "
            "{folder}; or set the block's path to a folder that has the files. Source: {page}"
        )
    return UserError(
        "{title} is not on this machine, and it cannot be downloaded from here",
        field="path",
        hint=hint,
        name=name,
        title=resource.title,
        package=package,
        files=", ".join(file.name for file in resource.files),
        folder=str(download_folder(name)),
        page=resource.page,
    )


def resolve(name: str, progress: Progress | None = None) -> Path:
    """Folder of the resource: found on this machine, or else downloaded.

    Raises
    ------
    UserError
        When it is not here and cannot be fetched.
    """
    found = locate(name)
    if found is not None:
        return found
    if os.environ.get("DEEPSEEK_OFFLINE"):
        raise missing(name)
    try:
        return fetch(name, download_folder(name), progress)
    except TransientError as error:
        raise missing(name) from error


def check(name: str, folder: Path) -> None:
    """Compare the files of a resource that lie in a folder with what was published.

    Raises
    ------
    UserError
        Naming the first file that differs.
    """
    for file in get(name).files:
        place = folder / file.name
        if place.is_file() and not _checksum(place, file.algorithm).startswith(file.checksum):
            raise UserError(
                "{file} is not the published file: its checksum differs",
                field="path",
                hint="Fetch it again, or give the file as your own weights.",
                file=str(place),
            )


def fetch(name: str, folder: Path, progress: Progress | None = None) -> Path:
    """Download every file of the resource that is not in ``folder`` yet.

    Raises
    ------
    TransientError
        When the network or the server does not answer.
    UserError
        When what arrives is not what was published.
    """
    files = get(name).files
    if not all(file.urls for file in files):
        raise missing(name)
    folder.mkdir(parents=True, exist_ok=True)
    total, before = sum(file.size for file in files), 0

    def tell(done: int) -> None:
        if progress is not None:
            progress(before + done, max(total, before + done))

    for file in files:
        place = folder / file.name
        if not place.exists():
            _fetch_file(file, place, tell)
        before += file.size
    return folder


def _fetch_file(file: RemoteFile, place: Path, tell: Callable[[int], None]) -> None:
    part = place.with_name(place.name + ".part")
    problem = ""
    for url in file.urls:
        try:
            _download(url, file, part, tell)
        except (urllib.error.URLError, OSError) as error:
            problem = str(getattr(error, "reason", error))
            continue
        if _checksum(part, file.algorithm).startswith(file.checksum):
            part.replace(place)
            return
        part.unlink()
        raise UserError(
            "{file} from {url} is not the published file: its checksum differs",
            hint="A proxy may have changed it. Try again, or fetch the file by hand.",
            file=file.name,
            url=url,
        )
    raise TransientError("{file} could not be downloaded: {problem}", file=file.name, problem=problem)


def _download(url: str, file: RemoteFile, part: Path, tell: Callable[[int], None]) -> None:
    have = part.stat().st_size if part.exists() else 0
    if file.size and have >= file.size:
        part.unlink()
        have = 0
    # S310: the URLs are those of our own list
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
        resumed = have > 0 and answer.status == 206
        done = have if resumed else 0
        size = file.size or done + int(answer.headers.get("Content-Length") or 0)
        with part.open("ab" if resumed else "wb") as stream:
            while chunk := answer.read(CHUNK):
                stream.write(chunk)
                done += len(chunk)
                tell(min(done, size))
                if done > size:
                    break
    if done < size:
        raise OSError(f"the connection ended after {done} of {size} bytes")


def _checksum(path: Path, algorithm: str) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def main(argv: list[str] | None = None) -> int:
    """``fetch NAME FOLDER`` downloads; ``list`` says what there is and where it was found."""
    parser = argparse.ArgumentParser(prog="python -m engine.resources", description="Public data sets.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("fetch", help="download a data set into a folder")
    command.add_argument("name", choices=sorted(RESOURCES))
    command.add_argument("folder", type=Path)
    commands.add_parser("list", help="what there is and where it was found")
    arguments = parser.parse_args(argv)
    if arguments.command == "list":
        for name, resource in RESOURCES.items():
            sys.stdout.write(f"{name}: {resource.title}, {resource.license}, {locate(name) or 'not here'}\n")
        return 0
    try:
        fetch(arguments.name, arguments.folder, _Bar())
    except (TransientError, UserError) as error:
        sys.stderr.write(f"\n{error.message}\n" + (f"{error.hint}\n" if error.hint else ""))
        return 1
    sys.stderr.write(f"\n{get(arguments.name).title} is in {arguments.folder}\n")
    return 0


class _Bar:
    """One line of progress, at most five times a second."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done >= total or now - self._last >= 0.2:
            self._last = now
            sys.stderr.write(f"\r{done / 2**20:.1f} of {total / 2**20:.1f} MiB ({done / total:.0%})  ")
            sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
