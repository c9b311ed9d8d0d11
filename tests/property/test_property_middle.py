"""Whatever happens in the middle of a replay: who did what, and why, as a small model of the rules foretells it."""

from __future__ import annotations

import os
import zlib
from collections import Counter
from typing import Any

import pytest

from disturbed_cases import Agent, AgentError, Case, ToolError
from disturbed_model import Model
from disturbed_runs import Bench, environment
from muscle_mem import Diverged, current_run

CASES = int(os.environ.get("MUSCLE_MEM_CASES", "2000"))
CHUNKS = 8


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
        if model.error is not None or model.learned not in (None, "failed_write") or outcome:
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
    vouched = model.broken == "post_check_refused" and model.learned is None  # learned with what its post-check saw
    assert outcome.status in ("hit", "miss") or vouched
    assert outcome or world.starts == 1
    if id is not None and model.refused() is None and not model.counts and not model.quarantines:
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
