"""How soon a chart is there: one curve of 1,000,000 points, and 10 runs of 100,000 points over each other.

    python benchmarks/charts.py [--repeat 5] [--json FILE]

Starts a studio in a fresh home, stores the points through the recorder that live runs use, and opens the run page and
the comparison in headless Chromium. *chart* is the time from the request for the points until the browser has painted
the curve; *page* is the time from the navigation. The browser has opened the studio once before, as on any day but
the first. Medians.
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import os
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path
from typing import Any

LIMITS_MS = {"1,000,000 points": 1000.0, "100,000 points x 10 runs": 500.0}
CHUNK = 50_000
START_LIMIT_S = 180.0

# Notes when the first curve of the watched chart is in the page and the frame after that has been painted.
WATCH = """
window.painted = new Promise((resolve) => {
  const look = () => {
    const card = document.querySelector('.chart-card[aria-label="train.loss"]');
    const curves = card ? card.querySelectorAll('.scatterlayer .trace path.js-line[d]') : [];
    if (curves.length >= window.wantedCurves) {
      requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now())));
    } else {
      requestAnimationFrame(look);
    }
  };
  window.wantedCurves = WANTED;
  look();
});
"""
MEASURE = """
async () => {
  const end = await window.painted;
  const requests = performance.getEntriesByType('resource').filter(
    (entry) => entry.name.includes('/series') && entry.name.includes('train.loss'));
  return {page: end, chart: end - Math.min(...requests.map((entry) => entry.startTime))};
}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Studio:
    """A running studio in its own home."""

    def __init__(self, home: Path) -> None:
        port = str(free_port())
        os.environ |= {"DEEPSEEK_HOME": str(home), "PORT": port, "DJANGO_SETTINGS_MODULE": "webapp.settings"}
        self.log = home.with_suffix(".log")
        with self.log.open("w") as log:
            command = [sys.executable, "-m", "deepseek.cli.app", "up"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        self.link = self._wait()
        # This process stores points beside the studio and rings the same bell.
        os.environ["REDIS_URL"] = f"unix://{home}/run/redis.sock"

    def _wait(self) -> str:
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            found = re.search(r"https?://\S+/link/\S+", self.log.read_text())
            if found:
                return found[0]
            time.sleep(0.2)
        raise SystemExit(f"The studio did not start:\n{self.log.read_text()}")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)


def seed_run(points: int, number: int) -> tuple[str, str]:
    """Store a finished run with one long curve, as the supervisor would; returns project and run."""
    from django.utils import timezone

    from webapp.runs.models import Run, RunSpec, RunSummary
    from webapp.supervisor import protocol
    from webapp.supervisor.recorder import Recorder
    from webapp.workspaces.models import Project

    project = Project.objects.earliest("created")
    now = timezone.now()
    run = Run.objects.create(
        project=project,
        number=number,
        name=f"curve {number}",
        status="running",
        epoch=1,
        available=now,
        started=now,
        lease_until=now + timezone.timedelta(hours=1),
    )
    blocks = {"train": {"type": "train.classifier", "params": {}, "label": "", "bypass": False}}
    document = {"format": "deepseek.pipeline/1", "name": "Curve", "seed": number, "blocks": blocks, "wires": []}
    layout: dict[str, Any] = {"positions": {}, "notes": [], "frames": []}
    RunSpec.objects.create(run=run, document={**document, "layout": layout})
    RunSummary.objects.create(run=run, config={"seed": number}, metrics={})
    recorder = Recorder(run.id, 1)
    recorder.add(protocol.RunStarted(type="run_started", plan={}, blocks=["train"], resumed=False))
    for first in range(0, points, CHUNK):
        count = min(CHUNK, points - first)
        values = array("d", (_loss(first + index, points, number) for index in range(count)))
        recorder.add(
            protocol.Metrics(
                type="metrics",
                block="train",
                name="loss",
                first_step=first,
                stride=1,
                count=count,
                t0=now.timestamp() + first / 1000,
                t1=now.timestamp() + (first + count) / 1000,
                values=base64.b64encode(values.tobytes()).decode(),
            )
        )
        recorder.store(0)
    recorder.add(protocol.RunDone(type="run_done", status="succeeded", duration_s=points / 1000, error=None))
    recorder.store(0)
    return project.pk.hex, run.pk.hex


def _loss(step: int, points: int, number: int) -> float:
    noise = ((step * 2_654_435_761 + number * 97) % 1000) / 1000 - 0.5
    return 2.3 * math.exp(-5 * step / points) + 0.1 + 0.15 * noise


def measure(browser_context: Any, url: str, curves: int, repeat: int) -> dict[str, float]:
    """Open the page some times, each in a new tab; the first one only warms the caches."""
    taken: list[dict[str, float]] = []
    for _ in range(repeat + 1):
        page = browser_context.new_page()
        page.add_init_script(WATCH.replace("WANTED", str(curves)))
        page.goto(url, wait_until="commit")
        taken.append(page.evaluate(MEASURE))
        page.close()
    return {name: statistics.median(one[name] for one in taken[1:]) for name in ("chart", "page")}


def run(repeat: int, home: Path) -> dict[str, dict[str, float]]:
    from playwright.sync_api import sync_playwright

    from deploy.chromium import find

    studio = Studio(home)
    try:
        import django

        django.setup()
        project, long_run = seed_run(1_000_000, 1_001)
        ten = [seed_run(100_000, 2_000 + number)[1] for number in range(10)]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find(), args=["--no-sandbox", "--no-first-run"])
            context = browser.new_context(viewport={"width": 1280, "height": 720})
            page = context.new_page()
            page.goto(studio.link)
            confirm = page.locator("form button[type=submit]")
            if "/link/" in page.url and confirm.count():
                confirm.first.click()
                page.wait_for_load_state()
            origin = "/".join(studio.link.split("/")[:3])
            figures = {
                "1,000,000 points": measure(context, f"{origin}/p/{project}/runs/{long_run}", 2, repeat),
                # Each run is drawn as a curve and the band behind it.
                "100,000 points x 10 runs": measure(
                    context, f"{origin}/p/{project}/compare?runs={','.join(ten)}", 20, repeat
                ),
            }
            browser.close()
        return figures
    finally:
        studio.stop()


def main() -> int:
    """Measure, print a table, write JSON when asked; 1 when a limit was missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = run(arguments.repeat, Path(folder) / "home")
    for name, taken in figures.items():
        print(f"{name:<28} chart {taken['chart']:7.0f} ms (limit {LIMITS_MS[name]:.0f})   page {taken['page']:7.0f} ms")
    if arguments.json:
        machine = f"{platform.machine()}, {os.cpu_count()} cores"
        arguments.json.write_text(json.dumps({"machine": machine, "limits_ms": LIMITS_MS, "ms": figures}, indent=2))
    return int(any(taken["chart"] > LIMITS_MS[name] for name, taken in figures.items()))


if __name__ == "__main__":
    sys.exit(main())
