"""Results of executed steps for an agent that starts again after a divergence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import NotStorableError
from .. import codec
from ..binding.resolve import Env
from ..model.handover import Executed
from ..model.secret import as_secret
from ..plan.step import PlanStep
from ..redaction.secret_leaves import secrets_in
from ..tools.tool import Tool

StepCall = tuple[PlanStep, tuple[Any, ...], dict[str, Any]]
NEVER_REPEATED = ("write", "irreversible")


class Absorber:
    """The executed steps of a replay, as results for a restarted agent's calls.

    A call that repeats the next executed step gets its result, and the tool is not called again. The first difference
    ends that, as soon as the differing call has returned. After it, only executed steps of tools declared write or
    irreversible are used, once each, for an identical call. A step that raised gives its exception, once. From the
    first parallel group on, the steps may be repeated in any order. `unexecuted` are the calls of a broken group that
    were not executed; they do not count as a difference.
    """

    __slots__ = ("_calls", "_differences", "_env", "_executed", "_is_over", "_ordered_count", "_pending", "_unexecuted")

    def __init__(
        self, calls: Sequence[StepCall], executed: Sequence[Executed], env: Env, unexecuted: Sequence[StepCall] = ()
    ) -> None:
        self._calls = calls
        self._executed = executed
        self._env = env
        self._pending = dict.fromkeys(range(len(calls)), True)  # pop() gives each to one thread only.
        self._unexecuted = dict(enumerate(unexecuted))
        self._ordered_count = next((at for at, (step, _, _) in enumerate(calls) if step.group_stop), len(calls))
        self._is_over = False
        self._differences: dict[int, dict[str, Any]] = {}  # By id: each call has its own kwargs dict.

    def has_repeated(self, count: int) -> bool:
        """Return whether the first `count` executed steps have all been repeated."""
        return len(self._pending) < len(self._calls) and not any(at in self._pending for at in range(count))

    def answer(self, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Executed | None:
        """Return the executed step that a call repeats, or None to make the call."""
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
                self._is_over = True  # This call was the first difference, and it has returned.
                return step
        return None

    def call_returned(self, kwargs: dict[str, Any]) -> None:
        """Note that a call that was made has returned.

        If it was a difference, later calls may depend on it.
        """
        if id(kwargs) in self._differences:
            self._is_over = True

    def ignore_difference(self, kwargs: dict[str, Any]) -> None:
        """Note that a call failed in a way that keeps it out of the plan."""
        self._differences.pop(id(kwargs), None)


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
    now = {name: value for name, value in tool.name_arguments(args, kwargs) if name not in tool.ignore}
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
