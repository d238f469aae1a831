"""Every page in Simplified Chinese: no English is left but for what is English everywhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.studio import digits

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.e2e

# Names of products, formats and methods; units; what an account is called before its person names it.
ALLOWED = {
    *("DeepSeek", "Studio", "English", "Python", "Plotly", "PyTorch", "NumPy", "ImageNet", "Excel", "Parquet"),
    *("CSV", "JSON", "PNG", "JPEG", "ZIP", "API", "GPU", "CPU", "SGD", "AdamW", "ROC", "AUC", "MLP", "ResNet"),
    *("BERT", "EfficientNet", "Lite", "ONNX", "Transformer", "ViT", "INT", "MiniLM", "Lines", "Hugging", "Face"),
    *("LM", "Muon", "DDP", "FSDP"),
    *("UTF", "GB", "BIG", "SHIFT", "JIS", "CP", "LATIN", "CIFAR", "Fashion", "MNIST", "URL", "NaN"),
    *(
        "mlp",
        "csv",
        "zip",
        "json",
        "npz",
        "png",
        "safetensors",
        "kB",
        "MB",
        "GiB",
        "MiB",
        "ms",
        "px",
        "Me",
        "me",
        "localhost",
        "cpu",
        "Ctrl",
    ),
}

# Words of code and of formats inside help texts: each is what a person types, or a name that is nowhere translated.
PHRASES = (
    *("run(dataset, metrics, seed)", "dataset、metrics 或 figure", "先按 Esc 再按 Tab", "Tab 键", "例如 NA"),
    *("idx 文件", "（可为 .gz）", ".pth", "train 和 test 文件夹", "small 用于", "large 用于", "auto 使用"),
    *("（.pt2）", ".pt2 文件", "Top k", "Top p", "BERT base", "cuda 或", "auto：与", "auto 在训练", "auto 在模型"),
    *("plan 按", "plan 使用", "adaptive 选用", "即为 adaptive", "measured 会"),
    *("torchvision", "Nesterov", "第一个 beta", "SDK", "（Model.wrap）", "convnet"),
)

# Every text that a person can see or hear, outside of code, keys, and what the author marked as not to be translated.
TEXTS = r"""() => {
  const skip = 'code, kbd, pre, script, style, noscript, textarea, [translate="no"], .mono, [lang="en"]';
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    const text = node.data.trim();
    if (parent.getBoundingClientRect().right < 0) continue; // a picture being drawn out of sight
    if (text && !parent.closest(skip) && parent.checkVisibility({ visibilityProperty: true })) found.push(text);
  }
  for (const element of document.body.querySelectorAll('[aria-label], [title], [placeholder], [alt]')) {
    if (element.closest(skip) || !element.checkVisibility()) continue;
    for (const name of ['aria-label', 'title', 'placeholder', 'alt']) {
      const text = element.getAttribute(name);
      if (text) found.push(text);
    }
  }
  found.push(document.title);
  return found;
}"""


def english(texts: list[str]) -> list[str]:
    """The texts that hold a Latin word that is not allowed; addresses such as `train.loss` are no words."""
    left = []
    for text in texts:
        bare = re.sub(r"``[^`]+``", "", text)
        bare = re.sub(r"\S*[\w-]+[._/@:][\w./@:-]+", lambda address: _file_ending(address[0]), bare)
        for phrase in PHRASES:
            bare = bare.replace(phrase, "")
        words = set(re.findall(r"[A-Za-z]{2,}", bare)) - ALLOWED
        if words:
            left.append(f"{text[:120]}  <- {' '.join(sorted(words))}")
    return sorted(set(left))


def _file_ending(address: str) -> str:
    return "" if re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+|\S+@\S+|/\S+", address) else address


# No part in the window is still loading; charts below it wait until they are seen.
LOADED = """() => [...document.querySelectorAll('main .state[role=status]')].every(
  (one) => one.querySelector('h2') || one.getBoundingClientRect().top > innerHeight)"""


def settle(page: Page) -> None:
    """Wait until the page shows its content."""
    page.wait_for_selector("main h1, .builder-bar h1")
    page.wait_for_function(LOADED, timeout=20_000)
    page.wait_for_timeout(150)


class Reader:
    """Reads what a page shows and remembers the English in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.found: dict[str, list[str]] = {}

    def read(self, place: str) -> None:
        texts = self.page.evaluate(TEXTS)
        assert any(re.search("[\u4e00-\u9fff]", text) for text in texts), f"{place} shows no Chinese: {texts[:20]}"
        seen = {text for texts in self.found.values() for text in texts}
        left = [text for text in english(texts) if text not in seen]
        if left:
            self.found[place] = left

    def report(self) -> None:
        lines = [f"{place}: {text}" for place, texts in self.found.items() for text in texts]
        assert not lines, "\n".join(lines)


@pytest.fixture
def reader(open_page):
    return Reader(open_page(locale="zh-CN"))


def test_every_page_is_in_chinese(world, reader):
    page = reader.page
    for name, path in world.pages().items():
        page.goto(path)
        settle(page)
        assert page.locator("html").get_attribute("lang") == "zh-Hans"
        reader.read(name)
        for number in range(page.get_by_role("tab").count()):
            page.get_by_role("tab").nth(number).click()
            settle(page)
            reader.read(f"{name}, tab {number + 1}")
    page.goto("/p/00000000000000000000000000000000/pipelines")
    reader.read("not found")
    reader.report()


def test_the_pages_before_the_login_are_in_chinese(world, open_page):
    reader = Reader(open_page(locale="zh-CN", log_in=False))
    invitation = world.call("POST", f"/workspaces/{world.workspace}/invitations", role="editor")["url"]
    for path in ("/login", "/link/wrong", "/invite/wrong", invitation):
        reader.page.goto(path)
        reader.read(path)
    reader.page.goto("/login")
    reader.page.locator("input[name=email]").fill("nobody@localhost.test")
    reader.page.locator("input[name=password]").fill("wrong")
    reader.page.keyboard.press("Enter")
    reader.page.wait_for_selector(".form-error, [role=alert], .errorlist")
    reader.read("wrong password")
    reader.report()


def test_the_dialogs_are_in_chinese(world, reader):
    page = reader.page
    page.goto(world.pages()["pipelines"])
    settle(page)
    page.locator(".page-head button").last.click()
    page.wait_for_selector("dialog[open] [role=tab]")
    for number in range(page.locator("dialog[open] [role=tab]").count()):
        page.locator("dialog[open] [role=tab]").nth(number).click()
        page.wait_for_timeout(300)
        reader.read(f"new pipeline, tab {number + 1}")
    page.locator("dialog[open] textarea").fill("{")
    page.wait_for_timeout(100)
    reader.read("new pipeline, not JSON")
    reader.report()


def test_every_block_and_panel_of_the_builder_is_in_chinese(world, reader):
    catalog = world.call("GET", "/catalog")
    document = {**digits(), "name": "全部模块", "wires": []}
    document["blocks"] = {f"b{n}": {"type": type_, "params": {}} for n, type_ in enumerate(catalog["blocks"])}
    page = reader.page
    page.goto(f"/p/{world.project}/pipelines/{world.new_pipeline(document, '全部模块')}")
    page.wait_for_selector(".palette-item")
    reader.read("palette and canvas")
    page.locator(".react-flow__pane").click(position={"x": 5, "y": 5})
    page.keyboard.press("o")
    page.wait_for_selector(".outline-name")
    reader.read("outline")
    for number in range(len(document["blocks"])):
        page.locator(".outline-row").nth(number).locator("button").nth(1).click()
        page.wait_for_selector(".inspector, [class*=inspector]")
        for closed in page.locator("details:not([open]) > summary").all():
            if closed.is_visible() and not closed.evaluate("e => !!e.closest('.account-menu, header')"):
                closed.click()
        reader.read(f"inspector {number}")
        page.locator(".react-flow__pane").click(position={"x": 5, "y": 5})
        page.keyboard.press("o")
        page.wait_for_selector(".outline-name")
    page.keyboard.press("p")
    page.wait_for_timeout(300)
    reader.read("problems")
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    reader.read("shortcuts")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.wait_for_selector(".add-search-hit")
    reader.read("search")
    page.keyboard.press("Escape")
    reader.report()


def test_the_menus_and_versions_of_the_builder_are_in_chinese(world, reader):
    page = reader.page
    page.goto(world.pages()["builder"])
    page.wait_for_selector(".react-flow__node")
    page.locator(".builder-bar [aria-haspopup]").first.click()
    page.wait_for_selector("[role=menu]")
    reader.read("menu")
    page.locator("[role=menuitem]").first.click()
    page.wait_for_selector("dialog[open]")
    page.wait_for_timeout(400)
    reader.read("versions")
    page.keyboard.press("Escape")
    page.wait_for_function("() => !document.querySelector('dialog[open]')")
    page.locator('.react-flow__node[data-id="train"] header').click()
    page.keyboard.press("c")
    page.wait_for_selector("dialog[open]")
    reader.read("connect menu")
    reader.report()
