"""Whether a page is fit for everybody: by axe-core's rules, in both colours, on a phone as well."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.support.skip_or_fail import skip_or_fail
from tests.support.stack import PROJECT

PHONE = {"width": 360, "height": 640}
_AXE = PROJECT / ".rushes" / "node" / "node_modules" / "axe-core" / "axe.min.js"
_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_COLOUR_RULES = ("color-contrast", "link-in-text-block")  # those of them that look at colours
_RUN = """async (rules) => {
  const { violations } = await axe.run(document, { runOnly: rules, resultTypes: ['violations'] });
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) =>
    `${id}: ${html} ${failureSummary}`));
}"""
# What has the focus; whether it lies inside of the page and on top, and is marked.
_FOCUSED = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  const box = at.getBoundingClientRect();
  const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  const rings = [at, at.closest('.field')].filter(Boolean).map((one) => getComputedStyle(one));
  return {
    id: (at.dataset.stop ??= String(window.stops = (window.stops ?? 0) + 1)),
    html: at.outerHTML.slice(0, 200),
    isInside: box.left >= 0 && box.right <= innerWidth + 1,
    isOnTop: top !== null && (at.contains(top) || top.contains(at)),
    isMarked: rings.some((ring) => ring.outlineStyle !== 'none' || ring.boxShadow !== 'none'),
  };
}"""
_CONTROLS = """() => [...document.querySelectorAll('a, button, input, select, textarea, summary')]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.disabled)
  .filter((one) => one.tabIndex >= 0 && one.dataset.stop === undefined)
  .filter((one) => one.type !== 'radio' || one.checked)
  .map((one) => one.outerHTML.slice(0, 200))"""


def findings(page: Page, *, crosswise: bool = False) -> list[str]:
    """What axe finds in a page, light and dark, as wide as it is and on a phone.

    The style sheets tell light from dark by colours alone: where a page was looked at in light,
    only the rules about colours are asked again in dark.
    `crosswise`: light where it is wide and dark on a phone, which takes half as long.
    """
    if not _AXE.exists():
        skip_or_fail("axe-core is not installed: run scripts/setup clients.")
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE.read_text(encoding="utf-8"))
    size, found = page.viewport_size, []
    both = [("light", _RULES), ("dark", _COLOUR_RULES)]
    runs = [both, both] if not crosswise else [[("light", _RULES)], [("dark", _RULES)]]
    for viewport, of_viewport in zip((size, PHONE), runs, strict=True):
        page.set_viewport_size(viewport or PHONE)
        page.evaluate("scrollTo(0, 0)")
        for scheme, rules in of_viewport:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            where = f"{scheme}, {viewport}: "
            found += [where + one for one in page.evaluate(_RUN, list(rules))]
        if too_wide := excess(page):
            found.append(f"{viewport}: the page is {too_wide} pixels too wide")
    page.set_viewport_size(size or PHONE)
    return found


def excess(page: Page) -> int:
    """So many pixels the page is wider than the window."""
    script = "document.scrollingElement.scrollWidth - innerWidth"
    return max(0, int(page.evaluate(script)))


def tab_stops(page: Page, most: int = 80) -> list[dict[str, Any]]:
    """What gets the focus by Tab, in order, once around the page from where the focus is."""
    stops: list[dict[str, Any]] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = page.evaluate(_FOCUSED)
        former = [one["id"] for one in stops]
        if stop is None or stop["id"] in former[-1:]:  # a date has several fields
            continue
        if stop["id"] in former:
            break
        stops.append(stop)
    return stops


def out_of_reach(page: Page) -> list[str]:
    """Controls that are seen, and at which `tab_stops` did not come by."""
    return list(page.evaluate(_CONTROLS))
