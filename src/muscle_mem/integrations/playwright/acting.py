"""The way from a call of the agent to a tool."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from ..._session.plain_runs import Recording
from ...errors import InvalidTypeError
from .actions import OPTIONS, Action
from .checking import SECRET_FIELD, Steps
from .targets import TARGET, Links, base_link, links_of, live_locator, target_of, text_value
from .toolset import PREFIX, SECRET, perform, signature_of

FIELD = (
    "element => ({secret: element.matches(" + repr(SECRET_FIELD) + "), name: element.name || element.id || "
    "(element.labels && element.labels.length ? element.labels[0].innerText : '') || 'password'})"
)
Given = dict[str, Any]


def arguments_of(action: Action, links: Links | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Given:
    """Return the stored arguments of a call, in either spelling.

    Playwright's is `locator.fill(value)` and `page.fill(selector, value)`. The one of stored steps and of models is
    `page.fill(label="Name", value="Ann")`.

    Args:
        action: The action.
        links: The element of a locator, or None for a method of the page.
        args: The arguments by position.
        kwargs: The arguments by name.
    """
    rest, given, options = list(args), dict(kwargs), {}
    target: Given = {}
    if not action.on_page:
        if links is None and rest:
            links = (base_link("css", _selector(rest.pop(0))),)
        if links is None:
            found = {key: given.pop(key) for key in TARGET if key in given}
            target = {key: text_value(value) for key, value in found.items() if value is not None}
            links_of(target)
        else:
            target = target_of(links)
    places = [value.name for value in action.values if action.on_page or not value.native]
    if len(rest) > len(places):
        raise InvalidTypeError(f"{action.name}() got too many arguments: {rest[len(places) :]!r}")
    values: Given = dict(zip(places, rest, strict=False))
    native = {value.native or value.name: value.name for value in action.values}
    native.update({value.name: value.name for value in action.values})
    native.update(_NATIVE.get(action.name, {}))
    for name, value in given.items():
        if value is None:
            continue
        if name in native:
            values[native[name]] = value
        elif name in ("tab", OPTIONS):
            values[name] = value
        else:
            options[name] = value
    if options:
        values[OPTIONS] = {**values.get(OPTIONS, {}), **options}
    return {**target, **{name: _plain(name, value) for name, value in values.items()}}


_NATIVE = {
    "select_option": {"value": "option"},
    "press_sequentially": {"text": "keys"},
    "get_attribute": {"name": "attribute"},
    "dispatch_event": {"type": "event", "event_init": "detail"},
    "wait_for_timeout": {"timeout": "milliseconds"},
    "drag_to": {"target": "to"},
}
"""Names that Playwright has for the arguments of a locator's methods."""


def _selector(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidTypeError(f"invalid selector: expected a text, got {value!r}")
    return value


def _plain(name: str, value: Any) -> Any:
    if name == "files":
        many = value if isinstance(value, list | tuple) else [value]
        paths = [os.fspath(one) if isinstance(one, os.PathLike) else one for one in many]
        return paths if isinstance(value, list | tuple) else paths[0]
    if isinstance(value, re.Pattern):
        return text_value(value)
    if name == "to":
        return [dict(link) for link in getattr(value, "links", value)]
    if name == "option" and isinstance(value, tuple):
        return list(value)
    return value


def act(page: Any, action: Action, given: Given) -> Steps:
    """Make one call of the agent, through a tool if a run records it.

    Args:
        page: The memory page of the tab.
        action: The action.
        given: The stored arguments.
    """
    root = page.root
    recording: Recording | None = root.watch.enter_run()
    if page.tab_name:
        given = {**given, "tab": page.tab_name}
    if root.watch.tabs.get(given.get("tab", "")) is not page.unwrapped and page.tab_name:
        return (yield from _on_old_tab(page, recording, action, given))
    problem = _unrecordable(action, given)
    if problem and recording is not None:
        recording.unlearnable(problem)
    result: Any
    if recording is None or problem:
        result = yield from perform(root, action, given)
    else:
        name, given = yield from _routed(root, recording, action, given)
        root.watch.response = None
        result = yield getattr(root, PREFIX + name)(**given)
    return root.watch.response if action.name in ("goto", "reload", "go_back", "go_forward") else result


def _on_old_tab(page: Any, recording: Recording | None, action: Action, given: Given) -> Steps:
    if recording is not None:
        recording.unlearnable(f"the tab {page.tab_name!r} was opened before the run, so a replay does not have it")
    if action.on_page:
        return (yield action.perform(page.unwrapped, given))
    links = links_of({key: given[key] for key in TARGET if key in given})
    return (yield action.perform(live_locator(page.unwrapped, links), given))


def _unrecordable(action: Action, given: Given) -> str:
    """Return why the arguments of a call cannot be recorded, or ""."""
    if action.name == "set_input_files":
        files = given.get("files", ())
        if not all(isinstance(one, str) for one in (files if isinstance(files, list) else [files])):
            return "set_input_files() got bytes. Pass the path of a file, whose digest is recorded"
    if action.name == "wait_for_url" and callable(given.get("url")):
        return "wait_for_url() got a function. Pass a text or a pattern"
    return ""


def _routed(root: Any, recording: Recording, action: Action, given: Given) -> Steps:
    """Return the tool of a call, and its arguments; a look at the field decides."""
    if action.name == "input_value" or (action.name == "get_attribute" and given.get("attribute") == "value"):
        yield from _note_secret_read(root, recording, given)
    if not action.types:
        return action.name, given
    tab = given.get("tab", "")
    links = links_of({key: given[key] for key in TARGET if key in given})
    key = field_key(tab, links)
    name = root.secret_fields.get(key)
    if name is None and not recording.is_absorbing:
        page = yield from root.watch.await_tab(tab, root.patience)
        found = yield live_locator(page, links).evaluate(FIELD, timeout=given.get(OPTIONS, {}).get("timeout"))
        name = _secret_name(action, found["name"]) if found["secret"] else None
        if name is None:
            root.plain_field = key
    if recording.is_secret(given[action.types]):
        root.masked_fields[key] = links
    if name is None:
        return action.name, given
    root.secret_fields[key] = name
    others = {argument: value for argument, value in given.items() if argument != action.types}
    return f"{action.name}_secret", {**others, name: given[action.types]}


def _note_secret_read(root: Any, recording: Recording, given: Given) -> Steps:
    if recording.is_absorbing:
        return
    page = yield from root.watch.await_tab(given.get("tab", ""), root.patience)
    links = links_of({key: given[key] for key in TARGET if key in given})
    if (yield live_locator(page, links).evaluate(FIELD))["secret"]:
        recording.unlearnable("the agent read a password field, and its value must not be stored")


def _secret_name(action: Action, told: str) -> str:
    """Return the name of a secret for the field that it is typed into."""
    name = re.sub(r"\W+", "_", told.casefold()).strip("_") or "password"
    taken = signature_of(action).parameters
    name = f"{name}_" if name in taken or name == SECRET else name
    return name if name.isidentifier() else f"secret_{name}"


def field_key(tab: str, links: Links) -> str:
    """Return a key for an element of a tab."""
    return json.dumps([tab, list(links)], sort_keys=True, default=str)
