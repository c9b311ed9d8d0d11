"""What passes through unrecorded, and counts as an action unless it only reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._session.plain_runs import recording_of

PASSIVE_ON_PAGES = frozenset(
    """
    url title content screenshot pdf is_closed viewport_size aria_snapshot inner_html video
    on once remove_listener set_default_timeout set_default_navigation_timeout bring_to_front
    console_messages clear_console_messages page_errors clear_page_errors requests hide_highlight
    expect_console_message expect_event expect_navigation expect_request expect_request_finished expect_response
    expect_websocket expect_worker wait_for_event
    """.split()
)
"""What a page has that changes nothing in it. Every other name counts as an action, also one of a later Playwright."""

PASSIVE_ON_LOCATORS = frozenset(
    "bounding_box inner_html aria_snapshot screenshot highlight hide_highlight description describe".split()
)
INPUTS = ("keyboard", "mouse", "touchscreen")
OWN_HANDLERS = ("dialog", "filechooser")
"""Events whose handlers act on the page."""


def passed(page: Any, live: Any, name: str, passive: frozenset[str]) -> Any:
    """Return an attribute of the real page or locator, and note it if it acts.

    Args:
        page: The memory page.
        live: The page or locator of Playwright.
        name: The name of the attribute.
        passive: The names that do not act.
    """
    found = getattr(live, name)
    if name in page.root.allow:
        return found
    if name in ("on", "once"):
        return _noting_handlers(page, found)
    if name in passive:
        return found
    if name in INPUTS:
        return WatchedInput(page, found, name)
    if callable(found):
        return _noting_calls(page, found, name, name)
    note(page, name, name)
    return found


def note(page: Any, what: str, allowed: str) -> None:
    """Prevent the run that records from being learned, since something acted unseen."""
    recording = recording_of(page.root.watch.engine)
    if recording is not None:
        recording.unlearnable(
            f"page.{what} is not recorded, and may act on the page. Use an action of the memory page, or pass "
            f"allow=[{allowed!r}] to memory_page() if a replay does not need it"
        )


def _noting_calls(page: Any, function: Callable[..., Any], what: str, allowed: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        note(page, f"{what}()", allowed)
        return function(*args, **kwargs)

    return call


def _noting_handlers(page: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(event: str, handler: Any) -> Any:
        if event == "dialog":
            page.root.watch.has_own_handler = True
        if event in OWN_HANDLERS:
            note(page, f"on({event!r}) with a handler", "on")
        return function(event, handler)

    return call


class WatchedInput:
    """The keyboard, mouse or touch screen of a page, whose use is not recorded."""

    def __init__(self, page: Any, live: Any, name: str) -> None:
        self._memory_page = page
        self._live = live
        self._name = name

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._live, name)
        if not callable(found):
            return found
        return _noting_calls(self._memory_page, found, f"{self._name}.{name}", self._name)
