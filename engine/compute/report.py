"""What this machine can compute on, as JSON: ``python -m engine.compute.report``.

Called by ``deepseek doctor``. Each kind of device that is here is looked at in a process of its own, because a runtime
takes over the process that it is loaded in (:mod:`engine.compute.backends`). What is measured goes into the profile.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from engine.compute.backends import Backend, backend_of, backends
from engine.compute.devices import usable_cpus
from engine.compute.profile import describe_machine, remember_speeds
from engine.errors import StudioError

TIMEOUT_S = 90


def report(measure: bool = True) -> list[dict[str, Any]]:
    """One entry for each kind of device that is known.

    Returns
    -------
    list of dict
        ``type``, ``title``, ``plugin``, ``tested``, ``missing`` (what is lacking, or None), ``devices`` (each with
        ``name, title, units, threads, memory_mib, precisions, speeds``) and ``problem`` (why it is unknown).
    """
    return [_entry(backend, measure) for backend in backends()]


def look(kind: str, measure: bool = True) -> list[dict[str, Any]]:
    """The devices of one kind, in this process; speeds of the first of those that are alike."""
    import torch

    from engine.compute.backends import open_backend
    from engine.compute.speeds import measure_speeds

    backend = open_backend(kind)
    if backend is None:
        return []
    torch.set_num_threads(usable_cpus())
    found: list[dict[str, Any]] = []
    speeds: dict[str, dict[str, dict[str, float]]] = {}
    for index, device in enumerate(backend.devices()):
        described = describe_machine(device.name, usable_cpus())
        if measure and device.title not in speeds:
            speeds[device.title] = measure_speeds(torch.device(device.name))
            remember_speeds(speeds[device.title], device=device.name, threads=usable_cpus())
        found.append(
            {
                "name": device.name,
                "title": described["device"],
                "units": described["units"],
                "threads": usable_cpus() if kind == "cpu" else None,
                "memory_mib": device.memory_mib,
                "precisions": list(backend.precisions(index)),
                "speeds": speeds.get(device.title, {}),
            }
        )
    return found


def _entry(backend: Backend, measure: bool) -> dict[str, Any]:
    missing = backend.missing()
    entry: dict[str, Any] = {
        "type": backend.type,
        "title": backend.title,
        "plugin": backend.plugin,
        "tested": backend.tested,
        "missing": missing,
        "devices": [],
        "problem": None,
    }
    if missing:
        return entry
    command = [sys.executable, "-m", "engine.compute.report", backend.type, *([] if measure else ["--quick"])]
    environment = {**os.environ, "TORCH_DEVICE_BACKEND_AUTOLOAD": "0"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        answer = json.loads(done.stdout) if done.returncode == 0 else {"problem": _last_line(done.stderr)}
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        answer = {"problem": str(error)[:300]}
    return entry | answer


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no answer"])[-1][:300]


def main(words: list[str]) -> int:
    """Print the report, or what one kind of device says."""
    measure = "--quick" not in words
    kinds = [word for word in words if not word.startswith("-")]
    answer: Any
    if not kinds:
        answer = report(measure)
    elif backend_of(kinds[0]) is None:
        answer = {"problem": f"nobody knows the device {kinds[0]}"}
    else:
        try:
            answer = {"devices": look(kinds[0], measure)}
        except StudioError as error:
            answer = {"problem": error.message}
    print(json.dumps(answer))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
