"""A training whose controller changes the precision, and the time line that says when and why."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from engine.compute.profile import workload_key
from tests.environment import ROOT
from tests.studio import Api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Locator, Page

    from tests.studio import RunningStudio

pytestmark = pytest.mark.e2e
BATCH = 64
WORDS = ROOT / "static/studio/src/i18n/zh-Hans/precision.json"
FAULT = '''
import torch
from engine.models.mlp import MLP

FIRST_BAD_STEP = 60
forward, cured, steps = MLP.forward, [], [0]


def overflowing(self, x):
    """As a layer that grew too large for bf16: not finite from a step on, until the training leaves bf16."""
    outputs = forward(self, x)
    if self.training and torch.is_autocast_enabled("cpu"):
        steps[0] += 1
        if steps[0] >= FIRST_BAD_STEP and not cured:
            return outputs * torch.inf
    elif self.training and steps[0] >= FIRST_BAD_STEP:
        cured.append(True)
    return outputs


MLP.forward = overflowing


def run(dataset):
    return {"dataset": dataset}
'''


def document(epochs: int, code: str | None = None) -> dict[str, Any]:
    """Digits and a small network; with code in between that runs in the process of the training."""
    blocks: dict[str, Any] = {
        "data": {"type": "data.digits", "params": {}},
        "model": {"type": "model.mlp", "params": {}},
        "train": {"type": "train.classifier", "params": {"epochs": epochs, "batch_size": BATCH}},
    }
    wires = [["model.model", "train.model"], ["data.dataset", "train.dataset"]]
    if code is not None:
        blocks["code"] = {"type": "code.python", "params": {"code": code}}
        wires[1:] = [["data.dataset", "code.dataset"], ["code.dataset", "train.dataset"]]
    layout: dict[str, Any] = {"positions": {}, "notes": [], "frames": []}
    head = {"format": "deepseek.pipeline/1", "name": "Switch", "seed": 0}
    return {**head, "blocks": blocks, "wires": wires, "layout": layout}


class Place:
    """A workspace of these tests, so that the shared studio stays as it was."""

    def __init__(self, api: Api) -> None:
        self.studio, self.api = api.studio, api
        self.workspace = api.call("POST", "/workspaces", name="Precision")["id"]
        self.project = api.call("GET", f"/workspaces/{self.workspace}/projects")["items"][0]["id"]

    def run(self, **body: Any) -> dict[str, Any]:
        """Submit a run and wait for its end."""
        ended = self.api.wait(self.api.call("POST", f"/projects/{self.project}/runs", **body)["id"])
        assert ended["status"] == "succeeded", ended
        return ended

    def workload(self) -> str:
        """The name of the training's workload, from the model that a first training made."""
        digest = self.run(document=document(epochs=1))["blocks"]["train"]["outputs"]["model"]["digest"]
        spec = self.api.call("GET", f"/workspaces/{self.workspace}/artifacts/{digest}/files/model.json")
        return workload_key(spec["architecture"], spec["config"], spec["input"]["shape"], BATCH, spec["task"], "cpu")


@pytest.fixture(scope="module")
def world(studio: RunningStudio) -> Iterator[Place]:
    with Api(studio) as api:
        yield Place(api)


@pytest.fixture(scope="module")
def switched(world: Place) -> dict[str, Any]:
    """A finished run that began in bf16, as on a machine that remembers a probe, and met a fault there."""
    plan = {"choices": {world.workload(): {"precision": "bf16"}}}
    return world.run(document=document(epochs=12, code=FAULT), plan=plan, name="Switch")


def timeline(page: Page, run: dict[str, Any]) -> Locator:
    page.goto(f"/p/{run['project']}/runs/{run['id']}")
    found = page.get_by_role("group", name="Precision timeline of train")
    found.get_by_role("toolbar").get_by_role("button").first.wait_for()
    return found


def test_the_time_line_says_when_the_precision_changed_and_why(
    switched: dict[str, Any], world: Place, open_page: Callable[..., Page]
) -> None:
    decisions = [event for event in world.api.events(switched["id"]) if event["type"] == "decision"]
    up = next(d for d in decisions if d["kind"] == "precision" and d["values"].get("from") == "bf16")
    assert up["values"]["to"] == "fp32"
    assert switched["blocks"]["train"]["rung"] == "bf16"  # it went back after its time in fp32

    page = open_page(console=True)
    line = timeline(page, switched)
    lanes = line.locator("svg rect[data-rung]")
    assert [lanes.nth(n).get_attribute("data-rung") for n in range(lanes.count())] == ["bf16", "fp32", "bf16"]
    widths = [lanes.nth(n).bounding_box()["width"] for n in range(3)]
    assert widths[1] == pytest.approx(200 / 348 * sum(widths), rel=0.1)  # 200 of its 348 steps

    marker = line.get_by_role("button", name=re.compile(f"^Step {up['step']}"))
    marker.hover()
    detail = line.locator("article").first
    assert detail.locator("p").nth(1).inner_text() == up["message"]
    assert "good at fp32" in up["message"]
    shown = detail.locator("dl").inner_text()
    assert "cause" in shown
    assert "numeric" in shown


def test_the_time_line_is_walked_with_the_keyboard_and_read_as_a_list(
    switched: dict[str, Any], world: Place, open_page: Callable[..., Page]
) -> None:
    page = open_page(locale="zh-CN", console=True)
    page.goto(f"/p/{switched['project']}/runs/{switched['id']}")
    markers = page.get_by_role("toolbar", name="时间线上的决定").get_by_role("button")
    markers.first.wait_for()
    count = markers.count()
    assert count >= 3
    markers.last.focus()
    page.keyboard.press("Home")
    seen = []
    for _ in range(count):
        seen.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
        page.keyboard.press("ArrowRight")
    assert len(set(seen)) == count
    assert all(re.match(r"第 [\d,]+ 步", label) for label in seen)
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"

    page.get_by_text("决定列表").click()
    rows = page.get_by_role("table").filter(has_text="测量依据").locator("tbody > tr")
    chinese = json.loads(WORDS.read_text(encoding="utf-8"))
    said = [event for event in world.api.events(switched["id"]) if event["type"] == "decision"]
    assert rows.count() == len(said)
    for number, event in enumerate(said):
        text = chinese[event["template"]]
        for name, value in event["values"].items():
            text = text.replace(f"{{{name}}}", str(value))
        assert text in rows.nth(number).inner_text()


def test_zooming_on_the_time_line_zooms_its_chart(switched: dict[str, Any], open_page: Callable[..., Page]) -> None:
    page = open_page(console=True)
    line = timeline(page, switched)
    before = line.locator("svg rect[data-rung]").count()
    line.locator("[data-drag]").scroll_into_view_if_needed()
    track = line.locator("[data-drag]").bounding_box()
    assert track is not None
    y = track["y"] + track["height"] - 6
    page.mouse.move(track["x"] + 0.3 * track["width"], y)
    page.mouse.down()
    page.mouse.move(track["x"] + 0.5 * track["width"], y, steps=6)
    page.mouse.up()
    page.get_by_role("button", name="Show everything").wait_for()
    page.wait_for_function(
        "count => document.querySelectorAll('svg rect[data-rung]').length < count", arg=before, timeout=5_000
    )
    assert line.locator("svg rect[data-rung]").get_attribute("data-rung") == "fp32"
    page.reload()
    line.locator("svg rect[data-rung]").nth(before - 1).wait_for()


def test_what_the_run_used_of_its_machine_lies_beside_its_curves(
    switched: dict[str, Any], open_page: Callable[..., Page]
) -> None:
    from playwright.sync_api import expect

    page = open_page(console=True)
    page.goto(f"/p/{switched['project']}/runs/{switched['id']}")
    for title in ("Processor (%, 100 is one core)", "Memory (MiB)", "Disk (MiB/s)", "Network (MiB/s)"):
        card = page.get_by_role("article", name=title)
        card.scroll_into_view_if_needed()
        card.locator("[data-painted=true]").wait_for()
        expect(card.locator(".value")).to_have_text(re.compile(r"^[\d,.e-]+( · [\d,.e-]+)?$"))  # the points come after
    page.get_by_role("heading", name="System").click()
    page.get_by_role("article", name="Memory (MiB)").wait_for(state="detached")
    page.reload()
    page.get_by_role("heading", name="System").wait_for()
    assert page.get_by_role("article", name="Memory (MiB)").count() == 0
    throughput = page.locator("dt", has_text="Throughput").locator("xpath=..")
    assert re.search(r"[\d,.]+ images/s", throughput.inner_text())


def test_a_cached_training_shows_the_curves_of_the_run_that_made_it(
    switched: dict[str, Any], world: Place, open_page: Callable[..., Page]
) -> None:
    again = world.run(document=document(epochs=1))
    assert again["blocks"]["train"]["state"] == "cached", again["blocks"]["train"]
    page = open_page(console=True)
    page.goto(f"/p/{again['project']}/runs/{again['id']}")
    part = page.get_by_role("region", name="train, from the cache")
    part.get_by_role("article", name="train.loss").locator("[data-painted=true]").wait_for()
    assert part.get_by_role("link").get_attribute("href") == (
        f"/p/{again['project']}/runs/{again['blocks']['train']['made_by']['run']}"
    )


def test_comparing_runs_says_which_of_them_switched(
    switched: dict[str, Any], world: Place, open_page: Callable[..., Page]
) -> None:
    steady = world.run(document=document(epochs=2), plan={"choices": {world.workload(): {"precision": "fp32"}}})
    decisions = [event for event in world.api.events(switched["id"]) if event["type"] == "decision"]
    up = next(d for d in decisions if d["kind"] == "precision" and d["values"].get("from") == "bf16")
    page = open_page(console=True)
    page.goto(f"/p/{world.project}/compare?runs={switched['id']},{steady['id']}")
    rows = page.get_by_role("region", name="Precision", exact=True).locator("tbody tr")
    rows.first.wait_for()
    assert "Switch" in rows.first.inner_text()
    assert f"Step {up['step']} bf16 → fp32" in rows.first.inner_text()
    lanes = rows.first.locator("rect")
    assert [lanes.nth(n).get_attribute("data-rung") for n in range(lanes.count())] == ["bf16", "fp32", "bf16"]
    widths = [lanes.nth(n).bounding_box()["width"] for n in range(3)]
    assert widths[1] == pytest.approx(200 / 348 * sum(widths), rel=0.1)  # 200 of its 348 steps
    for number in range(1, rows.count()):  # a run that decided nothing has no row
        assert "No switch" in rows.nth(number).inner_text()
