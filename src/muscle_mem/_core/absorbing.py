"""After a divergence a restarted agent repeats what was already done: it gets this run's results, nothing runs twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import NotStorableError
from . import codec
from .model import Executed
from .plan import PlanStep
from .tool import Tool

Call = tuple[PlanStep, tuple[Any, ...], dict[str, Any]]
KEPT = ("write", "irreversible")


class Absorber:
    """Answers the calls of a restarted agent while it repeats the executed steps exactly.

    The first difference ends that, but executed steps of tools declared write or irreversible that were not
    repeated yet still answer one identical call each. A step that raised answers with its exception, once.
    """

    __slots__ = ("_calls", "_ended", "_executed", "_next", "_used", "count")

    def __init__(self, calls: Sequence[Call], executed: Sequence[Executed]) -> None:
        self._calls = calls
        self._executed = executed
        self._used = [False] * len(calls)
        self._next = 0
        self._ended = False
        self.count = 0

    @property
    def complete(self) -> bool:
        """Whether every executed step has been repeated."""
        return all(self._used)

    def answer(self, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Executed | None:
        """The executed step that this call repeats, or None if the call must really be made."""
        if not self._ended:
            at = self._next
            if at < len(self._calls) and same_call(self._calls[at], tool, args, kwargs):
                self._next += 1
                return self._use(at)
            self._ended = True
        for at, step in enumerate(self._executed):
            if self._used[at] or not step.declared or step.effect not in KEPT:
                continue
            if same_call(self._calls[at], tool, args, kwargs):
                return self._use(at)
        return None

    def _use(self, at: int) -> Executed:
        self._used[at] = True
        self.count += 1
        return self._executed[at]


def same_call(call: Call, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether two live calls are the same: the same tool, and arguments that are the same objects or equal values."""
    step, ours, named = call
    if step.tool is not tool:
        return False
    if tool.method:
        if not args or not ours or args[0] is not ours[0]:
            return False
        ours, args = ours[1:], args[1:]
    then = [(name, value) for name, value in tool.named(ours, named) if name not in tool.ignore]
    now = [(name, value) for name, value in tool.named(args, kwargs) if name not in tool.ignore]
    return len(then) == len(now) and all(
        name == other and same_value(value, new) for (name, value), (other, new) in zip(then, now, strict=True)
    )


def same_value(a: Any, b: Any) -> bool:
    """The same object, or equal canonical values."""
    if a is b:
        return True
    try:
        return codec.canonical(a) == codec.canonical(b)
    except NotStorableError:
        return False
