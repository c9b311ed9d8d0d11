"""Overrides: what stands in the place of a method tool on a context object."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

from .closures import MAX_WRAPPERS
from .tool import Tool

Reaches = Callable[[Tool, Any], bool]

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
    except Exception:  # It cannot be referenced weakly or is not hashable, or its class raises.
        return tool.identify(override)


def _find_override(tool: Tool, kind: type, attributes: dict[str, Any], own_name: str) -> Any:
    """Return the override of the name under which the tool is in the class, if any."""
    reaches, names = _names_in_class(tool, kind, own_name)
    for name in names:
        first = attributes.get(name, _MISSING)
        if first is _MISSING:
            first = next((vars(owner)[name] for owner in kind.__mro__ if name in vars(owner)), _MISSING)
        if first is not _MISSING and not reaches(tool, first):
            return first
    return NO_OVERRIDE


def _names_in_class(tool: Tool, kind: type, own_name: str) -> tuple[Reaches, tuple[str, ...]]:
    """Return the names of the tool in a class, and how they reach it.

    The tool's own name comes first. The names are remembered, since a class may have many attributes.
    """
    known: tuple[Reaches, tuple[str, ...]] | None = tool.names_in_classes.get(kind)
    if known is not None:
        return known
    entries = [(name, entry) for owner in kind.__mro__ for name, entry in vars(owner).items()]
    for reaches in (_leads_to_wrapper, _is_within, _leads_to_function):
        names = dict.fromkeys(name for name, entry in entries if reaches(tool, entry))
        if names:
            found = reaches, ((own_name,) if own_name in names else tuple(names))
            tool.names_in_classes[kind] = found
            return found
    return _is_within, ()


def _leads_to_wrapper(tool: Tool, entry: Any) -> bool:
    return _leads_to(entry, tool.wrapper)


def _leads_to_function(tool: Tool, entry: Any) -> bool:
    """Return whether an attribute is the function of a separately registered tool.

    Such a tool was registered apart from its class.
    """
    return _leads_to(entry, tool.fn)


def _leads_to(entry: Any, target: Any) -> bool:
    for _ in range(MAX_WRAPPERS):
        if entry is target:
            return True
        inner = next((part for part in _parts(entry) if part is not None), None)
        if inner is None:
            return False
        entry = inner
    return False


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
