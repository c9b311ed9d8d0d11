"""Overrides: what stands in the place of a method tool on a context object."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Collection
from typing import Any

from .closures import MAX_WRAPPERS
from .tool import Tool

_MISSING = object()
NO_OVERRIDE = object()
_fingerprints: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
"""The fingerprints of overrides. Reading source takes longer than replaying a short task."""


def override_of(tool: Tool, value: Any) -> Any:
    """Return what a call of a method on an object reaches in place of the tool.

    The result is NO_OVERRIDE if the call reaches the tool: the attribute is the tool, or leads to it through
    `__wrapped__`, partials, bound methods, properties and mocks with `wraps=`. The object's own code is not run.
    """
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        attributes = {}
    kind = type(value)
    name = getattr(tool.fn, "__name__", "")
    if name not in attributes:
        for owner in kind.__mro__:  # The usual case, without a look at all attributes.
            entry = owner.__dict__.get(name, _MISSING)
            if entry is not _MISSING:
                if entry is tool.wrapper:
                    return NO_OVERRIDE
                break
    try:
        return _find_override(tool, kind, attributes, name)
    except Exception:  # An entry of the user's may raise on any access.
        return NO_OVERRIDE


def override_fingerprint(tool: Tool, value: Any) -> str:
    """Return the fingerprint of an object's override of a tool, or "" if it has none."""
    override = override_of(tool, value)
    if override is NO_OVERRIDE:
        return ""
    try:
        known = _fingerprints.get(override)
        if known is None:
            known = _fingerprints[override] = tool.identify(override)
        return known
    except TypeError:  # It cannot be referenced weakly, or is not hashable.
        return tool.identify(override)


def _find_override(tool: Tool, kind: type, attributes: dict[str, Any], own_name: str) -> Any:
    """Return the override of the tool's name, else of any name that the tool has in the class."""
    entries = [(name, entry) for owner in kind.__mro__ for name, entry in vars(owner).items()]
    for reaches in (_leads_to_tool, _is_within):
        names = dict.fromkeys(name for name, entry in entries if reaches(tool, entry))
        for name in [own_name] if own_name in names else names:
            first = attributes.get(name, _MISSING)
            if first is _MISSING:
                first = next(entry for other, entry in entries if other == name)
            if not reaches(tool, first):
                return first
        if names:
            break
    return NO_OVERRIDE


def _leads_to_tool(tool: Tool, entry: Any) -> bool:
    targets = (tool.wrapper, tool.fn)
    for _ in range(MAX_WRAPPERS):
        if _is_one_of(entry, targets):
            return True
        inner = next((part for part in _parts(entry) if part is not None), None)
        if inner is None:
            return False
        entry = inner
    return False


def _is_one_of(entry: Any, targets: Collection[Any]) -> bool:
    return any(entry is target for target in targets)


def _parts(entry: Any) -> tuple[Any, ...]:
    """Return what an attribute passes its calls on to."""
    if isinstance(entry, property):
        return (entry.fget,)
    if isinstance(entry, functools.partial | functools.partialmethod | functools.cached_property):
        return (entry.func,)
    if isinstance(entry, staticmethod | classmethod | type):
        return ()
    attributes = getattr(entry, "__dict__", {})
    # A mock makes an attribute of any name, so only those that are there count.
    names = ("__wrapped__", "_mock_wraps", "mock")
    return (getattr(entry, "__func__", None) if "_mock_wraps" not in attributes else None, *map(attributes.get, names))


def _is_within(tool: Tool, entry: Any) -> bool:
    """Return whether a decorator that does not say what it wraps holds the tool."""
    return tool.is_wrapped_in(entry)
