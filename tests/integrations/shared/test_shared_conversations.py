"""Which requests belong to a run, and what is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from muscle_mem import Engine, Reason
from muscle_mem.events import NotLearnedEvent, RunEvent
from muscle_mem.integrations._shared import Message, ModelCall, ModelRequest, Usage
from refund_desk import desk, refund, refunding


def test_i13_results_that_are_not_ours_pass_through() -> None:
    toy = desk()
    call = ModelCall("foreign_1", "look", {"order": "A-1001"})
    history = [Message("user", "Look!"), Message("assistant", calls=(call,)), Message("tool", "paid", call_id=call.id)]
    toy.script = ["It is paid."]
    with toy.engine.task("look") as task:
        assert toy.run(history) == "It is paid."
    assert (toy.turns[0].kind, task.outcomes) == ("pass", [])
    assert not toy.told("no_run")


def test_i13_a_request_that_neither_asks_nor_answers_passes_through() -> None:
    toy = desk()
    for history in ([], [Message("system", "Be kind.")], [Message("user", "a"), Message("assistant", "b")]):
        toy.script = ["Hello."]
        toy.run(list(history))
        assert toy.turns[-1].kind == "pass"


def test_an_adapter_below_another_one_passes_the_request_through() -> None:
    from muscle_mem.integrations._shared.nesting import answering

    toy = desk()
    toy.script = ["Hello."]
    with answering(toy.engine):
        toy.run("Hello!")
    assert toy.turns[-1].kind == "pass"


def test_i14_an_error_of_the_adapter_is_one_event_and_the_run_goes_on() -> None:
    toy = desk()
    toy.script = ["Hello."]
    assert toy.run([Message("user", "Hello!", parts=(3,))]) == "Hello."  # type: ignore[arg-type]
    [message] = toy.told("adapter_failed")
    assert "toy failed in a model request" in message
    assert toy.turns[-1].kind == "pass"


def test_i14_an_error_of_the_adapter_shows_no_text_of_others() -> None:
    toy = desk()
    toy.memory.steps_aside(ValueError("hunter2"))
    [message] = toy.told("adapter_failed")
    assert "ValueError" in message
    assert "hunter2" not in message


def test_a_call_that_cannot_be_understood_ends_the_run_unlearned() -> None:
    toy = desk()
    calls = [("look", '{"order": ')]
    task = refund(toy, script=[calls, "I am lost."])
    assert (task.answer, task.outcomes) == ("I am lost.", [])
    assert "are not a JSON object" in toy.told("left_alone")[0]
    assert not toy.told("adapter_failed")
    assert refund(toy).outcome.reason is Reason.NEW_TASK


def test_a_call_of_a_tool_that_nobody_offers_did_nothing_and_is_left_out() -> None:
    toy = desk()
    script = [[("lookup", {"order": "A-1001"})], *refunding()]
    assert refund(toy, script=script).outcome.learned
    again = refund(toy, script=[])
    assert (again.outcome.status, again.outcome.steps) == ("hit", 3)


def test_i13_a_missing_result_ends_the_run_unlearned() -> None:
    toy = desk()
    calls = (ModelCall("one", "look", {"order": "A"}), ModelCall("two", "look", {"order": "B"}))
    history = [Message("user", "Look!")]
    turn = toy.memory.turn(toy.request(history))
    turn.said(calls)
    history += [Message("assistant", calls=calls), Message("tool", "paid", call_id="one")]
    assert toy.memory.turn(toy.request(history)).kind == "pass"
    assert "no result of a call" in toy.told("left_alone")[0]
    assert len(toy.memory._table) == 0


def test_the_same_request_again_is_the_same_turn() -> None:
    toy = desk()
    history = [Message("user", "Look!")]
    turn = toy.memory.turn(toy.request(history))
    turn.said((ModelCall("one", "look", {"order": "A"}),))
    history += [Message("assistant", calls=(ModelCall("one", "look", {"order": "A"}),))]
    history += [Message("tool", "A is paid", call_id="one")]
    for _ in range(2):
        turn = toy.memory.turn(toy.request(history))
        assert turn.kind == "ask"
    turn.said((), "It is paid.")
    toy.script = []
    assert toy.run("Look!") == "It is paid."


def test_i13_conversations_whose_calls_have_the_same_ids_keep_apart() -> None:
    toy = desk()
    histories, turns = [], []
    for order in ("A-1001", "B-2002"):
        call = ModelCall("call_0", "look", {"order": order})
        histories.append([Message("user", f"Look at {order}!"), Message("assistant", calls=(call,))])
        turn = toy.memory.turn(toy.request(histories[-1][:1]))
        turn.said((call,))
    for history, order in zip(histories, ("A-1001", "B-2002"), strict=True):
        history.append(Message("tool", f"{order} is paid", call_id="call_0"))
        turns.append(toy.memory.turn(toy.request(history)))
    for turn, order in zip(turns, ("A-1001", "B-2002"), strict=True):
        turn.said((), f"{order} is paid.")
    toy.script = []
    for order in ("A-1001", "B-2002"):
        assert toy.run(f"Look at {order}!") == f"{order} is paid."
    assert toy.made == [("look", {"order": "A-1001"}), ("look", {"order": "B-2002"})]


def test_i13_what_the_framework_writes_in_the_name_of_the_user_begins_no_run() -> None:
    toy = desk()
    original = toy.make
    toy.make = lambda call: original(call)  # type: ignore[method-assign]
    history = [Message("user", "Look!")]
    turn = toy.memory.turn(toy.request(history))
    call = ModelCall("one", "look", {"order": "A"})
    turn.said((call,))
    history += [Message("assistant", calls=(call,)), Message("tool", "see below", call_id="one")]
    history += [Message("user", "the picture", of_framework=True)]
    assert toy.memory.turn(toy.request(history)).kind == "ask"


def test_i13_open_runs_are_bounded_and_the_oldest_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muscle_mem.integrations._shared.table.MAX_RUNS", 3)
    events: list[Any] = []
    toy = desk(engine=Engine(observers=events.append))
    turns = []
    for number in range(5):
        turns.append(toy.memory.turn(toy.request([Message("user", f"Look at {number}!")])))
        turns[-1].said((ModelCall(f"id_{number}", "look", {"order": "A"}),))
    assert len(toy.memory._table) == 3
    raised = [event.task for event in events if isinstance(event, RunEvent)]
    assert raised == ["Look at 0!", "Look at 1!"]
    history = [Message("user", "Look at 0!"), Message("assistant"), Message("tool", "paid", call_id="id_0")]
    assert toy.memory.turn(toy.request(history)).kind == "pass"
    history = [Message("user", "Look at 4!"), Message("assistant"), Message("tool", "paid", call_id="id_4")]
    assert toy.memory.turn(toy.request(history)).kind == "ask"


def test_a_run_that_ends_with_the_results_of_its_calls_is_learned_when_the_adapter_says_so() -> None:
    toy = desk(hooks=True)
    turn = toy.memory.turn(toy.request([Message("user", "Look!")]))
    turn.said((ModelCall("one", "look", {"order": "A-1001"}),))
    toy.memory.done("one", "paid")
    toy.memory.finish("one", "paid")
    assert len(toy.memory._table) == 0
    turn = toy.memory.turn(toy.request([Message("user", "Look!")]))
    assert turn.kind == "replay"
    [call] = turn.calls
    toy.memory.done(call.id, "paid")
    with toy.engine.task("another"):
        toy.memory.finish(call.id)
    assert not toy.told("adapter_failed")


def test_usage_is_counted_once_however_it_comes() -> None:
    toy = desk()
    toy.usage = Usage(100, 20, 50, "a model")
    assert refund(toy).outcome.learned
    assert refund(toy, script=[]).outcome.saved_tokens == 480


def test_nothing_is_learned_of_a_run_whose_calls_cannot_be_followed() -> None:
    events: list[Any] = []
    toy = desk(engine=Engine(observers=events.append))
    turn = toy.memory.turn(toy.request([Message("user", "Look!")]))
    turn.said((ModelCall("one", "look", {"order": "A-1001"}),))
    toy.memory.leave_alone("the server keeps the history", ["one"])
    assert len(toy.memory._table) == 0
    assert [event.reason for event in events if isinstance(event, NotLearnedEvent)] == ["cancelled"]
    assert toy.memory.turn(toy.request([Message("user", "Look!")])).kind == "ask"


def test_a_request_is_not_changed() -> None:
    toy = desk()
    request = ModelRequest((Message("user", "Hello!"),), ())
    toy.memory.turn(request)
    assert request.messages == (request.messages[0],)


def test_a_user_who_says_something_else_in_the_middle_ends_the_run() -> None:
    toy = desk()
    with toy.engine.task("refund") as task:
        history = [Message("user", "Refund A-1001!")]
        call = ModelCall("one", "look", {"order": "A-1001"})
        toy.memory.turn(toy.request(history)).said((call,))
        history += [Message("assistant", calls=(call,)), Message("tool", "A-1001 is paid", call_id="one")]
        history += [Message("user", "Stop! Look at B-2002.")]
        turn = toy.memory.turn(toy.request(history))
        assert turn.kind == "ask"
        turn.said((), "B-2002 is paid.")
    assert (len(task.outcomes), task.suspended, len(toy.memory._table)) == (1, False, 0)
