"""I2: a person's no stops the replay before the call; nothing counts against the recording."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from muscle_mem import AskAgent, Diverged, Finished
from scripted_framework import Bench, asked, ended, handed


def test_i2_a_refused_call_is_a_divergence_of_its_own_reason() -> None:
    bench = Bench()
    bench.learn("abc")
    with bench.session() as session:
        session.done(handed(session), bench.press("a"))
        session.refused(handed(session), "too expensive")
        turn = session.next()
        assert isinstance(turn, AskAgent)
        assert turn.handover is not None
        assert (turn.reason, turn.handover.step) == ("refused_by_person", 1)
        assert "too expensive" in turn.message
        assert [step.arguments["name"] for step in turn.handover.executed] == ["a"]
        session.said([("press", {"name": "d"})])
        session.done(handed(session), bench.press("d"))
        asked(session).said([])
    outcome = ended(session)
    assert (outcome.status, outcome.reason) == ("diverged", "refused_by_person")
    assert outcome.not_learned == "unlearnable"
    assert bench.log == ["a", "d"]
    assert bench.run()  # the person is asked again
    assert bench.replayed == ["a", "b", "c"]


def test_i2_before_the_first_effect_it_is_a_miss() -> None:
    bench = Bench()
    bench.learn("a")
    with bench.session() as session:
        session.refused(handed(session))
        turn = session.next()
        assert isinstance(turn, AskAgent)
        assert (turn.reason, turn.handover) == ("refused_by_person", None)
        session.said([])
    assert ended(session).status == "miss"


def test_i2_it_never_counts_against_the_recording() -> None:
    bench = Bench()
    id = bench.learn("ab").trajectory_id
    for _ in range(5):
        with bench.session() as session:
            session.done(handed(session), bench.press("a"))
            session.refused(handed(session).id, "no")
            asked(session)
            session.said([])
    hit = bench.run()
    assert hit
    assert hit.trajectory_id == id


def test_i2_in_the_middle_of_a_turn_it_does_not_count_against_the_recording_either() -> None:
    bench = Bench()
    with bench.session() as session:
        asked(session).said([("press", {"name": name}) for name in "abc"])
        for call in [handed(session) for _ in "abc"]:
            session.done(call, bench.press(**call.arguments))
        asked(session).said([])
    id = ended(session).trajectory_id
    for _ in range(4):
        with bench.session() as session:
            calls = [handed(session) for _ in "abc"]
            session.refused(calls[1], "no")
            session.done(calls[0], bench.press("a"))
            session.done(calls[2], bench.press("c"))
            turn = session.next()
            assert isinstance(turn, AskAgent)
            assert turn.reason == "refused_by_person"
            session.said([])
        assert ended(session).reason == "refused_by_person"
    hit = bench.run()
    assert hit
    assert hit.trajectory_id == id


def test_i2_the_agent_that_must_not_be_asked_is_told() -> None:
    bench = Bench()
    bench.learn("ab")
    with pytest.raises(Diverged) as raised, bench.session(on_divergence="raise") as session:  # noqa: PT012
        session.done(handed(session), bench.press("a"))
        session.refused(handed(session))
        session.next()
    assert raised.value.handover.reason == "refused_by_person"


def test_i2_a_run_in_which_a_person_refused_a_call_of_the_model_is_not_learned() -> None:
    bench = Bench()
    with bench.session() as session:
        asked(session).said([("press", {"name": name}, name) for name in "abc"])
        calls = [handed(session) for _ in "abc"]
        session.refused(calls[1], "no")
        session.done(calls[2], bench.press("c"))
        session.done(calls[0], bench.press("a"))
        asked(session).said([])
        outcome = ended(session)
    assert outcome.not_learned == "unlearnable"
    assert "a person refused 'Panel.press': no" in outcome.not_learned_message
    assert not bench.run()


def test_i2_a_refused_irreversible_call_of_the_model_leaves_no_failed_write() -> None:
    bench = Bench(effect="irreversible")
    with bench.session() as session:
        asked(session).said([("press", {"name": "a"})])
        session.refused(handed(session))
        asked(session).said([("press", {"name": "b"})])
        session.done(handed(session), bench.press("b"))
        asked(session).said([])
        outcome = ended(session)
    assert outcome.not_learned == "unlearnable"
    assert bench.engine.cache_info().learned == 0


def test_i2_a_no_with_a_secret_in_it_is_shown_without() -> None:
    bench = Bench()
    bench.learn("ab", secrets={"password": "hunter2-hunter2"})
    with bench.session(secrets={"password": "hunter2-hunter2"}) as session:
        session.done(handed(session), bench.press("a"))
        session.refused(handed(session), "I will not send hunter2-hunter2")
        turn = session.next()
        assert isinstance(turn, AskAgent)
        assert "hunter2" not in turn.message
        session.said([])
    assert "hunter2" not in ended(session).not_learned_message


@pytest.mark.parametrize("replayed", [True, False])
def test_i2_async_sessions_take_a_no(replayed: bool) -> None:
    bench = Bench(asynchronous=True)

    async def main() -> Any:
        if replayed:
            assert (await bench.arun("ab")).learned
        async with bench.engine.asession("task") as session:
            turn = await session.next()
            if not replayed:
                await session.said([("press", {"name": "a"})])
                turn = await session.next()
            await session.refused(turn, "no")  # type: ignore[arg-type]
            turn = await session.next()
            assert isinstance(turn, AskAgent)
            await session.said([])
            end = await session.next()
            assert isinstance(end, Finished)
            return end.outcome

    assert asyncio.run(main()).not_learned == "unlearnable"
