"""What a run's process gets: its box, the artifacts its parameters name, and public data sets.

Called by :mod:`webapp.supervisor.attempt`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings

from webapp.supervisor import sandbox
from webapp.supervisor.devices import LocalDevice
from webapp.supervisor.staging import RunFolder
from webapp.supervisor.team import Team

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
FIND_OR_FETCH = "import sys; from engine.resources import resolve; resolve(sys.argv[1])"
FETCH_TIMEOUT_S = 3600


def box_of(folder: RunFolder, devices: Sequence[LocalDevice], number: int, team: Team | None = None) -> sandbox.Box:
    """The walls of a run on its devices; a team's processes may use the network."""
    home = Path(settings.HOME)
    named = [Path(entry) for entry in os.environ.get("DEEPSEEK_DATASETS", "").split(os.pathsep) if entry]
    datasets = [path for path in (*named, home / "datasets") if path.is_dir()]
    gpus = [device.index for device in devices if device.type == "cuda"]
    return sandbox.Box(
        folder.box,
        readable=(folder.staged, *datasets, *settings.DATA_DIRS),
        hidden=(home,),
        devices=sandbox.gpu_device_files(gpus),
        environment={
            "DEEPSEEK_HOME": str(home),
            "DEEPSEEK_CATALOG": str(folder.box / "catalog.json"),
            "DEEPSEEK_PROFILE": str(folder.box / "profile.json"),
            "DEEPSEEK_DATASETS": os.pathsep.join(map(str, datasets)),
            "DEEPSEEK_DATA_DIRS": os.pathsep.join(map(str, settings.DATA_DIRS)),
            "DEEPSEEK_OFFLINE": "1",
            "CUDA_VISIBLE_DEVICES": ",".join(device.visible for device in devices if device.visible),
            **(team.environment if team else {}),
        },
        limits=sandbox.Limits(memory_mib=memory_limit_mib()),
        number=number,
        network=team is not None,
    )


def memory_limit_mib() -> int:
    """``DEEPSEEK_RUN_MEMORY_MIB``, else nine tenths of the machine's memory."""
    text = os.environ.get("DEEPSEEK_RUN_MEMORY_MIB", "")
    return int(text) if text.isdigit() else int(psutil.virtual_memory().total * 0.9) // 2**20


def artifact_params(document: Mapping[str, Any], catalog: Mapping[str, Any]) -> list[str]:
    """Digests of the uploaded artifacts that parameters name."""
    found = []
    for block in document["blocks"].values():
        entry = catalog["blocks"].get(block["type"], {})
        properties = entry.get("params", {}).get("schema", {}).get("properties", {})
        for name, value in block.get("params", {}).items():
            is_artifact = properties.get(name, {}).get("widget") == "artifact"
            if is_artifact and isinstance(value, str) and DIGEST.fullmatch(value):
                found.append(value)
    return found


def fetch_resources(
    document: Mapping[str, Any], catalog: Mapping[str, Any], must_end: Callable[[], bool]
) -> Iterator[dict[str, Any]]:
    """Download the public data sets that blocks name and this machine lacks; yields log events.

    A failure is no error here: the block says what is missing and what to do.

    Raises
    ------
    InterruptedError
        When ``must_end`` says so.
    """
    for block_id, block in document["blocks"].items():
        entry = catalog["blocks"].get(block["type"], {})
        if block.get("bypass") or block.get("params", {}).get("path"):
            continue
        for name in [*entry.get("resources", ()), *_chosen_resources(block, entry)]:
            if not (Path(settings.HOME) / "datasets" / name).is_dir():
                template = "Looking for the public data set {name}, downloading it if it is not here"
                yield _log(block_id, template, name=name)
            _run([sys.executable, "-P", "-c", FIND_OR_FETCH, name], must_end)


def _chosen_resources(block: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[str]:
    """The public files that the values of a block's parameters ask for."""
    for name, declared in entry.get("params", {}).get("schema", {}).get("properties", {}).items():
        chosen = block.get("params", {}).get(name, declared.get("default"))
        found = declared.get("resources", {}).get(chosen) if isinstance(chosen, str) else None
        if found:
            yield found.replace("{block}", block["type"].rpartition(".")[2])


def _run(argv: list[str], must_end: Callable[[], bool]) -> None:
    environment = {
        **os.environ,
        "DEEPSEEK_HOME": str(settings.HOME),
        "PYTHONPATH": str(sandbox.source_root()),
    }
    process = subprocess.Popen(
        argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + FETCH_TIMEOUT_S
    try:
        while process.poll() is None and time.monotonic() < deadline:
            if must_end():
                raise InterruptedError
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()


def _log(block: str, template: str, **values: Any) -> dict[str, Any]:
    return {
        "type": "log",
        "block": block,
        "level": "info",
        "message": template.format_map(values),
        "template": template,
        "values": values,
        "t": time.time(),
    }
