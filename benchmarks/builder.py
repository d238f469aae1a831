"""How fluid the builder is at size: 500 blocks, panned and dragged, at zoom 0.8 and zoomed to fit.

    python benchmarks/builder.py [--blocks 500] [--repeat 5] [--dist static/dist] [--json FILE]

Serves the built front end on a static page with a generated pipeline and a small catalog, opens it in headless
Chromium and moves the mouse as a person would. A frame is one `requestAnimationFrame`; the figure is frames a second
while the mouse moves, median of the repeats. The target is 50.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

LIMIT_FPS = 50.0
COLUMNS = 25
MOVE_S = 2.0
ROOT = Path(__file__).resolve().parents[1]
TYPES = {".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2", ".svg": "image/svg+xml"}

COUNT_FRAMES = """
() => {
  window.frames_ = [];
  const tick = (time) => { window.frames_.push(time); window.frameLoop = requestAnimationFrame(tick); };
  window.frameLoop = requestAnimationFrame(tick);
}
"""
STOP_FRAMES = "() => { cancelAnimationFrame(window.frameLoop); return window.frames_; }"


def port(name: str, kind: str, *, optional: bool = False) -> dict[str, Any]:
    """An input of the fixture catalog."""
    return {"name": name, "kinds": [kind], "optional": optional, "many": False}


def block(id_: str, title: str, inputs: list[dict[str, Any]], outputs: dict[str, str]) -> dict[str, Any]:
    """A block of the fixture catalog."""
    rate = {"type": "number", "default": 0.1, "minimum": 0, "maximum": 1, "title": "Rate", "description": "A rate."}
    return {
        "id": id_,
        "title": title,
        "summary": title,
        "doc": "",
        "category": id_.split(".")[0],
        "version": 1,
        "needs": "cpu",
        "required": False,
        "permission": None,
        "resources": [],
        "cacheable": True,
        "code": "",
        "params": {"schema": {"properties": {"rate": rate}}},
        "inputs": inputs,
        "examples": [],
        "outputs": [{"name": name, "kind": kind, "measured": False} for name, kind in outputs.items()],
    }


def make_catalog() -> dict[str, Any]:
    """Four kinds of blocks, enough for cards of every shape."""
    blocks = [
        block("data.digits", "Digits", [], {"dataset": "images"}),
        block("data.split", "Split", [port("dataset", "dataset")], {"train": "dataset", "test": "dataset"}),
        block("model.convnet", "ConvNet", [], {"model": "model"}),
        block(
            "train.classifier",
            "Train classifier",
            [port("model", "model"), port("dataset", "dataset"), port("validation", "dataset", optional=True)],
            {"model": "model", "report": "metrics"},
        ),
    ]
    return {
        "format": "deepseek.catalog/1",
        "digest": "fixture",
        "blocks": {b["id"]: b for b in blocks},
        "kinds": {
            "images": ["images", "dataset", "artifact"],
            "dataset": ["dataset", "artifact"],
            "model": ["model", "artifact"],
            "metrics": ["metrics", "artifact"],
        },
        "categories": [{"id": c, "title": c.capitalize()} for c in ("data", "model", "train")],
    }


def make_document(count: int) -> dict[str, Any]:
    """Rows of data -> split -> train with a model each, `count` blocks and about as many wires."""
    cycle = ["data.digits", "data.split", "model.convnet", "train.classifier"]
    blocks, positions, wires = {}, {}, []
    for index in range(count):
        id_ = f"b{index}"
        blocks[id_] = {"type": cycle[index % 4], "params": {}}
        positions[id_] = [80 + (index % COLUMNS) * 288, 80 + (index // COLUMNS) * 208]
        if index % 4 == 1:
            wires.append([f"b{index - 1}.dataset", f"{id_}.dataset"])
        if index % 4 == 3:
            wires += [[f"b{index - 2}.train", f"{id_}.dataset"], [f"b{index - 2}.test", f"{id_}.validation"]]
            wires.append([f"b{index - 1}.model", f"{id_}.model"])
    return {
        "format": "deepseek.pipeline/1",
        "name": f"{count} blocks",
        "seed": 0,
        "blocks": blocks,
        "wires": wires,
        "layout": {"positions": positions, "notes": [], "frames": []},
    }


def make_page(dist: Path) -> str:
    """The page around the island, as the server writes it."""
    manifest = json.loads((dist / "manifest.json").read_text())
    entry = manifest["src/main.tsx"]
    styles = "".join(f'<link rel="stylesheet" href="/static/dist/{css}">' for css in entry.get("css", []))
    props = {
        "user": {"id": "u", "name": "Bench", "language": "en", "theme": "system"},
        "workspace": {"id": "w", "name": "Bench", "role": "owner", "canRunCode": True},
        "project": {"id": "p", "name": "Bench"},
        "csrf": "x",
        "pipelineId": "pipeline",
    }
    island = f"<div id='island' data-page='builder' data-props='{json.dumps(props)}'></div>"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{styles}'
        "<style>body{margin:0}body #island#island{height:100vh}.page{height:100vh!important}</style></head>"
        f"<body data-page='builder'><main class='page'>{island}</main>"
        f'<script type="module" src="/static/dist/{entry["file"]}"></script></body></html>'
    )


class Server(BaseHTTPRequestHandler):
    """The built front end and the few answers that the builder asks for."""

    def __init__(self, *args: Any, dist: Path, count: int, **kwargs: Any) -> None:
        self.dist = dist
        self.count = count
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        """Answer the page, a built file, or a fixture."""
        path = self.path.split("?")[0]
        if path == "/":
            self.answer(make_page(self.dist).encode(), "text/html")
        elif path.startswith("/static/dist/"):
            file = (self.dist / path.removeprefix("/static/dist/")).resolve()
            if file.is_file() and file.is_relative_to(self.dist):
                self.answer(file.read_bytes(), TYPES.get(file.suffix, "application/octet-stream"))
            else:
                self.answer(b"", "text/plain", 404)
        elif path == "/api/v1/catalog":
            self.answer_json(make_catalog())
        elif path == "/api/v1/pipelines/pipeline":
            document = make_document(self.count)
            self.answer_json(
                {
                    "id": "pipeline",
                    "name": document["name"],
                    "project": "p",
                    "version": 1,
                    "document": document,
                    "problems": [],
                    "can_edit": True,
                    "updated": "2026-01-01T00:00:00Z",
                }
            )
        else:
            self.answer_json({"items": [], "total": 0})

    def do_POST(self) -> None:
        """Accept every edit."""
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        self.answer_json({"version": body.get("base_version", 0) + 1, "problems": [], "blocks": {}})

    def answer_json(self, value: Any) -> None:
        """Send JSON."""
        self.answer(json.dumps(value).encode(), "application/json")

    def answer(self, body: bytes, type_: str, status: int = 200) -> None:
        """Send bytes."""
        self.send_response(status)
        self.send_header("Content-Type", type_)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Be quiet."""


def move(page: Page, x: float, y: float) -> float:
    """Press at a point, move in circles for MOVE_S, release; frames a second meanwhile."""
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 8, y + 8)
    page.evaluate(COUNT_FRAMES)
    start = time.perf_counter()
    step = 0
    while time.perf_counter() - start < MOVE_S:
        step += 1
        page.mouse.move(x + 8 + 60 * (step % 20) / 10, y + 8 + 40 * ((step // 3) % 10) / 5)
    times: list[float] = page.evaluate(STOP_FRAMES)
    page.mouse.up()
    return (len(times) - 1) / ((times[-1] - times[0]) / 1000)


def find_pane(page: Page) -> tuple[float, float]:
    """A point of the canvas with no block under it."""
    point: list[float] = page.evaluate(
        """() => {
          const pane = document.querySelector('.react-flow__pane').getBoundingClientRect();
          for (let y = pane.top + 40; y < pane.bottom - 160; y += 7)
            for (let x = pane.left + 60; x < pane.right - 260; x += 7)
              if (document.elementFromPoint(x, y)?.classList.contains('react-flow__pane')) return [x, y];
          throw new Error('no free point');
        }"""
    )
    return point[0], point[1]


def find_block(page: Page) -> tuple[float, float]:
    """A point on the head of a block in the middle of the canvas."""
    point: list[float] = page.evaluate(
        """() => {
          const pane = document.querySelector('.react-flow__pane').getBoundingClientRect();
          const middle = [pane.left + pane.width / 2, pane.top + pane.height / 2];
          let best = null;
          for (const node of document.querySelectorAll('.react-flow__node')) {
            const box = node.getBoundingClientRect();
            const at = [box.left + box.width / 2, box.top + Math.min(12, box.height / 2)];
            if (!node.contains(document.elementFromPoint(...at))) continue;
            const far = Math.hypot(at[0] - middle[0], at[1] - middle[1]);
            if (!best || far < best.far) best = {far, at};
          }
          return best.at;
        }"""
    )
    return point[0], point[1]


def set_zoom(page: Page, zoom: float) -> None:
    """Zoom with the wheel over the middle of the canvas until the zoom is near `zoom`."""
    box = page.locator(".react-flow__pane").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for _ in range(60):
        now = page.evaluate(
            "() => new DOMMatrix(getComputedStyle(document.querySelector('.react-flow__viewport')).transform).a"
        )
        if now >= zoom * 0.97:
            break
        page.mouse.wheel(0, -60 if now < zoom * 0.8 else -15)
        page.wait_for_timeout(60)
    page.wait_for_timeout(600)


def measure(page: Page, url: str, repeat: int) -> dict[str, list[float]]:
    """Frames a second of each of the four moves, `repeat` times."""
    found: dict[str, list[float]] = {}
    page.goto(url)
    page.wait_for_selector(".react-flow__node")
    page.wait_for_timeout(2500)
    for zoom in ("fit", "0.8"):
        if zoom == "0.8":
            set_zoom(page, 0.8)
        for _ in range(repeat):
            found.setdefault(f"pan, zoom {zoom}", []).append(move(page, *find_pane(page)))
            page.wait_for_timeout(200)
            found.setdefault(f"drag, zoom {zoom}", []).append(move(page, *find_block(page)))
            page.wait_for_timeout(500)
    return found


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=500)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--dist", type=Path, default=ROOT / "static" / "dist")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    handler = partial(Server, dist=options.dist.resolve(), count=options.blocks)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        found = measure(page, f"http://127.0.0.1:{server.server_port}/", options.repeat)
        version = browser.version
        browser.close()
    server.shutdown()
    rows = {
        name: {
            "median_fps": round(statistics.median(values), 1),
            "fps": [round(v, 1) for v in values],
            "target_fps": LIMIT_FPS,
        }
        for name, values in found.items()
    }
    for name, row in rows.items():
        print(f"{name:18} {row['median_fps']:6.1f} fps   (target {LIMIT_FPS:.0f})   {row['fps']}")
    if options.json:
        machine = {"machine": platform.machine(), "python": platform.python_version(), "chromium": version}
        options.json.write_text(json.dumps({"blocks": options.blocks, **machine, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
