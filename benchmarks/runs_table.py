"""The table of 10,000 runs with 100 columns: first page, filters, sorting; and 100 runs overlaid.

    python benchmarks/runs_table.py [--runs 10000] [--columns 100] [--databases sqlite,postgresql] [--json FILE]

Times are those of the whole endpoint in the web application, from request to JSON, median of 7.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
QUESTIONS = {
    "first page of 100": "limit=100",
    "metric > x": "limit=100&q=" + quote("m10>0.9"),
    "three conditions": "limit=100&q=" + quote("m10>0.5 c3=adam m20<0.3"),
    "parameter is not x": "limit=100&q=" + quote("c3!=adam"),
    "words in names": "limit=100&q=999",
    "sorted by a metric": "limit=100&sort=-m10",
    "filtered and sorted": "limit=100&sort=m7&q=" + quote("m10>0.5"),
    "one column": "limit=200&columns=m10",
}


def fill(runs: int, columns: int) -> Any:
    """A project with that many ended runs."""
    from django.utils import timezone

    from webapp.accounts.models import User
    from webapp.runs.models import BlockState, Run, RunSpec, RunSummary, RunValue
    from webapp.runs.projection import EMPTY
    from webapp.workspaces.changes import create_workspace

    rng = random.Random(0)
    user = User.objects.create_user(email="b@example.org", password="benchmark run")
    project = create_workspace(user, "B").projects.get()
    moment = timezone.now()
    made = [
        Run(
            project=project, user=user, number=i, name=f"run {i}", status="succeeded", available=moment,
            started=moment, finished=moment, epoch=1, tags=",a," if i % 3 else "",
        )
        for i in range(1, runs + 1)
    ]  # fmt: skip
    Run.objects.bulk_create(made, batch_size=500)
    RunSpec.objects.bulk_create([RunSpec(run=run, document={}) for run in made], batch_size=500)
    BlockState.objects.bulk_create([BlockState(run=run, block="train", data=EMPTY) for run in made], batch_size=500)
    for start in range(0, runs, 500):
        summaries, cells = [], []
        for run in made[start : start + 500]:
            config: dict[str, Any] = {f"c{i}": rng.choice(["adam", "sgd"]) if i % 3 == 0 else i for i in range(50)}
            metrics = {f"m{i}": rng.random() for i in range(columns - 50)}
            summaries.append(RunSummary(run=run, config=config, metrics=metrics))
            for address, value in {**config, **metrics}.items():
                number = value if isinstance(value, int | float) else None
                text = value if isinstance(value, str) else None
                cells.append(RunValue(run=run, project=project, address=address, number=number, text=text))
        RunSummary.objects.bulk_create(summaries)
        RunValue.objects.bulk_create(cells, batch_size=150)
    return user, project, made


def add_curves(runs: list[Any], points: int) -> None:
    """A curve for each of some runs, stored by the recorder that live runs use."""
    from webapp.runs.models import Run
    from webapp.supervisor import protocol
    from webapp.supervisor.recorder import Recorder

    rng = random.Random(1)
    noise = [rng.random() for _ in range(10_000)]
    packed = base64.b64encode(struct.pack("<10000d", *noise)).decode()
    shape = {"type": "metrics", "block": "train", "name": "loss", "stride": 1, "count": 10_000, "values": packed}
    for run in runs:
        Run.objects.filter(pk=run.pk).update(status="running", finished=None, lease_until=run.available)
        recorder = Recorder(run.pk, 1)
        for first in range(0, points, 10_000):
            recorder.add(protocol.Metrics(first_step=first, t0=float(first), t1=float(first + 9_999), **shape))
        recorder.store(0)


def measure(runs: int, columns: int) -> dict[str, float]:
    """Milliseconds of each question."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client

    call_command("migrate", verbosity=0)
    user, project, made = fill(runs, columns)
    add_curves(made[:100], 100_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    questions = {name: f"/projects/{project.id.hex}/runs?{query}" for name, query in QUESTIONS.items()}
    ids = ",".join(run.id.hex for run in made[:100])
    questions["100 runs overlaid"] = f"/projects/{project.id.hex}/series?names=train.loss&points=500&runs={ids}"
    results = {}
    for name, path in questions.items():
        times = []
        for _ in range(7):
            began = time.perf_counter()
            answer = client.get(f"/api/v1{path}")
            assert answer.status_code == 200, answer.content
            json.loads(answer.content)
            times.append((time.perf_counter() - began) * 1e3)
        results[name] = round(statistics.median(times), 1)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--ours", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ours:
        print(json.dumps(measure(arguments.runs, arguments.columns)))
        return
    sys.path.insert(0, str(ROOT))
    from benchmarks.ingest import databases

    results = {}
    for name in arguments.databases.split(","):
        with tempfile.TemporaryDirectory(prefix="table-") as home, databases(name, Path(home)) as url:
            environment = {**os.environ, "DEEPSEEK_HOME": home, "DJANGO_SETTINGS_MODULE": "webapp.settings"}
            environment |= {"PYTHONPATH": str(ROOT), **({"DATABASE_URL": url} if url else {})}
            options = ["--ours", "--runs", str(arguments.runs), "--columns", str(arguments.columns)]
            done = subprocess.run(
                [sys.executable, __file__, *options], env=environment, cwd=ROOT, capture_output=True, text=True
            )
            if done.returncode:
                raise SystemExit(done.stderr[-3000:])
            results[name] = json.loads(done.stdout.splitlines()[-1])
    print(f"{'ms':24}" + "".join(f"{name:>12}" for name in results))
    for question in next(iter(results.values())):
        print(f"{question:24}" + "".join(f"{row[question]:12.1f}" for row in results.values()))
    print("reach: table <= 300, 100 runs overlaid <= 1,000")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
