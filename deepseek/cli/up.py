"""``deepseek up``: start the studio on this machine and stay until Ctrl-C."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from deepseek.errors import UsageError
from deepseek.services import stack
from deepseek.services.home import Home
from deepseek.services.stack import Address


def register(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "up",
        help="start the studio on this machine",
        description="Start Redis, the web server and a worker, print a link that logs in, and stay until Ctrl-C.",
    )
    parser.add_argument("--host", default=os.environ.get("HOST") or "127.0.0.1", help="address to listen on (HOST)")
    parser.add_argument("--port", default=os.environ.get("PORT") or "8000", help="port to listen on (PORT)")
    parser.add_argument("--home", type=Path, help="folder of the studio's files (DEEPSEEK_HOME)")
    parser.add_argument("--no-browser", action="store_true", help="do not open the browser")
    parser.add_argument("--no-worker", action="store_true", help="start no worker: others run `deepseek worker`")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    home = Home(args.home.expanduser().absolute()) if args.home else Home.default()
    address = Address(args.host, parse_port(args.port))
    return stack.run(home, address, open_browser=not args.no_browser, with_worker=not args.no_worker)


def parse_port(text: str) -> int:
    """A port number.

    >>> parse_port("8000")
    8000
    """
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise UsageError(f"PORT must be a whole number from 1 to 65535, it is {text!r}")
    return int(text)
