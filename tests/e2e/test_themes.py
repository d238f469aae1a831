"""Every page in light and dark, and on a phone: readable, in its width, without errors."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.e2e
LEAST_CONTRAST = 4.5

# The contrast of visible texts with what lies behind them, worst first. Disabled controls and pictures are left out.
CONTRASTS = r"""() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const light = (colour) => {
    const [r, g, b] = colour.map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), rgba('Canvas'));
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    if (element.closest('svg, script, style, noscript, :disabled, [aria-disabled=true], .skip-link, [inert]')) continue;
    const under = behind(element);
    const colour = over(rgba(getComputedStyle(element).color), under);
    const [high, low] = [light(colour), light(under)].sort((a, b) => b - a);
    const contrast = Math.round(((high + 0.05) / (low + 0.05)) * 100) / 100;
    found.push([contrast, node.data.trim().slice(0, 60), element.className]);
  }
  return found.sort((a, b) => a[0] - b[0]);
}"""


# No part in the window is still loading; charts below it wait until they are seen.
LOADED = """() => [...document.querySelectorAll('main .state[role=status]')].every(
  (one) => one.querySelector('h2') || one.getBoundingClientRect().top > innerHeight)"""


def settle(page):
    page.wait_for_selector("main h1, .builder-bar h1")
    page.wait_for_function(LOADED, timeout=20_000)
    page.wait_for_timeout(200)


def too_wide(page):
    return page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth") > 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_readable_and_without_errors(world, open_page, theme):
    page = open_page(console=True, color_scheme=theme)
    wrong = []
    for name, path in {**world.pages(), "login": "/login"}.items():
        page.goto(path)
        settle(page)
        if too_wide(page):
            wrong.append(f"{name} scrolls sideways")
        contrasts = page.evaluate(CONTRASTS)
        assert contrasts, name
        wrong += [f"{name}: {worst}" for worst in contrasts if worst[0] < LEAST_CONTRAST]
    background = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in background[4:-1].split(",")[:3]) < 300) == (theme == "dark"), background
    assert not wrong, "\n".join(wrong)


def test_every_page_fits_a_phone(world, open_page):
    page = open_page(viewport={"width": 390, "height": 844}, has_touch=True)
    wrong = []
    for name, path in {**world.pages(), "login": "/login"}.items():
        page.goto(path)
        settle(page)
        if too_wide(page):
            wrong.append(f"{name} scrolls sideways")
        cut = page.evaluate(
            """() => [...document.querySelectorAll('h1, .page-head button, .page-head a, main button.button-primary')]
              .filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > innerWidth + 1)
              .map((one) => one.textContent.trim())"""
        )
        wrong += [f"{name}: {text!r} is cut off" for text in cut]
    assert not wrong, "\n".join(wrong)
