"""Registration of tools by the decorators of an engine."""

from __future__ import annotations

import functools
from typing import Any, cast

from .._core.tools.check import Check, validated_check
from .._runtime.class_tools import ClassTool, may_be_class_method
from .._runtime.options import TOOL_OPTIONS, ToolOptions
from .._runtime.registration import CHECK_ROLES, make_tool
from .._runtime.runtime import Runtime
from ..errors import InvalidTypeError


def register(runtime: Runtime, is_method: bool | None, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Register a bare function, or return the decorator that does; see `Engine.tool`.

    Args:
        runtime: The runtime of the engine.
        is_method: Whether the first argument is a context object of the run. None detects it.
        args: The positional arguments of the decorator.
        options: Its keyword arguments.
    """
    unknown = set(options) - TOOL_OPTIONS - {*CHECK_ROLES}
    if unknown:
        raise InvalidTypeError(
            f"tool() got an unknown option {min(unknown)!r}. Use: {', '.join(sorted(TOOL_OPTIONS))}."
        )
    fn = next((argument for argument in args[:1] if _is_function(argument)), None)
    checks = dict(zip(CHECK_ROLES, args if fn is None else (None, *args[1:]), strict=False))
    for role in CHECK_ROLES:
        given = options.pop(role, None)
        if given is not None and checks.get(role) is not None:
            raise InvalidTypeError(f"{role} is given twice: got {checks[role]!r} and {given!r}. Pass one of them.")
        checks[role] = given if given is not None else checks.get(role)
        validated_check(role, checks[role])
    if len(args) > 2:
        raise InvalidTypeError(
            f"tool() failed: expected at most pre_check and post_check, got {args!r}. Pass options by name."
        )

    pair = checks[CHECK_ROLES[0]], checks[CHECK_ROLES[1]]

    def decorate(fn: Any) -> Any:
        if isinstance(fn, classmethod) or (is_method is None and may_be_class_method(fn)):
            inner = fn.__func__ if isinstance(fn, classmethod) else fn
            # The tool itself is made when its class exists. Its options are validated now.
            make_tool(runtime, functools.partial(inner, object), pair, cast(ToolOptions, options), method=False)
            found = ClassTool(runtime, fn, add, options.get("name"))
            runtime.tools.add_pending(found.settle)
            return found.result
        return add(fn, options.get("name"))

    def add(fn: Any, name: str | None) -> Any:
        given = cast(ToolOptions, options if name == options.get("name") else {**options, "name": name, "aliases": ()})
        tool, wrapper = make_tool(runtime, fn, pair, given, method=is_method)
        runtime.tools.add(tool)
        for name in tool.unprovided_arguments():
            message = (
                f"argument {name!r} of {tool.name!r} is ignored. Pass inject={{{name!r}: ...}}, which a replay needs."
            )
            runtime.reporter.notice("warning", "nothing_to_inject", message, tool.name)
        return wrapper

    return decorate if fn is None else decorate(fn)


def _is_function(value: Any) -> bool:
    """Return whether the first argument of a decorator is the function itself."""
    return not isinstance(value, Check) and (callable(value) or isinstance(value, staticmethod | classmethod))
