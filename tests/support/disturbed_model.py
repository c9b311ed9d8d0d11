"""What the rules foretell of a disturbed run: a small model of replay, divergence, absorbing and learning."""

from __future__ import annotations

from typing import Any

from disturbed_cases import OTHER, AgentError, Case, Step, Stop, ToolError, program
from muscle_mem import Diverged, Missed

LEVELS = ("first", "verified", "manual")
AS_MISS = {"check_refused": "first_check_refused", "check_error": "first_check_refused"}
ERRORS = ("raise", "compare", "nan")


class Interrupted(Exception):
    """The model's word for a KeyboardInterrupt or a cancellation."""


class Model:
    """What the rules say of one tested call."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.done: list[int] = []  # the steps that a replay enters
        self.broken: str | None = (
            None  # how the last of them failed, if so: tool_raised, post_check_refused, check_error
        )
        self.asked: list[Step] = []  # what the agent really does
        self.repeated = 0
        self.status, self.reason, self.at = "", "", -1
        self.error: Any = None
        self.learned: str | None = "mode"  # None: learned, else why not
        self.quarantines = False  # whether what was followed is not to be replayed again
        self.counts = False  # whether the call speaks against the trajectory (D6)
        try:
            self._call()
        except Interrupted:
            self.error = "interrupt"

    # -- may it be replayed at all?

    def _level(self) -> int:
        case = self.case
        return 2 if case.verdict == "good" else 1 if case.verdict == "success" or case.judge == "engine" else 0

    def refused(self) -> str | None:
        case = self.case
        if case.verdict == "refused":
            return "new_task"
        if case.verdict == "bad":
            return "quarantined"
        wanted = max(LEVELS.index(one) for one in (case.trust, *(step.trust or "first" for step in case.steps)))
        if self._level() < wanted:
            return "not_approved"
        if any(step.effect == "irreversible" and not step.pre for step in case.steps) and not case.approve:
            return "not_approved"
        return None

    # -- the replay

    def _how(self, role: str, index: int) -> str:
        fault = self.case.fault
        if role == "pre" and index == self.case.gone:
            return "no"
        how = fault.how if (fault.role, fault.step) == (role, index) else ""
        if how == "interrupt":
            raise Interrupted
        return how

    def _gate(self, index: int) -> str | None:
        """What stops the replay before a step."""
        case, step = self.case, self.case.steps[index]
        if case.fault.role == "stale" and step.feeds == case.steps[case.fault.step].feeds:
            return "stale_output"
        if step.effect == "irreversible" and case.approve and self._how("approve", index):
            return "not_approved"
        how = self._how("pre", index) if step.pre else ""
        return "check_refused" if how == "no" else "check_error" if how else None

    def _replay(self) -> str | None:
        """Why the replay stops, None at a hit; `at` is where."""
        steps = self.case.steps
        index = 0
        while index < len(steps):
            self.at = index
            reason = self._gate(index)
            if reason is not None:
                following = index + 1 < len(steps) and steps[index + 1].pre
                skipped = reason == "check_refused" and steps[index].optional and following
                if not skipped or index in self.case.needed or self._gate(index + 1) is not None:
                    return reason
                index = self.at = index + 1
            self.done.append(index)
            if self._how("tool", index):
                self.broken = "tool_raised"
            how = self._how("post", index) if steps[index].post else ""
            if how and not self.broken:
                self.broken = "post_check_refused" if how == "no" else "check_error"
            if self.broken:
                return self.broken
            index += 1
        self.at = len(steps)
        if self.case.judge and self.case.fault.role == "success":
            if self.case.fault.how == "interrupt":
                raise Interrupted
            return "unsuccessful"
        return None

    # -- the whole call

    def _call(self) -> None:
        case = self.case
        mode = case.mode
        stopped: str | None = "new_task" if mode == "shadow" and case.verdict == "refused" else "mode"
        if mode in ("auto", "replay", "frozen"):
            stopped = self.refused() or self._replay()
            if stopped is None:
                self.status, self.reason, self.learned = "hit", "hit", None
                return
        self.reason = stopped or ""
        if self.done:
            self.status = "diverged"
            self.counts = (self.broken is not None or stopped == "unsuccessful") and mode != "frozen"
            irreversible = any(case.steps[index].effect == "irreversible" for index in self.done)
            unaware = irreversible and case.policy == "continue" and not case.handover
            if mode == "replay" or case.policy == "raise" or unaware:
                self.error = Diverged
                return
        else:
            self.status, self.reason = "miss", AS_MISS.get(self.reason, self.reason)
            if mode == "replay":
                self.error = Missed
                return
        self._agent()
        if self.error is None and mode != "off":
            self.learned = "mode" if mode == "frozen" else self._not_learned()

    @property
    def absorbs(self) -> bool:
        case = self.case
        return bool(self.done) and (case.policy == "absorb" or (case.policy == "auto" and not case.handover))

    def _tickets(self, tool: str) -> str:
        case = self.case
        stale = case.fault.role == "stale" and tool == case.steps[case.steps[case.fault.step].feeds].tool
        return f"{'fresh ' if stale else ''}ticket of {tool}"

    def _agent(self) -> None:
        """Let the agent ask, and say who answers."""
        case = self.case
        replayed = [(index, case.steps[index]) for index in self.done] if self.absorbs else []
        handover = None
        if case.handover and self.done:
            told = [_Told(case.steps[index].tool, self._tickets(case.steps[index].tool)) for index in self.done]
            if self.broken == "tool_raised":
                told[-1].result = None
            handover = _Handover(told, self.at)
        asking = program(case, case.agent, handover)
        self.executed = replayed
        self.acts = [index for index, step in replayed if step.effect != "read"]
        self.left = list(self.acts)
        self.looked: set[int] = set()
        self.turn: int | None = 0
        self.news: list[tuple[str, str]] = []
        going: Any = ("send", None)
        try:
            while True:
                tool, arg = getattr(asking, going[0])(going[1])
                match = self._match(tool, arg)
                if match is None:
                    self.asked.append(Step(tool, arg, None, False, False))
                    going = ("send", self._tickets(tool))
                    continue
                self.repeated += 1
                raised = self.broken == "tool_raised" and match == self.done[-1]
                going = ("throw", ToolError()) if raised else ("send", self._tickets(tool))
        except StopIteration:
            pass
        except Stop:
            raise Interrupted from None
        except (AgentError, ToolError) as error:
            self.error = type(error)

    def _call_of(self, index: int) -> tuple[str, str]:
        return self.case.steps[index].tool, self._arg(index)

    def _latest(self) -> set[int]:
        """The executed calls without effect that only the same call came after; an idempotent one if it was polled."""
        found: set[int] = set()
        for index, step in reversed(self.executed):
            if step.effect not in ("read", "idempotent") or self._call_of(index) != self._call_of(self.done[-1]):
                break
            found.add(index)
        polled = len(found) > 1 or self.case.steps[self.done[-1]].effect == "read"
        return found if polled else set()

    def _match(self, tool: str, arg: str) -> int | None:
        """The executed step that answers a call of the agent, None if the call is made."""
        same = [index for index, _ in self.executed if self._call_of(index) == (tool, arg)]
        turn, found = self.turn, None
        if any(index in self.acts for index in same) or tool == OTHER or self._effect(tool) != "read":
            found = next((index for index in self.left if index in same), None)
            in_turn = turn is not None and found is not None and self.acts[turn] == found
            self.turn = turn + 1 if in_turn and turn is not None else None
            if found is None:
                self.news.append((tool, arg))
                return None
            self.left.remove(found)
            if self.case.steps[found].effect != "idempotent" or (
                in_turn and not self.asked and found in self._latest()
            ):
                return found
            self.looked.add(found)
            return None
        here = [index for index in same if turn is not None and sum(act < index for act in self.acts) == turn]
        if turn == len(self.acts):
            here = [index for index in here if index not in self.looked]
        found = next((index for index in here if index not in self.looked), here[0] if here else None)
        if found is None:
            self.news.append((tool, arg))
            return None
        answers = found in self._latest() - self.looked and not self.asked
        self.looked.add(found)
        return found if answers else None

    def _effect(self, tool: str) -> str | None:
        return next((step.effect for step in self.case.steps if step.tool == tool), "write")

    def _arg(self, index: int) -> str:
        step = self.case.steps[index]
        return self._tickets(self.case.steps[step.feeds].tool) if step.feeds >= 0 else step.arg

    def _not_learned(self) -> str | None:
        case = self.case
        prefix = list(self.done)
        reading = self.broken is not None and case.steps[self.done[-1]].effect == "read"
        if self.broken is not None and not (reading and self.broken == "post_check_refused"):
            prefix.pop()
        accepted = bool(case.judge) and case.agent_ok
        raised = {self.done[-1]} if self.broken == "tool_raised" else set()
        acts = [index for index in self.done if case.steps[index].effect != "read"]
        undone = self._undone(raised) if self.absorbs else [] if accepted or case.handover else acts
        self.quarantines = bool(self.done and self.asked and undone)
        if not self.asked and not self.done:
            return "no_calls"
        if case.judge and not case.agent_ok:
            return "refused"
        if not self.done:
            return None
        retried = bool(raised) and self.absorbs and self.done[-1] in self.looked
        if self.broken is not None and not reading and not accepted and not retried:
            return "unknown_effect"
        if self.broken == "check_error":
            return "check_failed"
        problem = self._restarted(undone, raised) if self.absorbs else self._continued(undone, prefix)
        return problem or ("failed_write" if raised and not reading and not retried else None)

    def _undone(self, raised: set[int]) -> list[int]:
        again = [self._call_of(index) for index in self.looked if index in self.acts]
        left = [index for index in self.left if self._call_of(index) not in again]
        reads = {index for index, step in self.executed if step.effect == "read"} - self.looked
        return sorted({*left, *(reads if self.case.handover else ())} - raised)

    def _restarted(self, undone: list[int], raised: set[int]) -> str | None:
        case = self.case
        accepted = bool(case.judge)
        answered = {index for index, _ in self.executed} - raised - set(self.left)
        if not self.asked and (undone or not accepted or not answered & {*self.acts, *self.looked}):
            return "no_calls"
        if undone:
            return "not_absorbed"
        rest = case.steps[self.at + (self.broken is not None) :]
        executed = [self._call_of(index) for index in self.acts]
        tools = {step.tool for step in rest}
        acts = [call for call in self.news if self._effect(call[0]) != "read"]
        acts = [call for call in acts if call not in executed or call[0] in tools]
        expected = any(step.effect != "read" for step in rest)
        wanted: Any = acts if expected else self.news if self.acts else self.asked
        return None if accepted or wanted else "no_calls"

    def _continued(self, undone: list[int], prefix: list[int]) -> str | None:
        accepted = bool(self.case.judge)
        if not self.asked:
            return None if accepted and prefix and self.reason != "unsuccessful" else "no_calls"
        if accepted or self.case.handover:
            return None
        first = self.asked[0].tool, self.asked[0].arg
        if first == self._call_of(self.done[0]):
            return "repeated_prefix"
        return "not_absorbed" if undone else None


class _Told:
    def __init__(self, tool: str, result: Any) -> None:
        self.tool, self.result = tool, result


class _Handover:
    def __init__(self, executed: list[_Told], step: int) -> None:
        self.executed, self.step = executed, step
