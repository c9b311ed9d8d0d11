"""Comparison of calls: the same tool, with the same objects or equal values."""

from __future__ import annotations

from typing import Any

from ...errors import NotStorableError
from .. import codec
from ..binding.references.resolve import Env
from ..model.secret import as_secret
from ..plan.step import PlanStep
from ..redaction.secret_leaves import secrets_in
from ..tools.tool import Tool
from ..tools.typed_arguments import typed_arguments

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
StepCall = tuple[PlanStep, tuple[Any, ...], dict[str, Any]]


def is_same_call(call: StepCall, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any], env: Env) -> bool:
    """Return whether a call repeats an executed one.

    It does if the tool is the same and the arguments are the same objects or equal values. The arguments of the
    executed call are resolved again, since the tool may have changed the objects that it got.
    """
    step, ours, _ = call
    if step.tool is not tool and step.tool.identity != tool.identity:
        return False
    if tool.method:
        if not args or not ours or args[0] is not ours[0]:
            return False
        args = args[1:]
    try:
        then = step.named_arguments(env)
    except Exception:  # The tool or agent changed an output, and a referenced part is missing.
        return False
    now = _named(tool, args, kwargs)
    if step.is_said and not _are_equal(tool, dict(then), dict(now)):
        then, now = typed_arguments(tool, (), then)[1], typed_arguments(tool, (), now)[1]
    return _are_equal(tool, then, now)


def are_equal_calls(tool: Tool, one: Arguments, two: Arguments) -> bool:
    """Return whether two calls of a tool have the same arguments.

    The arguments are positional and by name.

    Those of a model count in the types that the function declares.
    """
    named = []
    for args, kwargs in (typed_arguments(tool, *one), typed_arguments(tool, *two)):
        if tool.method:
            if not args or not one[0] or args[0] is not one[0][0]:
                return False
            args = args[1:]
        named.append(_named(tool, args, kwargs))
    return _are_equal(tool, *named)


def _named(tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in tool.name_arguments(args, kwargs) if name not in tool.ignore}


def _are_equal(tool: Tool, then: dict[str, Any], now: dict[str, Any]) -> bool:
    for name in then.keys() ^ now.keys():  # One call omits the argument, so its value is the default.
        parameter = tool.signature.parameters.get(name) if tool.signature else None
        if parameter is None or parameter.default is parameter.empty:
            return False
        (now if name in then else then)[name] = parameter.default
    return all(is_same_value(value, now[name]) for name, value in then.items())


def is_same_value(a: Any, b: Any) -> bool:
    """Return whether two values are the same object or have equal canonical bytes.

    Secrets, also inside containers, are equal if their values are.
    """
    if a is b:
        return True
    if as_secret(a) is not None or as_secret(b) is not None:
        return as_secret(a) == as_secret(b)
    try:
        return codec.canonical(a) == codec.canonical(b)
    except NotStorableError:
        return _has_same_parts(a, b)


def _has_same_parts(a: Any, b: Any) -> bool:
    if not secrets_in(a, "") or not secrets_in(b, ""):
        return False
    if type(a) is dict and type(b) is dict:
        return a.keys() == b.keys() and all(is_same_value(a[key], b[key]) for key in a)
    one, two = codec.unfold(a), codec.unfold(b)
    if one is None or two is None or one[0] != two[0] or len(one[1]) != len(two[1]):
        return False
    return all(map(is_same_value, one[1], two[1]))
