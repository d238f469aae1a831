"""The connection goes, the server goes, a second tab writes too: nothing is lost, nothing overwritten silently."""

from __future__ import annotations

import re
import signal

import pytest

from tests.e2e.canvas import node, set_field
from tests.e2e.world import POSITIONS
from tests.studio import Api, digits

pytestmark = pytest.mark.e2e
STEPS_PER_EPOCH = 20  # 70 % of 1,797 digits in batches of 64
RUN_TIMEOUT_MS = 120_000


def points(page, metric):
    """How many points the chart of a metric says that it has."""
    foot = page.locator(f'article.chart-card[aria-label="{metric}"] .chart-card-foot')
    found = re.search(r"([\d,]+) points?", foot.inner_text()) if foot.count() else None
    return int(found[1].replace(",", "")) if found else 0


def wait_for_points(page, metric, least, timeout_s=90):
    for _ in range(timeout_s * 10):
        if points(page, metric) >= least:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{metric} has {points(page, metric)} points, not {least}")


def placed(name):
    document = {**digits(), "name": name}
    document["layout"]["positions"] = POSITIONS
    return document


def train_params(world, pipeline):
    return world.call("GET", f"/pipelines/{pipeline}")["document"]["blocks"]["train"]["params"]


def test_curves_are_complete_after_the_browser_was_offline(world, open_page):
    from playwright.sync_api import expect

    epochs = 150
    run = world.api_run({**digits(epochs), "name": "离线"})
    page = open_page()
    page.goto(f"/p/{world.project}/runs/{run}")
    wait_for_points(page, "train.loss", 20)
    page.context.set_offline(True)
    expect(page.get_by_text("Connection lost, trying again")).to_be_visible()
    at = points(page, "train.loss")
    page.wait_for_timeout(3000)
    assert points(page, "train.loss") <= at + 40, "the page was not offline"
    page.context.set_offline(False)
    expect(page.get_by_text("Connection lost, trying again")).to_have_count(0, timeout=15_000)
    world.api.wait(run)
    expect(page.locator(".page-head, main").get_by_text("Succeeded").first).to_be_visible(timeout=15_000)
    wait_for_points(page, "train.loss", epochs * STEPS_PER_EPOCH, timeout_s=15)
    assert points(page, "train.loss") == epochs * STEPS_PER_EPOCH
    assert points(page, "train.train_accuracy") == epochs


def test_edits_made_offline_are_saved_when_the_connection_is_back(world, open_page):
    from playwright.sync_api import expect

    pipeline = world.new_pipeline(placed("编辑"), "编辑")
    page = open_page()
    page.goto(f"/p/{world.project}/pipelines/{pipeline}")
    expect(node(page, "train")).to_be_visible()
    page.context.set_offline(True)
    set_field(page, "train", "Epochs", "7")
    expect(page.locator(".save-status")).to_contain_text("Offline: changes are kept")
    set_field(page, "train", "Batch size", "32")
    assert train_params(world, pipeline) == {"epochs": 3}
    page.context.set_offline(False)
    expect(page.locator(".save-status")).to_have_text("Saved", timeout=30_000)
    assert train_params(world, pipeline) == {"epochs": 7, "batch_size": 32}


def test_two_tabs_on_one_pipeline_end_with_the_same_and_lose_nothing(world, open_page):
    from playwright.sync_api import expect

    pipeline = world.new_pipeline(placed("两个窗口"), "两个窗口")
    first, second = open_page(), open_page()
    for page in (first, second):
        page.goto(f"/p/{world.project}/pipelines/{pipeline}")
        expect(node(page, "train")).to_be_visible()
    first.context.set_offline(True)
    set_field(first, "train", "Epochs", "7")
    expect(first.locator(".save-status")).to_contain_text("Offline")
    set_field(second, "train", "Batch size", "32")
    node(second, "evaluate").locator("header").click()
    second.keyboard.press("Delete")
    expect(second.locator(".save-status")).to_have_text("Saved")
    first.context.set_offline(False)
    expect(first.locator(".save-status")).to_have_text("Saved", timeout=30_000)
    expect(node(first, "evaluate")).to_have_count(0)
    expect(first.get_by_label("Batch size", exact=True).last).to_have_value("32")
    node(second, "train").locator("header").click()
    expect(second.get_by_label("Epochs", exact=True).last).to_have_value("7", timeout=15_000)
    document = world.call("GET", f"/pipelines/{pipeline}")["document"]
    assert document["blocks"]["train"]["params"] == {"epochs": 7, "batch_size": 32}
    assert "evaluate" not in document["blocks"]


def test_an_edit_of_a_block_that_another_tab_deleted_is_refused_aloud(world, open_page):
    from playwright.sync_api import expect

    pipeline = world.new_pipeline(placed("已删除"), "已删除")
    page = open_page()
    page.goto(f"/p/{world.project}/pipelines/{pipeline}")
    expect(node(page, "train")).to_be_visible()
    page.context.set_offline(True)
    set_field(page, "train", "Epochs", "7")
    expect(page.locator(".save-status")).to_contain_text("Offline")
    version = world.call("GET", f"/pipelines/{pipeline}")["version"]
    operation = {"op": "remove_block", "id": "train"}
    world.call("POST", f"/pipelines/{pipeline}/operations", base_version=version, op_id="other-tab", ops=[operation])
    page.context.set_offline(False)
    expect(page.locator(".save-status")).to_have_text("Saved", timeout=30_000)
    expect(node(page, "train")).to_have_count(0)
    expect(page.locator(".toast, [role=status], [role=alert]").filter(has_text=re.compile("train"))).not_to_have_count(
        0
    )


@pytest.mark.slow
def test_the_page_goes_on_when_the_web_server_is_killed_in_the_middle_of_a_run(own_studio, browser):
    from playwright.sync_api import expect

    epochs = 120
    studio = own_studio()
    studio.wait_started()
    context = browser.new_context(viewport={"width": 1280, "height": 720}, locale="en-GB")
    with Api(studio) as api:
        page = context.new_page()
        page.goto(studio.new_link())
        run = api.submit({**digits(epochs), "name": "中断"})
        page.goto(f"{studio.url}/p/{api.project}/runs/{run}")
        wait_for_points(page, "train.loss", 20)
        studio.children()["web"].kill()
        expect(page.get_by_text("Connection lost, trying again")).to_be_visible()
        studio.wait_healthy()
        assert api.wait(run)["status"] == "succeeded"
        expect(page.locator(".page-head, main").get_by_text("Succeeded").first).to_be_visible(timeout=30_000)
        wait_for_points(page, "train.loss", epochs * STEPS_PER_EPOCH, timeout_s=20)
        assert points(page, "train.loss") == epochs * STEPS_PER_EPOCH
    context.close()


@pytest.mark.slow
def test_pages_come_back_by_themselves_after_the_whole_studio_was_stopped_and_started(own_studio, browser):
    from playwright.sync_api import expect

    epochs = 150
    studio = own_studio()
    studio.wait_started()
    context = browser.new_context(viewport={"width": 1280, "height": 720}, locale="en-GB", base_url=studio.url)
    errors = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    watching, building = context.new_page(), context.new_page()
    with Api(studio) as api:
        watching.goto(studio.new_link())
        run = api.submit({**digits(epochs), "name": "重启"})
        name = "停机时的编辑"
        pipeline = api.call("POST", f"/projects/{api.project}/pipelines", name=name, document=placed(name))["id"]
        building.goto(f"/p/{api.project}/pipelines/{pipeline}")
        expect(node(building, "train")).to_be_visible()
        watching.goto(f"/p/{api.project}/runs/{run}")
        wait_for_points(watching, "train.loss", 40)
        assert studio.stop(signal.SIGTERM) == 0
        expect(watching.get_by_text("Connection lost, trying again")).to_be_visible()
        before = points(watching, "train.loss")
        assert before < epochs * STEPS_PER_EPOCH
        set_field(building, "train", "Epochs", "9")
        expect(building.locator(".save-status")).to_contain_text("Offline: changes are kept")

        own_studio(PORT=str(studio.port)).wait_started()
        expect(watching.get_by_text("Connection lost, trying again")).to_have_count(0, timeout=60_000)
        expect(building.locator(".save-status")).to_have_text("Saved", timeout=60_000)
        assert api.call("GET", f"/pipelines/{pipeline}")["document"]["blocks"]["train"]["params"]["epochs"] == 9
        wait_for_points(watching, "train.loss", before + 1)
        assert api.wait(run, timeout_s=600)["status"] == "succeeded"
        expect(watching.locator(".page-head, main").get_by_text("Succeeded").first).to_be_visible(timeout=30_000)
        wait_for_points(watching, "train.loss", epochs * STEPS_PER_EPOCH, timeout_s=20)
        assert points(watching, "train.loss") == epochs * STEPS_PER_EPOCH
    context.close()
    assert not errors


@pytest.mark.slow
def test_a_minute_without_a_connection_misses_nothing(world, open_page):
    from playwright.sync_api import expect

    epochs = 600
    run = world.api_run({**digits(epochs), "name": "一分钟"})
    page = open_page()
    page.goto(f"/p/{world.project}/runs/{run}")
    wait_for_points(page, "train.loss", 20)
    page.context.set_offline(True)
    expect(page.get_by_text("Connection lost, trying again")).to_be_visible()
    page.wait_for_timeout(60_000)
    page.context.set_offline(False)
    expect(page.get_by_text("Connection lost, trying again")).to_have_count(0, timeout=60_000)
    ended = world.api.wait(run, timeout_s=900)
    assert ended["status"] == "succeeded"
    wait_for_points(page, "train.loss", epochs * STEPS_PER_EPOCH, timeout_s=30)
    assert points(page, "train.loss") == epochs * STEPS_PER_EPOCH
    assert points(page, "train.train_accuracy") == epochs
