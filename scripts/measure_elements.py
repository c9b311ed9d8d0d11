"""Measures by how much an element's box moves in a browser when nothing has changed, and when something has.

    python scripts/measure_elements.py          the table of docs/guides/checks.md

Needs the extra `demo` and a Chromium-like browser.
"""

from __future__ import annotations

import sys
from typing import Any

from playwright.sync_api import sync_playwright

from muscle_mem.demo.browser import ARGS, find_browser

ORDERS = "".join(f"<li>Order {number}</li>" for number in range(8))
PAGE = f"""<style>body{{font:14px sans-serif;margin:20px}} li{{padding:3px}}</style>
<h1>Orders</h1><p id=note></p><ul id=list>{ORDERS}</ul>
<form><label>Name <input id=field></label> <button id=save type=button>Save</button>
<button id=send type=button>Send</button></form><div id=more></div>"""
SAME = {
    "loaded again": "",
    "the field has the focus and a text": "field.value = 'Ann'; field.focus()",
    "the pointer is over it": "HOVER",
    "a longer page, with a scroll bar": "more.style.height = '3000px'",
    "zoomed by a device scale of 1.25": "SCALE 1.25",
    "zoomed by a device scale of 2": "SCALE 2",
    "letters larger by one percent": "document.body.style.fontSize = '14.14px'",
}
CHANGED = {
    "one more line above it": "list.insertAdjacentHTML('beforeend', '<li>Order 9</li>')",
    "a line of text above it": "note.textContent = 'Your session has expired'",
    "scrolled by one notch": "more.style.height = '3000px'; scrollBy(0, 40)",
    "another word on it": "save.textContent = 'Save all'",
    "the button beside it": "OTHER",
}


def box(page: Any, selector: str) -> list[float]:
    found = page.locator(selector).bounding_box()
    return [found[side] for side in ("x", "y", "width", "height")]


def moved(browser: Any, change: str) -> float:
    """By how many pixels the box of the button differs, the largest of its four numbers."""
    scale = float(change.split()[1]) if change.startswith("SCALE") else 1.0
    boxes = []
    for factor, script in ((1.0, ""), (scale, change)):
        context = browser.new_context(viewport={"width": 800, "height": 600}, device_scale_factor=factor, offline=True)
        page = context.new_page()
        page.set_content(PAGE)
        if script == "HOVER":
            page.hover("#save")
        elif script and script != "OTHER" and not script.startswith("SCALE"):
            page.evaluate(script)
        boxes.append(box(page, "#send" if script == "OTHER" else "#save"))
        context.close()
    return max(abs(a - b) for a, b in zip(*boxes, strict=True))


def main() -> int:
    path = find_browser()
    if path is None:
        print("no browser was found")
        return 1
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGS))
        try:
            print("| what has happened | pixels |\n| --- | --- |")
            for kind, cases in (("the same", SAME), ("changed", CHANGED)):
                print(f"| **{kind}** | |")
                for name, change in cases.items():
                    print(f"| {name} | {moved(browser, change):.1f} |")
        finally:
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
