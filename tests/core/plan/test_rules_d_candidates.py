"""D2, D3: which recording is followed, when a replay goes over to another, and how often the world is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Check, Diverged, Engine, Missed, Reason
from replay_world import Desk


def near(current: int, candidate: int) -> bool:
    return abs(current - candidate) <= 3


# D2: going over to another observation


def test_d2_a_replay_goes_over_to_an_observation_that_accepts_what_was_seen_on_the_way() -> None:
    desk = Desk(compare=near)
    desk.learn("ab", {"a": 12, "b": 50})
    desk.learn("ab", {"a": 10, "b": 10})
    outcome = desk.run({"a": 11, "b": 50})
    assert outcome
    assert desk.done == ["a", "b"]
    assert desk.count("look", "a") == desk.count("look", "b") == 1


def test_d2_rows_are_never_mixed() -> None:
    desk = Desk()
    desk.learn("ab", {"a": 1, "b": 1})
    desk.learn("ab", {"a": 2, "b": 2})
    with pytest.raises(Diverged) as diverged:
        desk.run({"a": 1, "b": 2}, mode="replay")
    assert diverged.value.handover.reason is Reason.CHECK_REFUSED
    assert desk.done == ["a"]


def test_d2_a_waiting_observation_must_accept_every_place_on_the_way() -> None:
    desk = Desk(compare=near)
    desk.learn("abc", {"a": 1, "b": 1, "c": 99})
    desk.learn("abc", {"a": 1, "b": 5, "c": 1})
    with pytest.raises(Diverged):
        desk.run({"a": 1, "b": 6, "c": 99}, mode="replay")
    assert desk.run({"a": 1, "b": 3, "c": 99}, mode="replay")


def test_d2_a_waiting_observation_must_accept_the_post_checks_on_the_way() -> None:
    desk = Desk(compare=near, post=True)
    desk.after = {"a": 1, "b": 1}
    desk.learn("ab", {"a": 1, "b": 99})
    desk.after = {"a": 5, "b": 1}
    desk.learn("ab", {"a": 1, "b": 1})
    desk.after = {"a": 3, "b": 1}
    assert desk.run({"a": 1, "b": 99}, mode="replay")
    desk.after = {"a": 7, "b": 1}
    with pytest.raises(Diverged):
        desk.run({"a": 1, "b": 99}, mode="replay")


def test_d2_a_failed_post_check_may_be_another_observations_good_one() -> None:
    desk = Desk(post=True)
    desk.after = {"a": "old look", "b": 1}
    older = desk.learn("ab", {"a": 1, "b": 1})
    desk.after = {"a": "new look", "b": 1}
    desk.learn("ab", {"a": 1, "b": 1})
    desk.after = {"a": "old look", "b": 1}
    outcome = desk.run(mode="replay")
    assert outcome.trajectory_id == older.trajectory_id
    assert desk.done == ["a", "b"]
    assert desk.count("after", "a") == 1


def test_d2_a_candidate_with_other_executed_calls_is_no_way_out() -> None:
    desk = Desk()
    desk.learn("xb", {"x": 1, "a": 0, "b": 2})
    desk.learn("ab", {"x": 1, "a": 1, "b": 1})
    with pytest.raises(Diverged):
        desk.run({"x": 1, "a": 1, "b": 2}, mode="replay")
    assert desk.done == ["a"]


def test_d2_a_trajectory_with_the_same_executed_calls_goes_on_in_its_own_way() -> None:
    desk = Desk()
    desk.learn("abx", {"a": 1, "b": 1, "x": 1})
    desk.learn("aby", {"a": 1, "b": 1, "y": 1})
    assert desk.run({"a": 1, "b": 1, "x": 1, "y": 2}, mode="replay")
    assert desk.done == ["a", "b", "x"]


def test_d2_a_longer_candidate_whose_next_check_passes_goes_on() -> None:
    desk = Desk()
    desk.learn("abc", {"a": 1, "b": 1, "c": "a banner"})
    desk.learn("ab", {"a": 1, "b": 1, "c": None})
    assert desk.run({"a": 1, "b": 1, "c": "a banner"}).steps == 3
    assert desk.run({"a": 1, "b": 1, "c": None}).steps == 2


def test_d2_an_ended_candidate_is_a_hit_when_the_longer_one_that_is_followed_may_not_go_on() -> None:
    desk = Desk()
    desk.learn("ab", {"a": 1, "b": 1})
    longer = desk.learn("abc", {"a": 1, "b": 1, "c": 1})
    outcome = desk.run({"a": 1, "b": 1, "c": 2})
    assert outcome
    assert outcome.steps == 2
    assert outcome.trajectory_id != longer.trajectory_id


def test_d2_a_shorter_candidate_that_refused_something_on_the_way_is_no_end() -> None:
    desk = Desk()
    desk.learn("ab", {"a": 1, "b": 2})
    desk.learn("abc", {"a": 1, "b": 1, "c": 1})
    with pytest.raises(Diverged):
        desk.run({"a": 1, "b": 1, "c": 2}, mode="replay")


def test_d2_an_unchecked_further_step_is_no_reason_to_go_on() -> None:
    desk = Desk(pre=False)
    desk.learn("abc")
    desk.learn("ab")
    assert desk.run().steps == 2


def test_d2_the_value_is_that_of_the_candidate_which_ended() -> None:
    desk = Desk()
    desk.learn("ab", {"a": 1, "b": 1})
    desk.learn("abc", {"a": 1, "b": 1, "c": 1})
    desk.returns["b"] = "b of today"
    assert desk.run({"a": 1, "b": 1, "c": 2}).value == "b of today"


def test_d2_what_was_seen_on_the_way_is_remembered_as_it_was_although_the_tool_changed_it() -> None:
    lists: dict[str, list[int]] = {}
    engine = Engine(observers=[])

    def close(current: list[int], candidate: list[int]) -> bool:
        return abs(len(current) - len(candidate)) <= 1

    @engine.tool(Check(lambda name: lists[name], close))
    def step(name: str) -> None:
        lists[name].extend([0] * 10)

    def world(a: int, b: int) -> None:
        lists.update(a=[0] * a, b=[0] * b)

    engine.set_agent(lambda task: (step("a"), step("b")))
    world(1, 5)
    engine("task")
    world(3, 0)
    engine("task", mode="record")
    world(2, 5)
    assert engine("task", mode="replay")


# D3: preference


def test_d3_an_equal_snapshot_is_preferred_to_a_newer_similar_one() -> None:
    desk = Desk(compare=near)
    equal = desk.learn("ab", {"a": 1, "b": 1})
    newer = desk.learn("ac", {"a": 2, "c": 1})
    state = {"b": 1, "c": 1}
    assert desk.run({"a": 1, **state}).trajectory_id == equal.trajectory_id
    assert desk.run({"a": 2, **state}).trajectory_id == newer.trajectory_id


def test_d3_without_an_equal_snapshot_the_newest_is_preferred() -> None:
    desk = Desk(compare=near)
    first = desk.learn("ab", {"a": 1, "b": 1})
    second = desk.learn("ac", {"a": 1, "c": 1})
    state = {"a": 3, "b": 1, "c": 1}
    assert desk.run(state).trajectory_id == second.trajectory_id
    desk.learn("ab", {"a": 1, "b": 1})
    assert desk.run(state).trajectory_id == first.trajectory_id


def test_d3_a_check_that_refuses_its_own_snapshot_still_decides() -> None:
    desk = Desk(compare=lambda current, candidate: current > candidate)
    desk.learn("a", {"a": 5})
    desk.learn("a", {"a": 3})
    assert desk.run({"a": 5}, mode="replay")
    with pytest.raises(Missed):
        desk.run({"a": 3}, mode="replay")


def test_d3_the_choice_is_the_same_after_reopening_the_store(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "s.db", compare=near)
    for end in "xyz":
        desk.learn("a" + end, {"a": 1, end: 1})
    world = {"a": 2, "x": 1, "y": 1, "z": 1}
    chosen = desk.run(world).trajectory_id
    desk.engine.close()
    for _ in range(2):
        again = Desk(tmp_path / "s.db", compare=near)
        assert [again.run(world).trajectory_id for _ in range(3)] == [chosen] * 3
        again.engine.close()


def test_d3_hits_do_not_change_the_preference() -> None:
    desk = Desk(compare=near)
    older = desk.learn("ab", {"a": 1, "b": 1})
    newer = desk.learn("ac", {"a": 3, "c": 1})
    state = {"b": 1, "c": 1}
    for _ in range(5):
        assert desk.run({"a": 1, **state}).trajectory_id == older.trajectory_id
    assert desk.run({"a": 2, **state}).trajectory_id == newer.trajectory_id


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_d3_at_most_max_lookups_calls_are_captured_at_one_place(limit: int) -> None:
    desk = Desk(max_lookups=limit)
    for name in "abcdefgh":
        desk.learn([name], {name: 1})
    with pytest.raises(Missed):
        desk.run(dict.fromkeys("abcdefgh", 2), mode="replay")
    looked = [name for what, name in desk.log if what == "look"]
    assert looked == list("hgfedcba")[:limit]


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_d3_at_most_max_lookups_observations_are_judged_at_one_place_newest_first(limit: int) -> None:
    judged: list[int] = []

    def compare(current: int, candidate: int) -> bool:
        judged.append(candidate)
        return False

    desk = Desk(max_lookups=limit, compare=compare)
    for seen in range(8):
        desk.learn("a", {"a": seen})
    judged.clear()
    with pytest.raises(Missed):
        desk.run({"a": 100}, mode="replay")
    assert judged == [7, 6, 5, 4, 3, 2, 1, 0][:limit]
    assert desk.count("look", "a") == 1


def test_d3_beyond_max_lookups_an_older_observation_is_not_found() -> None:
    desk = Desk(max_lookups=2, compare=near)
    desk.learn("a", {"a": 0})
    desk.learn("a", {"a": 100})
    assert desk.run({"a": 2})
    desk.learn("a", {"a": 200})
    with pytest.raises(Missed):
        desk.run({"a": 2}, mode="replay")
    assert desk.run({"a": 0}, mode="replay"), "the index finds an equal snapshot however old"


# B1, D3: each place is looked at once, and nothing runs between the verdict and the tool


def test_d3_every_place_of_a_hit_is_looked_at_once_and_its_tool_follows_the_verdict() -> None:
    desk = Desk(post=True)
    desk.learn("ab", {"a": 1, "b": 1})
    assert desk.run()
    assert desk.log == [
        *[("look", "a"), ("compare", "a"), ("do", "a"), ("after", "a"), ("compare", "a")],
        *[("look", "b"), ("compare", "b"), ("do", "b"), ("after", "b"), ("compare", "b")],
    ]


def test_d3_with_many_observations_every_place_is_looked_at_once_and_its_tool_follows_the_verdict() -> None:
    desk = Desk(compare=near)
    for seen in range(0, 60, 10):
        desk.learn("ab", {"a": seen, "b": seen})
    assert desk.run({"a": 11, "b": 11})
    assert desk.count("look", "a") == desk.count("look", "b") == 1
    for at, (what, name) in enumerate(desk.log):
        if what == "do":
            assert desk.log[at - 1] == ("compare", name)


@pytest.mark.parametrize("observations", [1, 2, 20])
def test_d3_a_capture_that_raises_is_not_tried_again_for_every_observation(observations: int) -> None:
    desk = Desk()
    for seen in range(observations):
        desk.learn("ab", {"a": seen, "b": seen})
    with pytest.raises(Missed):
        desk.run({"a": OSError("no screen")}, mode="replay")
    assert desk.count("look", "a") == 1
    with pytest.raises(Diverged):
        desk.run({"a": 0, "b": OSError("no screen")}, mode="replay")
    assert desk.count("look", "b") == 1


def test_d3_each_distinct_call_is_captured_once_however_many_recordings_begin_with_it() -> None:
    desk = Desk()
    for end in "xyz":
        desk.learn("a" + end, {"a": 1, end: 1})
        desk.learn("b" + end, {"b": 1, end: 1})
    with pytest.raises(Missed):
        desk.run({"a": 2, "b": 2}, mode="replay")
    assert desk.count("look", "a") == desk.count("look", "b") == 1


def test_d3_a_raising_capture_of_one_call_does_not_hide_another_recording() -> None:
    desk = Desk()
    desk.learn("bx", {"b": 1, "x": 1})
    desk.learn("ax", {"a": 1, "x": 1})
    assert desk.run({"a": OSError("no screen"), "b": 1, "x": 1}, mode="replay")
    assert desk.done == ["b", "x"]


def test_d3_the_snapshots_that_a_compare_changes_are_fresh_each_time() -> None:
    engine = Engine(observers=[])

    def compare(current: list[int], candidate: list[int]) -> bool:
        return candidate.pop() == current[-1]

    @engine.tool(Check(lambda: [1, 2, 3], compare))
    def tool() -> None: ...

    engine.set_agent(lambda task: tool())
    engine("task")
    assert all(engine("task") for _ in range(5))


def test_b7_a_row_that_was_gone_over_to_is_refreshed_whole() -> None:
    """Sliding expiry must hold for the observation that was really followed."""
    now: dict[str, Any] = {"a": 0}
    engine = Engine(observers=[])

    def recent(current: int, candidate: int) -> bool:
        return 0 <= current - candidate <= 10

    @engine.tool(Check(lambda name: now[name], recent, refresh=True))
    def tool(name: str) -> None: ...

    engine.set_agent(lambda task: tool("a"))
    engine("task")
    now["a"] = 100
    assert engine("task", mode="record").learned
    for at in (8, 16, 24):
        now["a"] = at
        assert engine("task", mode="replay"), at
