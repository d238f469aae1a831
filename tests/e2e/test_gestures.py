"""What a hand does in the builder beside drawing a first pipeline, on a running studio."""

from __future__ import annotations

import json

import pytest

from tests.e2e.canvas import centre, choose, drag, drop_file, edge, node, place, port, set_field, wire
from tests.e2e.world import POSITIONS
from tests.studio import digits

pytestmark = pytest.mark.e2e
RUN_TIMEOUT_MS = 120_000


def placed(name, *, positions=POSITIONS, **parts):
    document = {**digits(2), "name": name, **parts}
    document["layout"] = {"positions": positions, "notes": [], "frames": []}
    return document


def opened(world, page, document):
    """Open a new pipeline in the builder; returns its id."""
    pipeline = world.new_pipeline(document, document["name"])
    page.goto(f"/p/{world.project}/pipelines/{pipeline}")
    page.locator(".react-flow__node").first.wait_for()
    return pipeline


def saved(world, page, pipeline):
    """The document that the server has, once everything is saved."""
    from playwright.sync_api import expect

    expect(page.locator(".save-status")).to_have_text("Saved", timeout=30_000)
    return world.call("GET", f"/pipelines/{pipeline}")["document"]


def tool(page, name):
    """A button of the small bar above the selected block."""
    return page.get_by_role("toolbar", name="Block", exact=True).get_by_role("button", name=name)


def run_of(world, page):
    """The run that the builder shows, once it has ended."""
    from playwright.sync_api import expect

    expect(page.locator(".run-summary")).to_contain_text("Succeeded", timeout=RUN_TIMEOUT_MS)
    return world.call("GET", f"/runs/{page.locator('.run-summary').get_attribute('href').rpartition('/')[2]}")


def test_a_pipeline_is_run_to_a_block_and_again_from_a_block(world, open_page):
    from playwright.sync_api import expect

    page = open_page()
    opened(world, page, placed("部分", seed=7))
    choose(page, "split")
    tool(page, "Run to here").click()
    run = run_of(world, page)
    assert {id_ for id_, block in run["blocks"].items() if block["state"] in ("done", "cached")} == {"data", "split"}
    expect(node(page, "split").locator(".block-badge")).to_have_text("cached")
    expect(node(page, "model").locator(".block-badge")).to_contain_text("will run")

    choose(page, "split")
    tool(page, "Run from here").click()
    expect(page.locator(".run-summary")).not_to_contain_text(f"Run {run['number']}")
    again = run_of(world, page)
    assert again["id"] != run["id"]
    states = {id_: block["state"] for id_, block in again["blocks"].items()}
    assert states == {"data": "cached", "split": "done", "model": "done", "train": "done", "evaluate": "done"}


def test_blocks_are_copied_from_one_pipeline_into_another(world, open_page):
    from playwright.sync_api import expect

    page = open_page()
    opened(world, page, placed("来源"))
    set_field(page, "train", "Epochs", "9")
    choose(page, "model")
    node(page, "train").locator("header").click(modifiers=["Shift"])
    expect(page.locator(".react-flow__node.selected")).to_have_count(2)
    page.keyboard.press("Control+c")

    other = page.context.new_page()
    bare = placed("目标", positions={"data": [0, 0]}, wires=[])
    bare["blocks"] = {"data": bare["blocks"]["data"], "model": bare["blocks"]["model"]}
    pipeline = opened(world, other, bare)
    other.locator(".react-flow__pane").click(position={"x": 30, "y": 500})
    other.keyboard.press("Control+v")
    expect(other.locator(".react-flow__node")).to_have_count(4)
    document = saved(world, other, pipeline)
    (model,) = set(document["blocks"]) - {"data", "model", "train"}
    assert document["blocks"][model]["type"] == "model.convnet"
    assert document["blocks"]["train"]["params"] == {"epochs": 9}
    assert document["wires"] == [[f"{model}.model", "train.model"]]
    other.keyboard.press("Control+z")
    expect(other.locator(".react-flow__node")).to_have_count(2)
    assert set(saved(world, other, pipeline)["blocks"]) == {"data", "model"}


def test_a_wire_into_a_taken_input_replaces_the_one_there_and_an_end_can_be_moved(world, open_page):
    from playwright.sync_api import expect

    page = open_page()
    pipeline = opened(world, page, placed("改线"))
    expect(page.locator(".react-flow__edge")).to_have_count(5)
    wire(page, "split.test", "train.dataset")
    expect(edge(page, "split.test", "train.dataset")).to_have_count(1)
    expect(edge(page, "split.train", "train.dataset")).to_have_count(0)
    wire(page, "data.dataset", "train.validation")
    expect(page.locator(".react-flow__edge")).to_have_count(6)

    # The end of a wire is taken off one input and put on another.
    end = edge(page, "data.dataset", "train.validation").locator(".react-flow__edgeupdater-target")
    drag(page, centre(end), centre(port(page, "evaluate.dataset", "target")))
    expect(edge(page, "data.dataset", "evaluate.dataset")).to_have_count(1)
    expect(page.locator(".react-flow__edge")).to_have_count(5)
    expected = {"data.dataset>split.dataset", "model.model>train.model", "split.test>train.dataset"}
    expected |= {"train.model>evaluate.model", "data.dataset>evaluate.dataset"}
    assert {">".join(one) for one in saved(world, page, pipeline)["wires"]} == expected

    # A wire that does not fit is refused with the reason, and nothing changes.
    wire(page, "model.model", "evaluate.dataset")
    expect(page.locator(".notice-pill")).not_to_have_count(0)
    assert {">".join(one) for one in saved(world, page, pipeline)["wires"]} == expected


def test_a_figure_a_model_and_an_exported_file_bring_their_pipeline_back(world, open_page):
    from playwright.sync_api import expect

    def file(digest, name):
        answer = world.api.client.get(f"/api/v1/workspaces/{world.workspace}/artifacts/{digest}/files/{name}")
        assert answer.is_success, answer.text
        return answer.content

    page = open_page()
    empty = placed("放下", blocks={}, wires=[], positions={})
    pipeline = world.new_pipeline(empty, "放下")
    page.goto(f"/p/{world.project}/pipelines/{pipeline}")
    page.locator(".react-flow__pane").wait_for()
    outputs = world.api.run(world.run)["blocks"]
    drop_file(page, "confusion.json", file(outputs["evaluate"]["outputs"]["confusion"]["digest"], "figure.json"))
    expect(page.locator(".react-flow__node")).to_have_count(5)
    expect(page.locator(".notice-pill").filter(has_text="confusion.json")).to_be_visible()
    document = saved(world, page, pipeline)
    before = world.api.run(world.run)["document"]
    assert {id_: one["type"] for id_, one in document["blocks"].items()} == {
        id_: one["type"] for id_, one in before["blocks"].items()
    }
    assert sorted(document["wires"]) == sorted(before["wires"])
    assert document["blocks"]["train"]["params"]["epochs"] == 3
    columns = {id_: at[0] for id_, at in document["layout"]["positions"].items()}
    assert columns["data"] < columns["split"] < columns["train"] < columns["evaluate"]

    # A model bundle takes the place of what is there, and undo brings that back.
    exporting = {**before, "blocks": {**before["blocks"], "export": {"type": "export.bundle", "params": {}}}}
    exporting["wires"] = [*before["wires"], ["train.model", "export.model"]]
    run = world.api.wait(world.api_run(exporting))
    bundle = file(run["blocks"]["export"]["outputs"]["file"]["digest"], "content")
    drop_file(page, "model.zip", bundle)
    expect(node(page, "evaluate")).to_have_count(0)
    assert set(saved(world, page, pipeline)["blocks"]) == {"data", "split", "model", "train"}
    page.keyboard.press("Control+z")
    assert saved(world, page, pipeline)["blocks"] == document["blocks"]

    # Export, and import into a pipeline of its own.
    page.get_by_role("button", name="More").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="Export as JSON").click()
    exported = json.loads(download.value.path().read_text())
    assert exported["blocks"] == saved(world, page, pipeline)["blocks"]
    target = world.new_pipeline({**empty, "name": "导入"}, "导入")
    page.goto(f"/p/{world.project}/pipelines/{target}")
    page.locator(".react-flow__pane").wait_for()
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Import…").click()
    page.get_by_label("Pipeline JSON").fill("{ not json")
    page.get_by_role("dialog").get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("it is not JSON")
    page.get_by_label("Pipeline JSON").fill(json.dumps(exported))
    page.get_by_role("dialog").get_by_role("button", name="Import", exact=True).click()
    expect(page.locator(".react-flow__node")).to_have_count(5)
    imported = saved(world, page, target)
    assert imported["blocks"] == exported["blocks"]
    assert imported["layout"]["positions"] == exported["layout"]["positions"]
    drop_file(page, "figure.json", b'{"data": [], "layout": {}}')
    expect(page.locator(".notice-pill").filter(has_text="not a pipeline")).to_be_visible()
    assert saved(world, page, target)["blocks"] == exported["blocks"]


def test_notes_are_written_edited_resized_moved_and_removed(world, open_page):
    from playwright.sync_api import expect

    page = open_page()
    pipeline = opened(world, page, placed("便签"))
    page.get_by_role("button", name="Add a note").click()
    note = page.locator(".react-flow__node-note")
    page.get_by_label("Note", exact=True).fill("first thought")
    page.keyboard.press("Escape")
    expect(note).to_contain_text("first thought")
    (kept,) = saved(world, page, pipeline)["layout"]["notes"]
    assert kept["text"] == "first thought"

    page.get_by_role("button", name="Zoom to fit").click()
    page.wait_for_timeout(400)
    note.locator(".note-text").dblclick()
    page.get_by_label("Note", exact=True).fill("second thought")
    page.locator(".react-flow__pane").click(position={"x": 30, "y": 500})
    expect(note).to_contain_text("second thought")
    note.click()
    x, y = centre(note.locator(".react-flow__resize-control.handle.bottom.right"))
    drag(page, (x, y), (x + 60, y + 40))
    (after,) = saved(world, page, pipeline)["layout"]["notes"]
    assert after["text"] == "second thought"
    assert after["size"][0] > kept["size"][0]
    assert after["size"][1] > kept["size"][1]
    x, y = centre(note)
    drag(page, (x, y), (x + 100, y))
    (moved,) = saved(world, page, pipeline)["layout"]["notes"]
    assert moved["position"][0] > after["position"][0]
    assert moved["size"] == after["size"]

    page.reload()
    expect(note).to_contain_text("second thought")
    note.click()
    page.keyboard.press("Delete")
    expect(note).to_have_count(0)
    assert saved(world, page, pipeline)["layout"]["notes"] == []
    page.keyboard.press("Control+z")
    expect(note).to_contain_text("second thought")


def test_several_blocks_are_moved_bypassed_searched_undone_and_redone(world, open_page):
    from playwright.sync_api import expect

    page = open_page()
    pipeline = opened(world, page, placed("一起"))
    before = saved(world, page, pipeline)
    choose(page, "split")
    node(page, "train").locator("header").click(modifiers=["Shift"])
    expect(page.locator(".react-flow__node.selected")).to_have_count(2)
    x, y = centre(node(page, "train").locator("header"))
    drag(page, (x, y), (x, y + 96))
    old, new = before["layout"]["positions"], saved(world, page, pipeline)["layout"]["positions"]
    shift = [new["train"][0] - old["train"][0], new["train"][1] - old["train"][1]]
    assert shift[1] > 0
    assert [new["split"][0] - old["split"][0], new["split"][1] - old["split"][1]] == shift
    assert {id_: new[id_] for id_ in ("data", "model", "evaluate")} == {
        id_: old[id_] for id_ in ("data", "model", "evaluate")
    }
    page.keyboard.press("Control+z")
    assert saved(world, page, pipeline)["layout"]["positions"] == old
    assert place(page, "train") == tuple(old["train"])
    page.keyboard.press("Control+Shift+z")
    assert saved(world, page, pipeline)["layout"]["positions"] == new

    # Bypass by its key and back by the button of the block.
    choose(page, "split")
    page.keyboard.press("Control+b")
    expect(node(page, "split").locator(".block-card[data-bypass]")).to_have_count(1)
    assert saved(world, page, pipeline)["blocks"]["split"]["bypass"] is True
    tool(page, "Use again").click()
    expect(node(page, "split").locator(".block-card[data-bypass]")).to_have_count(0)
    assert not saved(world, page, pipeline)["blocks"]["split"].get("bypass")

    # The search: what was typed, the arrows, Enter; Escape adds nothing.
    page.locator(".react-flow__pane").click(position={"x": 30, "y": 500})
    page.keyboard.press("/")
    page.keyboard.type("network")
    options = page.get_by_role("listbox", name="Blocks").get_by_role("option")
    expect(options.nth(1)).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    wanted = options.nth(1).get_attribute("id").removeprefix("add-")
    page.keyboard.press("Enter")
    blocks = saved(world, page, pipeline)["blocks"]
    (added,) = set(blocks) - set(before["blocks"])
    assert blocks[added]["type"] == wanted
    expect(node(page, added)).to_be_in_viewport()
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    expect(page.get_by_role("combobox", name="Add a block")).to_have_count(0)
    assert set(saved(world, page, pipeline)["blocks"]) == set(blocks)

    # Back to the start, one step at a time, and forward again.
    undo, redo = page.get_by_role("button", name="Undo"), page.get_by_role("button", name="Redo")
    steps = 0
    while undo.is_enabled():
        undo.click()
        steps += 1
    assert steps == 4
    document = saved(world, page, pipeline)
    assert document["layout"]["positions"] == old
    assert document["blocks"] == before["blocks"]
    while redo.is_enabled():
        redo.click()
    assert saved(world, page, pipeline)["blocks"] == blocks


def test_two_tabs_that_change_the_same_field_end_with_the_same_value(world, open_page):
    from playwright.sync_api import expect

    first, second = open_page(), open_page()
    pipeline = opened(world, first, placed("同一个字段"))
    second.goto(f"/p/{world.project}/pipelines/{pipeline}")
    node(second, "train").wait_for()
    answers = []
    first.on("response", lambda answer: answers.append(answer.status) if "/operations" in answer.url else None)
    first.context.set_offline(True)
    set_field(first, "train", "Epochs", "7")
    expect(first.locator(".save-status")).to_contain_text("Offline")
    set_field(second, "train", "Epochs", "8")
    expect(second.locator(".save-status")).to_have_text("Saved")
    first.context.set_offline(False)
    assert saved(world, first, pipeline)["blocks"]["train"]["params"] == {"epochs": 7}
    assert 409 in answers
    for page in (first, second):
        choose(page, "train")
        expect(page.get_by_label("Epochs", exact=True).last).to_have_value("7", timeout=15_000)
