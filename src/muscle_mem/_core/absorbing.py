"""After a divergence a restarted agent repeats what was done: it gets this run's results, and nothing runs twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import NotStorableError
from . import codec
from .model import Executed
from .plan import PlanStep
from .resolving import Env
from .secret import Secret
from .tool import Tool
from .veil import secrets_in

Call = tuple[PlanStep, tuple[Any, ...], dict[str, Any]]
KEPT = ("write", "irreversible")


class Absorber:
    """Answers the calls of a restarted agent while it repeats the executed steps exactly.

    The first difference ends that, but executed steps of tools declared write or irreversible that were not
    repeated yet still answer one identical call each. A step that raised answers with its exception, once.
    """

    __slots__ = ("_calls", "_ended", "_ended_by_last", "_env", "_executed", "_next", "_used", "count")

    def __init__(self, calls: Sequence[Call], executed: Sequence[Executed], env: Env) -> None:
        self._calls = calls
        self._executed = executed
        self._env = env
        self._used = [False] * len(calls)
        self._next = 0
        self._ended = False
        self._ended_by_last = False
        self.count = 0

    def repeated(self, count: int) -> bool:
        """Whether the first `count` executed steps have all been repeated."""
        return self.count > 0 and all(self._used[:count])

    def answer(self, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Executed | None:
        """The executed step that this call repeats, or None if the call must really be made."""
        self._ended_by_last = not self._ended
        if not self._ended:
            at = self._next
            if at < len(self._calls) and same_call(self._calls[at], tool, args, kwargs, self._env):
                self._next += 1
                return self._use(at)
            self._ended = True
        for at, step in enumerate(self._executed):
            if self._used[at] or not step.declared or step.effect not in KEPT:
                continue
            if same_call(self._calls[at], tool, args, kwargs, self._env):
                return self._use(at)
        return None

    def forgive(self) -> None:
        """The last call failed in a way that a plan leaves out (C5), so it is no difference either."""
        if self._ended_by_last:
            self._ended = False

    def _use(self, at: int) -> Executed:
        self._used[at] = True
        self.count += 1
        return self._executed[at]


def same_call(call: Call, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any], env: Env) -> bool:
    """Whether a call repeats an executed one: the same tool, and arguments that are the same objects or equal values.

    The executed call's arguments are made anew, since the tool may have changed those it was given.
    """
    step, ours, _ = call
    if step.tool is not tool and step.tool.identity != tool.identity:
        return False
    if tool.method:
        if not args or not ours or args[0] is not ours[0]:
            return False
        args = args[1:]
    try:
        then = {name: make(env) for _, name, make in step.builders if name not in tool.ignore}
    except Exception:  # an output that was changed since no longer has the part that was referred to
        return False
    now = {name: value for name, value in tool.named(args, kwargs) if name not in tool.ignore}
    for name in then.keys() ^ now.keys():  # left out by one of them, and so its default
        parameter = tool.signature.parameters.get(name) if tool.signature else None
        if parameter is None or parameter.default is parameter.empty:
            return False
        (now if name in then else then)[name] = parameter.default
    return all(same_value(value, now[name]) for name, value in then.items())


def same_value(a: Any, b: Any) -> bool:
    """The same object, or equal canonical values; Secrets, also inside containers, are equal if their values are."""
    if a is b:
        return True
    if isinstance(a, Secret) or isinstance(b, Secret):
        return bool(a == b)
    try:
        return codec.canonical(a) == codec.canonical(b)
    except NotStorableError:
        return _same_parts(a, b)


def _same_parts(a: Any, b: Any) -> bool:
    if not secrets_in(a, "") or not secrets_in(b, ""):
        return False
    if type(a) is dict and type(b) is dict:
        return a.keys() == b.keys() and all(same_value(a[key], b[key]) for key in a)
    one, two = codec.unfold(a), codec.unfold(b)
    if one is None or two is None or one[0] != two[0] or len(one[1]) != len(two[1]):
        return False
    return all(map(same_value, one[1], two[1]))
