"""What was measured on this machine: the speed of each precision, and the best choice for each workload.

Called by the plan (which puts the choices into its first event), ``deepseek doctor``, and by whoever reads the events
of a run (:func:`remember_evidence`). A run measures but cannot write here, since it is sandboxed: it says what it found
in an event, and its reader stores that, after checking every field.

The file is ``profile.json`` in the home folder, or what ``DEEPSEEK_PROFILE`` names. A workspace of the studio has one
of its own (``profiles/<scope>.json``), so that a run can change nothing that another workspace computes by. It is keyed
by the hardware: measured numbers do not move to another machine. Imports no PyTorch for a CPU.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from engine.artifacts import canonical_json
from engine.compute.devices import find_device, usable_cpus
from engine.errors import UserError
from engine.home import home
from engine.spec.context import Choice, ExecutionPlan

FORMAT = "deepseek.profile/1"
MAX_CHOICES, MAX_MACHINES, MAX_BYTES = 128, 8, 1_000_000
CPU_UNITS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8", "asimd", "bf16")
KEY = r"^[a-z0-9_.]{1,32}-[0-9a-f]{16}$"
Seconds = Annotated[float, Field(gt=0, lt=1e6, allow_inf_nan=False)]
Label = Annotated[str, Field(pattern=r"^[a-z0-9_+ ]{1,48}$")]


Speeds = dict[Literal["fp32", "tf32", "bf16", "fp16"], dict[Literal["matmul", "conv"], float]]


class Known(BaseModel):
    """A choice, with the seconds a step that each candidate took."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    choice: Choice
    timings: Annotated[dict[Label, Seconds], Field(max_length=32)] = {}
    at: Annotated[float, Field(ge=0, lt=1e11)] = 0.0


class Machine(BaseModel):
    """What the profile holds of one machine: gigaflops a second by precision and kind of work, and choices."""

    model_config = ConfigDict(extra="forbid")

    describes: dict[str, str] = {}
    speeds: Speeds = {}
    choices: Annotated[dict[Annotated[str, Field(pattern=KEY)], Known], Field(max_length=MAX_CHOICES)] = {}
    at: float = 0.0


class Evidence(BaseModel):
    """What a run says of a probe: checked field by field, since the run may be anybody's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    key: Annotated[str, Field(pattern=KEY)]
    choice: Choice
    timings: Annotated[dict[Label, Seconds], Field(max_length=32)] = {}


@dataclass(frozen=True)
class Profile:
    """What is known of this machine.

    Attributes
    ----------
    speeds
        Precision -> ``matmul`` and ``conv`` -> gigaflops a second; empty until ``deepseek doctor`` measured them.
    choices
        Workload key -> what a probe found best.
    """

    machine: str
    describes: Mapping[str, str]
    speeds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    choices: Mapping[str, Choice] = field(default_factory=dict)


def workload_key(
    architecture: str,
    config: Mapping[str, Any],
    input_shape: Sequence[int],
    batch_size: int,
    task: str,
    device: str,
) -> str:
    """The name of a workload: what decides how fast each precision is, and nothing else.

    Parameters
    ----------
    config
        The architecture's configuration, complete, JSON.
    input_shape
        Of one example.

    Examples
    --------
    >>> workload_key("resnet18", {"num_classes": 10}, (3, 32, 32), 64, "classification", "cpu")
    'resnet18-...'
    """
    parts = [architecture, dict(config), list(input_shape), batch_size, task, device.split(":")[0]]
    readable = re.sub(r"[^a-z0-9_.]", "_", architecture.lower())[:32] or "model"
    return f"{readable}-{hashlib.sha256(canonical_json(parts)).hexdigest()[:16]}"


def describe_machine(device: str, threads: int) -> dict[str, str]:
    """What measured numbers depend on: the device, the units of the CPU, its threads, the version of PyTorch."""
    model, units = _cpu()
    title = model if device == "cpu" else find_device(device).title
    return {
        "device": title,
        "kind": device.split(":")[0],
        "units": units if device == "cpu" else "",
        "threads": str(threads),
        "torch": importlib.metadata.version("torch"),
    }


def fingerprint(device: str, threads: int) -> str:
    """The machine's key in the profile.

    >>> len(fingerprint("cpu", 2))
    16
    """
    return hashlib.sha256(canonical_json(describe_machine(device, threads))).hexdigest()[:16]


def read_profile(device: str = "cpu", threads: int | None = None, scope: str = "") -> Profile:
    """What is known of this machine. A file that is damaged counts as empty: it holds nothing but measurements.

    Parameters
    ----------
    device, threads
        As in a resolved plan.
    scope
        Whose profile: empty for this installation's own, else a workspace's id.
    """
    threads = threads or usable_cpus()
    key = fingerprint(device, threads)
    found = _read(profile_path(scope)).get(key, Machine())
    choices = {name: known.choice for name, known in sorted(found.choices.items())}
    speeds = {str(name): {str(kind): speed for kind, speed in by.items()} for name, by in found.speeds.items()}
    return Profile(key, describe_machine(device, threads), speeds, choices)


def remember(
    key: str, choice: Choice, timings: Mapping[str, float], *, device: str = "cpu", threads: int | None = None
) -> None:
    """Store what a probe found on this machine, from a process that may write the home folder."""
    machine = fingerprint(device, threads or usable_cpus())
    _store(Evidence(machine=machine, key=key, choice=choice, timings=dict(timings)), "")


def remember_speeds(speeds: Mapping[str, Mapping[str, float]], *, device: str, threads: int) -> None:
    """Store how fast each precision is, as :mod:`engine.compute.speeds` measured it."""
    key = fingerprint(device, threads)
    checked = TypeAdapter(Speeds).validate_python(speeds)
    with _changed(profile_path("")) as machines:
        before = machines.get(key, Machine())
        machines[key] = Machine(
            describes=describe_machine(device, threads), speeds=checked, choices=before.choices, at=time.time()
        )


def evidence_of(plan: ExecutionPlan, key: str, choice: Choice, timings: Mapping[str, float]) -> dict[str, Any]:
    """What a run says in its ``decision`` event of a probe, for :func:`remember_evidence`."""
    return {
        "machine": fingerprint(plan.device, plan.threads),
        "key": key,
        "choice": choice.model_dump(),
        "timings": {name: round(seconds, 9) for name, seconds in timings.items()},
    }


def remember_evidence(evidence: Mapping[str, Any], scope: str = "") -> bool:
    """Store the evidence of a probe that a run reported; False when it is not of that form.

    What is stored are names out of closed sets and finite numbers, under the scope of the run's owner, and the oldest
    entries make room: a run that lies can only mislead later runs of its own workspace.
    """
    try:
        checked = Evidence.model_validate(dict(evidence))
    except ValidationError:
        return False
    _store(checked, scope)
    return True


def profile_path(scope: str = "") -> Path:
    """Where the profile of a scope lies.

    Raises
    ------
    UserError
        When the scope is no plain name.
    """
    if scope:
        if not re.fullmatch(r"[0-9a-z]{1,64}", scope):
            raise UserError("{scope} is no name of a profile", scope=scope)
        return home() / "profiles" / f"{scope}.json"
    named = os.environ.get("DEEPSEEK_PROFILE")
    return Path(named) if named else home() / "profile.json"


def _store(evidence: Evidence, scope: str) -> None:
    now = time.time()
    with _changed(profile_path(scope)) as machines:
        machine = machines.setdefault(evidence.machine, Machine())
        choices = {**machine.choices, evidence.key: Known(choice=evidence.choice, timings=evidence.timings, at=now)}
        newest = sorted(choices.items(), key=lambda item: item[1].at)[-MAX_CHOICES:]
        machines[evidence.machine] = machine.model_copy(update={"choices": dict(newest), "at": now})


@contextmanager
def _changed(path: Path) -> Iterator[dict[str, Machine]]:
    """The profile, to be changed by one process at a time and replaced as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        machines = _read(path)
        yield machines
        newest = sorted(machines.items(), key=lambda item: item[1].at)[-MAX_MACHINES:]
        body = {"format": FORMAT, "machines": {key: machine.model_dump() for key, machine in newest}}
        temporary = path.with_suffix(".new")
        temporary.write_bytes(canonical_json(body))
        temporary.replace(path)


def _read(path: Path) -> dict[str, Machine]:
    try:
        if path.stat().st_size > MAX_BYTES:
            return {}
        body = json.loads(path.read_bytes())
        if body["format"] != FORMAT:
            return {}
        return {str(key): Machine.model_validate(value) for key, value in body["machines"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


@cache
def _cpu() -> tuple[str, str]:
    """The processor's name and those of its units that matter."""
    model, flags = "CPU", set[str]()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                model = value.strip()
            elif name.strip().lower() in ("flags", "features"):
                flags = set(value.split())
                break
    except OSError:
        pass  # not Linux
    return model, " ".join(unit for unit in CPU_UNITS if unit in flags)
