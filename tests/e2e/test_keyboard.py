"""A pipeline is built and run without a mouse."""

from __future__ import annotations

import re

import pytest

from tests.studio import digits

pytestmark = pytest.mark.e2e


def add(page, name):
    page.keyboard.press("/")
    page.get_by_role("combobox", name="Add a block").wait_for()
    page.keyboard.type(name)
    page.keyboard.press("Enter")


def focus(page):
    """The name of what has the focus."""
    return page.evaluate("() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText")


def tab_to(page, is_there):
    """Press Tab until it is there."""
    passed = []
    for _ in range(150):
        if is_there():
            return
        passed.append(focus(page)[:40])
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never came there: {passed}")


def focus_block(page, id_):
    """Walk with Tab until the block has the focus, then select it."""
    tab_to(page, lambda: page.evaluate("() => document.activeElement?.dataset?.id") == id_)
    page.keyboard.press("Enter")


def connect(page, source, target):
    """Choose a port in the connect menu of the selected block."""
    page.keyboard.press("c")
    page.get_by_role("dialog").wait_for()
    for _ in range(40):
        if target in page.evaluate("() => document.activeElement.innerText") and source in page.evaluate(
            "() => document.activeElement.closest('section')?.querySelector('h3')?.innerText.toLowerCase() ?? ''"
        ):
            page.keyboard.press("Enter")
            page.wait_for_function("() => !document.querySelector('dialog[open]')")
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{target} is not offered for {source}")


def test_a_pipeline_is_built_and_run_with_the_keyboard_only(world, open_page):
    from playwright.sync_api import expect

    page = open_page()
    empty = {**digits(), "name": "键盘", "blocks": {}, "wires": []}
    page.goto(f"/p/{world.project}/pipelines/{world.new_pipeline(empty, '键盘')}")
    page.wait_for_selector(".react-flow__pane")
    for count, name in enumerate(("digits", "perceptron", "train a classifier"), 1):
        add(page, name)
        expect(page.locator(".react-flow__node")).to_have_count(count)
    ids = page.locator(".react-flow__node").evaluate_all("nodes => nodes.map(node => node.dataset.id)")
    data, model, train = ids
    focus_block(page, data)
    connect(page, "dataset", f"{train}.dataset")
    focus_block(page, model)
    connect(page, "model", f"{train}.model")
    expect(page.locator(".react-flow__edge")).to_have_count(2)

    # A parameter, reached from the outline.
    page.keyboard.press("o")
    page.locator(".outline-name").first.wait_for()
    assert page.locator(".outline-name").count() == 3
    tab_to(page, lambda: focus(page).startswith("Parameters of Train"))
    page.keyboard.press("Enter")
    epochs = page.get_by_label("Epochs", exact=True).last
    expect(epochs).to_be_visible()
    tab_to(page, lambda: epochs.evaluate("field => field === document.activeElement"))
    page.keyboard.press("Control+a")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator(".save-status")).to_have_text("Saved")
    pipeline = page.url.rpartition("/")[2].partition("?")[0]
    saved = world.call("GET", f"/pipelines/{pipeline}")["document"]
    assert saved["blocks"][train]["params"]["epochs"] == 2

    # The sheet of keys, and the run.
    page.evaluate("() => document.activeElement.blur()")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_contain_text("Add a block")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".run-summary")).to_contain_text(re.compile("Running|Queued|Succeeded"), timeout=10_000)
    expect(page.locator(".builder-bar")).to_contain_text("Succeeded", timeout=90_000)

    # Undo goes as it came.
    page.keyboard.press("Control+z")
    expect(page.locator(".save-status")).to_have_text("Saved")
    assert world.call("GET", f"/pipelines/{pipeline}")["document"]["blocks"][train]["params"].get("epochs") != 2
