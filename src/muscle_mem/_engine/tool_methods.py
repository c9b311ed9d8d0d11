"""The methods of the engine that register tools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, Unpack, overload

from .._core.tools.check import Check
from .._runtime.options import RuleOptions, ToolOptions
from .decorators import register
from .has_runtime import HasRuntime

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


@overload
def tool(self: HasRuntime, fn: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def tool(
    self: HasRuntime, pre_check: Check | None = None, post_check: Check | None = None, **options: Unpack[ToolOptions]
) -> Callable[[F], F]: ...
def tool(self: HasRuntime, *args: Any, **options: Any) -> Any:
    """Register a function or method as a tool.

    The calls that the agent makes to it during a run are recorded and can be replayed. Outside a run the decorated
    function behaves exactly like the original. Use it bare (`@engine.tool`) or with options, on functions, methods,
    async functions, lambdas, partials and builtins.

    Args:
        pre_check: The check that runs before a replayed step.
        post_check: The check that runs after a replayed step.
        name: The stored name. Defaults to the qualified name without the module.
        aliases: Older stored names whose recordings belong to this tool.
        version: A string or number in place of the fingerprint of the code. Change it when the meaning changes.
        effect: "read", "idempotent", "write" (the default) or "irreversible".
        ignore: Names of arguments that are neither stored nor compared.
        inject: Values, or functions without arguments, that provide such arguments during a replay, by name.
        secret: Names of arguments whose values are never stored. Pass them again for each replay.
        trust: The evidence that a replay of this tool requires: "first", "verified" or "manual".
        undo: How to undo a call: a text with {argument} and {result} in it, or the tool that undoes it. It is part of
            the hand-over. The engine never runs it.
        optional: Whether a replay skips the step if its pre-check fails and the pre-check of the next step passes.
        any: Names of arguments for which any recorded value will do, such as the wording of a message.
        failed: A function that gets a result and returns whether it is a failure, or "nothing_done" for a failure
            that had no effect. False means that no result is a failure. By default, MCP results and tool messages that
            are marked as errors are failures. So is a replayed result with an error that was not recorded.
        refuses: Exception classes that the tool raises before it has done anything.
        answers: "any" if a replay continues after every answer of the tool. By default, it stops at an answer, such as
            False or an empty list, after which no recording continued.
        flows: Where arguments come from, by name: `{"order_id": ref("create_order", "order_id")}`. A replay reads them
            from this run's output. A recording with another value is not learned.
        const: Names of arguments that are constant. No param or output replaces them, and the engine does not suspect
            that they were computed.
        outputs: The fields of this tool's output that may be sources of arguments, such as "order.id". By default all
            fields may.
        trusted: False for a tool that returns texts of others, such as emails, pages and documents. A recording whose
            calls use values of such texts is replayed only after you approve it (`report_good`).
        sink: Names of arguments that decide where something goes, such as an account or an address.
        picture: A plain function of the tool's arguments that returns a picture for people: bytes of a PNG or JPEG, an
            image of Pillow, or an array. It is called after each call of the agent, with `Engine(pictures="steps")`. If
            an argument contains a secret, there is no picture, unless the function has a parameter `mask`. `mask` gets
            the names of such arguments, and the function must hide their values.

    Raises:
        InvalidTypeError: The function cannot be a tool, or an option has the wrong type.
        InvalidValueError: An option has a value that is not allowed.
    """
    return register(self._runtime, None, args, options)


@overload
def function(self: HasRuntime, fn: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def function(
    self: HasRuntime, pre_check: Check | None = None, post_check: Check | None = None, **options: Unpack[ToolOptions]
) -> Callable[[F], F]: ...
def function(self: HasRuntime, *args: Any, **options: Any) -> Any:
    """Register a plain function as a tool; see `tool`."""
    return register(self._runtime, False, args, options)


@overload
def method(self: HasRuntime, fn: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def method(
    self: HasRuntime, pre_check: Check | None = None, post_check: Check | None = None, **options: Unpack[ToolOptions]
) -> Callable[[F], F]: ...
def method(self: HasRuntime, *args: Any, **options: Any) -> Any:
    """Register a method as a tool; see `tool`.

    `self` is not recorded. During a replay it is the run's context object of that class.
    """
    return register(self._runtime, True, args, options)


def external_tool(
    self: HasRuntime,
    name: str,
    pre_check: Check | None = None,
    post_check: Check | None = None,
    **options: Unpack[RuleOptions],
) -> None:
    """Declare the rules of a tool whose calls a framework or a server makes.

    Call it before or after the first call of the tool. The latest rules apply. Without `version=`, the JSON schema of
    the tool's arguments is its fingerprint. Without `effect=`, its annotations define the effect. Checks may be async.
    Their captures get the arguments as JSON values.

    Args:
        name: The name of the tool, as the framework or server has it.
        pre_check: The check that runs before a replayed step.
        post_check: The check that runs after a replayed step.
        options: As for `tool`, without `name`: effect, version, failed, refuses, secret, trust, undo, and so on.

    Raises:
        InvalidTypeError: An option has the wrong type, or does not exist.
        InvalidValueError: An option has a value that is not allowed.
    """
    from .._runtime.external_tools import declare_external

    declare_external(self._runtime, name, (pre_check, post_check), dict(options))
