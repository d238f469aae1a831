"""``deepseek config``: keep or show where a studio is. A key goes in and never comes out again."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Any

from deepseek import config
from deepseek.errors import UsageError


def register(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "config",
        help="keep the address of a studio and a key to it",
        description="Keep the address of a studio and a key to it, in a file that only you can read.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="{set,show}")
    setting = actions.add_parser("set", help="keep values")
    setting.add_argument("--studio", metavar="URL", help="address, for example http://localhost:8000")
    setting.add_argument("--api-key", metavar="KEY", help="key from the account page; - asks for it without showing it")
    setting.add_argument("--project", metavar="ID", help="project that runs go to")
    actions.add_parser("show", help="show what is kept (never the key)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.action == "show":
        known = config.load()
        print(f"studio   {known.studio or 'not set'}")
        print(f"api key  {'set' if known.api_key else 'not set'}")
        print(f"project  {known.project or 'the first one'}")
        print(f"file     {config.config_path()}")
        return 0
    given = {"studio": args.studio, "api_key": args.api_key, "project": args.project}
    if all(value is None for value in given.values()):
        raise UsageError("Nothing to set", hint="Give --studio URL, --api-key KEY or --project ID.")
    if given["api_key"] == "-":
        given["api_key"] = _ask_key()
    path = config.save(**given)
    names = " and ".join(name.replace("_", " ") for name, value in given.items() if value is not None)
    print(f"Kept {names} in {path}.")
    return 0


def _ask_key() -> str:
    key = getpass.getpass("API key: ") if sys.stdin.isatty() else sys.stdin.readline()
    return key.strip()
