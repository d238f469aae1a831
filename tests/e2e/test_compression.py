"""A search for a smaller model: drawn while it runs, read by keyboard, and a point of its front used as a model."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.test_chinese import Reader
from tests.e2e.test_themes import CONTRASTS, LEAST_CONTRAST
from tests.studio import Api, digits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Locator, Page

    from tests.studio import RunningStudio

pytestmark = pytest.mark.e2e
LABELS = {"data": "数据", "split": "划分", "model": "网络", "train": "训练", "search": "压缩"}


def document() -> dict[str, Any]:
    """Digits, a small network, and a search that tries a few ways to compress it."""
    made = digits(4)
    del made["blocks"]["evaluate"]
    made["blocks"]["search"] = {"type": "compress.search", "params": {"candidates": 3, "max_drop": 0.02}}
    made["wires"] = [
        *(wire for wire in made["wires"] if not wire[1].startswith("evaluate")),
        ["train.model", "search.model"],
        ["split.train", "search.dataset"],
        ["split.test", "search.held_out"],
    ]
    for name, block in made["blocks"].items():
        block["label"] = LABELS[name]
    made["layout"]["positions"] = {name: [320 * at, 0] for at, name in enumerate(made["blocks"])}
    return {**made, "name": "压缩"}


class Place:
    """A workspace of these tests, so that the shared studio stays as it was."""

    def __init__(self, api: Api) -> None:
        self.studio, self.api = api.studio, api
        self.workspace = api.call("POST", "/workspaces", name="Compression")["id"]
        self.project = api.call("GET", f"/workspaces/{self.workspace}/projects")["items"][0]["id"]
        made = api.call("POST", f"/projects/{self.project}/pipelines", name="压缩", document=document())
        self.pipeline = str(made["id"])
        self.run = str(api.call("POST", f"/pipelines/{self.pipeline}/runs", name="压缩")["id"])

    def ended(self) -> dict[str, Any]:
        """The run, when it is over."""
        run = self.api.wait(self.run)
        assert run["status"] == "succeeded", run
        return run

    def front(self) -> list[dict[str, Any]]:
        """All candidates as the search kept them."""
        digest = self.ended()["blocks"]["search"]["outputs"]["front"]["digest"]
        return list(self.api.call("GET", f"/workspaces/{self.workspace}/artifacts/{digest}/files/front.json"))

    def said(self) -> list[dict[str, Any]]:
        """The candidates that the run has told so far."""
        return [one for one in self.api.events(self.run) if one["type"] == "decision" and one["kind"] == "candidate"]


@pytest.fixture(scope="module")
def world(studio: RunningStudio) -> Iterator[Place]:
    with Api(studio) as api:
        yield Place(api)


def part(page: Page, world: Place) -> Locator:
    """The card of the search on the page of the run."""
    page.goto(f"/p/{world.project}/runs/{world.run}")
    found = page.get_by_role("region", name="压缩", exact=True)
    found.wait_for(timeout=60_000)
    return found


def points(part: Locator) -> int:
    """How many points are drawn; the ring around the chosen one is none."""
    drawn = part.locator(".scatterlayer .trace .point").count()
    return drawn - 1


def test_candidates_appear_while_the_search_runs(world: Place, open_page: Callable[..., Page]) -> None:
    page = open_page(console=True)
    shown = part(page, world)
    radios = shown.get_by_role("radio")
    radios.first.wait_for(timeout=60_000)
    deadline = time.monotonic() + 120
    while radios.count() < len(said := world.said()) or len(said) < 3:
        assert time.monotonic() < deadline, f"{radios.count()} rows for {len(said)} candidates"
        time.sleep(0.2)
    candidates = world.front()
    shown.get_by_role("button", name="Use this one").wait_for()
    assert radios.count() == len(candidates)
    page.wait_for_function(
        "count => document.querySelectorAll('.scatterlayer .trace .point').length === count + 1", arg=len(candidates)
    )
    summary = shown.locator("p[aria-live]").inner_text()
    assert summary.startswith(f"{len(candidates)} candidates measured")


def test_the_table_says_what_front_json_says_and_is_walked_with_the_keyboard(
    world: Place, open_page: Callable[..., Page]
) -> None:
    candidates = world.front()
    page = open_page(console=True)
    shown = part(page, world)
    rows = shown.get_by_role("table", name="Candidates").locator("tbody tr")
    rows.nth(len(candidates) - 1).wait_for()
    for number, one in enumerate(sorted(candidates, key=lambda one: not one["baseline"])):
        text = rows.nth(number).inner_text()
        assert one["name"] in text
        assert f"{100 * one['accuracy']:.4g}"[:4] in text
        assert ("Refused" in text) == (one["status"] == "refused" and not one["baseline"])
    shown.get_by_role("radio").first.focus()
    seen = []
    for _ in candidates:
        page.keyboard.press("ArrowDown")
        seen.append(shown.get_by_role("region", name="Selected candidate").get_by_role("heading").inner_text())
    assert sorted(seen) == sorted(one["name"] for one in candidates)


def test_the_axes_are_chosen(world: Place, open_page: Callable[..., Page]) -> None:
    world.ended()
    page = open_page(console=True)
    shown = part(page, world)
    shown.locator(".xtitle", has_text="Latency in ms").wait_for()
    shown.get_by_text("Area: Size on disk").wait_for()
    shown.get_by_label("X axis").select_option(label="Size on disk")
    shown.locator(".xtitle", has_text="Size on disk in MB").wait_for()
    shown.get_by_text("Area: Latency").wait_for()
    shown.get_by_label("Y axis").select_option(label="Multiply-adds")
    shown.locator(".ytitle", has_text="Multiply-adds").wait_for()


def test_a_point_of_the_front_becomes_a_model(world: Place, open_page: Callable[..., Page]) -> None:
    kept = next(one for one in world.front() if one["digest"] and not one["baseline"])
    page = open_page(console=True)
    shown = part(page, world)
    shown.get_by_role("radio", name=kept["name"], exact=True).check()
    detail = shown.get_by_role("region", name="Selected candidate")
    table = detail.get_by_role("table", name="Before and after")
    assert re.search(r"Latency\s.*(faster|slower)", table.inner_text())
    detail.get_by_role("button", name="Use this one").press("Enter")
    page.get_by_role("dialog").get_by_label("Name").fill("Small digits")
    page.keyboard.press("Enter")
    link = detail.get_by_role("link", name="Registered as Small digits")
    link.wait_for()
    models = world.api.call("GET", f"/projects/{world.project}/models")["items"]
    model = next(one for one in models if one["name"] == "Small digits")
    assert (model["digest"], model["run"], model["block"]) == (kept["digest"], world.run, "search")
    link.press("Enter")
    page.get_by_role("heading", name="Small digits").wait_for()


def test_the_inspector_of_the_builder_shows_the_search(world: Place, open_page: Callable[..., Page]) -> None:
    candidates = world.front()
    page = open_page(console=True)
    page.goto(f"/p/{world.project}/pipelines/{world.pipeline}")
    page.locator('.react-flow__node[data-id="search"] header').click()
    panel = page.locator(".inspector-result")
    panel.get_by_role("radio").nth(len(candidates) - 1).wait_for()
    panel.locator(".figure-host").scroll_into_view_if_needed()
    panel.locator(".scatterlayer .trace .point").first.wait_for()
    width = panel.evaluate("one => [one.scrollWidth, one.clientWidth]")
    assert width[0] <= width[1], "the panel is too wide"


def test_the_search_is_in_chinese_and_readable_in_both_themes(world: Place, open_page: Callable[..., Page]) -> None:
    candidates = world.front()
    for scheme in ("light", "dark"):
        page = open_page(locale="zh-CN", color_scheme=scheme)
        reader = Reader(page)
        shown = part(page, world)
        shown.locator(".scatterlayer .trace .point").first.wait_for()
        for one in candidates:
            shown.get_by_role("radio", name=one["name"], exact=True).check()
            reader.read(one["name"])
        faint = [found for found in page.evaluate(CONTRASTS) if found[0] < LEAST_CONTRAST]
        assert not faint, faint
        reader.report()
