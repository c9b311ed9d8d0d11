"""The ready-made checks of page actions."""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Generator, Mapping
from typing import Any

from ..._core.model.text import safe_repr
from ..._core.tools.check import Check
from ..._session.plain_runs import active_recording
from ...checks.basic import all_of, file_state
from ...checks.given import ask, walk
from ...checks.pages import PATIENCE, role_and_name
from .actions import Action
from .targets import BASES, TARGET, Links, links_of, live_locator

Steps = Generator[Any, Any, Any]
"""A generator that yields what Playwright returns, and gets it back awaited."""

LONGEST_TEXT = 200
POLL = 50
"""Milliseconds between two looks while an element is awaited."""

EVERY = 0.1
LOOK = r"""(elements, wanted) => {
  if (elements.length !== 1) return {count: elements.length};
  const element = elements[0];
  const clean = (text) => (text || "").replace(/\s+/g, " ").trim();
  const box = element.getBoundingClientRect();
  const isField = element.matches("input, textarea, select") || element.isContentEditable;
  const states = ["checked", "pressed", "expanded", "selected"].filter(
    (name) => element.getAttribute("aria-" + name) === "true");
  if (element.checked) states.push("checked");
  const options = element.tagName === "SELECT" ? [...element.options] : [];
  return {
    count: 1,
    tag: element.tagName.toLowerCase(),
    text: isField ? "" : clean(element.innerText).slice(0, 200),
    visible: box.width > 0 && box.height > 0 && getComputedStyle(element).visibility !== "hidden",
    enabled: !(element.matches(":disabled") || element.closest('[aria-disabled="true"]')),
    secret: element.matches(SECRET_FIELD),
    state: [...new Set(states)].sort().join(" "),
    offers: wanted.every((name) => options.some((one) => clean(one.label) === clean(name) || one.value === name)),
  };
}"""
SECRET_FIELD = ", ".join(
    ["input[type=password]"]
    + [f"input[autocomplete~={word}]" for word in ("current-password", "new-password", "one-time-code", "cc-csc")]
)
LOOK = LOOK.replace("SECRET_FIELD", repr(SECRET_FIELD))
NAMES = r"""elements => elements.slice(0, 6).map(element =>
  (element.getAttribute("aria-label") || element.innerText || element.value || "").replace(/\s+/g, " ").trim()
    .slice(0, 40))"""
SAME_STATE = ("click", "dblclick", "tap", "press")
"""Actions whose meaning depends on whether the element is checked, pressed, expanded or selected."""

HIDDEN_TOO = ("set_input_files", "dispatch_event", "scroll_into_view_if_needed")
"""Actions that work on hidden elements."""


def check_of(action: Action, wait: float, own: Check | None) -> Check | None:
    """Return the pre-check of an action.

    Args:
        action: The action.
        wait: How many seconds a replay waits for the recorded element.
        own: The user's check of this action, which must pass too.
    """
    parts = [] if not action.check else [_ready_made(action, wait)]
    if action.name == "set_input_files":
        parts.append(_file_check())
    if own is not None:
        parts.append(_users_check(own))
    if len(parts) < 2:
        return parts[0] if parts else None
    return all_of(*parts, wait=max(wait, own.wait if own else 0.0), every=EVERY)


def _ready_made(action: Action, wait: float) -> Check:
    def capture(self: Any, **given: Any) -> Any:
        return walk(_look(self, action, given))

    def compare(current: dict[str, Any], candidate: dict[str, Any]) -> bool:
        return not _differing(current, candidate)

    return Check(
        capture,
        compare,
        wait=wait,
        every=EVERY,
        version=f"playwright:{action.check}:{action.name in SAME_STATE}:1",
        describe=_describe,
    )


def _look(root: Any, action: Action, given: dict[str, Any]) -> Steps:
    """Yield the queries for one action, and return its snapshot."""
    root.watch.enter_run()
    page = yield from root.watch.seek(given.get("tab", ""))
    if page is None or page.is_closed():
        return {"open": False} if action.check == "page" else {"count": -1}
    if action.check == "page":
        return {"open": True}
    links = links_of({key: given[key] for key in TARGET if key in given})
    locator = live_locator(page, links)
    if action.check == "some":
        return {"some": (yield locator.count()) > 0}
    wanted = _wanted_options(given) if action.name == "select_option" else []
    found = yield locator.evaluate_all(LOOK, wanted)
    if active_recording(root.watch.engine) is not None:
        left = root.patience * 1000
        while not _is_ready(found, action) and left > 0:
            yield page.wait_for_timeout(POLL)
            left -= POLL
            found = yield locator.evaluate_all(LOOK, wanted)
    return (yield from _snapshot(page, links, locator, action, found))


def _is_ready(found: dict[str, Any], action: Action) -> bool:
    """Return whether Playwright would act now, and not wait."""
    if found["count"] != 1:
        return False
    if action.check == "content" or action.name in HIDDEN_TOO:
        return True
    return bool(found["visible"] and found["enabled"] and (found["offers"] or action.name != "select_option"))


def _snapshot(page: Any, links: Links, locator: Any, action: Action, found: dict[str, Any]) -> Steps:
    if found["count"] != 1:
        told: dict[str, Any] = {"count": int(found["count"])}
        if not found["count"] and "role" in links[-1]:
            others = live_locator(page, (*links[:-1], {"role": links[-1]["role"]}))
            told["instead"] = [name for name in (yield others.evaluate_all(NAMES)) if name]
        return told
    role, name = role_and_name((yield locator.aria_snapshot(timeout=PATIENCE)))
    told = {"count": 1, "role": role, "secret": found["secret"]}
    if action.check != "content":
        told.update(name=name[:LONGEST_TEXT], hidden=not found["visible"], disabled=not found["enabled"])
        told["text"] = "" if found["text"] == name else found["text"]
        told["lacks"] = action.name == "select_option" and not found["offers"]
        told["state"] = found["state"] if action.name in SAME_STATE else ""
    return {key: value for key, value in told.items() if value}  # What is usual is left out, which reads better.


def _wanted_options(given: Mapping[str, Any]) -> list[str]:
    wanted: list[str] = []
    for name in ("option", "option_label"):
        value = given.get(name, ())
        wanted += [value] if isinstance(value, str) else [one for one in value if isinstance(one, str)]
    return wanted


def _differing(current: Mapping[str, Any], candidate: Mapping[str, Any]) -> list[str]:
    if current.get("count") != candidate.get("count"):
        return ["count"]
    return [name for name in {**candidate, **current} if name != "instead" and current.get(name) != candidate.get(name)]


def _describe(current: dict[str, Any], candidate: dict[str, Any]) -> tuple[str, str]:
    names = _differing(current, candidate)
    return _told(current, names), _told(candidate, names)


def _told(snapshot: Mapping[str, Any], names: list[str]) -> str:
    """Return a snapshot as a text with what differs."""
    if "open" in snapshot:
        return "an open tab" if snapshot["open"] else "no such tab"
    if "some" in snapshot:
        return "such an element" if snapshot["some"] else "no such element"
    if snapshot["count"] != 1:
        others = ", ".join(safe_repr(name, 40) for name in snapshot.get("instead", ()))
        if snapshot["count"] == 0:
            return f"no such element (there: {others})" if others else "no such element"
        return "no such tab" if snapshot["count"] < 0 else f"{snapshot['count']} such elements"
    told = str(snapshot.get("role") or "element")
    if "name" in snapshot:
        told += f" {safe_repr(snapshot['name'], 60)}"
    if "text" in names:
        told += f" with the text {safe_repr(snapshot.get('text') or snapshot.get('name', ''), 80)}"
    for name, yes, no in _STATES:
        if name in names:
            told += f", {yes if snapshot.get(name) else no}"
    if "state" in names:
        told += f", {snapshot.get('state') or 'not checked, pressed, expanded or selected'}"
    return told


_STATES = (
    ("hidden", "hidden", "visible"),
    ("disabled", "disabled", "enabled"),
    ("secret", "a password field", "not a password field"),
    ("lacks", "not offering the option", "offering the option"),
)


def _file_check() -> Check:
    """Return the check that a path which is not a param leads to the recorded bytes."""

    def capture(self: Any, **given: Any) -> list[list[Any]]:  # noqa: ARG001 - a method gets its object
        files = given.get("files", ())
        paths = [files] if isinstance(files, str) else list(files)
        return [[os.fspath(path), *file_state(path)] for path in paths]

    def compare(current: list[list[Any]], candidate: list[list[Any]]) -> bool:
        if len(current) != len(candidate):
            return False
        pairs = list(zip(current, candidate, strict=True))
        return all(now[1] == "file" and (now[0] != then[0] or now == then) for now, then in pairs)

    def describe(current: list[list[Any]], candidate: list[list[Any]]) -> tuple[str, str]:
        return _told_files(current), _told_files(candidate)

    return Check(capture, compare, version="playwright:files:1", describe=describe, params="literal")


def _told_files(states: list[list[Any]]) -> str:
    told = []
    for path, kind, size, digest in states:
        what = f"{size} bytes, sha256 {digest[:12]}" if kind == "file" else "no such file"
        told.append(f"{safe_repr(path, 60)} ({what})")
    return ", ".join(told) or "no file"


def _users_check(check: Check) -> Check:
    """Return the user's check; its capture gets the page and arguments that it names."""
    adapted = copy.copy(check)
    inner = check.capture
    every = dict.fromkeys((*(key for key in BASES if key != "frame"), *TARGET))

    def capture(self: Any, **given: Any) -> Any:
        known = {"page": self, **every, **given}
        return ask(inner, None, (), known) if _takes_all(inner) else _ask_named(inner, known)

    adapted.capture = capture
    adapted.capture_async = False
    adapted.version = "playwright"
    adapted.parts = (check,)
    adapted._fingerprint = ""
    return adapted


def _takes_all(function: Any) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in inspect.signature(function).parameters.values())


def _ask_named(function: Any, known: dict[str, Any]) -> Any:
    names = inspect.signature(function).parameters
    missing = [name for name, p in names.items() if name not in known and p.default is p.empty]
    if len(missing) == 1 and len(names) == 1:
        return function(known["page"])
    return function(**{name: known[name] for name in names if name in known})
