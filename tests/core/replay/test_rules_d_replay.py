"""D1, D4, D5, D9: what is checked before the first effect, how a replay stops, and what a hit gives back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Check, Diverged, Engine, Missed, Reason
from replay_world import Desk

# D1: everything knowable is checked before the first effect


class Six:
    """An engine with the tools t0 ... t5, of which the last may be left out, changed or checked otherwise."""

    def __init__(self, store: Path, last: str = "same") -> None:
        self.done: list[str] = []
        self.engine = Engine(store, observers=[])
        tools = [self.engine.tool(name=f"t{n}", effect="read")(self.make(f"t{n}")) for n in range(5)]
        if last == "same":
            tools.append(self.engine.tool(name="t5", effect="read")(self.make("t5")))
        elif last == "changed":
            tools.append(self.engine.tool(name="t5", effect="read")(lambda: self.done.append("other")))
        elif last == "checked":
            check = Check(lambda: self.done.append("looked"))
            tools.append(self.engine.tool(check, name="t5", effect="read")(self.make("t5")))
        self.engine.set_agent(lambda task: [tool() for tool in tools])

    def make(self, name: str) -> Any:
        return lambda: self.done.append(name)


@pytest.mark.parametrize(
    ("last", "reason"),
    [("missing", Reason.TOOL_MISSING), ("changed", Reason.TOOL_CHANGED), ("checked", Reason.CHECK_CHANGED)],
)
def test_d1_a_last_tool_that_does_not_fit_is_a_miss_with_nothing_executed(
    tmp_path: Path, last: str, reason: Reason
) -> None:
    with Six(tmp_path / "s.db").engine as engine:
        assert engine("task").learned
    six = Six(tmp_path / "s.db", last)
    with six.engine:
        with pytest.raises(Missed) as missed:
            six.engine("task", mode="replay")
        assert missed.value.outcome.reason is reason
        assert "t5" in missed.value.outcome.message
        assert six.done == []


def test_d1_the_six_tools_would_have_been_replayed(tmp_path: Path) -> None:
    with Six(tmp_path / "s.db").engine as engine:
        assert engine("task").learned
    six = Six(tmp_path / "s.db")
    with six.engine:
        assert six.engine("task", mode="replay").steps == 6


def test_d1_a_context_object_that_a_later_argument_needs_is_missed_at_the_start() -> None:
    class Client:
        pass

    done: list[str] = []
    engine = Engine(observers=[])

    @engine.tool()
    def first() -> None:
        done.append("first")

    @engine.tool()
    def second(clients: list[Any]) -> None:
        done.append("second")

    client = Client()
    engine.set_agent(lambda task: (first(), second([client])))
    assert engine("task", context=client).learned
    assert engine("task", context=client)
    done.clear()
    with pytest.raises(Missed) as missed:
        engine("task", context=(), mode="replay")
    assert missed.value.outcome.reason is Reason.NOT_REPLAYABLE
    assert "Client" in missed.value.outcome.message
    assert done == []


def test_d1_a_missing_param_is_seen_before_the_first_effect() -> None:
    desk = Desk()
    desk.engine.set_agent(lambda task: [desk.step(f"{n} for John Doe") for n in range(3)])
    desk.run(params={"who": "John Doe"}, key="k")
    desk.log.clear()
    with pytest.raises(Missed) as missed:
        desk.engine("task", key="k", mode="replay")
    assert missed.value.outcome.reason is Reason.PARAM_MISSING
    assert desk.log == []


def test_d1_an_admissible_recording_is_followed_although_a_newer_one_is_not() -> None:
    desk = Desk()
    older = desk.learn("ab", {"a": 1, "b": 1, "c": 1})
    newer = desk.learn("ac")
    assert desk.run().trajectory_id == newer.trajectory_id
    newer.report_bad()
    assert desk.run().trajectory_id == older.trajectory_id


# D4: miss or divergence, never an exception


def test_d4_a_first_step_that_does_not_fit_is_a_miss_and_executes_nothing() -> None:
    desk = Desk()
    desk.learn("ab", {"a": 1, "b": 1})
    outcome = desk.run({"a": 2, "b": 1}, mode="record")
    with pytest.raises(Missed) as missed:
        desk.run({"a": 3, "b": 1}, mode="replay")
    assert missed.value.outcome.reason is Reason.FIRST_CHECK_REFUSED
    assert desk.done == []
    assert outcome.divergence is None


def test_d4_a_first_check_that_cannot_decide_is_a_miss() -> None:
    desk = Desk()
    desk.learn("ab", {"a": 1, "b": 1})
    outcome = desk.run({"a": OSError("no screen"), "b": 1})
    assert outcome.status == "miss"
    assert outcome.reason is Reason.FIRST_CHECK_REFUSED
    assert "no screen" in outcome.message


def test_d4_a_later_step_that_does_not_fit_is_a_divergence_that_says_what_was_seen_and_expected() -> None:
    desk = Desk()
    desk.learn("abc", {"a": 1, "b": 1, "c": 1})
    outcome = desk.run({"a": 1, "b": 7, "c": 1})
    assert outcome.status == "diverged"
    assert not outcome
    assert outcome.reason is Reason.CHECK_REFUSED
    assert outcome.divergence is not None
    assert (outcome.divergence.step, outcome.divergence.tool) == (1, "step")
    assert "7" in outcome.divergence.seen
    assert "1" in outcome.divergence.expected
    assert outcome.steps == 1


def test_d4_a_later_check_that_raises_is_a_divergence_with_the_exception() -> None:
    desk = Desk()
    desk.learn("ab", {"a": 1, "b": 1})
    trouble = OSError("no screen")
    desk.plan = []
    outcome = desk.run({"a": 1, "b": trouble})
    assert outcome.reason is Reason.CHECK_ERROR
    assert outcome.divergence is not None
    assert outcome.divergence.error is trouble


@pytest.mark.parametrize("pre", [True, False])
def test_d4_a_tool_that_raises_at_the_first_step_is_a_divergence(pre: bool) -> None:
    desk = Desk(pre=pre)
    desk.learn("ab")
    trouble = ValueError("sold out")
    desk.fail["a"] = trouble
    desk.plan = ["c"]
    outcome = desk.run()
    assert outcome.status == "diverged"
    assert outcome.reason is Reason.TOOL_RAISED
    assert outcome.divergence is not None
    assert outcome.divergence.step == 0
    assert outcome.divergence.error is trouble
    assert outcome.value == "did c"


def test_d4_a_tool_that_raises_stop_iteration_is_a_divergence_as_well() -> None:
    desk = Desk()
    desk.learn("ab")
    desk.fail["b"] = StopIteration("over")
    desk.plan = ["c"]
    outcome = desk.run()
    assert outcome.reason is Reason.TOOL_RAISED
    assert outcome.divergence is not None
    assert isinstance(outcome.divergence.error, StopIteration)


def test_d4_a_post_check_that_says_no_is_a_divergence_after_its_step() -> None:
    desk = Desk(post=True)
    desk.learn("ab")
    desk.after["a"] = "broken"
    desk.plan = ["c"]
    outcome = desk.run()
    assert outcome.reason is Reason.POST_CHECK_REFUSED
    assert outcome.divergence is not None
    assert outcome.divergence.step == 0
    assert desk.done == ["a", "c"]


def test_d4_an_output_that_no_longer_holds_what_an_argument_was_read_from_is_a_divergence_before_the_step() -> None:
    desk = Desk()
    desk.returns["find"] = {"id": "order-4711"}
    desk.engine.set_agent(lambda task: desk.step(f"pay {desk.step('find')['id']}"))
    desk.learn([])
    desk.returns["find"] = {"id": "order-4712"}
    outcome = desk.run()
    assert outcome.reason is Reason.STALE_OUTPUT
    assert outcome.divergence is not None
    assert outcome.divergence.step == 1
    assert "pay order-4711" not in desk.done
    assert desk.done[-1] == "pay order-4712"


def test_d4_keyboard_interrupt_in_a_replayed_tool_passes_through_and_leaves_the_engine_usable() -> None:
    desk = Desk()
    desk.learn("ab")
    desk.fail["b"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        desk.run()
    assert desk.done == ["a", "b"]
    desk.fail.clear()
    assert desk.run()


# D5: the value of a hit is live


def test_d5_the_value_is_this_runs_result_of_the_step_whose_output_was_returned() -> None:
    desk = Desk()
    desk.returns.update(a={"n": 1}, b={"n": 2})
    desk.learn("ab")
    desk.returns["b"] = {"n": 3}
    outcome = desk.run()
    assert outcome.value is desk.returns["b"]
    assert outcome.value_source == "step"


def test_d5_an_object_is_known_by_identity_although_an_equal_one_came_first() -> None:
    desk = Desk()
    desk.returns.update(a=["same"], b=["same"])
    desk.learn("ab")
    desk.returns.update(a=["first"], b=["second"])
    assert desk.run().value == ["second"]


def test_d5_a_unique_equal_value_is_enough() -> None:
    desk = Desk()
    desk.returns.update(a=5, b=6)
    desk.engine.set_agent(lambda task: (desk.step("a"), desk.step("b"))[0])
    desk.learn([])
    desk.engine("task", mode="record")  # One of several outputs: two recordings must agree.
    desk.returns["a"] = 50
    outcome = desk.run()
    assert (outcome.value, outcome.value_source) == (50, "step")


def test_d5_an_ambiguous_value_is_none_and_the_outcome_says_so() -> None:
    desk = Desk()
    desk.returns.update(a=5, b=5)
    desk.learn("ab")
    outcome = desk.run()
    assert outcome
    assert outcome.value is None
    assert outcome.value_source == "none"


@pytest.mark.parametrize("said", ["all done, John", ["did a", "did b"], None])
def test_d5_what_no_step_returned_is_never_given_again(said: Any) -> None:
    desk = Desk()

    def agent(task: str) -> Any:
        desk.step("a")
        desk.step("b")
        return said

    desk.engine.set_agent(agent)
    desk.learn([])
    outcome = desk.run()
    assert outcome
    assert (outcome.value, outcome.value_source) == (None, "none")


def test_d5_an_output_that_the_agent_changed_before_returning_it_is_not_taken_for_the_tools() -> None:
    desk = Desk()
    desk.returns["a"] = [3, 1, 2]

    def agent(task: str) -> Any:
        rows = desk.step("a")
        rows.sort()
        return rows

    desk.engine.set_agent(agent)
    desk.learn([])
    desk.returns["a"] = [9, 8]
    outcome = desk.run()
    assert (outcome.value, outcome.value_source) == (None, "none")


def test_d5_an_opaque_output_is_known_by_identity() -> None:
    desk = Desk()
    desk.returns["a"] = object()
    desk.learn("a")
    desk.returns["a"] = live = object()
    assert desk.run().value is live


def test_d5_the_engines_result_function_makes_the_value_of_this_runs_results() -> None:
    desk = Desk(result=lambda results: "/".join(results))
    assert desk.learn("ab").value == "did b"
    desk.returns["a"] = "today"
    outcome = desk.run()
    assert (outcome.value, outcome.value_source) == ("today/did b", "result")


def test_d5_a_result_function_that_raises_costs_the_value_and_not_the_hit() -> None:
    desk = Desk(result=lambda results: 1 / 0)
    desk.learn("ab")
    outcome = desk.run()
    assert outcome
    assert (outcome.value, outcome.value_source) == (None, "none")
    assert len(desk.notices("result")) == 1


# D9: unchecked tools


def test_d9_an_unchecked_tool_replays_with_one_warning_that_names_it() -> None:
    desk = Desk(pre=False)
    desk.learn("ab")
    for _ in range(3):
        assert desk.run()
    assert len(desk.notices("unchecked")) == 1
    assert "step" in desk.notices("unchecked")[0]


def test_d9_an_unchecked_tool_that_only_reads_needs_no_warning() -> None:
    desk = Desk(pre=False, effect="read", strict=True)
    desk.learn("ab")
    assert desk.run()
    assert desk.notices("unchecked") == []


@pytest.mark.parametrize("effect", [None, "write", "idempotent"])
def test_d9_a_strict_engine_refuses_an_unchecked_tool(effect: Any) -> None:
    desk = Desk(pre=False, effect=effect, strict=True)
    desk.learn("ab")
    outcome = desk.run()
    assert outcome.status == "miss"
    assert outcome.reason is Reason.NOT_REPLAYABLE
    assert "step" in outcome.message


def test_d9_a_strict_engine_replays_a_checked_tool() -> None:
    desk = Desk(strict=True)
    desk.learn("ab")
    assert desk.run()


def test_d9_explain_says_that_a_step_is_unchecked() -> None:
    desk = Desk(pre=False)
    desk.learn("ab")
    assert "unchecked" in str(desk.engine.explain("task"))


# F6, seen from here: only a hit is truthy


def test_f6_a_hit_is_truthy_and_a_miss_and_a_divergence_are_not() -> None:
    desk = Desk()
    desk.plan = ["a", "b"]
    missed, hit = desk.run({"a": 1, "b": 1}), desk.run()
    diverged = desk.run({"a": 1, "b": 2})
    assert [missed.status, hit.status, diverged.status] == ["miss", "hit", "diverged"]
    assert [bool(missed), bool(hit), bool(diverged)] == [False, True, False]


def test_d4_mode_replay_raises_in_the_middle_and_tells_what_was_done() -> None:
    desk = Desk()
    desk.learn("ab", {"a": 1, "b": 1})
    with pytest.raises(Diverged) as diverged:
        desk.run({"a": 1, "b": 2}, mode="replay")
    assert diverged.value.handover.results == ["did a"]
    assert diverged.value.handover.reason is Reason.CHECK_REFUSED
    assert desk.done == ["a"]


@dataclass
class Box:
    items: list[str]


def test_d5_a_dataclass_that_a_tool_returns_is_known_by_identity() -> None:
    desk = Desk()
    desk.returns.update(a=Box(["x"]), b=Box(["x"]))
    desk.engine.set_agent(lambda task: (desk.step("a"), desk.step("b"))[0])
    desk.learn([])
    desk.engine("task", mode="record")
    desk.returns.update(a=Box(["first"]), b=Box(["second"]))
    assert desk.run().value == Box(["first"])
