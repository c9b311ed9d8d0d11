"""The pictures of docs/operations/inspector.md, renewed by `python -m tests.support.inspector_pictures`."""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from PIL import Image

from inspector_server import Client, served
from inspector_store import REPORT, SHOP, make_store
from muscle_mem.demo.browser import ARGS, find_browser
from muscle_mem.store import SqliteStore
from muscle_mem.store.paging import each
from paths import ROOT

FOLDER = ROOT / "docs" / "images"
COLORS = 96
LOOPBACK = [one for one in ARGS if not one.startswith("--host-resolver-rules")]


@contextmanager
def browsing(client: Client, **options: Any) -> Iterator[Any]:
    """A page of a new browser that has the session's cookie."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=LOOPBACK)
        try:
            context = browser.new_context(**{"viewport": {"width": 1180, "height": 760}, **options})
            context.set_default_timeout(15_000)
            name, _, value = client.cookie.partition("=")
            context.add_cookies([{"name": name, "value": value, "url": f"http://{client.host}"}])
            yield context.new_page()
        finally:
            browser.close()


def small(png: bytes, path: Path) -> None:
    """Write a picture in few colors."""
    with Image.open(io.BytesIO(png)) as picture:
        picture.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(path, "PNG", optimize=True)


def take(store: SqliteStore, folder: Path) -> None:
    """Take all pictures."""
    found = {one.sealed.task: one.sealed.id for one in each(store) if one.sealed.steps}
    shop = next(id for task, id in found.items() if task.startswith(SHOP.split("{")[0]))
    with served(store) as client:
        base = f"http://{client.host}"
        with browsing(client) as page:
            page.goto(f"{base}/")
            small(page.screenshot(), folder / "inspector-overview.png")
            page.set_viewport_size({"width": 1180, "height": 1010})
            page.goto(f"{base}/trajectory/{found[REPORT]}", wait_until="networkidle")
            small(page.screenshot(), folder / "inspector-trajectory.png")
            page.goto(f"{base}/trajectory/{shop}")
            small(page.locator("#step-1").screenshot(), folder / "inspector-flows.png")
        with browsing(client, viewport={"width": 430, "height": 640}, color_scheme="dark") as page:
            page.goto(f"{base}/runs")
            small(page.screenshot(), folder / "inspector-narrow.png")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "memory.db"
        make_store(path)
        with closing(SqliteStore(path)) as opened:
            take(opened, FOLDER)
