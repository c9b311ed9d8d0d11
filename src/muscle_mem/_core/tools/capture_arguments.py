"""Whether a capture can take the arguments that its tool is called with."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from ...errors import InvalidTypeError
from .fingerprint import stored_name

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
Call = tuple[int, set[str]]
"""A way to call a function: how many arguments are passed by position, and which by name."""


def validate_capture_arguments(role: str, capture: Any, fn: Any, signature: inspect.Signature | None) -> None:
    """Raise InvalidTypeError for a capture that can take no call of its tool.

    A capture that takes some calls is accepted: which arguments a tool is called with is not known yet.
    """
    if signature is None or hides_own_signature(fn) or hides_own_signature(capture):
        return
    try:
        own = inspect.signature(capture)
    except Exception:  # Some builtins have no signature, and a proxy may raise anything.
        return
    if any(_takes(own, call) for call in _calls(signature, own)):
        return
    raise InvalidTypeError(
        f"invalid {role}= of {stored_name(fn)!r}: expected a capture that takes the tool's arguments, {signature}, got "
        f"one that takes {own}. Give it the same parameters, or *args."
    )


def hides_own_signature(fn: Any) -> bool:
    """Return whether the signature is that of a function under a decorator.

    A decorator that takes any arguments may pass arguments that no caller gives.
    """
    try:
        if not hasattr(fn, "__wrapped__"):
            return False
        parameters = inspect.signature(fn, follow_wrapped=False).parameters.values()
    except Exception:  # Some builtins have no signature, and a proxy may raise anything.
        return True
    return any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)


def _calls(signature: inspect.Signature, own: inspect.Signature) -> Iterator[Call]:
    """Yield the calls of a tool that a capture with the signature `own` may take."""
    parameters = signature.parameters.values()
    kinds = {parameter.kind for parameter in parameters}
    positional = [parameter for parameter in parameters if parameter.kind in _POSITIONAL]
    more = len(own.parameters) if inspect.Parameter.VAR_POSITIONAL in kinds else 0
    any_name = inspect.Parameter.VAR_KEYWORD in kinds
    wanted = {name for name, parameter in own.parameters.items() if parameter.kind not in _VARIADIC}
    for count in range(len(positional) + more + 1):
        rest = [p for p in parameters if p.kind not in _VARIADIC and p not in positional[:count]]
        required = {p.name for p in rest if p.default is p.empty}
        if any(p.kind is p.POSITIONAL_ONLY and p.name in required for p in rest):
            continue
        optional = {p.name for p in rest if p.kind is not p.POSITIONAL_ONLY} - required
        yield count, required
        yield count, required | (optional & wanted)
        if any_name:
            yield count, required | (wanted - {p.name for p in positional[:count]})


_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _takes(signature: inspect.Signature, call: Call) -> bool:
    count, names = call
    try:
        signature.bind(*range(count), **dict.fromkeys(names))
    except TypeError:
        return False
    return True
