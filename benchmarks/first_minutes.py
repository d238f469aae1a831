"""A newcomer's first minutes: page open -> sample pipeline trained to at least 97 %, with one click.

    python benchmarks/first_minutes.py [--repeat 3] [--json FILE]

Starts a studio of its own with `deepseek up` in an empty home folder for every repeat, so nothing comes from a cache,
opens the sample pipeline in headless Chromium and presses Run. Measured in the page: from the start of the navigation
until Run can be pressed, from the click until the first curve that moves (the line on the training block has changed
after it was first drawn), and from the start of the navigation until the run has succeeded. The accuracy is read from
the run. Medians; targets in the last column.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
START_TIMEOUT_S = 180
REACH = {"ready_s": None, "first_moving_curve_s": 5.0, "trained_s": 45.0}
ACCURACY = 0.97
WATCH_CURVE = """() => {
  window.curves = new Map();
  window.moved = null;
  new MutationObserver(() => {
    for (const line of document.querySelectorAll(".block-spark-line")) {
      const drawn = line.getAttribute("d");
      const before = window.curves.get(line);
      if (before !== undefined && before !== drawn && window.moved === null) window.moved = performance.now();
      window.curves.set(line, drawn);
    }
  }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["d"] });
}"""


@contextmanager
def running_studio(home: Path) -> Iterator[str]:
    """A fresh studio; gives its login link."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "deepseek.cli.app", "up", "--no-browser", "--port", str(port)]
    environment = {**os.environ, "DEEPSEEK_HOME": str(home)}
    log = home.parent / "studio.log"
    with log.open("w") as stream:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=stream, stderr=subprocess.STDOUT)
    try:
        yield _wait_for_link(process, log)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _wait_for_link(process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until:
        found = re.search(r"https?://\S+/link/\S+", log.read_text())
        if found:
            return found.group()
        if process.poll() is not None:
            raise SystemExit(f"the studio ended:\n{log.read_text()}")
        time.sleep(0.1)
    raise SystemExit(f"the studio did not start:\n{log.read_text()}")


def measure(browser: Browser, link: str) -> dict[str, float]:
    """One newcomer."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, locale="en-GB")
    page = context.new_page()
    page.goto(link)
    origin = link.split("/link/")[0]
    project = re.search(r"/p/([0-9a-f]{32})", page.url)
    if project is None:
        raise SystemExit(f"the link led to {page.url}, not to a project")
    pipeline = _api(page, f"/projects/{project[1]}/pipelines")["items"][0]["id"]
    page.goto(f"{origin}/p/{project[1]}/pipelines/{pipeline}")
    run_all = page.get_by_test_id("run-all")
    run_all.wait_for()
    page.wait_for_function("() => !document.querySelector('[data-testid=run-all]').disabled")
    ready_ms = page.evaluate("() => performance.now()")
    page.evaluate(WATCH_CURVE)
    clicked_ms = page.evaluate("() => performance.now()")
    run_all.click()
    page.wait_for_function("() => window.moved !== null", timeout=60_000)
    page.locator(".run-summary").get_by_text(re.compile("Succeeded|Failed", re.IGNORECASE)).wait_for(timeout=120_000)
    done_ms = page.evaluate("() => performance.now()")
    moved_ms = page.evaluate("() => window.moved")
    run = _api(page, f"/projects/{project[1]}/runs")["items"][0]
    context.close()
    return {
        "ready_s": ready_ms / 1000,
        "first_moving_curve_s": (moved_ms - clicked_ms) / 1000,
        "trained_s": done_ms / 1000,
        "accuracy": run["metrics"]["evaluate.accuracy"],
    }


def _api(page: Page, path: str) -> Any:
    return page.evaluate("async (path) => (await fetch('/api/v1' + path)).json()", path)


def main() -> int:
    """Measure, print a table, write JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser; Playwright's own when absent")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rounds = []
    with sync_playwright() as playwright:
        found = arguments.chromium if Path(arguments.chromium).exists() else None
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM)
        for _ in range(arguments.repeat):
            with tempfile.TemporaryDirectory() as folder, running_studio(Path(folder) / "home") as link:
                rounds.append(measure(browser, link))
        browser.close()
    medians = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    print(f"{'what':<24} {'median':>8} {'min':>8} {'max':>8} {'reach':>8}")
    for name, value in medians.items():
        numbers = [one[name] for one in rounds]
        reach = f">= {ACCURACY}" if name == "accuracy" else f"<= {REACH[name]:g}" if REACH[name] else ""
        print(f"{name:<24} {value:>8.3f} {min(numbers):>8.3f} {max(numbers):>8.3f} {reach:>8}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"cores": os.cpu_count(), "rounds": rounds}, indent=2))
    is_met = all(limit is None or medians[name] <= limit for name, limit in REACH.items())
    return 0 if is_met and min(one["accuracy"] for one in rounds) >= ACCURACY else 1


if __name__ == "__main__":
    sys.exit(main())
