"""What a person does on the first day, in a real browser on a running studio."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.canvas import node, set_field, wire

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.e2e
RUN_TIMEOUT_MS = 120_000
EPOCHS = 43  # no other test trains as long, so nothing comes from the cache
STEPS_PER_EPOCH = 29  # 1,797 digits in batches of 64


def drag_block(page: Page, type_: str, x: int, y: int) -> None:
    page.locator(f'.palette-item[data-block="{type_}"]').drag_to(
        page.locator(".react-flow__pane"), target_position={"x": x, "y": y}
    )


def points(page: Page, metric: str) -> int:
    """How many points the chart of a metric says that it has."""
    foot = page.locator(f'article.chart-card[aria-label="{metric}"] .chart-card-foot')
    found = re.search(r"([\d,]+) points?", foot.inner_text()) if foot.count() else None
    return int(found[1].replace(",", "")) if found else 0


def wait_for_points(page: Page, metric: str, least: int) -> int:
    """Wait until the curve has grown to so many points."""
    for _ in range(600):
        count = points(page, metric)
        if count >= least:
            return count
        page.wait_for_timeout(100)
    raise AssertionError(f"{metric} has {count} points, not {least}")


def set_epochs(page: Page, epochs: int) -> None:
    set_field(page, "train", "Epochs", str(epochs))


def start_run(page: Page) -> None:
    page.locator(".toolbar, header, main").get_by_role("button", name="Run all").first.click()


def new_pipeline(page: Page) -> None:
    page.get_by_role("link", name="Pipelines", exact=True).first.click()  # the link opens the sample's canvas
    page.get_by_role("button", name="New pipeline").click()
    page.get_by_role("tab", name="Blank").click()
    page.get_by_role("button", name="Create pipeline").click()
    page.wait_for_url(re.compile(r"/pipelines/[0-9a-f]{32}"))


def test_a_person_builds_trains_watches_cancels_and_compares(page):
    from playwright.sync_api import expect

    # A blank pipeline; three blocks from the palette onto the canvas.
    new_pipeline(page)
    drag_block(page, "data.digits", 60, 60)
    expect(page.locator(".react-flow__node")).to_have_count(1)
    drag_block(page, "model.convnet", 60, 330)
    expect(page.locator(".react-flow__node")).to_have_count(2)
    drag_block(page, "train.classifier", 380, 150)
    expect(page.locator(".react-flow__node")).to_have_count(3)

    # Wire them, and let the search behind `/` bring the fourth.
    wire(page, "digits.dataset", "train.dataset")
    wire(page, "model.model", "train.model")
    expect(page.locator(".react-flow__edge")).to_have_count(2)
    page.locator(".react-flow__pane").click(position={"x": 30, "y": 560})
    page.keyboard.press("/")
    page.keyboard.type("evaluate a classifier")
    page.keyboard.press("Enter")
    expect(page.locator(".react-flow__node")).to_have_count(4)
    page.get_by_role("button", name="Zoom to fit").click()
    page.wait_for_timeout(500)
    wire(page, "train.model", "evaluate.model")
    wire(page, "digits.dataset", "evaluate.dataset")
    expect(page.locator(".react-flow__edge")).to_have_count(4)

    # Change a parameter; everything is saved without a button.
    set_epochs(page, EPOCHS)
    expect(page.locator(".save-status")).to_have_text("Saved")
    builder = page.url

    # Run, and watch the curve move on the run's own page.
    start_run(page)
    page.locator("a.run-summary").click()
    page.wait_for_url(re.compile(r"/runs/[0-9a-f]{32}"))
    first_run = page.url
    early = wait_for_points(page, "train.loss", 2)
    moved = wait_for_points(page, "train.loss", early + 1)

    # Reload in the middle: nothing is missed.
    page.reload()
    wait_for_points(page, "train.loss", moved)
    expect(page.locator("h1 + *, .page-head").get_by_text("Succeeded").first).to_be_visible(timeout=RUN_TIMEOUT_MS)
    wait_for_points(page, "train.loss", EPOCHS * STEPS_PER_EPOCH)
    assert points(page, "train.loss") == EPOCHS * STEPS_PER_EPOCH

    # The confusion matrix, and the samples behind one of its cells.
    page.get_by_role("tab", name="Results").click()
    result = page.get_by_role("article", name="evaluate confusion")
    result.scroll_into_view_if_needed()
    matrix = result.locator(".js-plotly-plot")
    expect(matrix.locator(".hm").first).to_be_visible()
    matrix.scroll_into_view_if_needed()
    area = matrix.locator(".nsewdrag").first.bounding_box()
    assert area is not None
    page.mouse.click(area["x"] + area["width"] * 0.05, area["y"] + area["height"] * 0.05)
    expect(page.get_by_role("dialog")).to_contain_text("Labelled 0, predicted 0")
    expect(page.get_by_role("dialog").locator("img").first).to_be_visible()
    page.keyboard.press("Escape")

    # A second run, longer, is cancelled.
    page.goto(builder)
    expect(node(page, "train")).to_be_visible()
    set_epochs(page, 2_000)
    expect(page.locator(".save-status")).to_have_text("Saved")
    start_run(page)
    expect(node(page, "train").locator('.block-card[data-state="running"]')).to_be_visible(timeout=RUN_TIMEOUT_MS)
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.locator(".run-summary, .toolbar, header").get_by_text("Cancelled").first).to_be_visible(timeout=30_000)

    # Compare the two: their curves over each other, and only what differs.
    page.get_by_role("link", name="Runs", exact=True).click()
    boxes = page.get_by_role("checkbox", name=re.compile("Select run"))
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.get_by_role("link", name=re.compile("Compare 2 runs")).or_(
        page.get_by_role("button", name=re.compile("Compare 2 runs"))
    ).click()
    page.wait_for_url(re.compile(r"/compare\?runs="))
    expect(page.locator('article.chart-card[aria-label="train.loss"]')).to_be_visible()
    differences = page.get_by_role("region", name="Configuration")
    expect(differences).to_contain_text("train.epochs")
    expect(differences).not_to_contain_text("train.batch_size")
    assert first_run.rpartition("/")[2] in page.url
