"""Answers and modes of runs inside a framework."""

from __future__ import annotations

from typing import Any

import pytest

from muscle_mem import Check, Diverged, Engine, Missed
from muscle_mem.integrations._shared import Memory, Message, ModelCall
from refund_desk import desk, refund, refunding


@pytest.mark.parametrize("where", ["engine", "adapter", "task"])
def test_a_function_makes_the_answer_of_the_results(where: str) -> None:
    answer = {"answer": lambda results: f"{len(results)} results"}
    events: list[Any] = []
    engine = Engine(observers=events.append, **(answer if where == "engine" else {}))  # type: ignore[arg-type]
    toy = desk(engine=engine, **(answer if where == "adapter" else {}))
    for script in (refunding(), []):
        toy.script = script
        with engine.task("refund", **(answer if where == "task" else {})) as task:  # type: ignore[arg-type]
            given = toy.run("Refund A-1001!")
    assert task.outcome
    assert (given, task.outcome.value_source) == ("3 results", "result")


def test_i5_the_model_is_asked_for_its_answer_alone_where_a_result_differs() -> None:
    toy = desk()
    refund(toy)
    toy.tools["look"] = lambda order: f"{order} is paid twice"
    task = refund(toy, script=["I have refunded both."])
    assert (task.outcome.status, task.outcome.value_source, task.answer) == ("hit", "model", "I have refunded both.")
    assert toy.turns[-1].answer_only


def test_the_model_can_always_be_asked_for_the_answer() -> None:
    toy = desk(answer="model")
    refund(toy)
    task = refund(toy, script=["Done again."])
    assert (task.outcome.value_source, task.answer) == ("model", "Done again.")


def test_a_typed_answer_comes_back_as_it_was() -> None:
    toy = desk()
    for script in ([[("look", {"order": "A-1001"})], {"order": "A-1001", "lines": [1, 2]}], []):
        toy.script = script
        given = toy.run("Look!", answer_schema={"type": "object"})
        assert given == {"order": "A-1001", "lines": [1, 2]}
    assert len(toy.asked) == 2


@pytest.mark.parametrize("answer", ["always", 3])
def test_a_setting_that_does_not_exist_is_refused(answer: Any) -> None:
    with pytest.raises(ValueError, match="answer"):
        Memory(Engine(), framework="toy", answer=answer)


def test_an_engine_that_is_off_is_not_in_the_way() -> None:
    toy = desk()
    refund(toy)
    with toy.engine.disabled():
        refund(toy)
    assert len(toy.asked) == 8
    assert toy.turns[-1].kind == "pass"
    assert not toy.told("no_run")


def test_a_mode_that_never_asks_the_model_raises_what_is_meant_for_the_user() -> None:
    toy = desk()
    toy.script = refunding()
    with pytest.raises(Missed), toy.engine.task("refund", mode="replay"):
        toy.run("Refund A-1001!")
    assert not toy.asked
    toy.run("Refund A-1001!")
    toy.tools["look"] = lambda order: f"{order} is paid twice"
    toy.script = []
    with toy.engine.task(mode="replay") as task:
        assert toy.run("Refund A-1001!") is None  # Without a model, there is no answer to other results.
    assert task.outcome


def test_a_stopped_replay_raises_where_the_user_says_so() -> None:
    toy, state = desk(), {"open": True}
    toy.engine.external_tool("refund", Check(lambda order, why: state["open"]))
    toy.script = refunding()
    toy.run("Refund A-1001!")
    state["open"] = False
    with toy.engine.task(on_divergence="raise"), pytest.raises(Diverged):
        toy.run("Refund A-1001!")
    assert len(toy.memory._table) == 0


def test_i15_a_run_goes_back_to_the_replay_after_a_step_of_the_models_own() -> None:
    toy, state = desk(rejoin=True), {"open": True}
    toy.engine.external_tool("refund", Check(lambda order, why: state["open"]), effect="write")
    toy.engine.external_tool("tell", Check(lambda text: "mail works"), effect="write")
    toy.tools["open"] = lambda: state.update(open=True)
    refund(toy)
    state["open"] = False
    script = [[("open", {})], [("refund", {"order": "A-1001", "why": "broken"})], "I have refunded A-1001 at last."]
    task = refund(toy, script=script)
    assert [turn.kind for turn in toy.turns[4:]] == ["replay", "ask", "ask", "replay", "ask"]
    assert (task.outcome.status, task.outcome.steps, task.outcome.learned) == ("diverged", 2, True)
    assert [name for name, _ in toy.made[3:]] == ["look", "open", "refund", "tell"]
    assert not toy.told("adapter_failed")


def test_an_agent_in_a_tool_that_is_called_while_the_model_answers_is_seen() -> None:
    from muscle_mem.integrations._shared.nesting import answering

    toy = desk()
    turn = toy.memory.turn(toy.request([Message("user", "Look!")]))
    turn.said((ModelCall("one", "look", {"order": "A-1001"}),))
    with answering(toy.engine):
        assert toy.memory.turn(toy.request([Message("user", "Inner!")])).kind == "pass"
        with toy.memory.inside("one"):
            assert toy.memory.turn(toy.request([Message("user", "Inner!")])).kind == "ask"


@pytest.mark.parametrize(
    ("mode", "asked", "status"), [("record", 8, "miss"), ("frozen", 4, "hit"), ("shadow", 8, "miss")]
)
def test_the_modes_of_the_engine_hold_in_a_framework(mode: Any, asked: int, status: str) -> None:
    toy = desk()
    refund(toy)
    toy.script = refunding()
    with toy.engine.task("refund", params={"order": "A-1001"}, mode=mode) as task:
        assert toy.run("Refund A-1001!") == "I have refunded A-1001."
    assert task.outcome is not None
    assert (task.outcome.status, len(toy.asked)) == (status, asked)
    if mode == "shadow":
        assert task.outcome.shadow is not None
        assert task.outcome.shadow.agreed
