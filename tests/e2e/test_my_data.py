"""A stranger's own files: looked into, corrected, trained on, the model tried; and files that are bad."""

from __future__ import annotations

import io
import re
import zipfile

import pytest

from tests.e2e.world import image_folders, table

pytestmark = pytest.mark.e2e
RUN_TIMEOUT_MS = 90_000


def choose(page, name, content):
    """Give a file to the drop zone of the page."""
    page.locator("input[type=file]").first.set_input_files({"name": name, "mimeType": "", "buffer": content})


def zip_of(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_semicolon_table_in_gb18030_becomes_a_model_that_predicts(world, open_page):
    from playwright.sync_api import expect

    page = open_page()
    page.goto(f"/p/{world.project}/start")
    choose(page, "花.csv", table(90, delimiter=";", encoding="gb18030"))
    expect(page.get_by_role("region", name="Preview")).to_contain_text("维吉尼亚鸢尾")
    expect(page.get_by_label("Column", exact=True)).to_have_value("品种")

    # What was detected, and one correction: the colour is left out.
    page.get_by_role("link", name="See and correct how it is read").click()
    expect(page.get_by_label("Delimiter").locator("option:checked")).to_have_text("Detected: Semicolon")
    expect(page.get_by_label("Encoding").locator("option:checked")).to_have_text("Detected: GB18030")
    columns = page.get_by_role("region", name="Columns")
    expect(columns.get_by_label("Type of 编号日期")).to_have_value("date")
    expect(columns.get_by_role("row").filter(has_text="花瓣长").get_by_role("cell").nth(2)).to_have_text("9")
    columns.get_by_label("Type of 颜色").select_option("ignore")
    expect(page.get_by_text("Ready", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_label("Type of 颜色")).to_have_value("ignore")

    # Train: the pipeline is on the canvas and its run succeeds.
    page.get_by_role("link", name="Train a model with it").click()
    expect(page.get_by_label("Column", exact=True)).to_have_value("品种")
    expect(page.get_by_label("Column", exact=True).locator("option", has_text="颜色")).to_have_count(0)
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url(re.compile("/pipelines/[0-9a-f]{32}"))
    expect(page.locator(".react-flow__node")).to_have_count(6)
    page.locator("a.run-summary").click()
    page.wait_for_url(re.compile("/runs/[0-9a-f]{32}"))
    expect(page.locator(".page-head, main").get_by_text("Succeeded").first).to_be_visible(timeout=RUN_TIMEOUT_MS)
    run = world.call("GET", f"/runs/{page.url.rpartition('/')[2].partition('?')[0]}")
    assert run["metrics"]["evaluate.accuracy"] >= 0.9, run["metrics"]

    # Register the model, give it a file, see what it says.
    page.get_by_role("tab", name="Results").click()
    page.get_by_role("button", name="Register model").first.click()
    page.get_by_role("dialog").get_by_label("Name").fill("花")
    page.get_by_role("dialog").get_by_role("button", name="Register model").click()
    page.wait_for_url(re.compile("/models/[0-9a-f]{32}"))
    choose(page, "three.csv", table(3, delimiter=";", encoding="gb18030"))
    tried = page.get_by_role("region", name="Try it")
    expect(tried).to_contain_text("3 predictions", timeout=30_000)
    for name in ("山鸢尾", "变色鸢尾", "维吉尼亚鸢尾"):
        expect(tried).to_contain_text(name)
    choose(page, "other.csv", b"a;b\n1;2\n")
    expect(tried.locator(".notice, [role=alert]")).to_contain_text("编号日期 is missing", timeout=30_000)


def test_a_corrupt_image_is_left_out_by_name_and_the_rest_trains(world, open_page):
    from playwright.sync_api import expect

    page = open_page()
    page.goto(f"/p/{world.project}/start")
    choose(page, "左右.zip", image_folders(corrupt=True))
    step = page.get_by_role("region", name="Your data")
    expect(step).to_contain_text("1 file was left out", timeout=30_000)
    expect(step.locator("code")).to_have_text("左/坏.png")
    expect(page.get_by_role("region", name="What to predict")).to_contain_text("2 classes")
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url(re.compile("/pipelines/[0-9a-f]{32}"))
    pipeline = page.url.rpartition("/")[2].partition("?")[0]
    run = next(
        one for one in world.call("GET", f"/projects/{world.project}/runs")["items"] if one["pipeline"] == pipeline
    )
    ended = world.api.wait(run["id"])
    assert ended["status"] == "succeeded", ended
    expect(page.locator(".react-flow__node").first).to_be_visible()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("ragged.csv", b"a,b\n" + b"1,2\n" * 20 + b"1,2,3\n" * 3, r"(?i)\brow|line"),
        ("climbs.zip", zip_of(**{"../../evil.png": b"x"}), r"(?i)\.\.|outside|path"),
        ("empty.csv", b"", r"(?i)empty"),
        ("words.zip", zip_of(**{"readme.txt": b"hello"}), r"(?i)image"),
    ],
)
def test_a_bad_file_says_what_is_wrong_where_it_was_dropped(world, open_page, name, content, said):
    from playwright.sync_api import expect

    page = open_page()
    page.goto(f"/p/{world.project}/start")
    choose(page, name, content)
    step = page.get_by_role("region", name="Your data")
    alert = step.locator("[data-tone=danger], [role=alert], .notice").first
    expect(alert).to_be_visible(timeout=30_000)
    assert re.search(said, alert.inner_text()), alert.inner_text()
    assert "Traceback" not in step.inner_text()
    expect(page.get_by_role("button", name="Train", exact=True)).to_have_count(0)
