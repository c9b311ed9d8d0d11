"""Calls of the functions that users pass to ready-made checks.

Their fingerprints are computed here, too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from typing import Any

from .._core.tools.check import Check
from .._core.tools.fingerprint import is_async
from ..errors import InvalidTypeError

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
Looking = Generator[Any, Any, Any]
_PLAIN = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def need_callable(check: str, name: str, function: Any) -> None:
    """Raise InvalidTypeError if an argument of a check is not a function.

    Args:
        check: The name of the check.
        name: The name of the argument.
        function: What was given.
    """
    if not callable(function):
        raise InvalidTypeError(f"invalid {check}({name}=...): expected a callable, got {function!r}. Pass a function.")


def argument(signature: inspect.Signature | None, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the argument of a call by its name, or its default.

    Args:
        signature: The signature of the tool, or None if it is unknown.
        name: The name of the argument.
        args: The positional arguments of the call.
        kwargs: The arguments of the call that were passed by name.
    """
    if name in kwargs:
        return kwargs[name]
    if signature is None:
        raise LookupError(
            f"no argument {name!r}: it was not passed by name, and the tool's signature is unknown. Pass it by name."
        )
    return named(signature, args, kwargs)[name]


def named(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return all arguments of a call by their names.

    Args:
        signature: The signature of the tool.
        args: The positional arguments of the call.
        kwargs: The arguments of the call that were passed by name.
    """
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)


def ask(
    function: Callable[..., Any],
    signature: inspect.Signature | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Call a function of the user's with those of the tool's arguments that it names.

    A function without parameters gets nothing. If its single required parameter is not one of the tool's, it gets the
    tool's first argument, which is the object for a method. In all other cases it gets the arguments as they are.

    Args:
        function: The function to call.
        signature: The signature of the tool, or None if it is unknown.
        args: The positional arguments of the tool's call.
        kwargs: The arguments of the tool's call that were passed by name.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return function(*args, **kwargs)
    if not parameters:
        return function()
    if signature is None or any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        return function(*args, **kwargs)
    known = named(signature, args, kwargs)
    missing = [p.name for p in parameters if p.name not in known and p.default is p.empty]
    if not missing:
        chosen = [p for p in parameters if p.name in known]
        by_place = [known[p.name] for p in chosen if p.kind is p.POSITIONAL_ONLY]
        return function(*by_place, **{p.name: known[p.name] for p in chosen if p.kind is not p.POSITIONAL_ONLY})
    required = [p for p in parameters if p.default is p.empty]
    if len(required) == 1 and required[0].kind in _PLAIN and known:
        return function(next(iter(known.values())))
    return function(*args, **kwargs)


def walk(looking: Looking) -> Any:
    """Return the result of a generator that yields the values it needs.

    It is a coroutine if one of these values must be awaited. So one function serves plain and async pages.
    """
    try:
        asked = next(looking)
        while not inspect.isawaitable(asked):
            asked = looking.send(asked)
    except StopIteration as stop:
        return stop.value
    return _walk_on(looking, asked)


async def _walk_on(looking: Looking, asked: Any) -> Any:
    try:
        while True:
            try:
                answer = (await asked) if inspect.isawaitable(asked) else asked
            except BaseException as error:
                asked = looking.throw(error)
            else:
                asked = looking.send(answer)
    except StopIteration as stop:
        return stop.value


def capture_of(look: Callable[[tuple[Any, ...], dict[str, Any]], Looking], *functions: Any) -> Callable[..., Any]:
    """Return the capture of a check, which is async if a function of the user's is.

    Args:
        look: Gets the arguments of a call, and returns a generator for `walk`.
        functions: The functions of the user's, or None for those that are not given.
    """
    if any(is_async(function) for function in functions):

        async def capture_async(*args: Any, **kwargs: Any) -> Any:
            found = walk(look(args, kwargs))
            return (await found) if inspect.isawaitable(found) else found

        return capture_async

    def capture(*args: Any, **kwargs: Any) -> Any:
        return walk(look(args, kwargs))

    return capture


def identity(name: str, settings: Any, functions: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that make up the fingerprint of a ready-made check.

    They are equal for equal settings and functions, and empty if the user gives a version.

    Args:
        name: The name of the check.
        settings: The values that its verdict depends on.
        functions: The functions of the user's, or None for those that are not given.
        options: The options of `Check` that the user gives.
    """
    if "version" in options:
        return {}
    return {
        "version": f"{name}:{settings!r}:1",
        "parts": tuple(Check(function) for function in functions if function is not None),
    }
