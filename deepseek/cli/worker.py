"""``deepseek worker``: run pipelines for a studio, on this machine or another one.

On the machine of the studio it finds everything in the home folder. On another one, ``DATABASE_URL``, ``REDIS_URL``
and ``STORE_URL`` say where the studio keeps its database, its broker and its artifacts.
"""

from __future__ import annotations

import argparse
import socket
from typing import Any

from deepseek.errors import DeepSeekError, unknown
from deepseek.services import checks, programs
from deepseek.services.home import Home
from deepseek.services.keeper import Keeper, StopAsked
from deepseek.services.redis import answers
from deepseek.services.steps import say


def register(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "worker",
        help="run pipelines for a studio",
        description="Run pipelines for a studio until Ctrl-C. Set DATABASE_URL, REDIS_URL and STORE_URL when the "
        "studio is on another machine.",
    )
    parser.add_argument(
        "--queue",
        action="append",
        metavar="QUEUE",
        help="cpu, gpu or control; may be given several times (default: all of them)",
    )
    parser.add_argument("--name", default=f"worker-{socket.gethostname()}", help="its name on the Queue page")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    queues = parse_queues(args.queue)
    home = Home.default()
    home.create()
    if warning := checks.check_disk(home.root):
        say(warning)
    variables = programs.environment(home)
    if variables["REDIS_URL"] == f"unix://{home.redis_socket}" and not answers(home.redis_socket):
        raise DeepSeekError(
            f"No studio runs on {home.root}",
            hint="Start it with `deepseek up`, or set REDIS_URL and DATABASE_URL to those of another machine.",
        )
    keeper = Keeper(say)
    keeper.listen()
    try:
        spec = programs.worker(home, variables, queues, args.name)
        keeper.start(spec)
        say(f"Working for the queues {', '.join(queues)}; the log is {spec.log}. Ctrl-C stops.")
        keeper.watch()
    except StopAsked as signal_name:
        say(f"\nStopping ({signal_name}) ...")
    finally:
        keeper.stop()
    return 0


def parse_queues(given: list[str] | None) -> list[str]:
    """The queues to work for.

    >>> parse_queues(None)
    ['cpu', 'gpu', 'control']
    >>> parse_queues(["gpu", "cpu,gpu"])
    ['gpu', 'cpu']
    """
    names = [name for part in given or programs.QUEUES for name in part.split(",") if name]
    for name in names:
        if name not in programs.QUEUES:
            raise unknown("queue", name, programs.QUEUES)
    return list(dict.fromkeys(names))
