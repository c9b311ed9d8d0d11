"""I3: the calls of one turn are handed out together, captured before the first is made, and done in any order."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any

import pytest

from muscle_mem import Answered, AskAgent, Call, Check, Diverged, Engine, Finished, NotReadyError
from scripted_framework import Bench, asked, ended, handed


def press(*names: str) -> list[Any]:
    """The calls of one turn, each with its name as its id."""
    return [("press", {"name": name}, name) for name in names]


def learned(*turns: str, **options: Any) -> Bench:
    """A bench that has learned some turns; each letter is a call."""
    bench = Bench(**options)
    with bench.session(mode="record") as session:
        for turn in turns:
            asked(session).said(press(*turn))
            calls = [handed(session) for _ in turn]
            for call in calls:
                session.done(call, bench.press(**call.arguments))
        asked(session).said([])
    assert ended(session).learned, ended(session).not_learned_message
    bench.log.clear()
    return bench


# -- while it is recorded


def test_i3_all_calls_of_a_turn_are_handed_out_before_the_first_is_done() -> None:
    bench = Bench()
    with bench.session() as session:
        asked(session).said(press("a", "b"))
        first, second = handed(session), handed(session)
        assert [call.id for call in (first, second)] == ["a", "b"]
        with pytest.raises(NotReadyError, match=r"press \(a\), press \(b\) are outstanding"):
            session.next()
        session.done(second, bench.press("b"))
        session.done(first, bench.press("a"))
        asked(session).said(press("c"))
        third = handed(session)
        assert [call.turn for call in (first, second, third)] == [0, 0, 1]
        session.done(third, bench.press("c"))
        asked(session).said([])
        assert ended(session).learned


def test_i3_every_call_is_captured_before_the_first_is_made_also_where_they_are_made_one_by_one() -> None:
    bench = Bench()
    bench.state = {"b": "early"}
    with bench.session() as session:
        asked(session).said(press("a", "b"))
        first = handed(session)
        bench.state["b"] = "late"  # as the first call did it
        session.done(first, bench.press("a"))
        second = handed(session)
        session.done(second, bench.press("b"))
        asked(session).said([])
    assert bench.run(["x"]).reason == "first_check_refused"
    bench.state["b"] = "early"
    assert bench.run()


def test_i3_an_id_that_a_model_gives_twice_names_the_first_that_is_outstanding() -> None:
    bench = Bench()
    with bench.session() as session:
        asked(session).said([("press", {"name": name}, "same") for name in "ab"])
        first, second = handed(session), handed(session)
        session.done("same", bench.press("a"))
        session.done("same", bench.press("b"))
        asked(session).said([])
        assert (first.arguments, second.arguments) == ({"name": "a"}, {"name": "b"})
        assert ended(session).learned


def test_i3_a_call_that_fails_leaves_the_others_of_its_turn() -> None:
    bench = Bench(effect="read")
    with bench.session() as session:
        asked(session).said(press("a", "b"))
        first, second = handed(session), handed(session)
        session.done(first, error=RuntimeError("jammed"))
        session.done(second, bench.press("b"))
        asked(session).said([])
        assert ended(session).learned
    assert bench.run()
    assert bench.replayed == ["b"]


def test_i3_a_session_that_is_left_with_calls_outstanding_learns_nothing_and_frees_the_engine() -> None:
    bench = Bench()
    with bench.session() as session:
        asked(session).said(press("a", "b", "c"))
        session.done(handed(session), "x")
        handed(session)
    assert session.outcome is None
    assert not bench.engine._runtime.open_runs.delegated
    assert not bench.engine._runtime.open_runs.frames


def test_i3_an_engine_that_is_off_hands_out_turns_too() -> None:
    bench = Bench()
    with bench.session(mode="off") as session:
        asked(session).said(press("a", "b"))
        first, second = handed(session), handed(session)
        session.done(second, "x")
        session.done(first, "x")
        asked(session).said([])


def test_i3_calls_that_the_replay_has_made_are_answered_within_the_turn() -> None:
    bench = Bench()
    bench.learn("abc")
    bench.state["c"] = "moved"
    with bench.session(on_divergence="absorb") as session:
        for _ in "ab":
            session.done(handed(session), f"pressed {'ab'[len(bench.log)]}")
            bench.log.append("")
        asked(session).said(press("a", "b", "d"))
        turns = [session.next() for _ in range(3)]
        assert [type(turn) for turn in turns] == [Answered, Answered, Call]
        assert len({turn.turn for turn in turns}) == 1  # type: ignore[union-attr]
        session.done("d", "pressed d")
        asked(session).said([])
        assert ended(session).learned


# -- in a replay


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_i3_a_turn_is_replayed_as_a_turn_and_done_in_any_order(order: tuple[int, ...]) -> None:
    bench = learned("x", "abc", "y")
    with bench.session() as session:
        session.done(handed(session), bench.press("x"))
        calls = [handed(session) for _ in "abc"]
        assert [call.turn for call in calls] == [1, 1, 1]
        assert all(call.replayed for call in calls)
        with pytest.raises(NotReadyError, match="are outstanding"):
            session.next()
        for at in order:
            session.done(calls[at], bench.press(**calls[at].arguments))
        last = handed(session)
        assert (last.arguments, last.turn) == ({"name": "y"}, 2)
        session.done(last, bench.press("y"))
        assert isinstance(session.next(), Finished)
    assert ended(session)
    assert ended(session).steps == 5


def test_i3_a_turn_may_be_made_one_by_one_in_a_replay_too() -> None:
    bench = learned("ab")
    assert bench.run()
    assert bench.log == ["a", "b"]
    assert bench.engine._runtime.library is not None


def test_i3_every_pre_check_of_a_replayed_turn_comes_before_its_first_call() -> None:
    bench = learned("x", "ab")
    bench.state["b"] = "moved"
    with bench.session() as session:
        session.done(handed(session), bench.press("x"))
        turn = session.next()
        assert isinstance(turn, AskAgent)
        assert (turn.reason, turn.handover is not None) == ("check_refused", True)
        assert bench.log == ["x"]


@pytest.mark.parametrize("failing", [0, 1])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_i3_a_call_that_fails_in_a_replayed_turn_hands_over_all_that_was_made(
    failing: int, order: tuple[int, int]
) -> None:
    bench = learned("x", "ab", "y", effect="read")
    error = RuntimeError("jammed")
    with bench.session() as session:
        session.done(handed(session), bench.press("x"))
        calls = [handed(session), handed(session)]
        for at in order:
            if at == failing:
                session.done(calls[at], error=error)
            else:
                session.done(calls[at], bench.press(**calls[at].arguments))
        turn = session.next()
        assert isinstance(turn, AskAgent)
        assert turn.handover is not None
        done = [(step.arguments["name"], step.error) for step in turn.handover.executed]
        assert done == [("x", None), *((name, error if at == failing else None) for at, name in enumerate("ab"))]
        assert turn.handover.divergence.error is error
        assert [str(step) for step in turn.handover.remaining] == ["Panel.press(name='y')"]
        session.said(press("ab"[failing], "z"))
        for name in ("ab"[failing], "z"):
            session.done(handed(session), bench.press(name))
        asked(session).said([])
        assert ended(session).learned, ended(session).not_learned_message
    bench.run()
    assert sorted(bench.replayed) == ["a", "b", "x", "z"]


def test_i3_after_a_failed_call_the_rest_of_its_turn_is_not_handed_out() -> None:
    bench = learned("abc", effect="read")
    with bench.session() as session:
        first = handed(session)
        second = handed(session)
        session.done(first, error=RuntimeError("jammed"))
        with pytest.raises(NotReadyError, match="is outstanding"):
            session.next()
        session.done(second, bench.press("b"))
        turn = session.next()
        assert isinstance(turn, AskAgent)
        assert turn.handover is not None
        assert len(turn.handover.executed) == 2
        assert len(turn.handover.remaining) == 1


def test_i3_two_failed_calls_of_a_turn_are_both_told() -> None:
    bench = learned("ab")
    with bench.session() as session:
        calls = [handed(session), handed(session)]
        errors = [RuntimeError("one"), RuntimeError("two")]
        for call, error in zip(calls, errors, strict=True):
            session.done(call, error=error)
        turn = session.next()
        assert isinstance(turn, AskAgent)
        assert turn.handover is not None
        assert [step.error for step in turn.handover.executed] == errors
        session.said([])
    assert ended(session).not_learned in ("unknown_effect", "no_calls")


def test_i3_a_post_check_of_a_turn_runs_once_all_of_it_is_done() -> None:
    bench = learned("ab")
    with bench.session() as session:
        first, second = handed(session), handed(session)
        bench.after["a"] = "not yet"
        session.done(first, bench.press("a"))
        bench.after.clear()
        session.done(second, bench.press("b"))
        assert isinstance(session.next(), Finished)


def test_i3_what_engines_record_in_parallel_is_handed_out_as_a_turn() -> None:
    engine = Engine()
    log: list[str] = []

    @engine.tool(Check(lambda name: None))
    async def look(name: str) -> str:
        await asyncio.sleep(0)
        log.append(name)
        return name

    async def agent(task: str) -> None:
        await asyncio.gather(look("a"), look("b"))
        await look("c")

    engine.set_agent(agent)

    async def main() -> None:
        assert (await engine.acall("task")).learned
        async with engine.asession("task") as session:
            first, second = await session.next(), await session.next()
            assert isinstance(first, Call)
            assert isinstance(second, Call)
            await session.done(second, "b")
            await session.done(first, "a")
            third = await session.next()
            assert isinstance(third, Call)
            assert (first.turn, second.turn, third.turn) == (0, 0, 1)
            await session.done(third, "c")
            assert isinstance(await session.next(), Finished)
        assert await engine.acall("task")

    asyncio.run(main())


def test_i3_each_call_of_a_turn_has_an_idempotency_key_of_its_own() -> None:
    for bench in (Bench(), learned("ab")):
        keys = set()
        with bench.session() as session:
            turn = session.next()
            if isinstance(turn, AskAgent):
                session.said(press("a", "b"))
                turn = session.next()
            keys.add(session.run.idempotency_key)
            handed(session)
            keys.add(session.run.idempotency_key)
        assert len(keys) == 2


@pytest.mark.parametrize("seed", range(40))
def test_i3_a_session_decides_about_turns_as_the_engine_does(seed: int) -> None:
    rng = random.Random(seed)
    names = list("abcdefgh"[: rng.randint(3, 8)])
    turns: list[str] = []
    left = list(names)
    while left:
        count = min(len(left), rng.randint(1, 3))
        turns.append("".join(left[:count]))
        del left[:count]
    bench = learned(*turns)
    bench.engine.set_agent(lambda task: None)
    for _ in range(6):
        bench.state, bench.after = {}, {}
        if rng.random() < 0.7:
            rng.choice([bench.state, bench.after])[rng.choice(names)] = "moved"
        ends = []
        for is_session in (False, True):
            bench.log.clear()
            try:
                if is_session:
                    end: Any = shuffled(bench, rng)
                else:
                    end = bench.engine("task", mode="frozen", on_divergence="raise")
                ends.append((end.status, end.reason, end.steps, sorted(bench.log)))
            except Diverged as error:
                ends.append(
                    (error.handover.reason, error.handover.step, len(error.handover.executed), sorted(bench.log))
                )
        assert ends[0] == ends[1]


def shuffled(bench: Bench, rng: random.Random) -> Any:
    """How a session ends whose calls are made in any order within their turns."""
    with bench.session(mode="frozen", on_divergence="raise") as session:
        out: list[Call] = []
        while True:
            try:
                turn = session.next()
            except NotReadyError:
                call = out.pop(rng.randrange(len(out)))
                session.done(call, bench.press(**call.arguments))
                continue
            if isinstance(turn, Finished):
                return turn.outcome
            if isinstance(turn, AskAgent):
                session.said([])
            else:
                assert isinstance(turn, Call)
                out.append(turn)
