"""Small pictures of a page for people, with password fields and secrets covered."""

from __future__ import annotations

from typing import Any

from ...checks.given import walk
from .checking import SECRET_FIELD, Steps
from .targets import live_locator

LARGEST = 32 << 10
"""The largest picture in bytes. A larger one is taken again with less quality, and else left out."""

QUALITIES = (50, 25, 10)


def picture_of(root: Any, tab: str = "") -> Any:
    """Return a JPEG of what a tab shows, or None if none is small enough.

    Password fields, and fields into which a secret was typed, are covered. It is a coroutine for a page of the async
    API.

    Args:
        root: The memory page.
        tab: The name of the tab.
    """
    return walk(_picture(root, tab))


def last_picture(self: Any, *, mask: tuple[str, ...] = (), **given: Any) -> bytes | None:
    """Return the picture that was taken at the end of the latest action."""
    del mask, given
    picture: bytes | None = self.last_picture
    return picture


def take_picture(root: Any, tab: str) -> Steps:
    """Keep a picture of a tab in `root.last_picture`, or None if it fails."""
    root.last_picture = None
    try:
        root.last_picture = yield from _picture(root, tab)
    except Exception:  # A picture must not affect the agent: the page may be closed, or loading.
        pass


def _picture(root: Any, tab: str) -> Steps:
    page = root.watch.tabs.get(tab)
    if page is None or page.is_closed():
        return None
    covered = [frame.locator(SECRET_FIELD) for frame in page.frames]
    covered += [live_locator(page, links) for key, links in root.masked_fields.items() if root.is_field_of(key, tab)]
    for quality in QUALITIES:
        data = yield page.screenshot(
            type="jpeg", quality=quality, scale="css", mask=covered, mask_color="#444444", animations="disabled"
        )
        if len(data) <= LARGEST:
            return data
    return None
