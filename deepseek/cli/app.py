"""Entry point of the ``deepseek`` command: finds the command, runs it, turns errors into words and exit codes.

Every command is a module with ``register(subparsers)``, which sets ``run`` as a default of its parser, and
``run(args) -> int``; it is imported only when it was asked for, so that ``deepseek --help`` answers at once. Exit
codes: 0 done, 1 failed, 2 usage or an invalid pipeline, 3 a gate failed, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from deepseek import __version__
from deepseek.errors import DeepSeekError, closest

FAILED, USAGE, GATE_FAILED, INTERRUPTED = 1, 2, 3, 130

COMMANDS = {
    "up": ("deepseek.cli.up", "start the studio on this machine"),
    "run": ("deepseek.cli.run", "run a pipeline, here or in a studio"),
    "benchmark": ("deepseek.cli.benchmark", "measure models on this machine"),
    "blocks": ("deepseek.cli.blocks", "list the blocks, or explain one"),
    "config": ("deepseek.cli.config", "keep the address of a studio and a key to it"),
    "worker": ("deepseek.cli.worker", "run pipelines for a studio"),
    "doctor": ("deepseek.cli.doctor", "check this installation"),
    "backup": ("deepseek.cli.backup", "save the studio's database and artifacts"),
    "restore": ("deepseek.cli.backup", "bring a backup back"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the return value is the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    name = next((word for word in words if not word.startswith("-")), None)
    if name is not None and name not in COMMANDS:
        guess = closest(name, COMMANDS)
        return _fail(DeepSeekError(f"There is no command {name!r}", hint=guess and f"Did you mean {guess!r}?"), USAGE)
    chosen = import_module(COMMANDS[name][0]) if name else None
    args = _parser(chosen).parse_args(words)
    if args.command is None:
        _parser(None).print_help()
        return 0
    try:
        return int(args.run(args))
    except DeepSeekError as error:
        return _fail(error, error.exit_code)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        sys.stderr.close()
        return FAILED


def _parser(chosen: ModuleType | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deepseek", description="DeepSeek Studio: build a training pipeline, train it, watch it live."
    )
    parser.add_argument("--version", action="version", version=f"deepseek-studio {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="command")
    is_registered = False
    for name, (module, summary) in COMMANDS.items():
        if chosen is None or chosen.__name__ != module:
            subparsers.add_parser(name, help=summary)
        elif not is_registered:
            chosen.register(subparsers)
            is_registered = True
    return parser


def _fail(error: DeepSeekError, code: int) -> int:
    place = ".".join(part for part in (error.block, error.field) if part)
    print(f"error: {place + ': ' if place else ''}{error.message}", file=sys.stderr)
    if error.hint:
        print(f"  {error.hint}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
