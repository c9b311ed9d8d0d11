"""Chromium-based browsers and MiniWoB++ pages, opened offline with a fixed clock."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import MuscleMemError

if TYPE_CHECKING:
    from playwright.sync_api import Page as BrowserPage

ON_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
ON_MACOS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
# A fixed time shows the same page in each run. The calendar of the flight task starts here.
PAGE_TIME = datetime(2016, 10, 1, 12, tzinfo=UTC)
ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-extensions",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


class UnusableBrowserError(MuscleMemError, RuntimeError):
    """Error for a browser that does not start."""


def find_pages() -> Path | None:
    """Return the folder of MiniWoB++ pages, or None if `miniwob` is not installed.

    The package is not imported.
    """
    spec = importlib.util.find_spec("miniwob")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        pages = Path(place) / "html" / "miniwob"
        if pages.is_dir():
            return pages
    return None


def find_browser() -> str | None:
    """Return the path of a browser, or None.

    The order is MUSCLE_MEM_BROWSER, the usual names on PATH, macOS applications, the browser of Playwright.
    """
    named = os.environ.get("MUSCLE_MEM_BROWSER")
    if named:
        return shutil.which(named)
    for name in ON_PATH:
        found = shutil.which(name)
        if found:
            return found
    return next((path for path in ON_MACOS if os.access(path, os.X_OK)), None) or _playwrights_own()


def what_is_missing(browser: str | None) -> str:
    """Return what the browser demo lacks and how to install it, or ""."""
    if importlib.util.find_spec("playwright") is None:
        return "Playwright is not installed. Run: pip install 'muscle-mem[demo]'"
    if find_pages() is None:
        return "The MiniWoB++ pages are not installed. Run: pip install --no-deps miniwob"
    if browser is None and os.environ.get("MUSCLE_MEM_BROWSER"):
        return "MUSCLE_MEM_BROWSER is not an executable program. Correct it, or unset it."
    if browser is None:
        return (
            "No Chromium-based browser was found. Run: apt-get install chromium (Debian), or "
            "python -m playwright install chromium. Or set MUSCLE_MEM_BROWSER."
        )
    return ""


@contextmanager
def open_browser(path: str, headless: bool = True) -> Iterator[BrowserPage]:
    """Open a page in a new browser: offline, with a fixed clock and look.js.

    Raises UnusableBrowserError if the program at `path` does not start.
    """
    from playwright.sync_api import Error as PlaywrightError
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, headless=headless, args=list(ARGS))
        except PlaywrightError as error:
            raise UnusableBrowserError(f"starting the browser {path!r} failed: {str(error).splitlines()[0]}") from error
        try:
            context = browser.new_context(
                viewport={"width": 500, "height": 320}, locale="en-US", timezone_id="UTC", offline=True
            )
            context.set_default_timeout(10_000)
            context.clock.set_fixed_time(PAGE_TIME)
            context.add_init_script(resources.files(__package__).joinpath("look.js").read_text("utf-8"))
            yield context.new_page()
        finally:
            browser.close()


def _playwrights_own() -> str | None:
    if importlib.util.find_spec("playwright") is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path: str = playwright.chromium.executable_path
    return path if os.access(path, os.X_OK) else None
