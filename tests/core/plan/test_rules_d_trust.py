"""D6: what makes a recording trusted or quarantined, who lifts a quarantine, and that all of it is remembered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Missed, NotFoundError, Outcome, Reason
from replay_world import Desk


def state_of(desk: Desk, outcome: Outcome) -> str:
    """The standing of a run's trajectory, as explain tells it."""
    found = desk.engine.explain("task").considered
    return next((one.state for one in found if one.trajectory_id == outcome.trajectory_id), "forgotten")


def break_replay(desk: Desk, name: str = "a") -> Outcome:
    """One replay in which a tool raises, after which the agent does nothing that could be learned."""
    desk.fail[name] = OSError("the server is down")
    desk.plan = []
    outcome = desk.run()
    desk.fail.clear()
    assert outcome.reason is Reason.TOOL_RAISED
    assert outcome.not_learned is not None
    return outcome


# the way up


def test_d6_a_recording_is_fresh_and_a_second_one_of_the_same_calls_makes_it_trusted() -> None:
    desk = Desk()
    first = desk.learn("ab")
    assert state_of(desk, first) == "fresh"
    assert desk.learn("ab").trajectory_id == first.trajectory_id
    assert state_of(desk, first) == "trusted"


def test_d6_a_hit_is_no_evidence() -> None:
    desk = Desk()
    first = desk.learn("ab")
    for _ in range(5):
        assert desk.run()
    assert state_of(desk, first) == "fresh"


def test_d6_a_divergence_that_ends_as_the_recording_did_is_no_evidence() -> None:
    desk = Desk()
    first = desk.learn("ab", {"a": 1, "b": 1})
    again = desk.run({"a": 1, "b": 2})
    assert again.status == "diverged"
    assert again.learned
    assert again.trajectory_id == first.trajectory_id
    assert state_of(desk, first) == "fresh"


def test_d6_a_positive_verdict_makes_it_trusted() -> None:
    desk = Desk(success=lambda value: True)
    assert state_of(desk, desk.learn("ab")) == "trusted"


def test_d6_report_good_makes_it_trusted() -> None:
    desk = Desk()
    first = desk.learn("ab")
    desk.run().report_good("looked at it")
    assert state_of(desk, first) == "trusted"


# the way down


@pytest.mark.parametrize("name", ["a", "b"])
def test_d6_a_tool_that_raised_in_two_replays_in_a_row_quarantines(name: str) -> None:
    desk = Desk()
    first = desk.learn("ab")
    break_replay(desk, name)
    assert state_of(desk, first) == "fresh"
    break_replay(desk, name)
    assert state_of(desk, first) == "quarantined"
    with pytest.raises(Missed) as missed:
        desk.run(mode="replay")
    assert missed.value.outcome.reason is Reason.QUARANTINED
    assert "the server is down" in missed.value.outcome.message
    assert desk.log == []


def test_d6_a_hit_in_between_makes_it_one_again() -> None:
    desk = Desk()
    first = desk.learn("ab")
    for _ in range(3):
        break_replay(desk)
        assert desk.run()
    assert state_of(desk, first) == "fresh"


def test_d6_a_pre_check_that_said_no_never_counts() -> None:
    desk = Desk()
    first = desk.learn("ab", {"a": 1, "b": 1})
    for world in [{"a": 2, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": OSError("no screen")}] * 3:
        with pytest.raises((Missed, RuntimeError)):
            desk.run(world, mode="replay")
    assert state_of(desk, first) == "fresh"
    assert desk.run({"a": 1, "b": 1})


@pytest.mark.parametrize("effect", [None, "write", "idempotent", "irreversible"])
def test_d6_one_failed_post_check_after_a_write_quarantines_at_once(effect: Any) -> None:
    desk = Desk(post=True, effect=effect)
    first = desk.learn("ab")
    desk.after["b"] = "broken"
    desk.plan = []
    assert desk.run().reason is Reason.POST_CHECK_REFUSED
    assert state_of(desk, first) == "quarantined"


def test_d6_a_failed_post_check_after_a_read_counts_as_one_of_two() -> None:
    desk = Desk(post=True, effect="read")
    first = desk.learn("ab")
    desk.after["b"] = "broken"
    desk.plan = []
    desk.run()
    assert state_of(desk, first) == "fresh"
    desk.run()
    assert state_of(desk, first) == "quarantined"


def test_d6_a_post_check_that_cannot_decide_is_a_failed_one() -> None:
    desk = Desk(post=True)
    first = desk.learn("ab")
    desk.after["b"] = OSError("no screen")
    desk.plan = []
    assert desk.run().reason is Reason.CHECK_ERROR
    assert state_of(desk, first) == "quarantined"


def test_d6_a_failed_replay_counts_although_the_run_raised_diverged() -> None:
    desk = Desk(on_divergence="raise")
    first = desk.learn("ab")
    desk.fail["b"] = OSError("down")
    for _ in range(2):
        with pytest.raises(RuntimeError):
            desk.run()
    assert state_of(desk, first) == "quarantined"


def test_d6_a_failed_replay_counts_although_the_agent_failed_too() -> None:
    desk = Desk()
    first = desk.learn("ab")
    desk.fail["b"] = OSError("down")
    for _ in range(2):
        with pytest.raises(OSError, match="down"):
            desk.run()
    assert state_of(desk, first) == "quarantined"


def test_d6_two_negative_verdicts_in_a_row_quarantine_until_a_positive_one() -> None:
    good = [True]
    desk = Desk(success=lambda value: good[0])
    first = desk.learn("ab")
    good[0] = False
    for _ in range(2):
        assert desk.run().reason is Reason.UNSUCCESSFUL
    assert state_of(desk, first) == "quarantined"
    assert desk.run().not_learned is Reason.REFUSED
    assert state_of(desk, first) == "quarantined"
    good[0] = True
    assert desk.run().learned
    assert state_of(desk, first) == "trusted"
    assert desk.run()


def test_d6_the_agents_good_run_does_not_lift_what_a_negative_verdict_did() -> None:
    desk = Desk()
    first = desk.learn("ab")
    for _ in range(2):
        desk.run(success=lambda value: False)
    assert state_of(desk, first) == "quarantined"
    desk.learn("ab")
    assert state_of(desk, first) == "quarantined"


# the way back


def test_d6_one_good_agent_run_of_the_same_calls_lifts_a_quarantine_that_nobody_set() -> None:
    desk = Desk()
    first = desk.learn("ab")
    break_replay(desk)
    break_replay(desk)
    assert desk.learn("ab").trajectory_id == first.trajectory_id
    assert state_of(desk, first) == "fresh"
    assert desk.run()


def test_d6_an_agent_run_of_other_calls_lifts_nothing() -> None:
    desk = Desk()
    first = desk.learn("ab")
    break_replay(desk)
    break_replay(desk)
    desk.learn("ac")
    assert state_of(desk, first) == "quarantined"


def test_d6_after_a_quarantine_was_lifted_two_failures_are_needed_again() -> None:
    desk = Desk()
    first = desk.learn("ab")
    break_replay(desk)
    break_replay(desk)
    desk.learn("ab")
    break_replay(desk)
    assert state_of(desk, first) == "fresh"


def test_d6_report_bad_is_lifted_by_report_good_only() -> None:
    desk = Desk()
    first = desk.learn("ab")
    first.report_bad("paid twice")
    assert state_of(desk, first) == "quarantined"
    for _ in range(3):
        desk.learn("ab")
    assert state_of(desk, first) == "quarantined"
    assert "paid twice" in desk.run().message
    first.report_good()
    assert state_of(desk, first) == "trusted"
    assert desk.run()


def test_d6_report_bad_on_a_hit_means_the_recording_that_was_replayed() -> None:
    desk = Desk()
    first = desk.learn("ab")
    desk.run().report_bad()
    assert state_of(desk, first) == "quarantined"


def test_d6_report_good_lifts_every_quarantine() -> None:
    desk = Desk(post=True)
    first = desk.learn("ab")
    desk.after["b"] = "broken"
    desk.plan = []
    desk.run()
    desk.after.clear()
    desk.engine.report_good(str(first.trajectory_id))
    assert state_of(desk, first) == "trusted"
    assert desk.run()


def test_d6_forget_deletes() -> None:
    desk = Desk()
    first = desk.learn("ab")
    assert first.forget() is True
    assert first.forget() is False
    assert state_of(desk, first) == "forgotten"
    with pytest.raises(Missed) as missed:
        desk.run(mode="replay")
    assert missed.value.outcome.reason is Reason.NEW_TASK


def test_d6_what_was_forgotten_is_learned_anew_and_begins_fresh() -> None:
    desk = Desk()
    first = desk.learn("ab")
    first.report_bad()
    first.forget()
    desk.learn("ab")
    assert state_of(desk, first) == "fresh"


def test_d6_a_verdict_on_an_unknown_recording_is_an_error_that_says_so() -> None:
    desk = Desk()
    with pytest.raises(NotFoundError, match="nothing-like-it"):
        desk.engine.report_bad("nothing-like-it")
    assert desk.engine.forget("nothing-like-it") is False


# remembered


def reopened(desk: Desk, path: Path, **options: Any) -> Desk:
    desk.engine.close()
    return Desk(path, **options)


def test_d6_one_failure_before_and_one_after_a_restart_are_two_in_a_row(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    desk = Desk(path)
    first = desk.learn("ab")
    break_replay(desk)
    desk = reopened(desk, path)
    break_replay(desk)
    desk = reopened(desk, path)
    assert state_of(desk, first) == "quarantined"
    assert "the server is down" in desk.engine.explain("task").message
    desk.engine.close()


def test_d6_trust_and_a_persons_verdict_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    desk = Desk(path)
    first = desk.learn("ab")
    desk.learn("ab")
    desk = reopened(desk, path)
    assert state_of(desk, first) == "trusted"
    desk.engine.report_bad(str(first.trajectory_id), "paid twice")
    desk = reopened(desk, path)
    desk.learn("ab")
    assert state_of(desk, first) == "quarantined"
    desk.engine.report_good(str(first.trajectory_id))
    desk = reopened(desk, path)
    assert state_of(desk, first) == "trusted"
    assert desk.run()
    desk.engine.close()


def test_d6_hits_are_counted_in_the_store_when_the_engine_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    desk = Desk(path)
    desk.learn("ab")
    for _ in range(3):
        assert desk.run()
    desk = reopened(desk, path)
    assert desk.engine.explain("task").considered[0].hits == 3
    desk.engine.close()


def test_d6_a_quarantine_set_by_one_engine_is_seen_by_another_on_the_same_store(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    one, other = Desk(path), Desk(path)
    first = one.learn("ab")
    assert other.run()
    one.engine.report_bad(str(first.trajectory_id))
    with pytest.raises(Missed):
        other.run(mode="replay")
    one.engine.close()
    other.engine.close()
