"""``deepseek backup`` and ``deepseek restore``: save a studio to one file, and bring it back.

The backup holds the secrets that sessions and API keys are checked with: keep it like a password.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from deepseek.errors import UsageError
from deepseek.services.home import Home


def register(subparsers: Any) -> None:
    """Declare both commands."""
    parser = subparsers.add_parser(
        "backup",
        help="save the studio's database and artifacts",
        description="Save the database and the artifacts to one file. The studio may be running.",
    )
    parser.add_argument("file", type=Path, help="file to write, for example studio.tar")
    parser.set_defaults(run=run)
    parser = subparsers.add_parser(
        "restore",
        help="bring a backup back",
        description="Bring a backup back into an empty home folder. Every file is checked against its digest.",
    )
    parser.add_argument("file", type=Path, help="file that `deepseek backup` wrote")
    parser.add_argument("--force", action="store_true", help="replace the database of a home that is not empty")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run either command."""
    from deepseek.services import backup

    places = backup.Places.of(Home.default())
    if args.command == "backup":
        summary = backup.save(places, args.file)
        print(f"Saved the database and {summary.blobs} artifact files in {args.file} ({summary.size / 2**20:.1f} MiB).")
        for sha256 in summary.damaged:
            print(f"  left out, it is damaged in the store: {sha256}", file=sys.stderr)
        return 1 if summary.damaged else 0
    if not args.file.is_file():
        raise UsageError(f"There is no file {args.file}")
    summary = backup.restore(places, args.file, force=args.force)
    print(f"Brought back the database and {summary.blobs} artifact files into {places.home.root}.")
    return 0
