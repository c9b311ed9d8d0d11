"""The steps that all adapters share, without any framework."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from muscle_mem import Check, Diverged, Engine, Missed, Reason
from muscle_mem.events import NotLearnedEvent, RunEvent
from muscle_mem.integrations._shared import Memory, Message, ModelCall, ModelRequest, Part, ToolOffer, Usage
from toy_framework import ModelFailedError, Toy


def desk(**options: Any) -> Toy:
    """A toy with three tools, and a model that refunds an order in three steps."""
    toy = Toy(**options)
    toy.tools = {
        "look": lambda order: f"{order} is paid",
        "refund": lambda order, why: "refunded",
        "tell": lambda text: "sent",
    }
    return toy


def refunding(order: str = "A-1001") -> list[Any]:
    return [
        [("look", {"order": order})],
        [("refund", {"order": order, "why": "broken"})],
        [("tell", {"text": f"{order} is refunded"})],
        f"I have refunded {order}.",
    ]


def refund(toy: Toy, order: str = "A-1001", script: Any = None) -> Any:
    """Let the toy refund an order in a block; return the block."""
    toy.script = refunding(order) if script is None else script
    with toy.engine.task("refund", params={"order": order}) as task:
        task.answer = toy.run(f"Refund {order}!")  # type: ignore[attr-defined]
    return task


@pytest.mark.parametrize("hooks", [True, False])
def test_the_second_run_makes_the_same_calls_without_the_model_and_gives_the_answer(hooks: bool) -> None:
    toy = desk(hooks=hooks)
    first = refund(toy)
    assert (first.outcome.status, first.outcome.learned, len(toy.asked)) == ("miss", True, 4)
    made = list(toy.made)
    second = refund(toy, script=[])
    assert second.outcome
    assert second.answer == "I have refunded A-1001."
    assert (second.outcome.value_source, second.outcome.steps, len(toy.asked)) == ("recorded", 3, 4)
    assert toy.made[3:] == made


def test_another_order_is_the_same_task() -> None:
    toy = desk()
    refund(toy)
    other = refund(toy, "B-2002", script=[])
    assert other.outcome
    assert other.answer == "I have refunded B-2002."
    assert toy.made[3:] == [
        ("look", {"order": "B-2002"}),
        ("refund", {"order": "B-2002", "why": "broken"}),
        ("tell", {"text": "B-2002 is refunded"}),
    ]


@pytest.mark.parametrize("hooks", [True, False])
def test_the_async_steps_do_the_same(hooks: bool) -> None:
    toy = desk(hooks=hooks)

    async def both() -> None:
        for script in (refunding(), []):
            toy.script = script
            async with toy.engine.task("refund") as task:
                assert await toy.arun("Refund A-1001!") == "I have refunded A-1001."
        assert task.outcome
        assert len(toy.asked) == 4

    asyncio.run(both())


def test_without_a_block_the_prompt_is_the_task() -> None:
    toy = desk()
    for prompt, asked in (("Refund A-1001!", 4), ("Refund A-1001!", 4), ("Refund A-1001, please!", 8)):
        toy.script = refunding()
        toy.run(prompt)
        assert len(toy.asked) == asked


def test_i18_a_replayed_turn_says_what_it_is() -> None:
    toy = desk()
    learned = refund(toy).outcome.trajectory_id
    refund(toy, script=[])
    kinds = [turn.kind for turn in toy.turns[4:]]
    assert kinds == ["replay", "replay", "replay", "answer"]
    for turn in toy.turns[4:]:
        assert turn.mark["muscle_mem"] == "replayed"
        assert turn.mark["trajectory_id"] == learned
    assert [turn.mark["step"] for turn in toy.turns[4:]] == [0, 1, 2, 3]
    assert not toy.turns[0].mark


def test_i18_the_usage_of_the_recorded_responses_is_what_a_hit_saves() -> None:
    toy = desk()
    refund(toy)
    assert refund(toy, script=[]).outcome.saved_tokens == 4 * 15


def test_a_check_that_refuses_in_the_middle_lets_the_model_go_on_with_the_history() -> None:
    toy, state = desk(), {"open": True}
    toy.engine.external_tool("refund", Check(lambda order, why: state["open"]), effect="write")
    refund(toy)
    state["open"] = False
    task = refund(toy, script=[[("tell", {"text": "It is closed."})], "It is closed."])
    assert (task.outcome.status, task.outcome.reason) == ("diverged", Reason.CHECK_REFUSED)
    assert task.answer == "It is closed."
    roles = [message.role for message in toy.asked[-2].messages]
    assert roles == ["user", "assistant", "tool"]


def test_parallel_calls_of_one_turn_are_recorded_and_replayed() -> None:
    toy = desk()
    both = [("look", {"order": "A-1001"}), ("look", {"order": "B-2002"})]
    assert refund(toy, script=[both, "Both are paid."]).outcome.learned
    again = refund(toy, script=[])
    assert (again.outcome.status, again.outcome.steps, again.answer) == ("hit", 2, "Both are paid.")


@pytest.mark.parametrize("hooks", [True, False])
def test_a_tool_that_raises_stops_the_replay(hooks: bool) -> None:
    toy = desk(hooks=hooks)
    refund(toy)

    def fails(**_arguments: Any) -> Any:
        raise ValueError("the bank is closed")

    toy.tools["refund"] = fails
    task = refund(toy, script=["The bank is closed."])
    assert (task.outcome.status, task.outcome.reason) == ("diverged", Reason.TOOL_RAISED)
    assert task.answer == "The bank is closed."


def test_a_tool_that_tells_its_error_as_text_stops_the_replay() -> None:
    toy = desk()
    refund(toy)
    toy.tools["refund"] = lambda order, why: "Error: the bank is closed"
    assert refund(toy, script=["It is closed."]).outcome.reason is Reason.RETURNED_ERROR


def test_i14_a_model_error_passes_and_closes_the_run() -> None:
    toy = desk()
    with pytest.raises(ModelFailedError, match="overloaded"):
        refund(toy, script=[ModelFailedError("overloaded")])
    assert refund(toy).outcome.learned


def test_i13_two_tasks_in_one_conversation_are_two_runs() -> None:
    toy = desk()
    for _ in range(2):
        conversation = [Message("user", "Refund A-1001!")]
        toy.script = refunding()
        toy.run(conversation)
        conversation.append(Message("user", "And B-2002!"))
        toy.script = refunding("B-2002")
        toy.run(conversation)
    assert len(toy.asked) == 8  # Ids of earlier calls differ from run to run, and do not count.
    toy.script = refunding("B-2002")
    toy.run([Message("user", "And B-2002!")])
    assert len(toy.asked) == 12  # The history does.


def test_twelve_at_once_keep_apart() -> None:
    toy = desk()
    orders = [f"{letter}-{number}000" for number, letter in enumerate("ABCDEFGHIJKL", 1)]
    for order in orders:
        toy.script = refunding(order)
        toy.run(f"Refund {order}!")
    del toy.made[:]

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(toy.arun(f"Refund {order}!") for order in orders))

    assert asyncio.run(all_at_once()) == [f"I have refunded {order}." for order in orders]
    assert len(toy.made) == 36
    results: list[Any] = []
    threads = [threading.Thread(target=lambda o=order: results.append(toy.run(f"Refund {o}!"))) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [f"I have refunded {order}." for order in orders]
    assert len(toy.asked) == 48


def test_decorated_functions_and_tools_of_the_framework_stand_side_by_side() -> None:
    toy = desk(hooks=True)
    seen: list[str] = []
    look = toy.engine.tool(Check(lambda order: len(order)), effect="read", name="Desk.look")(
        lambda order: f"{order} is paid"
    )
    toy.tools["look_at_the_order"] = look
    script = [[("look_at_the_order", {"order": "A-1001"})], [("tell", {"text": "paid"})], "It is paid."]
    assert refund(toy, script=script).outcome.learned
    toy.before_call = lambda call: seen.append(call.name)
    task = refund(toy, script=[])
    assert (task.outcome.status, seen) == ("hit", ["look_at_the_order", "tell"])
    assert [tool.name for tool in toy.engine._runtime.tools if tool.name.startswith("Desk")] == ["Desk.look"]


def test_a_changed_schema_is_a_changed_tool() -> None:
    toy = desk()

    def offers(*required: str) -> list[ToolOffer]:
        schema = {"properties": {"order": {"type": "string"}}, "required": list(required)}
        return [ToolOffer("look", schema=schema)]

    for required, expected in ((("order",), 2), (("order",), 2), (("order", "shop"), 4)):
        toy.script = [[("look", {"order": "A-1001"})], "Paid."]
        with toy.engine.task("look") as task:
            toy.run("Look!", offers=offers(*required))
        assert len(toy.asked) == expected
    assert task.outcome is not None
    assert task.outcome.reason is Reason.TOOL_CHANGED


def test_a_tool_that_is_declared_after_it_was_seen_keeps_its_schema() -> None:
    toy = desk()
    refund(toy)
    toy.engine.external_tool("refund", effect="irreversible")
    assert refund(toy).outcome.reason is Reason.NOT_APPROVED


def test_secrets_in_arguments_are_never_stored(tmp_path: Any) -> None:
    events: list[Any] = []
    engine = Engine(tmp_path / "memory.db", observers=events.append)
    engine.external_tool("log_in", secret=["password"])
    toy = Toy(engine)
    toy.tools = {"log_in": lambda password: "welcome"}
    for script in ([[("log_in", {"password": "hunter2-hunter2"})], "I am in."], []):
        toy.script = script
        with engine.task("log in", secrets={"password": "hunter2-hunter2"}) as task:
            toy.run("Log in!")
    assert task.outcome
    engine.close()
    assert toy.made[1] == ("log_in", {"password": "hunter2-hunter2"})
    assert not [file for file in tmp_path.iterdir() if b"hunter2" in file.read_bytes()]
    assert not [event for event in events if "hunter2" in repr(event)]


# -- answers


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


# -- modes


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


# -- keys


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"agent_name": "a"}, {"agent_name": "b"}),
        ({"instructions": "Be kind."}, {"instructions": "Be brief."}),
        ({"answer_schema": {"type": "object"}}, {"answer_schema": {"type": "string"}}),
    ],
)
def test_i13_the_agent_its_instructions_and_its_schema_are_part_of_the_key(one: Any, other: Any) -> None:
    toy = desk()
    for options, asked in ((one, 4), (one, 4), (other, 8)):
        toy.script = refunding()
        with toy.engine.task("refund"):
            toy.run("Refund A-1001!", **options)
        assert len(toy.asked) == asked


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Part("image", b"one"), Part("image", b"two")),
        (Part("image", url="https://a.example/1.png"), Part("image", url="https://a.example/2.png")),
        (Part("image", b"one"), Part("audio", b"one")),
    ],
)
def test_the_same_prompt_with_another_image_is_another_task(one: Part, other: Part) -> None:
    toy = desk()
    for part, asked in ((one, 4), (one, 4), (other, 8)):
        toy.script = refunding()
        with toy.engine.task("refund"):
            toy.run([Message("user", "Refund this!", (part,))])
        assert len(toy.asked) == asked


def test_a_part_that_cannot_be_told_from_others_makes_no_key() -> None:
    toy = desk()
    for _ in range(2):
        toy.script = refunding()
        with toy.engine.task("refund") as task:
            toy.run([Message("user", "Refund this!", (Part("file"),))])
    assert task.outcome is not None
    assert (task.outcome.reason, task.outcome.not_learned) == (Reason.NO_KEY, Reason.NO_KEY)
    assert "prompt" in toy.told("no_key")[0]


def test_a_block_around_another_prompt_is_another_task_unless_params_name_what_differs() -> None:
    toy = desk()
    for order in ("A-1001", "B-2002"):
        toy.script = refunding(order)
        with toy.engine.task("refund the order"):
            toy.run(f"Refund {order}!")
    assert len(toy.asked) == 8


def test_only_a_key_replaces_all_of_it() -> None:
    toy = desk()
    for prompt in ("Refund A-1001!", "Refund A-1001 at once!"):
        toy.script = refunding()
        with toy.engine.task(key="refund"):
            toy.run(prompt, instructions=prompt)
    assert len(toy.asked) == 4


def test_params_are_masked_in_all_parts_of_the_key() -> None:
    toy = desk()
    for order in ("A-1001", "B-2002"):
        toy.script = refunding(order)
        with toy.engine.task("refund", params={"order": order}):
            toy.run([Message("user", f"Refund {order}!")], instructions=f"Today it is about {order}.")
    assert len(toy.asked) == 4


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda n: ({}, f"Refund A-1001, {n} of 9!"), "prompt"),
        (lambda n: ({"instructions": f"It is 2026-11-0{n}."}, "Refund A-1001!"), "instructions"),
        (lambda n: ({"answer_schema": {"title": f"Answer{n}"}}, "Refund A-1001!"), "schema"),
    ],
)
def test_a2_after_five_misses_the_event_names_the_part_that_differed(make: Any, part: str) -> None:
    toy = desk()
    for number in range(1, 6):
        toy.script = refunding()
        options, prompt = make(number)
        with toy.engine.task("refund"):
            toy.run(prompt, **options)
    [message] = toy.told("suggest_key")
    assert f"differed in: {part}." in message
    assert "pass key= to engine.task()" in message


def test_after_five_misses_with_other_histories_the_event_names_the_history() -> None:
    toy = desk()
    for number in range(5):
        toy.script = refunding()
        toy.run([Message("user", f"Hello {number}"), Message("assistant", "Hi"), Message("user", "Refund A-1001!")])
    assert "differed in: history." in toy.told("suggest_key")[0]


# -- what is not ours


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


# -- the tools of a run


def test_a_step_of_a_tool_that_this_agent_does_not_offer_is_not_replayed() -> None:
    toy = desk()
    refund(toy)
    without = [ToolOffer(name, fn=fn) for name, fn in toy.tools.items() if name != "tell"]
    toy.script = ["I cannot tell anybody."]
    with toy.engine.task("refund", params={"order": "A-1001"}) as task:
        toy.run("Refund A-1001!", offers=without)
    assert task.outcome is not None
    assert (task.outcome.status, task.outcome.reason) == ("miss", Reason.TOOL_MISSING)
    assert len(toy.made) == 3


def test_the_tools_of_an_agent_may_be_named_for_the_adapter() -> None:
    toy = desk(tools=["look", "refund"])
    refund(toy)
    assert refund(toy).outcome.reason is Reason.TOOL_MISSING


def test_an_agent_that_hands_off_may_use_the_tools_of_the_next_one() -> None:
    toy = desk()
    toy.tools = {"look": toy.tools["look"], "to_sales": lambda: "you are with sales", "sell": lambda item: "sold"}
    first = [ToolOffer("look", fn=toy.tools["look"]), ToolOffer("to_sales", fn=toy.tools["to_sales"], hands_off=True)]
    second = [ToolOffer("sell", fn=toy.tools["sell"])]
    offers: list[Any] = []
    original = toy.request
    toy.request = lambda messages, **more: original(messages, offers=offers.pop(0), **more)  # type: ignore[method-assign]
    for script in ([[("to_sales", {})], [("sell", {"item": "pen"})], "Sold."], []):
        toy.script = script
        offers[:] = [first, second, second]
        with toy.engine.task("buy") as task:
            assert toy.run("I want a pen.") == "Sold."
    assert task.outcome
    assert len(toy.asked) == 3


@pytest.mark.parametrize(("is_confirmed", "has_check"), [(None, True), (True, True), (None, False)])
def test_i1_a_tool_that_waits_for_an_approval_is_replayed_only_if_its_check_is_asked_again(
    is_confirmed: bool | None, has_check: bool
) -> None:
    toy = desk()
    if has_check:
        toy.engine.external_tool("refund", Check(lambda order, why: True), effect="write")
    offers = [
        ToolOffer(name, fn=fn, needs_approval=name == "refund", is_confirmed=is_confirmed)
        for name, fn in toy.tools.items()
    ]
    for script in (refunding(), refunding()):
        toy.script = script
        with toy.engine.task("refund") as task:
            toy.run("Refund A-1001!", offers=offers)
    assert task.outcome is not None
    is_replayed = is_confirmed is True or not has_check
    assert task.outcome.status == ("hit" if is_replayed else "miss")
    assert len(toy.told("unconfirmed_tool")) == (0 if is_replayed else 1)


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


def test_a_secret_in_the_prompt_that_is_known_too_late_is_not_learned() -> None:
    toy = Toy()
    toy.engine.external_tool("log_in", secret=["password"])
    toy.tools = {"log_in": lambda password: "welcome"}
    toy.script = [[("log_in", {"password": "hunter2-hunter2"})], "I am in."]
    with toy.engine.task("log in") as task:
        toy.run("Log in with hunter2-hunter2!")
    assert task.outcome is not None
    assert task.outcome.not_learned is Reason.NO_KEY


def test_a_number_that_stands_in_the_prompt_is_not_suspected_to_be_computed() -> None:
    toy = Toy()
    toy.tools = {"pay": lambda amount, fee: "paid"}
    for amount in (40, 50):
        toy.script = [[("pay", {"amount": amount, "fee": 25})], "Paid."] if amount == 40 else []
        with toy.engine.task("pay", params={"amount": amount}) as task:
            toy.run(f"Pay {amount} and 25!")
    assert task.outcome


def test_an_agent_in_a_tool_that_is_called_while_the_model_answers_is_seen() -> None:
    from muscle_mem.integrations._shared.nesting import answering

    toy = desk()
    turn = toy.memory.turn(toy.request([Message("user", "Look!")]))
    turn.said((ModelCall("one", "look", {"order": "A-1001"}),))
    with answering(toy.engine):
        assert toy.memory.turn(toy.request([Message("user", "Inner!")])).kind == "pass"
        with toy.memory.inside("one"):
            assert toy.memory.turn(toy.request([Message("user", "Inner!")])).kind == "ask"


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


def test_results_that_are_objects_count_in_the_history_by_their_text() -> None:
    toy = desk()
    for number in (1, 2):
        call = ModelCall(f"foreign_{number}", "look", {"order": "A-1001"})
        history = [Message("user", "Look!"), Message("assistant", calls=(call,))]
        history += [Message("tool", "it is paid", call_id=call.id, content=object()), Message("assistant", "Paid.")]
        toy.script = [[("tell", {"text": "thanks"})], "Welcome."] if number == 1 else []
        assert toy.run([*history, Message("user", "Thank you.")]) == "Welcome."


@pytest.mark.parametrize("kind", ["tasks", "threads"])
def test_calls_of_one_turn_may_be_made_at_once(kind: str) -> None:
    toy = desk(hooks=True)
    toy.engine.external_tool("look", Check(lambda order: order), effect="read")
    orders = [f"{letter}-1000" for letter in "ABCDEF"]
    gate = threading.Barrier(len(orders)) if kind == "threads" else None

    async def slowly(order: str) -> str:
        await asyncio.sleep(0.001)
        return f"{order} is paid"

    def at_once(order: str) -> str:
        assert gate is not None
        gate.wait(5)
        return f"{order} is paid"

    toy.tools["look"] = slowly if gate is None else at_once

    async def all_of(calls: Any) -> list[Message]:
        return list(await asyncio.gather(*map(toy.amake, calls)))

    def make_all(calls: Any) -> list[Message]:
        if gate is None:
            return asyncio.run(all_of(calls))
        with ThreadPoolExecutor(len(orders)) as pool:
            return list(pool.map(toy.make, calls))

    for script in ([[("look", {"order": order}) for order in orders], "All are paid."], []):
        toy.script = script
        history = [Message("user", "Look!")]
        with toy.engine.task("look") as task:
            while True:
                request = toy.request(history)
                turn = toy.memory.turn(request)
                calls, answer = toy.after(turn, request)
                turn.said(calls, answer, toy.usage)
                if not calls:
                    break
                history += [Message("assistant", calls=calls), *make_all(calls)]
    assert task.outcome
    assert (task.outcome.steps, task.outcome.value, len(toy.asked)) == (6, "All are paid.", 2)
    assert not toy.told("adapter_failed")
