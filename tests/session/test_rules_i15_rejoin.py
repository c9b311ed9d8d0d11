"""I15: after calls of the model's own, a replay that had stopped goes on where the next recorded step fits."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import pytest

from muscle_mem import AskAgent, Call, Check, Engine, Finished, InvalidTypeError
from scripted_framework import asked, ended, handed


class World:
    """An engine with tools that act on a world; `log` has what was done, `state` what the pre-checks see."""

    def __init__(self, **options: Any) -> None:
        self.engine = Engine(**options)
        self.state: dict[str, Any] = {}
        self.log: list[str] = []
        self.broken_after: set[str] = set()

        def seen(name: str) -> Any:
            return self.state.get(name)

        def after(name: str) -> bool:
            return name in self.broken_after

        def tool(kind: str, effect: Any, *checks: Any) -> None:
            def act(name: str) -> str:
                self.log.append(f"{kind} {name}")
                return f"{kind} {name}"

            self.engine.tool(*checks, effect=effect, name=kind)(act)

        tool("do", "write", Check(seen), Check(after))
        tool("look", "read", Check(seen))
        tool("plain", "write")
        tool("final", "irreversible", Check(seen))

    def learn(self, *steps: str) -> None:
        """Have the model do some steps, such as "do a"."""
        outcome, _ = self.run({}, *steps, mode="record")
        assert outcome.learned
        self.log.clear()

    def run(
        self, plans: dict[int, list[str]], *rest: str, rejoin: bool = True, **options: Any
    ) -> tuple[Any, list[str]]:
        """Run the task; `plans` has what the model does the first, second ... time it is asked, `rest` what after."""
        replayed: list[str] = []
        waiting = list(rest)
        count = -1
        with self.engine.session("task", rejoin=rejoin, **options) as session:
            while not isinstance(turn := session.next(), Finished):
                if isinstance(turn, Call):
                    text = f"{turn.name} {turn.arguments['name']}"
                    if turn.replayed:
                        replayed.append(text)
                    session.done(turn, turn.fn(*turn.args, **turn.kwargs))
                    continue
                count += 1
                steps = plans.get(count, [waiting.pop(0)] if waiting else [])
                session.said([(step.split()[0], {"name": step.split()[1]}) for step in steps])
        return turn.outcome, replayed


def test_i15_the_replay_goes_on_behind_the_broken_step_after_one_call_of_the_models_own() -> None:
    world = World()
    world.learn("do a", "do b", "do c", "do d")
    world.state["b"] = "moved"
    outcome, replayed = world.run({0: ["plain x"]})
    assert replayed == ["do a", "do c", "do d"]
    assert world.log == ["do a", "plain x", "do c", "do d"]
    assert (outcome.status, outcome.reason, outcome.steps) == ("diverged", "check_refused", 3)
    assert outcome.learned
    world.log.clear()
    hit, replayed = world.run({})
    assert hit
    assert world.log == replayed == ["do a", "plain x", "do c", "do d"]


def test_i15_the_model_is_asked_for_the_answer_when_the_recording_is_at_its_end() -> None:
    world = World()
    world.learn("do a", "do b", "do c")
    world.state["b"] = "moved"
    with world.engine.session("task", rejoin=True) as session:
        session.done(handed(session), "do a")
        first = session.next()
        assert isinstance(first, AskAgent)
        session.said([("plain", {"name": "x"})])
        session.done(handed(session), "plain x")
        call = handed(session)
        assert call.replayed
        session.done(call, "do c")
        last = session.next()
        assert isinstance(last, AskAgent)
        assert last.handover is None
        session.said([], value="all done")
        assert isinstance(session.next(), Finished)
    assert ended(session).value == "all done"


def test_i15_it_is_off_by_default() -> None:
    world = World()
    world.learn("do a", "do b", "do c")
    world.state["b"] = "moved"
    _, replayed = world.run({0: ["plain x"]}, rejoin=False)
    assert replayed == ["do a"]
    with pytest.raises(InvalidTypeError, match="rejoin=: expected True or False"):
        world.engine.session("task", rejoin="yes")  # type: ignore[arg-type]


def test_i15_not_before_the_model_has_made_a_call_and_not_after_one_that_failed() -> None:
    world = World()
    world.learn("do a", "do b", "do c")
    world.state["b"] = "moved"
    with world.engine.session("task", rejoin=True) as session:
        session.done(handed(session), "do a")
        asked(session).said([("look", {"name": "x"})])
        session.done(handed(session), error=RuntimeError("down"))
        asked(session).said([("look", {"name": "y"})])
        session.refused(handed(session))
        asked(session).said([])
    assert ended(session).status == "diverged"


@pytest.mark.parametrize("place", ["plain c", "look moved", "final c"])
def test_i15_a_step_that_is_no_place_is_not_rejoined_nor_skipped(place: str) -> None:
    world = World(approve=lambda: True)
    world.learn("do a", "do b", place, "do d")
    world.state.update(b="moved", moved="moved")
    _, replayed = world.run({0: ["look x"]})
    assert replayed == (["do a", "final c", "do d"] if place == "final c" else ["do a"])


def test_i15_no_rejoin_before_an_irreversible_step_without_approval() -> None:
    world = World()
    world.learn("do a", "do b", "final c", "do d")
    world.state["b"] = "moved"
    _, replayed = world.run({0: ["plain x"]})
    assert replayed == ["do a"]
    asked_for: list[str] = []

    def approve(step: Any) -> bool:
        asked_for.append(step.arguments["name"])
        return False

    world = World()
    world.learn("do a", "do b", "final c", "do d")
    world.state["b"] = "moved"
    _, replayed = world.run({0: ["plain x"]}, approve=approve)
    assert replayed == ["do a"]
    assert asked_for == ["c"]


def test_i15_an_irreversible_step_further_on_stops_it_without_approval() -> None:
    world = World()
    world.learn("do a", "do b", "do c", "final d", "do e")
    world.state["b"] = "moved"
    _, replayed = world.run({0: ["plain x"]})
    assert replayed == ["do a", "do c"]


def test_i15_steps_without_a_pre_check_are_replayed_once_it_has_gone_on() -> None:
    world = World()
    world.learn("do a", "do b", "do c", "plain d")
    world.state["b"] = "moved"
    _, replayed = world.run({0: ["look x"]})
    assert replayed == ["do a", "do c", "plain d"]


def test_i15_a_recorded_step_that_the_model_has_made_is_behind_us() -> None:
    world = World()
    world.learn("do a", "do b", "look c", "look d", "look e")
    world.state["b"] = "moved"
    outcome, replayed = world.run({0: ["look d"]})
    assert replayed == ["do a", "look e"]
    assert outcome.learned


def test_i15_a_read_of_something_else_is_not_behind_us() -> None:
    world = World()
    world.learn("do a", "do b", "look c", "look d")
    world.state["b"] = "moved"
    _, replayed = world.run({0: ["look x"]})
    assert replayed == ["do a", "look c", "look d"]


def test_i15_any_call_of_a_tool_that_acts_puts_its_recorded_step_behind_us() -> None:
    engine = Engine()
    log: list[str] = []
    state: dict[str, Any] = {}
    for name, effect in (("open", "write"), ("pay", "write"), ("mail", "write"), ("close", "write")):
        engine.tool(Check(lambda to, name=name: state.get(name)), effect=effect, name=name)(
            lambda to, name=name: log.append(name)
        )

    def run(*plan: list[tuple[str, str]]) -> None:
        turns = list(plan)
        with engine.session("task", rejoin=True) as session:
            while not isinstance(turn := session.next(), Finished):
                if isinstance(turn, Call):
                    session.done(turn, turn.fn(*turn.args, **turn.kwargs))
                else:
                    session.said([(tool, {"to": to}) for tool, to in (turns.pop(0) if turns else [])])

    run(*([(name, "Ada")] for name in ("open", "pay", "mail", "close")))
    log.clear()
    state["pay"] = "refused"
    run([("mail", "Bob")])  # other arguments, but the tool acts
    assert log == ["open", "mail", "close"]


def test_i15_it_may_stop_and_go_on_again() -> None:
    world = World()
    world.learn("do a", "do b", "do c", "do d", "do e")
    world.state.update(b="moved", d="moved")
    outcome, replayed = world.run({0: ["look x"], 1: ["look y"]})
    assert replayed == ["do a", "do c", "do e"]
    assert world.log == ["do a", "look x", "do c", "look y", "do e"]
    assert outcome.learned
    world.log.clear()
    assert world.run({})[0]
    assert world.log == ["do a", "look x", "do c", "look y", "do e"]


def test_i15_a_second_stop_is_told_with_its_own_reason() -> None:
    world = World()
    world.learn("do a", "do b", "do c", "do d")
    world.state["b"] = "moved"
    world.broken_after.add("c")
    with world.engine.session("task", rejoin=True) as session:
        session.done(handed(session), "do a")
        first = session.next()
        assert isinstance(first, AskAgent)
        assert first.reason == "check_refused"
        session.said([("look", {"name": "x"})])
        session.done(handed(session), "look x")
        session.done(handed(session), "do c")
        second = session.next()
        assert isinstance(second, AskAgent)
        assert second.reason == "post_check_refused"
        session.said([])
    assert ended(session).not_learned == "unknown_effect"


def test_i15_a_step_whose_argument_comes_from_what_was_not_made_is_not_explained() -> None:
    engine = Engine()
    made: list[Any] = []
    state = {"create": 0}

    @engine.tool(Check(lambda: 0), name="begin")
    def begin() -> str:
        return "begun"

    @engine.tool(Check(lambda: state["create"]), name="create")
    def create() -> dict[str, Any]:
        return {"order_id": "ord-777-abc"}

    @engine.tool(Check(lambda order_id: 0), name="pay")
    def pay(order_id: str) -> str:
        made.append(order_id)
        return "paid"

    look = engine.tool(effect="read", name="look")(lambda: "seen")

    def run(*plan: tuple[str, dict[str, Any]]) -> list[str]:
        turns, replayed = list(plan), []
        with engine.session("task", rejoin=True) as session:
            while not isinstance(turn := session.next(), Finished):
                if isinstance(turn, Call):
                    replayed += [turn.name] if turn.replayed else []
                    session.done(turn, turn.fn(*turn.args, **turn.kwargs))
                else:
                    session.said([turns.pop(0)] if turns else [])
        return replayed

    run(("begin", {}), ("create", {}), ("pay", {"order_id": "ord-777-abc"}))
    made.clear()
    assert look() == "seen"
    state["create"] = 1
    assert run(("look", {})) == ["begin"]
    assert made == []


@pytest.mark.parametrize("output", [{"rows": [1, 2, 3], "of": "spring"}, ["north", "south"], "a report of the spring"])
def test_i15_a_whole_output_that_was_not_made_is_not_passed_on(output: Any) -> None:
    engine = Engine()
    sent: list[Any] = []
    state: dict[str, int] = {}
    engine.tool(Check(lambda: 0), name="begin")(lambda: "begun")
    engine.tool(Check(lambda: state.get("read", 0)), effect="read", name="read")(lambda: output)
    engine.tool(Check(lambda data: 0), name="send")(lambda data: sent.append(data))
    look = engine.tool(effect="read", name="look")(lambda: "seen")

    def agent(task: str) -> None:
        begin()
        send(read())

    tools = {tool.name: tool.wrapper for tool in engine._runtime.tools}
    begin, read, send = tools["begin"], tools["read"], tools["send"]
    engine.set_agent(agent)
    assert engine("task").learned
    sent.clear()
    state["read"] = 1
    with engine.session("task", rejoin=True) as session:
        session.done(handed(session), "begun")
        asked(session).said([("look", {})])
        session.done(handed(session), look())
        asked(session).said([])
    assert sent == []


def test_i15_the_output_of_the_same_call_of_the_model_explains_what_follows() -> None:
    engine = Engine()
    made: list[str] = []
    state: dict[str, int] = {}
    engine.tool(Check(lambda: 0), name="begin")(lambda: "begun")
    engine.tool(Check(lambda: state.get("create", 0)), name="create")(lambda: {"order_id": "ord-777-abc"})
    engine.tool(Check(lambda order_id: 0), name="pay")(lambda order_id: made.append(order_id))

    def run(*plan: tuple[str, dict[str, Any]]) -> list[str]:
        turns, replayed = list(plan), []
        with engine.session("task", rejoin=True) as session:
            while not isinstance(turn := session.next(), Finished):
                if isinstance(turn, Call):
                    replayed += [turn.name] if turn.replayed else []
                    session.done(turn, turn.fn(*turn.args, **turn.kwargs))
                else:
                    session.said([turns.pop(0)] if turns else [])
        return replayed

    run(("begin", {}), ("create", {}), ("pay", {"order_id": "ord-777-abc"}))
    made.clear()
    state["create"] = 1
    assert run(("create", {})) == ["begin", "pay"]
    assert made == ["ord-777-abc"]


def test_i15_a_place_that_does_not_fit_yet_is_tried_again_after_the_next_call() -> None:
    world = World()
    world.learn("do a", "do b", "do c", "do d")
    world.state.update(b="moved", c="moved")
    with world.engine.session("task", rejoin=True) as session:
        session.done(handed(session), "do a")
        first = session.next()
        assert isinstance(first, AskAgent)
        session.said([("look", {"name": "x"})])
        session.done(handed(session), "look x")
        second = session.next()
        assert isinstance(second, AskAgent)
        assert (second.reason, second.message) == (first.reason, first.message)
        world.state["c"] = None
        session.said([("look", {"name": "y"})])
        session.done(handed(session), "look y")
        names = []
        for _ in range(2):
            call = handed(session)
            names.append(call.arguments["name"])
            session.done(call, f"do {names[-1]}")
        assert names == ["c", "d"]
        asked(session).said([])
    assert ended(session).learned


def test_i15_the_middle_of_a_turn_is_no_place() -> None:
    world = World()
    with world.engine.session("task", mode="record") as session:
        for turn in (["a"], ["b"], ["c", "d", "e"], ["f"]):
            asked(session).said([("look" if name in "cde" else "do", {"name": name}) for name in turn])
            for call in [handed(session) for _ in turn]:
                session.done(call, f"{call.name} {call.arguments['name']}")
        asked(session).said([])
    world.state["b"] = "moved"
    _, replayed = world.run({0: ["look c"]})
    assert replayed == ["do a"]
    _, replayed = world.run({0: ["look e"]}, mode="frozen")
    assert replayed[:1] == ["do a"]


def test_i15_turns_are_rejoined_as_turns() -> None:
    world = World()
    with world.engine.session("task", mode="record") as session:
        for turn in (["a"], ["b"], ["c", "d"], ["e"]):
            asked(session).said([("do", {"name": name}) for name in turn])
            for call in [handed(session) for _ in turn]:
                session.done(call, f"do {call.arguments['name']}")
        asked(session).said([])
    world.state["b"] = "moved"
    with world.engine.session("task", rejoin=True) as session:
        session.done(handed(session), "do a")
        asked(session).said([("look", {"name": "x"})])
        session.done(handed(session), "look x")
        first, second = handed(session), handed(session)
        assert first.turn == second.turn
        assert first.replayed
        assert len({first.id, second.id}) == 2
        session.done(second, "do d")
        session.done(first, "do c")
        last = handed(session)
        session.done(last, "do e")
        asked(session).said([])
    assert ended(session).learned
    outcome, replayed = world.run({})
    assert outcome
    assert replayed == ["do a", "look x", "do c", "do d", "do e"]


@pytest.mark.parametrize("answer", ["confirm", "refused"])
def test_i15_a_rejoined_call_may_be_confirmed_or_refused_and_has_a_key_of_its_own(answer: str) -> None:
    world = World()
    world.learn("do a", "do b", "do c", "do d")
    world.state = {"b": "moved"}
    keys = []
    with world.engine.session("task", rejoin=True) as session:

        def handed_with_key() -> Call:
            call = handed(session)
            keys.append(session.run.idempotency_key)
            return call

        session.done(handed_with_key(), "do a")
        asked(session).said([("look", {"name": "x"})])
        session.done(handed_with_key(), "look x")
        call = handed_with_key()
        if answer == "refused":
            session.refused(call, "no")
        else:
            world.state["c"] = "moved"
            time.sleep(0.06)
            assert not session.confirm(call)
        turn = session.next()
        assert isinstance(turn, AskAgent)
        assert turn.reason == ("refused_by_person" if answer == "refused" else "check_refused")
        session.said([("look", {"name": "y"}), ("look", {"name": "z"})])
        session.done(handed_with_key(), "look y")
        session.done(handed_with_key(), "look z")
        call = handed_with_key()
        assert (call.replayed, call.arguments) == (True, {"name": "d"})
        session.done(call, "do d")
        asked(session).said([])
    assert len(set(keys)) == len(keys)
    assert ended(session).learned == (answer == "confirm")


def test_i15_a_session_that_is_left_in_a_rejoined_replay_learns_nothing() -> None:
    world = World()
    world.learn("do a", "do b", "do c", "do d")
    world.state["b"] = "moved"
    with pytest.raises(KeyError), world.engine.session("task", rejoin=True) as session:  # noqa: PT012
        session.done(handed(session), "do a")
        asked(session).said([("look", {"name": "x"})])
        session.done(handed(session), "look x")
        assert handed(session).replayed
        raise KeyError
    assert session.outcome is None
    assert not world.engine._runtime.open_runs.frames
    assert not world.engine._runtime.open_runs.delegated
    world.state.clear()
    assert world.run({})[0]


def test_i15_async_sessions_go_on_too() -> None:
    world = World()
    world.learn("do a", "do b", "do c")
    world.state["b"] = "moved"

    async def main() -> list[str]:
        replayed = []
        plan = [[("look", {"name": "x"})], []]
        async with world.engine.asession("task", rejoin=True) as session:
            while not isinstance(turn := await session.next(), Finished):
                if isinstance(turn, Call):
                    replayed += [turn.arguments["name"]] if turn.replayed else []
                    await session.done(turn, turn.fn(*turn.args, **turn.kwargs))
                else:
                    await session.said(plan.pop(0))
        return replayed

    assert asyncio.run(main()) == ["a", "c"]


@pytest.mark.parametrize("seed", range(60))
def test_i15_whatever_the_model_does_no_act_is_made_twice_and_only_fitting_steps_are_replayed(seed: int) -> None:
    rng = random.Random(seed)
    world = World()
    kinds = ["do", "look", "plain"]
    recorded = [f"{rng.choice(kinds)} {name}" for name in "abcdefg"[: rng.randint(3, 7)]]
    recorded[0] = "do a"
    world.learn(*recorded)
    for name in "bcdefg":
        if rng.random() < 0.35:
            world.state[name] = "moved"
    wants = [rng.choice([*recorded, "look x", "do y"]) for _ in range(rng.randint(0, 4))]
    outcome, replayed = world.run({}, *wants)
    places = [recorded.index(step) for step in replayed]
    assert places == sorted(places)
    assert len(set(places)) == len(places)
    assert not [step for step in replayed if not step.startswith("plain") and world.state.get(step.split()[1])]
    order = iter(world.log)
    made_by_model: set[str] = set()
    waiting = list(replayed)
    for step in order:
        if waiting and step == waiting[0]:
            waiting.pop(0)
            if not step.startswith("look"):
                assert step not in made_by_model, "a replay repeats what the model has done"
        else:
            made_by_model.add(step)
    if outcome.learned and outcome.status == "diverged":
        done = list(world.log)
        world.log.clear()
        again, _ = world.run({}, *wants)
        if again:
            assert world.log == done
