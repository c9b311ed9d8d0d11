"""Whatever happens in the middle of a replay: who did what, and why, as a small model of the rules foretells it."""

from __future__ import annotations

import os
import zlib
from collections import Counter
from typing import Any

import pytest

from disturbed_cases import KEPT, Agent, AgentError, Case, Step, Stop, ToolError, program
from disturbed_runs import Bench, environment
from muscle_mem import Diverged, Missed, current_run

CASES = int(os.environ.get("MUSCLE_MEM_CASES", "2000"))
CHUNKS = 8
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
        following = True
        left = list(replayed)
        going: Any = ("send", None)
        try:
            while True:
                tool, arg = getattr(asking, going[0])(going[1])
                match = None
                if following and left and left[0][1][0] == tool and self._arg(left[0][0]) == arg:
                    match = left[0]
                else:
                    following = False
                    kept = [one for one in left if one[1].effect in KEPT]
                    match = next((one for one in kept if (one[1].tool, self._arg(one[0])) == (tool, arg)), None)
                if match is None:
                    self.asked.append(Step(tool, arg, None, False, False))
                    going = ("send", self._tickets(tool))
                    continue
                left.remove(match)
                self.repeated += 1
                raised = self.broken == "tool_raised" and match[0] == self.done[-1]
                going = ("throw", ToolError()) if raised else ("send", self._tickets(tool))
        except StopIteration:
            pass
        except Stop:
            raise Interrupted from None
        except (AgentError, ToolError) as error:
            self.error = type(error)
        self.left = [index for index, _ in left]

    def _arg(self, index: int) -> str:
        step = self.case.steps[index]
        return self._tickets(self.case.steps[step.feeds].tool) if step.feeds >= 0 else step.arg

    def _not_learned(self) -> str | None:
        case = self.case
        prefix = list(self.done)
        reading = self.broken is not None and case.steps[self.done[-1]].effect == "read"
        if self.broken is not None and not (reading and self.broken == "post_check_refused"):
            prefix.pop()
        if not self.asked and not prefix:
            return "no_calls"
        if case.judge and not case.agent_ok:
            return "refused"
        if not self.done:
            return None
        if self.broken is not None and not reading:
            return "unknown_effect"
        if self.broken == "check_error":
            return "check_failed"
        if not self.asked:
            repeated = self.absorbs and self.repeated and not set(prefix) & set(self.left)
            return None if repeated else "no_calls"
        first = case.steps[self.done[0]]
        again = (self.asked[0].tool, self.asked[0].arg) == (first.tool, self._arg(self.done[0]))
        return "repeated_prefix" if again and not case.judge else None


class _Told:
    def __init__(self, tool: str, result: Any) -> None:
        self.tool, self.result = tool, result


class _Handover:
    def __init__(self, executed: list[_Told], step: int) -> None:
        self.executed, self.step = executed, step


def contents(bench: Bench) -> dict[str, set[str]]:
    """The observations of every trajectory."""
    found = bench.engine._runtime.library.store.scan(limit=500).stored
    return {one.sealed.id: {observation.id for _, observation in one.observations} for one in found}


def learn(bench: Bench) -> str | None:
    """Record the task as the case says, and give the verdict; the id of what was learned."""
    case, world = bench.case, bench.world
    judged = {"success": bench.success} if case.verdict == "success" else {}
    id = None
    with environment(None):
        for time in range(min(case.rows, 2)):
            world.begin()
            world.epoch = "new" if time and case.rows == 3 else "old"
            if case.verdict == "refused":
                judged = {"success": lambda value: False}
            outcome, error = bench.call(mode="auto" if not time and case.seed % 2 else "record", **judged)
            assert error is None
            expected = "new_task" if not time and case.seed % 2 else "mode"
            assert (outcome.status, outcome.reason) == ("miss", expected)
            assert outcome.not_learned == ("refused" if case.verdict == "refused" else None)
            assert [call[:2] for call in world.calls] == [("agent", step.tool) for step in case.steps]
            id = outcome.trajectory_id
    if id is not None and case.verdict in ("good", "bad"):
        (bench.engine.report_good if case.verdict == "good" else bench.engine.report_bad)(id, "looked")
    return id


def tell(case: Case, counts: Counter[str]) -> None:
    bench = Bench(case)
    try:
        id = learn(bench)
        model = Model(case)
        bench.agent = case.agent
        bench.world.epoch = case.epoch
        bench.world.begin(testing=True)
        stored, before = contents(bench), standing(bench, id)
        with environment(case.env_mode):
            outcome, error = bench.call(**bench.kwargs)
        judge(bench, model, outcome, error)
        if model.error is not None or model.learned is not None or outcome:
            assert contents(bench) == stored, "a run that was not learned left something in the store"  # C4, D6
        after = standing(bench, id)
        assert (after.failures if after else 0) - (before.failures if before else 0) == model.counts  # D6
        counts[model.status or "interrupt"] += 1
        counts[model.reason] += 1
        counts["raised"] += error is not None
        counts["absorbed"] += model.repeated > 0
        again(bench, model, id)
    finally:
        bench.close()


def standing(bench: Bench, id: str | None) -> Any:
    found = bench.engine._runtime.library.store.get(id) if id else None
    return found.standing if found else None


def judge(bench: Bench, model: Model, outcome: Any, error: BaseException | None) -> None:
    """Hold what happened against the model, and against the promises that need none."""
    case, world = bench.case, bench.world
    replayed = [(tool, arg) for who, tool, arg in world.calls if who == "replay"]
    asked = [(tool, arg) for who, tool, arg in world.calls if who == "agent"]
    wanted = [(case.steps[index].tool, model._arg(index)) for index in model.done]
    assert replayed == wanted, "the replay did something else"
    assert asked == [(step.tool, step.arg) for step in model.asked], "of what the agent asked, something else was done"
    assert len(world.calls) == len(replayed) + len(world.requests) - model.repeated  # nothing twice unasked
    assert world.starts <= 1
    assert (world.handovers[:1] or [None])[0] is None or case.handover
    if model.error is not None:
        assert outcome is None
        if model.error == "interrupt" or model.error in (AgentError, ToolError):
            assert error is world.raised  # G5: unchanged
            noted = any("muscle_mem" in note for note in getattr(error, "__notes__", ()))
            assert noted == (model.error != "interrupt" and model.status == "diverged")  # F7
        else:
            assert type(error) is model.error
            told = error.handover if isinstance(error, Diverged) else error.outcome
            assert told.reason == model.reason
            assert model.status == "miss" or (told.step, len(told.executed)) == (model.at, len(model.done))
    else:
        assert error is None, f"{model.status} {model.reason} was foretold, and out came {error!r}"
        found = (outcome.status, str(outcome.reason), outcome.not_learned)
        assert found == (model.status, model.reason, model.learned), (outcome.message, outcome.not_learned_message)
        assert bool(outcome) == (model.status == "hit")
        assert outcome.learned == (model.learned is None and not outcome)
        assert outcome.steps == len(replayed)
        assert outcome.divergence is None or outcome.divergence.step == model.at
        assert world.starts == (not outcome)
        if outcome and len(set(case.steps)) == len(case.steps):
            last = case.steps[-1].tool
            assert outcome.value == model._tickets(last) if len(case.steps) - 1 in model.done else outcome.value is None
        compared_in_shadow(case, model, outcome)
    irreversible = any(case.steps[index].effect == "irreversible" for index in model.done)
    assert not (irreversible and world.starts) or world.handovers[0] is not None or model.absorbs  # F3
    assert not replayed or model.refused() is None  # the trust asked for, quarantine, F4
    for index, entry in enumerate(world.log):
        step = next((step for step in case.steps if entry == ("do", "replay", step.tool)), None)
        if step is not None and step.pre:
            assert world.log[index - 1] == ("compare", "pre", step.tool)  # B1
        elif step is not None and step.effect == "irreversible":
            assert world.log[index - 1] == ("approve", step.tool)  # F4
    assert current_run() is None
    assert not bench.engine._runtime.open_runs.frames


def compared_in_shadow(case: Case, model: Model, outcome: Any) -> None:
    if case.mode == "shadow" and model.asked and model.refused() is None:
        made = [(step.tool, step.arg) for step in model.asked]
        same = made == [(step.tool, step.arg) for step in case.steps]
        assert outcome.shadow is not None
        if same or "other" in dict(made):
            assert outcome.shadow.agreed == same
    else:
        assert outcome.shadow is None


def again(bench: Bench, model: Model, id: str | None) -> None:
    """Whatever happened, the engine is usable; what did not speak against the trajectory leaves it in use."""
    case, world = bench.case, bench.world
    bench.agent = Agent()
    world.begin()
    with environment(None):
        outcome, error = bench.call(mode="auto", **{k: v for k, v in bench.kwargs.items() if k != "mode"})
    if case.fault.role == "stale" and model.learned is None and model.asked:  # learned with another ticket than now
        reason = error.handover.reason if isinstance(error, Diverged) else outcome.reason
        assert reason in ("hit", "stale_output", "new_task", "quarantined", "not_approved")
        return
    assert error is None
    assert outcome.status in ("hit", "miss")
    assert outcome or world.starts == 1
    if id is not None and model.refused() is None and not model.counts:
        assert outcome, f"{outcome!r}: {outcome.message}"


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_the_middle_of_a_run_is_as_the_rules_say(chunk: int) -> None:
    totals: Counter[str] = Counter()
    for number in range(chunk, CASES, CHUNKS):
        seed = zlib.crc32(f"middle {number}".encode())
        case = Case(seed)
        try:
            tell(case, totals)
        except BaseException as error:
            error.add_note(repr(case))
            raise
    for what in ("hit", "miss", "diverged", "raised", "absorbed"):
        assert CASES < 2_000 or totals[what] >= CASES // CHUNKS // 50, f"hardly any {what} in {totals}"
