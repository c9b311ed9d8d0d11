"""Parsing of a model's tool calls into registered tools and arguments."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from types import MethodType
from typing import Any

import msgspec

from .._core.model.handover import chat_name
from .._core.model.reason import Reason
from .._core.model.text import safe_repr
from .._core.plan.step import Refusal
from .._core.run.run import Run
from .._core.tools.tool import Tool
from .._runtime.class_tools import settle_class_method
from .._runtime.runtime import Runtime
from ..errors import InvalidTypeError, InvalidValueError, NotReadyError
from .call_shapes import CALL_SHAPES, HostedCall, read_call


class RequestedCall(msgspec.Struct, frozen=True, eq=False):
    """A call that the model requested; a method's `args` start with its object."""

    tool: Tool
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    id: str


def parse_calls(runtime: Runtime, run: Run, calls: Any) -> list[RequestedCall]:
    """Return the requested calls with their tools.

    A tool that the engine does not know is registered as an external tool, unless the engine is strict.

    Raises InvalidTypeError or InvalidValueError if any call cannot be parsed.
    """
    if isinstance(calls, str | bytes | Mapping) or not isinstance(calls, Iterable):
        raise InvalidTypeError(
            f"said() failed: expected a list of calls, each {CALL_SHAPES}, got {run.redact(safe_repr(calls))}"
        )
    try:
        found = [_parse_call(runtime, run, call) for call in calls]
        return [call for call in found if call is not None]
    except (InvalidTypeError, InvalidValueError) as error:
        if not run.has_secrets:
            raise
        raise type(error)(run.redact(str(error))) from None


def parse_offer(tools: Iterable[Tool], names: Any) -> frozenset[str]:
    """Return the names of the tools that a run may use.

    Raises InvalidTypeError or InvalidValueError for what is not a tool.
    """
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise InvalidTypeError(
            f"invalid tools of a session: expected a list of names or functions, got {safe_repr(names)}"
        )
    found: set[str] = set()
    for name in names:
        if not isinstance(name, str) and not callable(name):
            raise InvalidTypeError(
                f"invalid tool of a session: expected its name or its function, got {safe_repr(name)}"
            )
        found.add(name if isinstance(name, str) else _find_tool(tools, name)[0].name)
    return frozenset(found)


def _parse_call(runtime: Runtime, run: Run, call: Any) -> RequestedCall | None:
    """Return a requested call, or None.

    It is None for a block that is not a call of a tool of the run.
    """
    parts = read_call(call)
    if parts is None:
        return None
    if isinstance(parts, HostedCall):
        if run.mode != "off":
            message = f"the provider made a call itself ({parts.type}), which a replay cannot repeat"
            run.recorder.add_problem(Reason.UNLEARNABLE, message)
        return None
    what, arguments, id = parts
    if isinstance(what, str) and what and not runtime.policy.strict and not _named(runtime.tools, what):
        from .._runtime.external_tools import Offer, see_external

        if run.redact(what) != what:
            raise InvalidValueError(f"unknown tool {run.redact(what)!r}: the name contains a secret of the run.")
        tool, owner = see_external(runtime, Offer(what)), None
    else:
        tool, owner = _find_tool(runtime.tools, what)
    given = _arguments_by_name(tool, arguments)
    args, kwargs = _bind(run, tool, owner, given)
    return RequestedCall(tool, args, kwargs, id)


def _arguments_by_name(tool: Tool, arguments: Any) -> dict[str, Any]:
    """Return the arguments by name, decoded if they are JSON text as in chat APIs."""
    if isinstance(arguments, str):
        try:
            arguments = msgspec.json.decode(arguments or "{}")
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise InvalidValueError(
                f"arguments for {tool.name!r} are not valid JSON: {error}. Return this error to the model."
            ) from error
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, Mapping) or not all(isinstance(name, str) for name in arguments):
        raise InvalidTypeError(
            f"arguments for {tool.name!r} are invalid: expected a dict by name, got {safe_repr(arguments)}"
        )
    return dict(arguments)


def _find_tool(registered: Iterable[Tool], what: Any) -> tuple[Tool, Any]:
    """Return the requested tool, and the object of a bound method."""
    settle_class_method(what)
    tools = list(registered)
    if isinstance(what, str):
        found = _named(tools, what)
        name, owner = what, None
    else:
        function = getattr(what, "__func__", what)
        of_class = inspect.ismethod(what) and issubclass(type(what.__self__), type)
        if of_class:  # Each class has a tool for its class method.
            bound = MethodType(inspect.unwrap(function), what.__self__)
            found = [tool for tool in tools if tool.fn == bound]
        else:
            found = [tool for tool in tools if tool is what or any(f is function for f in (tool.wrapper, tool.fn))]
        name, owner = safe_repr(what), what.__self__ if inspect.ismethod(what) and not of_class else None
    if not found:
        have = ", ".join(sorted(tool.name for tool in tools)) or "none"
        raise InvalidValueError(f"tool {name!r} is not registered. Use one of: {have}")
    if len(found) > 1:
        names = ", ".join(sorted(tool.name for tool in found))
        raise InvalidValueError(f"tool {name!r} is ambiguous: it matches {names}. Pass the full name or the function.")
    return found[0], owner


def _named(tools: Iterable[Tool], name: str) -> list[Tool]:
    """Return the tools of a stored name, or else of a name that a model knows."""
    known = list(tools)
    found = [tool for tool in known if tool.name == name or name in tool.aliases]
    return found or [tool for tool in known if name in (tool.name.rpartition(".")[2], chat_name(tool.name))]


def _bind(run: Run, tool: Tool, owner: Any, given: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return positional and keyword arguments.

    The context object is first, and injected arguments are added.
    """
    if tool.may_be_method and (owner is not None or any(tool.is_method_of(value) for value in run.context)):
        tool.may_be_method = False
        tool.mark_as_method()
    args: list[Any] = []
    if tool.method:
        owner = owner if owner is not None else run.context_object_for(tool)
        if type(owner) is Refusal:
            raise NotReadyError(owner.message)
        args.append(owner)
    for name in tool.ignore:
        if name not in given and name in tool.inject:
            value = tool.inject[name]
            given[name] = value() if callable(value) else value
    parameters = list(tool.signature.parameters.values()) if tool.signature else []
    for parameter in parameters[1:] if tool.method else parameters:
        if parameter.kind is not parameter.POSITIONAL_ONLY or parameter.name not in given:
            break
        args.append(given.pop(parameter.name))
    return tuple(args), given
