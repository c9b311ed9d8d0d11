"""Pages of Playwright whose actions are recorded and replayed."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping
from typing import Any, cast

from ..._core.model.text import safe_repr
from ..._core.tools.check import Check, validated_check
from ..._session.hosted import kept, validated_adapter_options
from ..._session.plain_runs import add_context_object
from ...errors import InvalidTypeError, InvalidValueError
from .pages import MemoryFrameLocator, MemoryLocator, MemoryPage
from .pictures import picture_of
from .root import RootPage
from .toolset import PasswordFieldError, Settings, make_page_class
from .watching import UnexpectedEventError

__all__ = [
    "MemoryFrameLocator",
    "MemoryLocator",
    "MemoryPage",
    "PasswordFieldError",
    "UnexpectedEventError",
    "memory_page",
    "picture_of",
]

WAIT = 5.0
"""How many seconds a replay waits for a recorded element by default."""


def memory_page(
    engine: Any,
    page: Any,
    *,
    allow: Iterable[str] = (),
    wait: float = WAIT,
    pre_check: Mapping[str, Check] | None = None,
    trusted: bool = True,
    sink: bool = False,
    effects: Mapping[str, str] | None = None,
) -> RootPage:
    """Return a page whose actions are recorded and replayed.

    Use it in the agent in place of the Playwright page. Before each replayed action, the engine checks that its element
    is the recorded one: its role, name and text, and whether it is visible and enabled. Its place does not count.
    Everything that is not an action passes through to the real page. If it may act, such as `evaluate`, the run is not
    learned.

    If an engine has several pages, pass the page of a call: `engine(task, context=page)`.

    Args:
        engine: The engine.
        page: A page of Playwright, of the sync or the async API.
        allow: Names of what may be used without being recorded, such as "evaluate" or "keyboard".
        wait: How many seconds a replay waits for the recorded element.
        pre_check: Your checks, by the name of the action. They must pass in addition to the ready-made ones. A capture
            can name the parameter `page` and the arguments of the action.
        trusted: False if the texts of pages are texts of others; see `Engine.tool`.
        sink: Whether values that are typed, chosen, uploaded or opened decide where something goes; see `Engine.tool`.
        effects: Effects by the name of the action, such as {"click": "irreversible"}: `Engine(approve=...)` is then
            asked before each replayed click.

    Raises:
        InvalidTypeError: An argument has the wrong type.
        InvalidValueError: An argument has a value that is not allowed.
    """
    validated_adapter_options(engine, None, False)
    if isinstance(page, MemoryPage) or not (hasattr(page, "goto") and hasattr(page, "locator")):
        raise InvalidTypeError(f"memory_page() failed: expected a page of Playwright, got {safe_repr(page)}")
    names, seconds = _validated_names(allow), _validated_wait(wait)
    checks = dict(pre_check or {})
    for check in checks.values():
        validated_check("pre_check", check)
    settings = Settings(seconds, checks, bool(trusted), bool(sink), dict(effects or {}))
    classes: dict[Any, type] = kept(engine, "playwright", dict)
    found = _page_class(engine, page, settings, classes)
    made = cast(RootPage, found(engine, page, names, max(seconds, 0.1)))
    add_context_object(engine, made)
    return made


def _validated_names(allow: Any) -> frozenset[str]:
    names = [allow] if isinstance(allow, str) else list(allow)
    if isinstance(allow, str) or not all(isinstance(name, str) for name in names):
        raise InvalidTypeError(f"invalid allow=: expected names in a list, got {safe_repr(allow)}")
    return frozenset(names)


def _validated_wait(wait: Any) -> float:
    if isinstance(wait, bool) or not isinstance(wait, int | float):
        raise InvalidTypeError(f"invalid wait=: expected a number of seconds, got {safe_repr(wait)}")
    if not 0 <= wait < math.inf:
        raise InvalidValueError(f"invalid wait=: expected seconds from 0, got {wait!r}")
    return float(wait)


def _page_class(engine: Any, page: Any, settings: Settings, classes: dict[Any, type]) -> type:
    """Return the class for pages with these settings; others replace the tools."""
    is_async = inspect.iscoroutinefunction(type(page).goto)
    key = (is_async, settings.key())
    if key not in classes:
        classes.clear()
        classes[key] = make_page_class(engine, RootPage, settings, is_async=is_async)
    return classes[key]
