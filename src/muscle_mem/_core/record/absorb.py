"""After a divergence a restarted agent repeats what was done: it gets this run's results, and nothing runs twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import NotStorableError
from .. import codec
from ..binding.resolve import Env
from ..model.handover import Executed
from ..model.secret import Secret
from ..plan.step import PlanStep
from ..redaction.secret_leaves import secrets_in
from ..tools.tool import Tool

StepCall = tuple[PlanStep, tuple[Any, ...], dict[str, Any]]
NEVER_REPEATED = ("write", "irreversible")


class Absorber:
    """Answers the calls of a restarted agent while it repeats the executed steps exactly.

    The first difference ends that, once that call has returned, but executed steps of tools declared write or
    irreversible that were not repeated yet still answer one identical call each. A step that raised answers with its
    exception, once. From the first parallel group on, the steps may be repeated in any order, since that of an agent's
    strands says nothing; `unexecuted` are the members of a broken group that were not executed, and do not count as
    a difference.
    """

    __slots__ = ("_calls", "_differences", "_env", "_executed", "_is_over", "_ordered_count", "_pending", "_unexecuted")

    def __init__(
        self, calls: Sequence[StepCall], executed: Sequence[Executed], env: Env, unexecuted: Sequence[StepCall] = ()
    ) -> None:
        self._calls = calls
        self._executed = executed
        self._env = env
        self._pending = dict.fromkeys(range(len(calls)), True)  # taken by pop, which gives each to one thread only
        self._unexecuted = dict(enumerate(unexecuted))
        self._ordered_count = next((at for at, (step, _, _) in enumerate(calls) if step.group_stop), len(calls))
        self._is_over = False
        self._differences: dict[int, dict[str, Any]] = {}  # by identity: each call has a separate dict of keywords

    def has_repeated(self, count: int) -> bool:
        """Whether the first `count` executed steps have all been repeated."""
        return len(self._pending) < len(self._calls) and not any(at in self._pending for at in range(count))

    def answer(self, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Executed | None:
        """The executed step that this call repeats, or None if the call must really be made."""
        positions = [at for at in range(len(self._calls)) if at in self._pending]
        if not self._is_over:
            following = positions[:1] if positions and positions[0] < self._ordered_count else positions
            for at in following:
                if is_same_call(self._calls[at], tool, args, kwargs, self._env) and self._pending.pop(at, False):
                    return self._executed[at]
            for at in [at for at in range(len(self._unexecuted)) if at in self._unexecuted]:
                call = self._unexecuted.get(at)
                if call and is_same_call(call, tool, args, kwargs, self._env) and self._unexecuted.pop(at, None):
                    return None
            self._differences[id(kwargs)] = kwargs
        for at in positions:
            step = self._executed[at]
            if not step.declared or step.effect not in NEVER_REPEATED:
                continue
            if is_same_call(self._calls[at], tool, args, kwargs, self._env) and self._pending.pop(at, False):
                self._differences.pop(id(kwargs), None)
                self._is_over = True  # out of its turn: this was the first difference, and it has returned already
                return step
        return None

    def call_returned(self, kwargs: dict[str, Any]) -> None:
        """A call that was really made has returned; if it was a difference, what comes now may depend on it."""
        if id(kwargs) in self._differences:
            self._is_over = True

    def ignore_difference(self, kwargs: dict[str, Any]) -> None:
        """This call failed in a way that a plan leaves out (C5), so it is not difference either."""
        self._differences.pop(id(kwargs), None)


def is_same_call(call: StepCall, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any], env: Env) -> bool:
    """Whether a call repeats an executed one: the same tool, and arguments that are the same objects or equal values.

    The executed call's arguments are made again, since the tool may have changed those it was given.
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
    except Exception:  # an output that was changed since no longer has the part that was referred to
        return False
    now = {name: value for name, value in tool.name_arguments(args, kwargs) if name not in tool.ignore}
    for name in then.keys() ^ now.keys():  # left out by one of them, and so its default
        parameter = tool.signature.parameters.get(name) if tool.signature else None
        if parameter is None or parameter.default is parameter.empty:
            return False
        (now if name in then else then)[name] = parameter.default
    return all(is_same_value(value, now[name]) for name, value in then.items())


def is_same_value(a: Any, b: Any) -> bool:
    """The same object, or equal canonical values; Secrets, also inside containers, are equal if their values are."""
    if a is b:
        return True
    if isinstance(a, Secret) or isinstance(b, Secret):
        return bool(a == b)
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
