"""From the metric call in a run's process to the painted curve in a browser that watches the run.

    python -m benchmarks.painted [--seconds 20] [--rates 5,50] [--json FILE]

Everything is real, as in `benchmarks/live.py`: Redis, the web server, a supervised child in its sandbox, and headless
Chromium on the run's page. Each point's value is the moment it was made. A point counts as painted two animation frames
after it is in the chart's data; the delay of every point counts, also of those that wait for the next redraw (at most
thirty a second).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from benchmarks import live
from deploy.chromium import find

REACH_MS = 100
WATCH = """() => {
  window.delays = [];
  let seen = -Infinity;
  const look = () => {
    const card = document.querySelector('article.chart-card[aria-label="train.loss"] .js-plotly-plot');
    const made = [...(card?.data?.[0]?.y ?? [])].filter((at) => at > seen);
    if (made.length > 0) {
      seen = made[made.length - 1];
      requestAnimationFrame(() => requestAnimationFrame(() => {
        const now = Date.now();
        for (const at of made) window.delays.push([at, now - at * 1000]);
      }));
    }
    requestAnimationFrame(look);
  };
  look();
}"""


def watch(browser: Browser, port: int, cookie: str, project: str, run: str, seconds: float) -> list[float]:
    """Milliseconds from made to painted, of every point after the first second."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.add_cookies([{"name": "session", "value": cookie, "url": f"http://localhost:{port}"}])
    page = context.new_page()
    page.goto(f"http://localhost:{port}/p/{project}/runs/{run}")
    page.evaluate(WATCH)
    page.locator('article.chart-card[aria-label="train.loss"] .js-plotly-plot').wait_for(timeout=60_000)
    page.wait_for_timeout(seconds * 1000 + 1500)
    found: list[list[float]] = page.evaluate("window.delays")
    context.close()
    first = min(at for at, _ in found)
    return sorted(delay for at, delay in found if at > first + 1)


def measure(name: str, port: int, seconds: float, rates: list[float]) -> list[dict[str, Any]]:
    """One run at each rate, with one browser."""
    environment = {
        **os.environ,
        "DEEPSEEK_HOME": name,
        "DJANGO_SETTINGS_MODULE": "webapp.settings",
        "PYTHONPATH": str(live.ROOT),
        "PORT": str(port),
    }

    def part(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, live.__file__, *arguments]
        return subprocess.Popen(command, env=environment, cwd=live.ROOT, stdout=subprocess.PIPE, text=True)

    made = json.loads(part("--part", "prepare").communicate()[0].splitlines()[-1])
    processes = live.start(Path(name), port, environment)
    results = []
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find(), args=["--no-sandbox"])
            for rate, run in zip(rates, made["runs"], strict=False):
                options = json.dumps({"seconds": seconds, "rate": rate, "pause": 4, "run": run})
                supervisor = part("--part", "supervise", "--options", options)
                delays = watch(browser, port, made["cookie"], made["project"], run, seconds)
                supervisor.wait()
                picked = {f"p{q}_ms": round(delays[int(len(delays) * q / 100)], 1) for q in (50, 95, 99)}
                results.append({"rate": rate, "points": len(delays), **picked})
            browser.close()
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(20)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rates", default="5,50", help="points a second that the run makes")
    parser.add_argument("--port", type=int, default=8766)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rates = [float(rate) for rate in arguments.rates.split(",")]
    with tempfile.TemporaryDirectory(prefix="painted-") as home:
        results = measure(home, arguments.port, arguments.seconds, rates)
    print(f"{'points/s':>8} {'points':>8} {'p50':>8} {'p95':>8} {'p99':>8}  ms (reach: p95 <= {REACH_MS})")
    for row in results:
        print(f"{row['rate']:8g} {row['points']:8} {row['p50_ms']:8} {row['p95_ms']:8} {row['p99_ms']:8}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
