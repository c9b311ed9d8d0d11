"""Absorption of calls that a restarted agent repeats after a divergence (F2).

Executed effects are answered with their results, so that none runs twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from ..binding.outputs.failures import failure_of
from ..binding.references.resolve import Env
from ..model.handover import Executed
from ..run.deferred import Deferred
from ..run.recorder import RecordedStep, Recorder
from ..run.run import Run
from ..tools.tool import Tool
from .arguments import store_arguments
from .same_call import StepCall, is_same_call


class Accepted(NamedTuple):
    """The snapshots that accepted an executed step, its duration and its group.

    The group is the step's place in a parallel group, if any.
    """

    pre: Deferred | None
    post: Deferred | None
    is_stored: tuple[bool, bool]
    chances: Any
    seconds: float
    group: int = 0
    late: bool = False

    def give_to(self, step: RecordedStep) -> None:
        """Give the snapshots to a step."""
        step.pre_snapshot, step.post_snapshot = self.pre, self.post
        step.has_stored = self.is_stored[0] and self.pre is not None, self.is_stored[1] and self.post is not None
        step.chances = self.chances


class Absorber:
    """Answers calls of a restarted agent that repeat executed steps.

    The world has moved on while the agent believes itself at the start, so only effects are answered: each executed
    step of a tool that is neither `read` nor `idempotent` answers one identical call. A step that raised answers with
    its exception. A call of an `idempotent` tool is made again, and so is a call of a `read` tool, unless nothing was
    done since the replay made this very call. Neither are the calls made again with which the replay polled last.

    A call that repeats a step, answered or made, keeps the snapshots that accepted the step in the replay, since those
    belong to its place. That holds as long as the agent repeats the steps with effects in their order: `_turn` of them
    are repeated, or None after a difference. A call of a `read` tool does not count as a difference.
    """

    __slots__ = (
        "_accepted",
        "_calls",
        "_env",
        "_executed",
        "_groups",
        "_is_untouched",
        "_latest",
        "_lock",
        "_looked",
        "_made_again",
        "_pending",
        "_reads",
        "_rest",
        "_stray",
        "_turn",
        "_turns",
        "acts",
        "expects_acts",
        "news",
        "own_acts",
        "retries",
    )

    def __init__(
        self,
        calls: Sequence[StepCall],
        executed: Sequence[Executed],
        accepted: Sequence[Accepted],
        env: Env,
        rest: Collection[Tool] = (),
        lock: Any = None,
        loops: Sequence[range] = (),
    ) -> None:
        """Take the executed calls of a replay.

        `accepted` holds what accepted each executed call; `rest` are the tools that the replay did not reach. The calls
        of each of the `loops` may come in any order. `lock` is held while a call is answered, since the agent's threads
        call concurrently.
        """
        self._calls = calls
        self._executed = executed
        self._accepted = accepted
        self._env = env
        self._rest = {tool.identity for tool in rest}
        self.expects_acts = any(not tool.is_read_only for tool in rest)
        self.acts = [at for at, (step, _, _) in enumerate(calls) if not step.tool.is_read_only]
        self._pending = dict.fromkeys(self.acts, True)
        self._turns = _turns_of(calls, accepted, loops)
        self._reads: dict[int, list[int]] = {}
        for at, (step, _, _) in enumerate(calls):
            for turn in self._turns[at] if step.tool.is_read_only else ():
                self._reads.setdefault(turn, []).append(at)
        self._latest = _latest_looks(calls, env)
        self._looked: set[int] = set()
        self._made_again: list[int] = []
        self._turn: int | None = 0
        self._stray: tuple[RecordedStep, int] | None = None
        self._is_untouched = True
        self._groups: dict[int, list[RecordedStep]] = {}
        self._lock = nullcontext() if lock is None else lock
        self.own_acts: list[RecordedStep] = []
        """Calls of tools with effects that repeat no executed step."""
        self.retries: list[RecordedStep] = []
        """Calls that repeat a step that raised, and were made."""
        self.news: list[RecordedStep] = []
        """All calls that repeat no executed step."""

    def begin_call(
        self, run: Run, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Executed | RecordedStep:
        """Return the executed step that answers a call, or the step of a new call."""
        with self._lock:
            found = self._find(tool, args, kwargs)
            if found is not None and self._is_answer(found):
                return self._answer(run, found, tool, args, kwargs)
            differing = found is None and _has_effect(tool) and self._has_pending(tool)
            step = self._begin(run, found, tool, args, kwargs)
        if differing:
            message = (
                f"the restarted agent calls {tool.name!r}, which the replay has executed with other arguments, so both "
                "calls are made. Name `handover` in the agent's signature if it must be done once"
            )
            run.policy.emit("info", "differing_call", run.redact(message), tool.name)
        return step

    def undone(self, with_reads: bool) -> RecordedTool | None:
        """Return the first executed effect that the agent did not repeat.

        It comes with whether the agent did another in its place. Steps that raised are left out. An agent that knows
        the results of reads must have repeated them, too.
        """
        reads = set(range(len(self._calls))) - set(self.acts) - self._looked if with_reads else set()
        for at in sorted({*self._pending, *reads}):
            if self._executed[at].error is None and not self._is_made_again(at):
                tool = self._calls[at][0].tool
                again = any(step.tool.identity == tool.identity and not step.is_dropped for step in self.news)
                return RecordedTool(tool, again)
        return None

    def _is_made_again(self, at: int) -> bool:
        """Return whether the agent repeated a call of an `idempotent` tool.

        It may have made the call fewer times than the replay.
        """
        step, args, kwargs = self._calls[at]
        return any(self._is_same(other, step.tool, args, kwargs) for other in self._made_again)

    def take_back(self, step: RecordedStep) -> None:
        """Ignore a call that failed without an effect (C5).

        The plan does not contain it.
        """
        with self._lock:
            if self._stray is not None and self._stray[0] is step:
                self._turn = self._stray[1]

    def _find(self, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:
        """Return the executed step that a call repeats."""
        if tool.is_read_only:
            places = [at for at in self._places_to_look() if self._is_same(at, tool, args, kwargs)]
            return next((at for at in places if at not in self._looked), places[0] if places else None)
        return next((at for at in list(self._pending) if self._is_same(at, tool, args, kwargs)), None)

    def _places_to_look(self) -> list[int]:
        """Return the executed reads that belong where the agent is.

        That place follows from the steps that it has repeated.
        """
        turn = self._turn
        if turn is None:
            return []
        is_past = turn == len(self.acts)  # A further look shows this place as it is now.
        return [at for at in self._reads.get(turn, ()) if not (is_past and at in self._looked)]

    def _is_same(self, at: int, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        return is_same_call(self._calls[at], tool, args, kwargs, self._env)

    def _is_answer(self, at: int) -> bool:
        tool = self._calls[at][0].tool
        if _has_effect(tool):
            return True
        return self._is_untouched and at in self._latest - self._looked and self._turn in self._turns[at]

    def _has_pending(self, tool: Tool) -> bool:
        return any(self._calls[at][0].tool.identity == tool.identity for at in self._pending)

    def _repeat(self, at: int) -> bool:
        """Note that a step was repeated; return whether its snapshots fit its place.

        They are the snapshots that accepted the step in the replay.
        """
        if at not in self._pending:
            self._looked.add(at)
            return True
        del self._pending[at]
        if not _has_effect(self._calls[at][0].tool):
            self._made_again.append(at)
        turn = self._turn
        in_turn = turn is not None and turn in self._turns[at]
        self._turn = turn + 1 if turn is not None and in_turn else None
        return in_turn

    def _answer(self, run: Run, at: int, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Executed:
        """Record a call that an executed step answers (F5).

        It is the agent's call, with the snapshots of the replay.
        """
        recorder, executed, accepted = run.recorder, self._executed[at], self._accepted[at]
        self._repeat(at)
        if executed.error is not None or _is_failure(tool, executed):
            return executed
        step = RecordedStep()
        step.tool, step.is_absorbed, step.began_at = tool, True, run.clock()
        step.seconds = accepted.seconds
        accepted.give_to(step)
        store_arguments(run, recorder, step, args, kwargs)
        self._place(recorder, step, accepted)
        recorder.store_output(step, executed.result)
        recorder.end_call(step, is_placed=True)
        return executed

    def _begin(
        self, run: Run, at: int | None, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> RecordedStep:
        """Begin a call that is really made."""
        recorder = run.recorder
        step = recorder.begin_call(tool, run.clock())
        self._is_untouched = False
        if at is not None:
            in_place = self._repeat(at)
            if self._executed[at].error is not None or _is_failure(step.tool, self._executed[at]):
                self.retries.append(step)
            elif in_place:
                accepted = self._accepted[at]
                accepted.give_to(step)
                if accepted.group:
                    recorder.events.pop(_last_index(recorder.events, step))
                    self._place(recorder, step, accepted, is_running=True)
            return step
        self.news.append(step)
        if tool.is_read_only:
            return step
        known = any(self._is_same(other, tool, args, kwargs) for other in self.acts)
        if not known or tool.identity in self._rest:
            self.own_acts.append(step)
        if self._turn is not None:
            self._stray = step, self._turn
            self._turn = None
        return step

    def _place(self, recorder: Recorder, step: RecordedStep, accepted: Accepted, is_running: bool = False) -> None:
        """Note when a repeated call was in progress (C10).

        Members of a parallel group overlap as they did in the replay.
        """
        events = recorder.events
        members = self._groups.setdefault(accepted.group, []) if accepted.group else []
        ends = sorted(_last_index(events, member) for member in members if events.count(member) > 1)
        begin = len(events) if not ends else ends[-1] if accepted.late else ends[0]
        events.insert(begin, step)
        if not is_running:
            events.insert(ends[-1] + 2 if ends else begin + 1, step)
        members.append(step)


class RecordedTool(NamedTuple):
    """The tool of an executed step that was not repeated.

    It also says whether the agent made another call of the tool.
    """

    tool: Tool
    is_called_again: bool


def _is_failure(tool: Tool, executed: Executed) -> bool:
    """Return whether the result of an executed step is a failure (C5a).

    A plan does not contain failures.
    """
    try:
        return bool(failure_of(tool, executed.result))
    except Exception:  # A `failed=` raised, which stopped the replay.
        return True


def _has_effect(tool: Tool) -> bool:
    """Return whether a call of a tool must not be made twice."""
    return tool.effect not in ("read", "idempotent")


def _turns_of(calls: Sequence[StepCall], accepted: Sequence[Accepted], loops: Sequence[range]) -> list[range]:
    """Return how many steps with effects are done at each executed step's turn.

    The members of a parallel group, and the iterations of a loop, may come in any order.
    """
    acts = [0, *itertools.accumulate(int(not step.tool.is_read_only) for step, _, _ in calls)]
    spans: dict[int, tuple[int, int]] = {}
    for at, one in enumerate(accepted):
        if one.group:
            spans[one.group] = spans.get(one.group, (acts[at], 0))[0], acts[at + 1]
    found: list[range] = []
    for at, (step, _, _) in enumerate(calls):
        loop = next((one for one in loops if at in one), None)
        if loop is None:
            first, behind = spans.get(accepted[at].group, (acts[at], acts[at + 1]))
        else:
            first, behind = acts[loop.start], acts[loop.stop]
        found.append(range(first, behind + 1 if step.tool.is_read_only else behind))
    return found


def _latest_looks(calls: Sequence[StepCall], env: Env) -> set[int]:
    """Return the executed calls without effect that only the same call came after.

    An `idempotent` call is one of them only if it was repeated, as in polling.
    """
    found: set[int] = set()
    for at in range(len(calls) - 1, -1, -1):
        step, args, kwargs = calls[at]
        if _has_effect(step.tool) or (found and not is_same_call(calls[-1], step.tool, args, kwargs, env)):
            break
        found.add(at)
    is_polled = len(found) > 1 or (bool(found) and calls[-1][0].tool.is_read_only)
    return found if is_polled else set()


def _last_index(events: Sequence[RecordedStep], step: RecordedStep) -> int:
    """Return the position of the last event of a step."""
    return max(at for at, other in enumerate(events) if other is step)
