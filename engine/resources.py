"""Public data sets: where they are looked for, and how they are fetched.

Called by the run's context (``ctx.resource``), by the supervisor before a sandboxed run starts, and as a command::

    python -m engine.resources fetch cifar10 FOLDER

A file is downloaded to ``NAME.part`` beside its place, goes on where it stopped, is checked and then renamed: a
half-finished file never has the right name. Must not know what is in the files.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import TransientError, UserError
from engine.home import home

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all, over all files of the resource."""

CHUNK = 1 << 20
TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a resource: its name here, where it can be had, its size in bytes and its checksum."""

    name: str
    urls: tuple[str, ...]
    size: int
    algorithm: str
    checksum: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A public data set.

    Attributes
    ----------
    layouts
        Each is a list of files that together are enough to use the data set.
    system
        Folders where operating systems put it.
    package
        Debian package that ships it, if any.
    """

    name: str
    title: str
    page: str
    license: str
    files: tuple[RemoteFile, ...]
    layouts: tuple[tuple[str, ...], ...]
    system: tuple[Path, ...] = ()
    package: str | None = None


_FASHION = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)


def _fashion(name: str, size: int, md5: str) -> RemoteFile:
    return RemoteFile(name, tuple(base + name for base in _FASHION), size, "md5", md5)


def _weights(title: str, name: str, size: int) -> Resource:
    """Public weights of torchvision; the file name ends with the first digits of its sha256."""
    file = RemoteFile(name, ("https://download.pytorch.org/models/" + name,), size, "sha256", name[-12:-4])
    return Resource(
        name=name.split("-")[0] + "_imagenet",
        title=title + " weights (ImageNet)",
        page="https://pytorch.org/vision/stable/models.html",
        license="BSD-3-Clause",
        files=(file,),
        layouts=((name,),),
    )


RESOURCES: Mapping[str, Resource] = {
    "cifar10": Resource(
        name="cifar10",
        title="CIFAR-10",
        page="https://www.cs.toronto.edu/~kriz/cifar.html",
        license="Free for research; cite Krizhevsky, 2009",
        files=(
            RemoteFile(
                "cifar-10-binary.tar.gz",
                ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
                170_052_171,
                "sha256",
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
        layouts=(
            ("train.parquet", "test.parquet"),
            ("cifar-10-batches-bin/data_batch_1.bin", "cifar-10-batches-bin/test_batch.bin"),
            ("data_batch_1.bin", "test_batch.bin"),
            ("cifar-10-binary.tar.gz",),
        ),
    ),
    "fashion_mnist": Resource(
        name="fashion_mnist",
        title="Fashion-MNIST",
        page="https://github.com/zalandoresearch/fashion-mnist",
        license="MIT",
        files=(
            _fashion("train-images-idx3-ubyte.gz", 26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            _fashion("train-labels-idx1-ubyte.gz", 29_515, "25c81989df183df01b3e8a0aad5dffbe"),
            _fashion("t10k-images-idx3-ubyte.gz", 4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
            _fashion("t10k-labels-idx1-ubyte.gz", 5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
        ),
        layouts=(
            (
                "train-images-idx3-ubyte.gz",
                "train-labels-idx1-ubyte.gz",
                "t10k-images-idx3-ubyte.gz",
                "t10k-labels-idx1-ubyte.gz",
            ),
            (
                "train-images-idx3-ubyte",
                "train-labels-idx1-ubyte",
                "t10k-images-idx3-ubyte",
                "t10k-labels-idx1-ubyte",
            ),
        ),
        system=(Path("/usr/share/datasets/fashion-mnist"),),
        package="dataset-fashion-mnist",
    ),
    "resnet18_imagenet": _weights("ResNet-18", "resnet18-f37072fd.pth", 46_830_571),
    "resnet34_imagenet": _weights("ResNet-34", "resnet34-b627a593.pth", 87_319_819),
    "resnet50_imagenet": _weights("ResNet-50", "resnet50-11ad3fa6.pth", 102_540_417),
}


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
    the download folder, then the system's.
    """
    named = [Path(entry) for entry in os.environ.get("DEEPSEEK_DATASETS", "").split(os.pathsep) if entry]
    mine = [folder for entry in named for folder in (entry / name, entry)]
    return [*mine, download_folder(name), *get(name).system]


def locate(name: str) -> Path | None:
    """The first folder that holds the resource's files, or None. Uses no network."""
    layouts = get(name).layouts
    for folder in search_path(name):
        if any(all((folder / file).is_file() for file in layout) for layout in layouts):
            return folder
    return None


def missing(name: str) -> UserError:
    """The error for a resource that is not here and cannot be fetched: it says what to do."""
    resource = get(name)
    if resource.package:
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
        package=resource.package,
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


def fetch(name: str, folder: Path, progress: Progress | None = None) -> Path:
    """Download every file of the resource that is not in ``folder`` yet.

    Raises
    ------
    TransientError
        When the network or the server does not answer.
    UserError
        When what arrives is not what was published.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = get(name).files
    total, before = sum(file.size for file in files), 0

    def tell(done: int) -> None:
        if progress is not None:
            progress(before + done, total)

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
    if have >= file.size:
        part.unlink()
        have = 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310  (the URLs are ours)
        resumed = have > 0 and answer.status == 206
        done = have if resumed else 0
        with part.open("ab" if resumed else "wb") as stream:
            while chunk := answer.read(CHUNK):
                stream.write(chunk)
                done += len(chunk)
                tell(min(done, file.size))
                if done > file.size:
                    break
    if done < file.size:
        raise OSError(f"the connection ended after {done} of {file.size} bytes")


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
