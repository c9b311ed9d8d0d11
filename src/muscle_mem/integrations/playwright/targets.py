"""Elements as plain values: what a locator was made of, and the locator again.

A *link* is one stage of a locator: a dict with one of the keys of `BASES`, and what narrows it. A *target* is the form
of the stored arguments: the keys of the last link, and the links before it in `within`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..._core.model.text import safe_repr
from ...errors import InvalidTypeError, InvalidValueError

Link = dict[str, Any]
Links = tuple[Link, ...]

BASES = {
    "role": "get_by_role",
    "label": "get_by_label",
    "text": "get_by_text",
    "placeholder": "get_by_placeholder",
    "alt_text": "get_by_alt_text",
    "title": "get_by_title",
    "test_id": "get_by_test_id",
    "css": "locator",
    "frame": "frame_locator",
}
"""The keys that find an element, and the methods of Playwright that do."""

EXACT = ("role", "label", "text", "placeholder", "alt_text", "title")
FILTERS = ("has_text", "has_not_text", "has", "has_not", "visible")
COMBINED = {"also": "and_", "or_else": "or_"}
ORDER = (*BASES, "name", "exact", "states", *FILTERS, *COMBINED, "nth")
"""All keys of a link, in the order in which they are applied and written."""

INNER = ("has", "has_not", *COMBINED)
TARGET = (*(key for key in ORDER if key != "frame"), "within")
"""The arguments of an action that say which element it is about."""


def text_value(value: Any) -> Any:
    """Return a text or a compiled pattern as a plain value."""
    if isinstance(value, re.Pattern):
        flags = "".join(letter for letter, flag in _FLAGS.items() if value.flags & flag)
        return {"regex": value.pattern, **({"flags": flags} if flags else {})}
    return value


_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}


def live_text(value: Any) -> Any:
    """Return the text, or the compiled pattern, of a plain value."""
    if isinstance(value, Mapping):
        flags = 0
        for letter in value.get("flags", ""):
            flags |= _FLAGS[letter]
        return re.compile(value["regex"], flags)
    return value


def base_link(key: str, value: Any, **narrowed: Any) -> Link:
    """Return the link of one method that finds elements.

    Args:
        key: A key of `BASES`.
        value: What is looked for.
        narrowed: Other keys; those that are None are left out.
    """
    link = {key: text_value(value)}
    for name, given in narrowed.items():
        if given is not None and given is not False:
            link[name] = text_value(given)
    return {name: link[name] for name in ORDER if name in link}


def narrowed(links: Links, **more: Any) -> Links:
    """Return links whose last one has more conditions.

    A condition that would be applied before an earlier one becomes a separate link.
    """
    given = {name: text_value(value) for name, value in more.items() if value is not None}
    last = links[-1]
    latest = max(ORDER.index(name) for name in last)
    if any(ORDER.index(name) <= latest for name in given) or set(given) & set(COMBINED) & set(last):
        return (*links, {name: given[name] for name in ORDER if name in given})
    return (*links[:-1], {**last, **{name: given[name] for name in ORDER if name in given}})


def target_of(links: Links) -> dict[str, Any]:
    """Return the stored arguments of links."""
    *within, last = links
    if "frame" in last:
        raise InvalidValueError("invalid element: expected one inside the frame, got the frame. Add get_by_role(...).")
    return {**last, **({"within": [dict(link) for link in within]} if within else {})}


def links_of(target: Mapping[str, Any]) -> Links:
    """Return the links of stored arguments, or of what a model or user gave as such.

    Raises:
        InvalidTypeError: A key does not exist, or a value has the wrong type.
        InvalidValueError: Nothing or too much says which element is meant.
    """
    within = target.get("within") or ()
    if isinstance(within, str | Mapping) or not isinstance(within, Sequence):
        raise InvalidTypeError(f"invalid within=: expected a list of elements, got {safe_repr(within)}")
    last = {key: value for key, value in target.items() if key != "within" and value is not None}
    links = (*(_validated(link, is_last=False) for link in within), _validated(last, is_last=True))
    first = links[0]
    if not any(key in first for key in BASES):
        raise InvalidValueError(
            f"no element is given: got {safe_repr(dict(target))}. Pass one of {', '.join(key + '=' for key in BASES)}"
        )
    return links


def _validated(link: Any, *, is_last: bool) -> Link:
    if not isinstance(link, Mapping):
        raise InvalidTypeError(f"invalid element: expected a dict such as {{'role': 'row'}}, got {safe_repr(link)}")
    unknown = [key for key in link if key not in ORDER or (is_last and key == "frame")]
    if unknown:
        raise InvalidTypeError(f"invalid element: got {safe_repr(unknown[0])}. Use: {', '.join(TARGET)}")
    found = [key for key in BASES if key in link]
    if len(found) > 1:
        raise InvalidValueError(
            f"invalid element: got {found[0]}= and {found[1]}=. Pass one of them; put a surrounding one into within=."
        )
    if "name" in link and "role" not in link:
        raise InvalidValueError("invalid element: name= goes with role=. Pass role= too, or use text= or label=.")
    if "nth" in link and type(link["nth"]) is not int:
        raise InvalidTypeError(f"invalid nth=: expected a number from 0, got {safe_repr(link['nth'])}")
    return {key: link[key] for key in ORDER if key in link}


def live_locator(page: Any, links: Links) -> Any:
    """Return the locator of Playwright that links describe.

    Args:
        page: The page of Playwright.
        links: The links.
    """
    found = page
    for link in links:
        found = _apply(page, found, link)
    return found


def _apply(page: Any, found: Any, link: Link) -> Any:
    for key, method in BASES.items():
        if key in link:
            found = getattr(found, method)(live_text(link[key]), **_base_options(key, link))
    options: dict[str, Any] = {}
    for key in FILTERS:
        if key in link:
            value = link[key]
            options[key] = live_locator(page, tuple(value)) if key in INNER else live_text(value)
    if options:
        found = found.filter(**options)
    for key, method in COMBINED.items():
        if key in link:
            found = getattr(found, method)(live_locator(page, tuple(link[key])))
    if "nth" in link:
        found = found.nth(link["nth"])
    return found


def _base_options(key: str, link: Link) -> dict[str, Any]:
    options: dict[str, Any] = dict(link.get("states", {})) if key == "role" else {}
    if key == "role" and "name" in link:
        options["name"] = live_text(link["name"])
    if link.get("exact") and key in EXACT:
        options["exact"] = True
    return options


def shown(links: Links) -> str:
    """Return an element as a text for messages."""
    parts = []
    for link in links:
        words = []
        for key, value in link.items():
            if key == "name":
                continue
            named = f" {safe_repr(link['name'], 60)}" if key == "role" and "name" in link else ""
            words.append(f"{value}{named}" if key == "role" else f"{key}={safe_repr(value, 60)}")
        parts.append(" ".join(words))
    return ", in ".join(reversed(parts))
