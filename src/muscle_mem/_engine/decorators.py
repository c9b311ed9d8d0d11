"""Registering tools: what the decorators of an engine do with what they are given."""

from __future__ import annotations

from typing import Any

from .._core.tools.check import Check
from .._core.tools.tool import ensure_check
from .._runtime.options import TOOL_OPTIONS
from .._runtime.registration import make_tool
from .._runtime.runtime import Runtime
from ..errors import InvalidTypeError

CHECKS = ("pre_check", "post_check")


def register(runtime: Runtime, is_method: bool | None, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Register a function that was given bare, or return the decorator that does; see `Engine.tool`.

    is_method: whether the first argument is an object of the run's context; None finds out.
    """
    unknown = set(options) - TOOL_OPTIONS - {*CHECKS}
    if unknown:
        raise InvalidTypeError(f"a tool takes no option {min(unknown)!r}")
    fn = next((argument for argument in args[:1] if _is_function(argument)), None)
    checks = dict(zip(CHECKS, args if fn is None else (None, *args[1:]), strict=False))
    for role in CHECKS:
        given = options.pop(role, None)
        if given is not None and checks.get(role) is not None:
            raise InvalidTypeError(f"{role} is given twice, as {checks[role]!r} and as {given!r}")
        checks[role] = given if given is not None else checks.get(role)
        ensure_check(role, checks[role])
    if len(args) > 2:
        raise InvalidTypeError(f"a tool takes pre_check and post_check, and options by their names; got {args!r}")

    def decorate(fn: Any) -> Any:
        tool, wrapper = make_tool(runtime, fn, **checks, method=is_method, **options)
        runtime.tools.add(tool)
        for name in tool.unprovided_arguments():
            message = f"argument {name!r} of {tool.name} is ignored, so a replay needs inject={{{name!r}: ...}}"
            runtime.reporter.notice("warning", "nothing_to_inject", message, tool.name)
        return wrapper

    return decorate if fn is None else decorate(fn)


def _is_function(value: Any) -> bool:
    """Whether a decorator was given the function itself, bare or as a call, and not the first of its options."""
    return not isinstance(value, Check) and (callable(value) or isinstance(value, staticmethod | classmethod))
