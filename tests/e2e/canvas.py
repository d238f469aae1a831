"""What a hand does on the canvas of the builder, as functions on a Playwright page.

Used by the browser tests. It knows the classes of the canvas, never the inside of the studio.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


def node(page: Page, id_: str) -> Locator:
    """The card of a block."""
    return page.locator(f'.react-flow__node[data-id="{id_}"]')


def port(page: Page, address: str, side: str) -> Locator:
    """The dot of a port; `side` is "source" or "target"."""
    block, name = address.split(".")
    return node(page, block).locator(f'.react-flow__handle.{side}[data-handleid="{name}"]')


def edge(page: Page, source: str, target: str) -> Locator:
    """The wire between two ports."""
    return page.locator(f'.react-flow__edge[data-id="{source}>{target}"]')


def centre(locator: Locator) -> tuple[float, float]:
    """The middle of an element in pixels of the window."""
    box = locator.bounding_box()
    assert box is not None, locator
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Press at one place, move, release at another."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=8)
    page.mouse.up()


def wire(page: Page, source: str, target: str) -> None:
    """Draw a wire with the mouse."""
    drag(page, centre(port(page, source, "source")), centre(port(page, target, "target")))


def choose(page: Page, block: str) -> None:
    """Select one block."""
    node(page, block).locator("header").click()


def set_field(page: Page, block: str, label: str, value: str) -> None:
    """Change a parameter in the inspector."""
    choose(page, block)
    field = page.get_by_label(label, exact=True).last
    field.fill(value)
    field.press("Tab")


def drop_file(page: Page, name: str, content: bytes) -> None:
    """Drop a file from the desktop on the canvas."""
    transfer = page.evaluate_handle(
        """([name, content]) => {
            const bytes = Uint8Array.from(atob(content), one => one.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name));
            return transfer;
        }""",
        [name, base64.b64encode(content).decode()],
    )
    x, y = centre(page.locator(".react-flow__pane"))
    for kind in ("dragenter", "dragover", "drop"):
        page.dispatch_event(".react-flow__pane", kind, {"dataTransfer": transfer, "clientX": x, "clientY": y})


def place(page: Page, block: str) -> tuple[float, float]:
    """Where a card lies on the canvas, in pixels of the canvas."""
    found = node(page, block).evaluate("one => new DOMMatrix(getComputedStyle(one).transform)")
    return round(found["e"]), round(found["f"])
