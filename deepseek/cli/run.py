"""``deepseek run``: run a pipeline in this process, or hand it to a studio and follow it.

Exit codes: 0 the run succeeded and passed its gates; 1 it failed; 2 the pipeline or the command is invalid, nothing
ran; 3 a gate failed; 130 Ctrl-C, after the run was cancelled. Progress goes to standard error, results to standard
output.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepseek import progress
from deepseek.cli import gate, overrides
from deepseek.cli.app import FAILED, GATE_FAILED, INTERRUPTED
from deepseek.errors import DeepSeekError, UsageError, unknown

if TYPE_CHECKING:
    from deepseek.client import Studio

DESCRIPTION = """\
Run a pipeline: in this process when no studio is named, else in that studio.

examples:
  deepseek run examples/01-digits/pipeline.json
  deepseek run pipeline.json --set train.epochs=3 --seed 7 --gate "evaluate.accuracy>=0.9"
  deepseek run pipeline.json --studio http://localhost:8000 --wait
"""


@dataclass
class Outcome:
    """How a run ended, wherever it took place."""

    status: str
    metrics: dict[str, float]
    outputs: dict[str, str]
    error: Mapping[str, Any] | None
    duration_s: float
    plan: Mapping[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def register(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "run",
        help="run a pipeline, here or in a studio",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("pipeline", help="file with the pipeline's JSON; - reads standard input")
    add("--set", action="append", default=[], metavar="BLOCK.PARAM=VALUE", dest="settings", help="change a parameter")
    add("--seed", type=int, help="seed of the run")
    add("--to", action="append", default=[], metavar="BLOCK", help="run only what this block needs, and the block")
    add("--device", help="auto, cpu, cuda, cuda:1 ... (a run in this process)")
    add("--precision", help="adaptive, fp32, tf32, bf16 or fp16 (a run in this process)")
    add("--threads", type=int, help="CPU threads (a run in this process)")
    add("--save", action="append", default=[], metavar="BLOCK.PORT=PATH", help="write an output: a model as a bundle")
    add(
        "--gate",
        action="append",
        default=[],
        metavar="CONDITION",
        help='exit 3 unless it holds: "evaluate.accuracy>=0.9"',
    )
    add("--json", action="store_true", help="print the result as JSON on standard output")
    add("--quiet", action="store_true", help="show no progress")
    add("--studio", nargs="?", const="", metavar="URL", help="run in a studio; without URL, in the configured one")
    add("--project", help="project of the studio, by id or name")
    add("--name", help="name of the run in the studio")
    add("--wait", action="store_true", help="follow the run in the studio to its end")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    gates = [gate.parse(text) for text in args.gate]
    text, folder = _read(args.pipeline)
    from deepseek import local

    document = local.parse(text)
    gate.check_blocks(gates, document["blocks"])
    for target in args.to:
        if target not in document["blocks"]:
            raise unknown("block", target, document["blocks"])
    saves = [_parse_save(text, document) for text in args.save]
    if args.studio is None:
        outcome = _run_here(args, document, folder)
    else:
        if saves:
            raise UsageError("--save writes outputs of a run in this process", hint="Leave out --studio.")
        found = _run_in_studio(args, document, folder, follow=bool(args.wait or gates))
        if found is None:
            return 0
        outcome = found
    return _finish(args, outcome, gates, saves)


def _run_here(args: argparse.Namespace, document: Mapping[str, Any], folder: Path) -> Outcome:
    from deepseek import local

    catalog = local.catalog()
    ready = overrides.override(document, catalog, args.settings, args.seed)
    ready = overrides.stage_files(ready, catalog, folder, local.put_file, args.settings)
    _refuse_problems(local.problems(ready, args.to))
    plan = {"device": args.device, "precision": args.precision, "threads": args.threads}
    result = local.execute(ready, targets=args.to, plan=plan, show=_shown(args))
    outputs = {f"{block}.{port}": ref.digest for block, ports in result.outputs.items() for port, ref in ports.items()}
    return Outcome(result.status, result.metrics, outputs, result.error, result.duration_s, result.plan)


def _run_in_studio(
    args: argparse.Namespace, document: Mapping[str, Any], folder: Path, *, follow: bool
) -> Outcome | None:
    from deepseek.client import Studio

    with Studio(args.studio or None, project=args.project) as studio:
        catalog = studio.request("GET", "/catalog")
        ready = overrides.override(document, catalog, args.settings, args.seed)
        ready = overrides.stage_files(
            ready, catalog, folder, lambda path: str(studio.upload(path)["digest"]), args.settings
        )
        submitted = studio.submit(ready, targets=args.to, name=args.name)
        url = studio.run_url(submitted)
        if not args.quiet:
            print(f"Run {submitted['number']}: {url}", file=sys.stderr)
        if not follow:
            print(json.dumps({"id": submitted["id"], "url": url}) if args.json else submitted["id"])
            return None
        done = _follow(studio, submitted["id"], args)
        outputs = {
            f"{block}.{port}": output["digest"]
            for block, state in done["blocks"].items()
            for port, output in (state.get("outputs") or {}).items()
        }
        return Outcome(
            done["status"],
            done["metrics"],
            outputs,
            done.get("error"),
            done.get("duration_s") or 0.0,
            done.get("plan"),
            {"id": done["id"], "url": url},
        )


def _follow(studio: Studio, run_id: str, args: argparse.Namespace) -> dict[str, Any]:
    """Follow the run; the first Ctrl-C cancels it and waits for its end, a second one leaves at once."""
    show = _shown(args)
    try:
        return studio.wait(run_id, show)
    except KeyboardInterrupt:
        print("\nCancelling the run; press Ctrl-C again to leave without waiting.", file=sys.stderr)
        studio.cancel(run_id)
        return studio.wait(run_id)
    finally:
        if isinstance(show, progress.Progress):
            show.close()


def _finish(
    args: argparse.Namespace, outcome: Outcome, gates: list[gate.Gate], saves: list[tuple[str, str, Path]]
) -> int:
    failed_gates = [g for g in gates if not g.passes(outcome.metrics)]
    if outcome.status == "succeeded" and saves:
        from deepseek import local

        for block, port, path in saves:
            local.save(outcome.outputs[f"{block}.{port}"], path)
    if args.json:
        print(json.dumps(_as_json(outcome, gates), indent=2, sort_keys=True))
    else:
        _print_result(outcome, gates, quiet=args.quiet)
    if outcome.status == "cancelled":
        return INTERRUPTED
    if outcome.status != "succeeded":
        return FAILED
    return GATE_FAILED if failed_gates else 0


def _as_json(outcome: Outcome, gates: list[gate.Gate]) -> dict[str, Any]:
    return {
        **outcome.extra,
        "status": outcome.status,
        "duration_s": round(outcome.duration_s, 3),
        "metrics": outcome.metrics,
        "outputs": outcome.outputs,
        "gates": [
            {"gate": g.text, "value": outcome.metrics.get(g.address), "passed": g.passes(outcome.metrics)}
            for g in gates
        ],
        "plan": outcome.plan,
        "error": outcome.error,
    }


def _print_result(outcome: Outcome, gates: list[gate.Gate], *, quiet: bool) -> None:
    if outcome.error:
        print(f"error: {DeepSeekError.from_json(outcome.error)}", file=sys.stderr)
    if not quiet:
        width = max((len(name) for name in outcome.metrics), default=0)
        for name, value in outcome.metrics.items():
            print(f"{name:<{width}}  {value:.6g}")
    for each in gates:
        print(each.explain(outcome.metrics), file=sys.stdout if each.passes(outcome.metrics) else sys.stderr)
    print(f"{outcome.status} in {progress.duration(outcome.duration_s)}", file=sys.stderr)


def _refuse_problems(problems: list[Mapping[str, Any]]) -> None:
    """Print what is wrong with the pipeline; refuse it when something is an error."""
    errors = [problem for problem in problems if problem["severity"] == "error"]
    for problem in problems:
        if problem["severity"] in ("error", "warning"):
            place = ".".join(part for part in (problem.get("block"), problem.get("field")) if part)
            hint = f" {problem['hint']}" if problem.get("hint") else ""
            print(f"{problem['severity']}: {place + ': ' if place else ''}{problem['message']}{hint}", file=sys.stderr)
    if errors:
        count = "1 problem" if len(errors) == 1 else f"{len(errors)} problems"
        raise UsageError(f"The pipeline has {count}; nothing was run")


def _read(name: str) -> tuple[bytes, Path]:
    """The pipeline's text, and the folder that files in it are relative to."""
    if name == "-":
        return sys.stdin.buffer.read(), Path.cwd()
    path = Path(name)
    if path.is_dir() and (path / "pipeline.json").is_file():
        path = path / "pipeline.json"
    try:
        return path.read_bytes(), path.parent
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from None


def _parse_save(text: str, document: Mapping[str, Any]) -> tuple[str, str, Path]:
    address, equals, path = text.partition("=")
    block, dot, port = address.partition(".")
    if not (equals and dot and port and path):
        raise UsageError(f"{text!r} saves nothing", hint="Write BLOCK.PORT=PATH, for example train.model=model.zip.")
    if block not in document["blocks"]:
        raise unknown("block", block, document["blocks"])
    return block, port, Path(path)


def _shown(args: argparse.Namespace) -> progress.Sink:
    return progress.silent if args.quiet else progress.Progress()
