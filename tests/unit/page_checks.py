"""What every HTML page must be: whole at each width, without errors, and legible."""

from pathlib import Path
from typing import Any

from browser import Browser

WIDTHS = (400, 800, 1280)
CONTRAST = 4.5
"""Of text, by level AA of the Web Content Accessibility Guidelines 2.2, 1.4.3."""

_MEASURE = """
(async () => {
  const linear = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const channel = each => linear(each / 255);
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = each => {
    for (; each; each = each.parentElement) {
      const [r, g, b, alpha = 1] = parts(getComputedStyle(each).backgroundColor);
      if (alpha > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  document.querySelectorAll("details").forEach(each => each.open = true);
  document.querySelectorAll("img").forEach(each => each.loading = "eager");
  const images = [...document.images];
  await Promise.allSettled(images.map(each => each.decode()));
  const faint = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; text = texts.nextNode();) {
    const owner = text.parentElement;
    if (!text.data.trim() || !owner.checkVisibility() || owner.closest("script")) continue;
    const [low, high] = [parts(getComputedStyle(owner).color), behind(owner)]
      .map(luminance).sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < LEAST || getComputedStyle(owner).opacity !== "1") faint.add(text.data.trim());
  }
  return {
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    faint: [...faint].slice(0, 5),
    broken: images.filter(each => !each.naturalWidth).map(each => each.src.slice(0, 80)),
    unnamed: [...document.querySelectorAll("a, select, button, .scroll")]
      .filter(each => !each.textContent.trim() && !each.ariaLabel && !each.querySelector("[alt]"))
      .length,
  };
})()
""".replace("LEAST", str(CONTRAST))

_FOCUSABLE = "a[href], select, button, summary, [tabindex='0']"
_REACHABLE = f"""
[...document.querySelectorAll("{_FOCUSABLE}")].filter(each => each.checkVisibility()).length
"""
_FOCUSED = f"""
[...document.querySelectorAll("{_FOCUSABLE}")].indexOf(document.activeElement)
"""


def faults(chromium: Browser, page: Path, width: int, dark: bool = False) -> dict[str, Any]:
    """Return what is wrong with a page of which all is unfolded, by kind; empty if nothing is."""
    chromium.visit(page, width, dark=dark)
    found = chromium.run(_MEASURE) | {"errors": chromium.errors()}
    return {kind: what for kind, what in found.items() if what}


def unreachable(chromium: Browser, page: Path) -> int:
    """Return how many links, fields and regions of a page the key Tab does not lead to."""
    chromium.visit(page, 800)
    expected = chromium.run(_REACHABLE)
    reached = set()
    for _ in range(expected):
        chromium.press("Tab")
        reached.add(chromium.run(_FOCUSED))
    return expected - len(reached - {-1})
