"""From the metric call in a run's process to the message in a watcher's socket: 1 watcher, and 200 of one run.

    python benchmarks/live.py [--seconds 20] [--watchers 1,200] [--rate 50] [--json FILE]

Everything is real: Redis, the web server, a supervised child in its sandbox that calls the run context at the given
rate, and watchers that acknowledge what they get, in a process of their own. Each point's value is the moment it was
made, so the delay is read off where it arrives (one machine, one clock). For the last watcher of many the time to
read the messages of the others counts too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LIMITS_MS = {1: 100, 200: 250}
LOOP = """
import os, time
from engine.events import RunStarted, RunDone
from engine.run.child import Pipe
from engine.run.context import EventWriter
pipe = Pipe(os.fdopen(os.dup(int(os.environ["DEEPSEEK_EVENT_FD"])), "wb"), os.fdopen(os.dup(0), "rb"))
with EventWriter(pipe.sink) as writer:
    writer.send(RunStarted({{"device": "cpu"}}, ["train"]))
    time.sleep({pause})
    started = time.monotonic()
    for step in range(int({seconds} * {rate})):
        writer.metric("train", "loss", time.time(), step)
        time.sleep(max(0.0, started + (step + 1) / {rate} - time.monotonic()))
    time.sleep(1.0)
    writer.send(RunDone("succeeded", 1.0))
"""


def prepare() -> dict[str, Any]:
    """A workspace, a waiting run, and the cookie of a member."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    from tests.webapp.runs_support import make_run
    from webapp.accounts.models import User
    from webapp.workspaces.changes import create_workspace

    user = User.objects.create_user(email="b@example.org", password="benchmark run")
    client = Client()
    client.force_login(user)
    workspace = create_workspace(user, "B")
    runs = [make_run(workspace.projects.get()) for _ in range(8)]
    project = workspace.projects.get().id.hex
    return {"cookie": client.cookies["session"].value, "project": project, "runs": [run.id.hex for run in runs]}


def supervise(run_id: str, seconds: float, rate: float, pause: float) -> None:
    """Carry the run out as a worker does."""
    import django

    django.setup()
    from uuid import UUID

    from webapp import bridge
    from webapp.queue import workers
    from webapp.runs import transitions
    from webapp.supervisor import attempt
    from webapp.supervisor.devices import LocalDevice

    bridge.catalog = lambda: {"blocks": {}, "kinds": {}}
    attempt.PROGRAM = ("-c", LOOP.format(seconds=seconds, rate=rate, pause=pause))
    device = LocalDevice("cpu", 0, "CPU", 1)
    worker = workers.register("benchmark", ["cpu"], [device], 1)
    run = UUID(hex=run_id)
    epoch = transitions.claim(run, worker, worker.devices.get())
    assert epoch is not None
    attempt.AttemptRunner(run, epoch, [device], 1).run()


async def watch(port: int, cookie: str, run_id: str, count: int, points: int) -> dict[str, Any]:
    """Delays of every point at every watcher, in milliseconds."""
    import websockets

    from engine.events import unpack_points

    delays: list[tuple[float, float]] = []
    opened: list[float] = []

    async def one() -> int:
        origin = f"http://localhost:{port}"
        headers = {"Cookie": f"session={cookie}"}
        url = f"ws://localhost:{port}/ws/runs/{run_id}"
        seen = after = 0
        async with websockets.connect(url, origin=origin, additional_headers=headers, max_size=None) as socket:
            await socket.send(json.dumps({"type": "subscribe", "after": 0}))
            opened.append(time.time())
            async for text in socket:
                now = time.time()
                message = json.loads(text)
                if message["type"] == "closed":
                    break
                events = message["events"]
                assert events[0]["seq"] == after + 1, "a gap"
                after = events[-1]["seq"]
                await socket.send(json.dumps({"type": "ack", "seq": after}))
                for event in events:
                    if event["type"] == "metrics" and event["block"] != "@system":
                        made = unpack_points(event)[2]
                        seen += len(made)
                        delays.extend((at, (now - at) * 1e3) for at in made)
        return seen

    counts = await asyncio.gather(*(one() for _ in range(count)))
    assert counts == [points] * count, "every watcher must get every point"
    # A point that was made before the last watcher came says nothing about the way to it.
    counted = sorted(delay for at, delay in delays if at > max(opened))
    assert len(counted) > len(delays) / 2, "the watchers came too late: take more seconds"
    picked = {f"p{q}_ms": round(counted[int(len(counted) * q / 100)], 1) for q in (50, 95, 99)}
    return {"watchers": count, "points": points, **picked, "max_ms": round(counted[-1], 1)}


def start(home: Path, port: int, environment: dict[str, str]) -> list[subprocess.Popen[bytes]]:
    """Redis and the web server, until it answers."""
    from deepseek.services.home import Home
    from deepseek.services.programs import web

    (home / "run").mkdir(mode=0o700)
    redis = ["redis-server", "--port", "0", "--unixsocket", str(home / "run/redis.sock"), "--save", ""]
    command = web(Home(home), environment, "127.0.0.1", port).command
    with (home / "log").open("ab") as log:
        processes = [
            subprocess.Popen(argv, env=environment, cwd=ROOT, stdout=log, stderr=log) for argv in (redis, command)
        ]
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/login", timeout=2)
            return processes
        except OSError:
            time.sleep(0.1)
    raise SystemExit((home / "log").read_text()[-3000:])


def measure(name: str, port: int, seconds: float, rate: float, counts: list[int]) -> list[dict[str, Any]]:
    """One run after the other, with so many watchers each."""
    home = Path(name)
    environment = {
        **os.environ,
        "DEEPSEEK_HOME": name,
        "DJANGO_SETTINGS_MODULE": "webapp.settings",
        "PYTHONPATH": str(ROOT),
        "PORT": str(port),
    }

    def part(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, __file__, *arguments], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
        )

    made = json.loads(part("--part", "prepare").communicate()[0].splitlines()[-1])
    processes = start(home, port, environment)
    results = []
    try:
        for count, run_id in zip(counts, made["runs"], strict=False):
            pause = 2 + count / 25  # until all watchers are there
            options = json.dumps({"seconds": seconds, "rate": rate, "pause": pause, "run": run_id})
            supervisor = part("--part", "supervise", "--options", options)
            options = json.dumps(
                {"port": port, "cookie": made["cookie"], "run": run_id, "count": count, "points": int(seconds * rate)}
            )
            answer = part("--part", "watch", "--options", options).communicate()[0]
            supervisor.wait()
            results.append(json.loads(answer.splitlines()[-1]))
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(20)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=float, default=50, help="points a second that the run makes")
    parser.add_argument("--watchers", default="1,200")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--options", type=json.loads, default={}, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    given = arguments.options
    if arguments.part == "prepare":
        print(json.dumps(prepare()))
        return
    if arguments.part == "supervise":
        supervise(given["run"], given["seconds"], given["rate"], given["pause"])
        return
    if arguments.part == "watch":
        watching = watch(given["port"], given["cookie"], given["run"], given["count"], given["points"])
        print(json.dumps(asyncio.run(watching)))
        return
    counts = [int(count) for count in arguments.watchers.split(",")]
    with tempfile.TemporaryDirectory(prefix="live-") as home:
        results = measure(home, arguments.port, arguments.seconds, arguments.rate, counts)
    print(f"{'watchers':>8} {'p50':>8} {'p95':>8} {'p99':>8} {'max':>8}  ms, {arguments.rate:g} points/s")
    for row in results:
        reach = LIMITS_MS.get(row["watchers"])
        print(
            f"{row['watchers']:8} {row['p50_ms']:8} {row['p95_ms']:8} {row['p99_ms']:8} {row['max_ms']:8}"
            + (f"  (reach: p95 <= {reach})" if reach else "")
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
