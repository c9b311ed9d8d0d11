"""The flow without any I/O: run_task, replay and demonstrate driven by hand, effect by effect."""

from __future__ import annotations

from typing import Any

import pytest

from flow_by_hand import OneTool, World, a_check, a_run, a_tool, answer, ready, recorded, stored
from muscle_mem import Diverged, Missed, Reason
from muscle_mem._core.flow import learn_demonstration, run_task
from muscle_mem._core.plan.candidate_set import NO_CANDIDATES
from muscle_mem._core.plan.ready_trajectory import Candidate
from muscle_mem._core.plan.step import Refusal
from muscle_mem._core.replay.eligibility import eligible
from muscle_mem._core.replay.replay import replay
from muscle_mem._core.run.effects import Capture, Compare, Invoke, RunAgent, Save
from muscle_mem._core.run.recorder import Problem


def test_a_miss_asks_the_agent_and_saves_what_it_did() -> None:
    world = World(a_tool(pre=a_check()), a_run())
    world.agent = lambda handover: world.call("a")
    finished = world.drive([])
    assert world.seen == ["RunAgent", "Capture a", "Compare", "Compare", "Invoke a", "Save"]
    assert finished.outcome is not None
    assert (finished.outcome.status, finished.outcome.reason) == ("miss", Reason.NEW_TASK)
    assert finished.outcome.learned
    assert finished.outcome.trajectory_id == world.saved[0].id
    assert finished.followed is None


def test_a_hit_captures_compares_and_invokes_step_by_step_and_saves_nothing() -> None:
    tool = a_tool(pre=a_check(), post=a_check())
    world = World(tool, a_run())
    finished = world.drive(stored(recorded(tool, "ab", value="did b")))
    each = ["Capture {0}", "Compare", "Invoke {0}", "Capture {0}", "Compare"]
    assert world.seen == [text.format(name) for name in "ab" for text in each]
    assert finished.outcome is not None
    assert (finished.outcome.status, finished.outcome.value, finished.outcome.steps) == ("hit", "did b", 2)
    assert finished.followed is not None
    assert finished.failure is None


def test_a_flow_is_stepped_with_next_send_and_throw() -> None:
    check = a_check()
    tool = a_tool(pre=check)
    run = a_run()
    flow = run_task(run, ready(stored(recorded(tool, "ab")), OneTool(tool)), OneTool(tool))
    capture = next(flow)
    assert isinstance(capture, Capture)
    assert capture.check is check
    assert capture.args == ("a",)
    compare = flow.send(7)
    assert isinstance(compare, Compare)
    assert (compare.current, compare.candidate) == (7, 1)
    invoke = flow.send(True)
    assert isinstance(invoke, Invoke)
    assert (invoke.tool, invoke.args) == (tool, ("a",))
    assert isinstance(flow.send("did a"), Capture)
    agent = flow.throw(OSError("no screen"))
    assert isinstance(agent, RunAgent)
    assert run.handover is not None
    assert run.handover.reason is Reason.CHECK_ERROR
    with pytest.raises(StopIteration) as stopped:
        flow.throw(StopIteration("of the agent"))
    finished = stopped.value.value
    assert finished.outcome is None
    assert isinstance(finished.error, StopIteration)
    assert finished.failure is None


def test_a_refused_first_check_is_a_miss() -> None:
    tool = a_tool(pre=a_check())
    world = World(tool, a_run(), a=2)
    finished = world.drive(stored(recorded(tool, "ab")))
    assert world.seen == ["Capture a", "Compare", "RunAgent"]
    assert finished.outcome is not None
    assert finished.outcome.reason is Reason.FIRST_CHECK_REFUSED
    assert finished.outcome.not_learned is Reason.NO_CALLS


def test_a_refused_later_check_runs_the_agent_with_the_handover_if_it_names_one() -> None:
    tool = a_tool(pre=a_check())
    given: list[Any] = []
    for names_handover in (True, False):
        world = World(tool, a_run(takes_handover=names_handover), b=2)
        world.agent = given.append
        finished = world.drive(stored(recorded(tool, "ab")))
        assert world.seen == ["Capture a", "Compare", "Invoke a", "Capture b", "Compare", "RunAgent"]
        assert finished.outcome is not None
        assert finished.outcome.status == "diverged"
        assert finished.failure is None
        assert finished.followed is not None
    assert given[0].results == ["did a"]
    assert given[1] is None


def test_an_absorbed_call_asks_the_driver_for_nothing() -> None:
    tool = a_tool(pre=a_check())
    world = World(tool, a_run(), b=2)
    world.agent = lambda handover: [world.call(name) for name in "ab"]
    finished = world.drive(stored(recorded(tool, "ab")))
    assert world.seen.count("Invoke a") == 1
    assert world.seen.count("Invoke b") == 1
    assert finished.outcome is not None
    assert finished.outcome.value == ["did a", "did b"]
    assert [record.arguments[0][0] for record in world.saved[0].body.steps] == ["name", "name"]


@pytest.mark.parametrize("error", [ValueError("no"), StopIteration("no"), RuntimeError("odd")])
def test_a_tool_that_raises_is_a_divergence_that_counts_against_the_recording(error: Exception) -> None:
    tool = a_tool(pre=a_check())
    world = World(tool, a_run())
    world.fail["a"] = error
    finished = world.drive(stored(recorded(tool, "ab")))
    assert finished.outcome is not None
    assert finished.outcome.divergence is not None
    assert finished.outcome.divergence.error is error
    assert finished.failure is not None
    assert finished.failure.reason is Reason.TOOL_RAISED


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), GeneratorExit()])
def test_what_ends_the_process_passes_through_a_replay(error: BaseException) -> None:
    tool = a_tool()
    world = World(tool, a_run())
    world.fail["b"] = error
    with pytest.raises(type(error)) as raised:
        world.drive(stored(recorded(tool, "ab")))
    assert raised.value is error
    assert "RunAgent" not in world.seen


def test_a_flow_that_is_closed_in_the_middle_asks_for_nothing_more() -> None:
    tool = a_tool()
    for at in range(3):
        run = a_run()
        flow = run_task(run, ready(stored(recorded(tool, "ab")) if at < 2 else [], OneTool(tool)), OneTool(tool))
        next(flow)
        if at == 1:
            flow.send("did a")
        flow.close()
        with pytest.raises(StopIteration):
            next(flow)


def test_mode_record_never_looks_at_the_recordings() -> None:
    tool = a_tool(pre=a_check())
    world = World(tool, a_run("record"))
    finished = world.drive(stored(recorded(tool, "ab")))
    assert world.seen == ["RunAgent"]
    assert finished.outcome is not None
    assert finished.outcome.reason is Reason.MODE


def test_mode_replay_ends_in_missed_or_diverged_and_never_asks_the_agent() -> None:
    tool = a_tool(pre=a_check())
    for snapshots, kind in (({"a": 2}, Missed), ({"b": 2}, Diverged)):
        world = World(tool, a_run("replay"), **snapshots)
        finished = world.drive(stored(recorded(tool, "ab")))
        assert isinstance(finished.error, kind)
        assert "RunAgent" not in world.seen


def test_the_lookups_own_reason_is_told() -> None:
    world = World(a_tool(), a_run())
    finished = world.drive([], Refusal(Reason.STORE_UNAVAILABLE, "the disk is gone"))
    assert finished.outcome is not None
    assert (finished.outcome.reason, finished.outcome.message) == (Reason.STORE_UNAVAILABLE, "the disk is gone")


def test_the_success_callback_is_asked_at_the_end_of_a_replay_and_of_the_agent() -> None:
    tool = a_tool()
    asked: list[Any] = []

    def success(value: Any) -> bool:
        asked.append(value)
        return value == "the agent's value"

    world = World(tool, a_run(success=success))
    finished = world.drive(stored(recorded(tool, "ab", value="did b")))
    assert world.seen == ["Invoke a", "Invoke b", "RunCallback", "RunAgent", "RunCallback"]
    assert asked == ["did b", "the agent's value"]
    assert finished.outcome is not None
    assert finished.outcome.reason is Reason.UNSUCCESSFUL
    assert finished.failure is not None
    assert finished.failure.reason is Reason.UNSUCCESSFUL


def test_a_store_that_does_not_take_the_recording_costs_the_recording_only() -> None:
    world = World(a_tool(), a_run())
    flow = run_task(world.run, NO_CANDIDATES, OneTool(world.tool))
    assert isinstance(next(flow), RunAgent)
    world.call("a")
    assert isinstance(flow.send("value"), Save)
    with pytest.raises(StopIteration) as stopped:
        flow.send(Problem(Reason.STORE_UNAVAILABLE, "the disk is full"))
    outcome = stopped.value.value.outcome
    assert (outcome.value, outcome.learned, outcome.not_learned) == ("value", False, Reason.STORE_UNAVAILABLE)


def test_a_check_that_waits_sleeps_between_looks_until_its_deadline() -> None:
    tool = a_tool(pre=a_check(wait=10, every=3))
    world = World(tool, a_run("replay"), a=2)
    finished = world.drive(stored(recorded(tool, "ab")))
    assert isinstance(finished.error, Missed)
    assert world.seen.count("Sleep") >= 3
    assert world.seen[-1] != "Sleep", "after the last sleep comes a last look"
    assert world.seen.count("Capture a") == world.seen.count("Sleep") + 1


def test_replay_alone_returns_who_came_to_its_end_or_the_refusal_that_stopped_it() -> None:
    tool = a_tool(pre=a_check())
    for snapshots, expected in (({}, Candidate), ({"b": 2}, Refusal)):
        run = a_run()
        live, refusal = eligible(run, ready(stored(recorded(tool, "ab")), OneTool(tool)), OneTool(tool))
        assert refusal is None
        assert live is not None
        found = answer(replay(run, live), World(tool, run, **snapshots), [])
        assert isinstance(found, expected)
        assert run.progress.results == (["did a", "did b"] if expected is Candidate else ["did a"])


def test_the_newest_admissible_trajectory_is_first_and_a_quarantined_one_is_not_admitted() -> None:
    tool = a_tool(pre=a_check())
    run = a_run()
    live, _ = eligible(run, ready(stored(recorded(tool, "ab"), recorded(tool, "ac")), OneTool(tool)), OneTool(tool))
    assert live is not None
    assert [candidate.seq for candidate in live.candidates] == [1, 0]
    live, refusal = eligible(
        run, ready(stored(recorded(tool, "ab"), state="quarantined"), OneTool(tool)), OneTool(tool)
    )
    assert live is None
    assert refusal is not None
    assert refusal.reason is Reason.QUARANTINED


def test_a_missing_tool_is_refused_before_anything_is_asked() -> None:
    world = World(a_tool(), a_run("replay"))
    flow = run_task(world.run, ready(stored(recorded(world.tool, "ab")), OneTool(None)), OneTool(None))
    with pytest.raises(StopIteration) as stopped:
        next(flow)
    assert stopped.value.value.error.outcome.reason is Reason.TOOL_MISSING


def test_a_demonstration_is_saved_without_an_agent() -> None:
    world = World(a_tool(), a_run("record"))
    world.call("a")
    world.seen.clear()
    outcome = answer(learn_demonstration(world.run, 1.0), world, world.seen)
    assert world.seen == ["Save"]
    assert outcome.learned
