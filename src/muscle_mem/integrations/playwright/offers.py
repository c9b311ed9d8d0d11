"""The actions as plain functions with JSON schemas, for a model."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, cast

from ..._session.plain_runs import recording_of, run_in_context
from ...checks.given import walk
from .acting import act, arguments_of
from .actions import ACTIONS, FLAG, TEXT, Action
from .toolset import PREFIX, SECRET, perform, signature_of

ELEMENT: dict[str, Any] = {
    "role": {**TEXT, "description": "ARIA role, such as button, link, textbox."},
    "name": {**TEXT, "description": "Accessible name. Goes with role."},
    "label": {**TEXT, "description": "Text of the label of a field."},
    "text": {**TEXT, "description": "Text that the element contains."},
    "placeholder": {**TEXT, "description": "Placeholder of a field."},
    "test_id": {**TEXT, "description": "Test id."},
    "css": {**TEXT, "description": "CSS selector."},
    "exact": {**FLAG, "description": "Whether the text or name must match as a whole."},
    "has_text": {**TEXT, "description": "Keeps only elements that contain this text."},
    "nth": {"type": "integer", "description": "Index from 0, if several elements match."},
    "within": {
        "type": "array",
        "items": {"type": "object"},
        "description": "Elements around it, from the outside in, described by the same keys; frame for an iframe.",
    },
}
TYPES: dict[Any, Any] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": float,
    "object": dict[str, Any],
    "array": list[dict[str, Any]],
}
TAB = {**TEXT, "description": "Name of another tab."}
ELEMENT_DOC = (
    "Say which element is meant with one of role (and name), label, text, placeholder, test_id or css. If several "
    "elements match, the call fails: add nth, has_text or within."
)


def offered_tools(root: Any) -> list[Callable[..., Any]]:
    """Return the functions for a model.

    Each has a `schema`: name, description and the JSON schema of its parameters.

    Args:
        root: The memory page.
    """
    found = []
    for action in ACTIONS.values():
        if action.for_models:
            found.append(offered_tool(root, action, is_secret=False))
            if action.types:
                found.append(offered_tool(root, action, is_secret=True))
    return found


def offered_tool(root: Any, action: Action, *, is_secret: bool) -> Callable[..., Any]:
    """Return the function of one action; see `offered_tools`."""
    name = action.name + ("_secret" if is_secret else "")

    def steps(given: dict[str, Any]) -> Any:
        if is_secret:
            return _secret_steps(root, name, action, given)
        given = arguments_of(action, None, (), given)
        if run_in_context(root.watch.engine) is not None and recording_of(root.watch.engine) is None:
            return perform(root, action, given)  # A framework makes the call, which a session records.
        return act(root, action, given)

    def plain(**given: Any) -> Any:
        return walk(steps(given))

    async def awaited(**given: Any) -> Any:
        found = plain(**given)
        return (await found) if inspect.isawaitable(found) else found

    tool: Any = awaited if root.watch.is_async else plain
    schema = schema_of(action, is_secret=is_secret)
    tool.__name__ = tool.__qualname__ = name
    tool.__doc__ = schema["description"]
    tool.__wrapped__ = getattr(type(root), PREFIX + name)
    tool.__signature__ = _signature(action, schema, is_secret=is_secret)
    tool.__annotations__ = {p.name: p.annotation for p in tool.__signature__.parameters.values()}
    tool.schema = schema
    return cast(Callable[..., Any], tool)


def _signature(action: Action, schema: dict[str, Any], *, is_secret: bool) -> inspect.Signature:
    """Return the signature of an offered tool, with types for frameworks."""
    properties = schema["parameters"]["properties"]
    found = []
    for parameter in signature_of(action, is_secret=is_secret).parameters.values():
        if parameter.name == SECRET:
            found.append(parameter.replace(annotation=str))
        elif parameter.name in properties:
            kind = TYPES.get(properties[parameter.name].get("type"), str | list[str])
            is_required = parameter.default is parameter.empty
            found.append(parameter.replace(annotation=kind if is_required else kind | None))
    return inspect.Signature(found)


def _secret_steps(root: Any, name: str, action: Action, given: dict[str, Any]) -> Any:
    if root.watch.enter_run() is None:
        return (yield from perform(root, action, given, is_secret=True))
    return (yield getattr(root, PREFIX + name)(**given))


def schema_of(action: Action, *, is_secret: bool) -> dict[str, Any]:
    """Return the name, the description and the JSON schema of one tool.

    Args:
        action: The action.
        is_secret: Whether it is the variant for password fields.
    """
    values = [value for value in action.values if not (is_secret and value.name == action.types)]
    properties = {} if action.on_page else dict(ELEMENT)
    properties.update({value.name: value.schema for value in values})
    description = action.doc if action.on_page else f"{action.doc} {ELEMENT_DOC}"
    if is_secret:
        description = (
            f"{description} For password fields: pass the text under the name of the secret, as in password='...'."
        )
    return {
        "name": action.name + ("_secret" if is_secret else ""),
        "description": description,
        "parameters": {
            "type": "object",
            "properties": {**properties, "tab": TAB},
            "required": [value.name for value in values if value.required],
            "additionalProperties": TEXT if is_secret else False,
        },
    }
