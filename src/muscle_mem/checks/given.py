"""How ready-made checks call the functions that the user gives them, and how they count in a check's fingerprint."""

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
    """Raises InvalidTypeError if an argument of a check is not a function."""
    if not callable(function):
        raise InvalidTypeError(f"{check}({name}=...) must be callable, got {function!r}")


def argument(signature: inspect.Signature | None, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The argument of a call that has this name, however it was passed; its default if it was not."""
    if name in kwargs:
        return kwargs[name]
    if signature is None:
        raise LookupError(f"the argument {name!r} was not passed by name, and the tool's signature is not known")
    return named(signature, args, kwargs)[name]


def named(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """All arguments of a call by their names."""
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

    Without parameters it is called so; if its single parameter is not one of the tool's, it gets the tool's first
    argument
    (of a method, the object); in all other cases the arguments as they are.
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
    """Return the result of a look that yields what it needs: immediately, or a coroutine where something must be
    awaited.

    So one text serves pages that answer and pages that must be awaited.
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
    """A check's capture out of a look; an async one if one of the user's functions is."""
    if any(is_async(function) for function in functions):

        async def capture_async(*args: Any, **kwargs: Any) -> Any:
            found = walk(look(args, kwargs))
            return (await found) if inspect.isawaitable(found) else found

        return capture_async

    def capture(*args: Any, **kwargs: Any) -> Any:
        return walk(look(args, kwargs))

    return capture


def identity(name: str, settings: Any, functions: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    """The options that make a check known: equal for equal settings and functions, unless the user gives a version."""
    if "version" in options:
        return {}
    return {
        "version": f"{name}:{settings!r}:1",
        "parts": tuple(Check(function) for function in functions if function is not None),
    }
