"""Take the README's pictures from a running studio: `python deploy/screenshots.py LINK` (a one-time login link).

The pictures show what is there: the sample pipeline is run, its run page is opened, and two runs are compared.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from deploy.chromium import find

IMAGES = Path(__file__).parents[1] / "docs" / "images"


def call(page: Page, method: str, path: str, body: Any = None) -> Any:
    """Ask the studio that the page shows."""
    props = json.loads(page.locator("#island").get_attribute("data-props") or "{}")
    base = re.match(r"https?://[^/]+", page.url)
    assert base
    answer = page.request.fetch(
        f"{base[0]}/api/v1{path}",
        method=method,
        data=body,
        headers={"X-CSRFToken": props["csrf"], "Origin": base[0]},
    )
    assert answer.ok, answer.text()
    return answer.json()


def run(page: Page, project: str, document: dict[str, Any]) -> str:
    """Start a run and return its id."""
    made = call(page, "POST", f"/projects/{project}/runs", {"document": document})
    return str(made["id"])


def shoot(page: Page, name: str) -> None:
    """Take one picture, once everything stands still."""
    page.wait_for_timeout(1500)
    page.screenshot(path=IMAGES / name)


def main(link: str) -> None:
    """Take all pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 720}, locale="en-GB")
        page.goto(link)
        page.wait_for_url(re.compile("/p/"))
        project = page.url.split("/p/")[1][:32]
        sample = call(page, "GET", f"/projects/{project}/pipelines")["items"][-1]
        page.goto(f"{page.url.split('/p/')[0]}/p/{project}/pipelines/{sample['id']}")
        page.get_by_role("button", name="Run all").first.click()
        page.get_by_role("button", name="Cancel", exact=True).wait_for()
        page.get_by_role("button", name="Run all").first.wait_for(timeout=180_000)
        page.get_by_role("button", name="Zoom to fit").click()
        shoot(page, "builder.png")
        document = sample["document"]
        runs = []
        for rate in (0.0005, 0.002, 0.01):
            document["blocks"]["train"]["params"] = {
                **document["blocks"]["train"].get("params", {}),
                "learning_rate": rate,
            }
            runs.append(run(page, project, document))
        root = page.url.split("/p/")[0]
        page.goto(f"{root}/p/{project}/runs/{runs[0]}")
        page.locator("h1 ~ *").get_by_text("Succeeded").first.wait_for(timeout=180_000)
        shoot(page, "run.png")
        page.goto(f"{root}/p/{project}/runs/{runs[-1]}")
        page.locator("h1 ~ *").get_by_text("Succeeded").first.wait_for(timeout=180_000)
        page.emulate_media(color_scheme="dark")
        page.goto(f"{root}/p/{project}/compare?runs={','.join(runs)}")
        page.locator('article.chart-card[aria-label="train.loss"]').wait_for()
        shoot(page, "compare.png")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
