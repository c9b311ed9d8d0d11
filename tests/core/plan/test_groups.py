"""Parallel groups without I/O: which calls overlapped, one order for all, and a replay driven effect by effect."""

from __future__ import annotations

import random
from itertools import permutations
from typing import Any

import msgspec
import pytest

from flow_by_hand import World, a_check, a_run, a_tool, stored
from muscle_mem._core import codec
from muscle_mem._core.model.records import FORM, Body, Guard, Lit, Node, Ref, Row, StepRecord
from muscle_mem._core.plan.parallel import (
    Placement,
    agreed_order,
    canonical_order,
    comparison_ids,
    covered_seconds,
    group_spans,
    invert,
    placements_of,
    prefix_placements,
    reorder_steps,
    row_from_stored_order,
    row_to_stored_order,
    sorted_body,
    stored_judged,
    validated_body,
    validated_row,
)
from muscle_mem._core.record.call import record_flow
from muscle_mem._core.record.seal import make_recording
from muscle_mem._core.run.effects import Capture, Compare, Invoke
from muscle_mem._core.run.run import Run
from muscle_mem._core.tools.tool import Tool
from muscle_mem.errors import DecodeError


def lit(value: Any) -> Lit:
    return Lit(codec.encode(value))


def call(name: str, *exprs: Any, group: int = 0, late: bool = False, guards: tuple[Guard, ...] = ()) -> StepRecord:
    arguments = tuple((f"p{at}", expr) for at, expr in enumerate(exprs))
    return StepRecord(name, "f", arguments, group=group, late=late, guards=guards)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ("aabb", [(0, False, 1), (0, False, 2)]),
        ("abab", [(1, False, 2), (1, False, 2)]),
        ("abba", [(1, False, 2), (1, False, 2)]),
        ("abacbc", [(1, False, 2), (1, False, 3), (1, True, 3)]),
        ("aabcbcdd", [(0, False, 1), (2, False, 3), (2, False, 3), (0, False, 4)]),
        ("abbccaddefef", [(1, False, 3), (1, False, 2), (1, True, 3), (0, False, 4), (5, False, 6), (5, False, 6)]),
    ],
)
def test_a_group_is_a_maximal_set_of_calls_that_overlap_one_with_the_next(events: str, expected: Any) -> None:
    places = {name: at for at, name in enumerate(dict.fromkeys(events))}
    shapes = placements_of([places[name] for name in events], 0)
    assert shapes == [Placement(*one) for one in expected]
    later = placements_of([places[name] + 7 for name in events], 7)
    assert later == [Placement(s.group and s.group + 7, s.late, s.judged + 7) for s in shapes]


def test_what_is_left_of_a_group_that_was_not_replayed_to_its_end() -> None:
    records = [call("a"), call("b", group=2), call("c", group=2), call("d", group=2, late=True)]
    assert prefix_placements(records[:2], [1, 4]) == [Placement(0, False, 1), Placement(0, False, 2)]
    assert prefix_placements(records[:3], [1, 4, 3])[1:] == [Placement(2, False, 3), Placement(2, False, 3)]
    assert prefix_placements(records, [1, 4, 3, 4])[1:] == [
        Placement(2, False, 4),
        Placement(2, False, 3),
        Placement(2, True, 4),
    ]


def test_an_observation_keeps_times_only_where_they_do_not_follow_from_the_groups() -> None:
    assert stored_judged(placements_of([0, 0, 1, 2, 1, 2, 3, 3], 0)) == ()
    assert stored_judged(placements_of([0, 1, 0, 2, 1, 2], 0)) == (2, 3, 3)


def group_of(*members: StepRecord) -> Body:
    """`start`, a group whose members take its output, and a call that takes that of the member called `b`."""
    steps = [call("start"), *(msgspec.structs.replace(member, group=2) for member in members)]
    source = next(at for at, step in enumerate(steps) if step.tool == "b")
    last = Node("list", (Ref(source), lit(1)))
    steps.append(call("end", last, guards=(Guard(source, (), b"g"), Guard(0, (), b"g"))))
    order = canonical_order(steps)
    return Body(FORM, tuple(steps), order=order if list(order) != sorted(order) else ())


def test_members_started_in_any_order_make_one_sorted_body() -> None:
    members = [call("a", Ref(0)), call("b", lit(5)), call("b", lit(4)), call("c")]
    sorted_ones = {
        msgspec.msgpack.encode(sorted_body(group_of(*some)))
        for some in permutations(members)
        if some.index(members[1]) < some.index(members[2])  # the end takes the first `b`: another one is another plan
    }
    assert len(sorted_ones) == 1


def test_rows_are_stored_sorted_and_come_back_in_the_order_of_the_steps() -> None:
    for members in permutations([call("a"), call("b"), call("c")]):
        body = validated_body(group_of(*members))
        seen = tuple(step.tool.encode() for step in body.steps)
        row = Row(FORM, seen, seen, outputs=seen, result=[step.tool for step in body.steps].index("c"))
        kept = row_to_stored_order(row, body.order)
        assert kept.pre == (b"start", *[step.tool.encode() for step in sorted_body(body).steps[1:4]], b"end")
        assert kept.pre[kept.result] == b"c"
        assert row_from_stored_order(kept, body.order) == row


def test_late_members_keep_their_places() -> None:
    rng = random.Random(7)
    found = set()
    for _ in range(50):
        opening = [call(name, group=1) for name in "abcd"]
        rng.shuffle(opening)
        order = canonical_order([*opening, *(call(name, Ref(0), group=1, late=True) for name in "zy")])
        assert order[4:] == (4, 5)
        found.add("".join(opening[at].tool for at in invert(order[:4])))
    assert len(found) == 1


def test_groups_that_two_bodies_begin_with_are_brought_into_one_order() -> None:
    agreed: dict[bytes, Any] = {}
    bodies = [group_of(*some) for some in permutations([call("a"), call("b"), call("c")])]
    first = bodies[3]
    for body in (first, *bodies):
        order = agreed_order(body, agreed)
        canonical = sorted_body(body).steps
        in_order = reorder_steps(canonical, invert(order))
        assert comparison_ids(in_order) == comparison_ids(first.steps)
        assert in_order == reorder_steps(sorted_body(first).steps, invert(first.order or range(5)))
    other = group_of(call("a"), call("b"), call("d"))
    assert agreed_order(other, agreed) == (other.order or tuple(range(5)))


def test_going_over_tells_a_group_from_the_same_calls_in_order_and_from_a_larger_group() -> None:
    alone = [call("a"), call("b")]
    pair = [call("a", group=1), call("b", group=1)]
    three = [*pair, call("c", group=1)]
    late = [pair[0], call("b", group=1, late=True), three[2]]
    assert len({comparison_ids(steps)[1] for steps in (alone, pair, three, late)}) == 4


@pytest.mark.parametrize(
    "body",
    [
        Body(FORM, (call("a"), call("b", group=1))),
        Body(FORM, (call("a", group=1, late=True), call("b", group=1))),
        Body(FORM, (call("a", group=1), call("b", group=1, late=True), call("c", group=1))),
        Body(FORM, (call("a"), call("b")), order=(1, 0)),
        Body(FORM, (call("a", group=1), call("b", group=1)), order=(0, 0)),
        Body(FORM, (call("a", group=1), call("b", group=1)), order=(0,)),
        Body(FORM, (call("a", group=1), call("b", group=1), call("c", group=1, late=True)), order=(0, 2, 1)),
    ],
)
def test_a_body_with_groups_that_cannot_be_is_damaged(body: Body) -> None:
    with pytest.raises(DecodeError):
        validated_body(body)


@pytest.mark.parametrize("judged", [(1, 2), (3, 2), (0, 2), (2,), (2, 1)])
def test_a_row_that_would_leave_a_post_check_out_is_damaged(judged: tuple[int, ...]) -> None:
    body = Body(FORM, (call("a", group=1), call("b", group=1)))
    none = (None, None)
    if judged == (1, 2):
        assert validated_row(body, Row(FORM, none, none, judged=judged))
    else:
        with pytest.raises(DecodeError):
            validated_row(body, Row(FORM, none, none, judged=judged))


def test_times_that_overlap_are_counted_once() -> None:
    assert covered_seconds([]) == 0
    assert covered_seconds([(0, 2), (1, 3), (5, 6), (5.25, 5.5)]) == 4


# --- a replay, effect by effect


def overlapping(tool: Tool, names: str) -> Any:
    """What comes of an agent whose calls are all in progress at once."""
    run = a_run()
    flows = [record_flow(run, tool, (name,), {}) for name in names]
    asked = [next(flow) for flow in flows]
    while asked:
        for at, flow in enumerate(list(flows)):
            effect = asked[at]
            answer: Any = 1 if isinstance(effect, Capture) else True
            if isinstance(effect, Invoke):
                answer = f"did {effect.args[0]}"
            elif isinstance(effect, Compare):
                answer = effect.current == effect.candidate
            try:
                asked[at] = flow.send(answer)
            except StopIteration:
                flows[at] = None
        asked = [effect for effect, flow in zip(asked, flows, strict=True) if flow is not None]
        flows = [flow for flow in flows if flow is not None]
    assert run.recorder.problems == []
    run.key = b"k" * 32
    return make_recording(run, value=None, run_seconds=1.0)


def test_all_that_open_a_group_are_captured_once_and_judged_before_the_first_runs() -> None:
    tool = a_tool(pre=a_check(), post=a_check())
    world = World(tool, a_run())
    finished = world.drive(stored(overlapping(tool, "abc")))
    assert finished.outcome
    assert [one for one in world.seen if one != "Compare"] == [
        *("Capture a", "Capture b", "Capture c", "Invoke a", "Invoke b", "Invoke c"),
        *("Capture a", "Capture b", "Capture c"),
    ]
    assert world.seen.index("Invoke a") == 6


def test_a_group_that_waits_looks_at_all_of_it_again() -> None:
    tool = a_tool(pre=a_check(wait=10, every=3))
    world = World(tool, a_run("replay"), b=2)
    world.drive(stored(overlapping(tool, "ab")))
    assert world.seen.count("Sleep") >= 3
    assert world.seen.count("Capture a") == world.seen.count("Capture b") == world.seen.count("Sleep") + 1
    assert "Invoke a" not in world.seen


def test_no_step_outside_of_groups_pays_for_them() -> None:
    tool = a_tool(pre=a_check(), post=a_check())
    run: Run = a_run()
    World(tool, run).drive(stored(overlapping(tool, "a")))
    assert run.progress.group_arguments is None
    assert list(group_spans([call("a"), call("b")])) == []
