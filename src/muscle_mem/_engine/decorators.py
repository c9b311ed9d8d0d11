"""The decorators of an engine: `tool`, and the older spellings `function` and `method`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, overload

from .._core.model.reason import Effect
from .._core.plan.trust import Trust
from .._core.tools.check import Check
from .._core.tools.tool import ensure_check
from .._runtime.reporter import Teller
from .._runtime.toolbox import Toolbox, make_tool
from ..errors import InvalidTypeError

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class ToolDecorators:
    """The part of an engine that registers tools."""

    _tools: Toolbox
    _teller: Teller

    @overload
    def tool(self, fn: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def tool(
        self,
        pre_check: Check | None = None,
        post_check: Check | None = None,
        *,
        name: str | None = None,
        aliases: Sequence[str] = (),
        version: str | int | None = None,
        effect: Effect | None = None,
        ignore: Sequence[str] = (),
        inject: Mapping[str, Any] | None = None,
        secret: Sequence[str] = (),
        trust: Trust | None = None,
        undo: str | Callable[..., Any] | None = None,
        optional: bool = False,
    ) -> Callable[[F], F]: ...
    def tool(self, *args: Any, **options: Any) -> Any:
        """Register a function or method as a tool, so that its calls inside a run are recorded and can be replayed.

        pre_check: asked before a replayed step; post_check: after it. name: the stored name (default: the qualified
        name), with aliases for recordings under older names. version: stands in for the fingerprint of the code.
        effect: "read", "idempotent", "write" (what undeclared counts as) or "irreversible". ignore: arguments that
        are neither stored nor matched. inject: values, or functions without arguments, that give such arguments in a
        replay. secret: arguments whose values are never stored, and are given again at each replay. trust: how much
        evidence a replay of this tool asks for, "first", "verified" or "manual". undo: how to take it back, a text with
        {argument} and {result} in it, or the tool that does; told in a hand-over, never run. optional: skipped in a
        replay where its pre-check says no and the next step's says yes. Works bare
        (`@engine.tool`), on methods, async functions, lambdas, partials and builtins.

        Raises InvalidTypeError or InvalidValueError for what can never be a tool.
        """
        return self._register(None, args, options)

    @overload
    def function(self, fn: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def function(
        self,
        pre_check: Check | None = None,
        post_check: Check | None = None,
        *,
        name: str | None = None,
        aliases: Sequence[str] = (),
        version: str | int | None = None,
        effect: Effect | None = None,
        ignore: Sequence[str] = (),
        inject: Mapping[str, Any] | None = None,
        secret: Sequence[str] = (),
        trust: Trust | None = None,
        undo: str | Callable[..., Any] | None = None,
        optional: bool = False,
    ) -> Callable[[F], F]: ...
    def function(self, *args: Any, **options: Any) -> Any:
        """The same as `tool`, for plain functions."""
        return self._register(False, args, options)

    @overload
    def method(self, fn: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def method(
        self,
        pre_check: Check | None = None,
        post_check: Check | None = None,
        *,
        name: str | None = None,
        aliases: Sequence[str] = (),
        version: str | int | None = None,
        effect: Effect | None = None,
        ignore: Sequence[str] = (),
        inject: Mapping[str, Any] | None = None,
        secret: Sequence[str] = (),
        trust: Trust | None = None,
        undo: str | Callable[..., Any] | None = None,
        optional: bool = False,
    ) -> Callable[[F], F]: ...
    def method(self, *args: Any, **options: Any) -> Any:
        """The same as `tool`, for methods: `self` is not recorded, and given again from the run's context."""
        return self._register(True, args, options)

    def _register(self, method: bool | None, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        unknown = set(options) - {
            "pre_check",
            "post_check",
            "name",
            "aliases",
            "version",
            "effect",
            "ignore",
            "inject",
            "secret",
            "trust",
            "undo",
            "optional",
        }
        if unknown:
            raise InvalidTypeError(f"a tool takes no option {min(unknown)!r}")
        fn = next((one for one in args[:1] if _is_function(one)), None)
        checks = dict(zip(("pre_check", "post_check"), args if fn is None else (None, *args[1:]), strict=False))
        for role in ("pre_check", "post_check"):
            given = options.pop(role, None)
            if given is not None and checks.get(role) is not None:
                raise InvalidTypeError(f"{role} is given twice, as {checks[role]!r} and as {given!r}")
            checks[role] = given if given is not None else checks.get(role)
            ensure_check(role, checks[role])
        if len(args) > 2:
            raise InvalidTypeError(f"a tool takes pre_check and post_check, and options by their names; got {args!r}")

        def decorate(fn: Any) -> Any:
            tool, wrapper = make_tool(self, fn, **checks, method=method, **options)
            self._tools.add(tool)
            for name in tool.nothing_gives():
                message = f"argument {name!r} of {tool.name} is ignored, so a replay needs inject={{{name!r}: ...}}"
                self._teller.notice("warning", "nothing_to_inject", message, tool.name)
            return wrapper

        return decorate if fn is None else decorate(fn)


def _is_function(value: Any) -> bool:
    """Whether a decorator was given the function itself, bare or as a call, and not the first of its options."""
    return not isinstance(value, Check) and (callable(value) or isinstance(value, staticmethod | classmethod))
