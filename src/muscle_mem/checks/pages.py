"""Checks of web pages under Playwright: elements, addresses and visibility.

Any page with the same methods works, plain or async.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from .._core.model.text import safe_repr
from .._core.tools.check import Check
from ..errors import InvalidTypeError, InvalidValueError
from .given import Looking, ask, capture_of, identity, need_callable

TOLERANCE = 4.0
"""The default tolerance of a place in pixels, measured by scripts/measure_elements.py."""

PATIENCE = 1000
"""The timeout in milliseconds for an element that exists."""

FEATURES = ("role", "name", "place", "visible", "enabled")
_ARIA = re.compile(r"""- '?([\w-]+)(?: "((?:[^"\\]|\\.)*)")?""")

Snapshot = dict[str, Any]


def element(
    locate: Callable[..., Any],
    *,
    tolerance: float = TOLERANCE,
    features: tuple[str, ...] = FEATURES,
    **options: Any,
) -> Check:
    """Return a check that passes while the element to act on is the recorded one.

    It compares the role, the name, the place, and whether the element is visible and enabled. Role and name are those
    of a screen reader (Playwright 1.49 or later). The place is the box in the window. If no element or several match,
    their number is compared. The check does not wait for an element, so add wait= if a page is slow.

    Args:
        locate: Gets those of the tool's arguments that it names (`self` for a method) and returns a Playwright locator,
            as `lambda page, selector: page.locator(selector)` does.
        tolerance: How much each number of the box may differ, in pixels.
        features: The features to compare: some of "role", "name", "place", "visible" and "enabled".
        options: Options of `Check`, such as wait= and every=.

    Raises:
        InvalidTypeError: An argument has the wrong type.
        InvalidValueError: An argument has a value that is not allowed.
    """
    need_callable("element", "locate", locate)
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float):
        raise InvalidTypeError(f"invalid element(tolerance=...): expected a number of pixels, got {tolerance!r}")
    if not 0 <= tolerance < math.inf:
        raise InvalidValueError(f"invalid element(tolerance=...): expected 0 or more pixels, got {tolerance!r}")
    unknown = [name for name in features if name not in FEATURES] if isinstance(features, tuple | list) else [features]
    if unknown or not features:
        raise InvalidValueError(
            f"invalid element(features=...): expected some of {', '.join(map(repr, FEATURES))}, got {features!r}"
        )
    wanted = tuple(name for name in FEATURES if name in features)
    return _element_check(locate, float(tolerance), wanted, None, options)


def _element_check(
    locate: Callable[..., Any],
    tolerance: float,
    features: tuple[str, ...],
    signature: inspect.Signature | None,
    options: dict[str, Any],
) -> Check:
    def look(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Looking:
        locator = yield ask(locate, signature, args, kwargs)
        return (yield from _element(locator, features))

    def differs(current: Snapshot, candidate: Snapshot) -> list[str]:
        names = [name for name in candidate if name != "place" and current.get(name) != candidate[name]]
        if "place" in candidate and not _near(current.get("place"), candidate["place"], tolerance):
            names.append("place")
        return names

    def compare(current: Snapshot, candidate: Snapshot) -> bool:
        return not differs(current, candidate)

    def describe(current: Snapshot, candidate: Snapshot) -> tuple[str, str]:
        names = differs(current, candidate)
        return _element_text(current, names), _element_text(candidate, names)

    def bind(found: inspect.Signature) -> Check:
        return _element_check(locate, tolerance, features, found, options)

    given = {**identity("element", (tolerance, features), (locate,), options), "describe": describe, **options}
    return Check(capture_of(look, locate), compare, bind=bind if signature is None else None, **given)


def _element(locator: Any, features: tuple[str, ...]) -> Looking:
    """Yield the queries for one element in order, and return its snapshot."""
    count = yield locator.count()
    found: Snapshot = {"count": count}
    if count != 1:
        return found
    if "role" in features or "name" in features:
        said = yield locator.aria_snapshot(timeout=PATIENCE)
        role, name = role_and_name(said)
        found.update({key: value for key, value in (("role", role), ("name", name)) if key in features})
    if "place" in features:
        box = yield locator.bounding_box(timeout=PATIENCE)
        found["place"] = [round(float(box[side]), 1) for side in ("x", "y", "width", "height")] if box else None
    if "visible" in features:
        found["visible"] = yield locator.is_visible()
    if "enabled" in features:
        found["enabled"] = yield locator.is_enabled(timeout=PATIENCE)
    return found


def role_and_name(snapshot: str) -> tuple[str, str]:
    """Return the role and name in the first line of an ARIA snapshot.

    An example is `- button "Save"`. The name of a plain text is the text itself.
    """
    line = snapshot.strip().partition("\n")[0]
    if line.startswith("- '"):  # YAML doubles quotes within quoted lines.
        line = line.replace("''", "'")
    match = _ARIA.match(line)
    if match is None:
        return "", line
    role, name = match.groups()
    if name is None and role == "text":
        return role, line[match.end() :].lstrip(": ")
    return role, re.sub(r"\\(.)", r"\1", name or "")


def _near(one: list[float] | None, other: list[float] | None, tolerance: float) -> bool:
    if one is None or other is None:
        return one is other
    return all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=True))


def _element_text(snapshot: Snapshot, names: list[str]) -> str:
    if snapshot["count"] != 1:
        return "no such element" if not snapshot["count"] else f"{snapshot['count']} such elements"
    told = " ".join(filter(None, (snapshot.get("role"), safe_repr(snapshot["name"], 60) if "name" in snapshot else "")))
    if "place" in names and snapshot.get("place"):
        x, y, width, height = snapshot["place"]
        told += f" at x={x:g}, y={y:g} of {width:g} x {height:g}"
    states = (("visible", "hidden"), ("enabled", "disabled"))
    told += "".join(f", {yes if snapshot[yes] else no}" for yes, no in states if yes in names and yes in snapshot)
    return told.strip(", ") or "one element"


def url(
    page: Callable[..., Any] | None = None, *, query: bool = True, pattern: str | None = None, **options: Any
) -> Check:
    """Return a check that passes while the page has the same address.

    Args:
        page: Gets those of the tool's arguments that it names and returns the page (any object with a `url`) or the
            address. By default, the tool's first argument is the page or has it as `page`.
        query: Whether the query counts. If False, the part between "?" and "#" is neither stored nor compared.
        pattern: A regular expression. If given, every address passes that matches it as a whole.
        options: Options of `Check`, such as wait= and every=.

    Raises:
        InvalidTypeError: `page` is not a function.
        InvalidValueError: `pattern` is not a regular expression.
    """
    if page is not None:
        need_callable("url", "page", page)
    try:
        matcher = None if pattern is None else re.compile(pattern)
    except (re.error, TypeError) as error:
        raise InvalidValueError(
            f"invalid url(pattern=...): expected a regular expression, got {pattern!r}: {error}"
        ) from error
    return _url_check(page, bool(query), matcher, None, options)


def _url_check(
    page: Callable[..., Any] | None,
    query: bool,
    matcher: re.Pattern[str] | None,
    signature: inspect.Signature | None,
    options: dict[str, Any],
) -> Check:
    def look(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Looking:
        found = yield _page_of(page, signature, args, kwargs)
        address = getattr(found, "url", found)
        if not isinstance(address, str):
            raise InvalidTypeError(
                f"url failed: expected a page with a url, or the address, got type {type(found).__name__}. Pass page=."
            )
        return address if query else urlunsplit(urlsplit(address)._replace(query=""))

    def compare(current: str, candidate: str) -> bool:
        if matcher is None:
            return current == candidate
        return bool(matcher.fullmatch(current) and matcher.fullmatch(candidate))

    def describe(current: str, candidate: str) -> tuple[str, str]:
        return safe_repr(current), safe_repr(candidate) if matcher is None else f"an address like {matcher.pattern}"

    def bind(found: inspect.Signature) -> Check:
        return _url_check(page, query, matcher, found, options)

    settings = (query, matcher.pattern if matcher else None)
    given = {**identity("url", settings, (page,), options), "describe": describe, **options}
    return Check(capture_of(look, page), compare, bind=bind if signature is None else None, **given)


def visible(selector: str, *, page: Callable[..., Any] | None = None, **options: Any) -> Check:
    """Return a check that passes while the visibility of a selector is the same.

    It compares whether any element that the selector finds is visible, so it fails if a banner appears, or a button
    disappears.

    Args:
        selector: The selector, as `page.locator` takes it.
        page: Gets those of the tool's arguments that it names and returns the page. By default, the tool's first
            argument is the page or has it as `page`.
        options: Options of `Check`, such as wait= and every=.

    Raises:
        InvalidTypeError: An argument has the wrong type.
    """
    if not isinstance(selector, str) or not selector:
        raise InvalidTypeError(f"invalid visible(selector=...): expected a selector as text, got {selector!r}")
    if page is not None:
        need_callable("visible", "page", page)
    return _visible_check(selector, page, None, options)


def _visible_check(
    selector: str, page: Callable[..., Any] | None, signature: inspect.Signature | None, options: dict[str, Any]
) -> Check:
    def look(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Looking:
        found = yield _page_of(page, signature, args, kwargs)
        locator = found.locator(selector)
        count = yield locator.count()
        for index in range(count):
            if (yield locator.nth(index).is_visible()):
                return True
        return False

    def compare(current: bool, candidate: bool) -> bool:
        return current is candidate

    def describe(current: bool, candidate: bool) -> tuple[str, str]:
        seen, expected = (
            f"{safe_repr(selector, 60)} {'visible' if yes else 'not visible'}" for yes in (current, candidate)
        )
        return seen, expected

    def bind(found: inspect.Signature) -> Check:
        return _visible_check(selector, page, found, options)

    given = {**identity("visible", selector, (page,), options), "describe": describe, **options}
    return Check(capture_of(look, page), compare, bind=bind if signature is None else None, **given)


def _page_of(
    page: Callable[..., Any] | None, signature: inspect.Signature | None, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if page is not None:
        return ask(page, signature, args, kwargs)
    first: Any = args[0] if args else next(iter(kwargs.values()), None)
    found = first if hasattr(first, "locator") else getattr(first, "page", first)
    if not (isinstance(found, str) or hasattr(found, "locator") or hasattr(found, "url")):
        kind = type(first).__name__
        raise InvalidTypeError(
            f"check failed: expected the tool's first argument to be a page or have .page, got type {kind}. Pass page=."
        )
    return found
