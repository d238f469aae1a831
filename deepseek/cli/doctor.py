"""``deepseek doctor``: check this installation and say what to do about what is wrong."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from deepseek.services.diagnosis import Finding, examine
from deepseek.services.home import Home

MARKS = {"ok": "ok", "warning": "warn", "error": "FAIL"}
COLOURS = {"ok": "32", "warning": "33", "error": "31"}


def register(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "doctor",
        help="check this installation",
        description="Check this installation. The exit code is 1 when something is wrong that stops the studio.",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    findings = []
    for finding in examine(Home.default()):
        findings.append(finding)
        if not args.json:
            print(show(finding, in_colour=sys.stdout.isatty()), flush=True)
    if args.json:
        print(json.dumps([finding.to_json() for finding in findings], indent=2))
    return 1 if any(finding.level == "error" for finding in findings) else 0


def show(finding: Finding, *, in_colour: bool) -> str:
    """One finding for people.

    >>> print(show(Finding("error", "Disk", "It is full", "Make room."), in_colour=False))
    FAIL  Disk       It is full
                     Make room.
    """
    mark = f"{MARKS[finding.level]:<4}"
    if in_colour:
        mark = f"\x1b[{COLOURS[finding.level]}m{mark}\x1b[0m"
    hint = f"\n{'':<17}{finding.hint}" if finding.hint else ""
    return f"{mark}  {finding.what:<10} {finding.text}{hint}"
