"""The steps that all adapters share, without any framework."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from muscle_mem import Check, Engine, Reason
from muscle_mem.integrations._shared import Message, ToolOffer
from refund_desk import desk, refund, refunding
from toy_framework import ModelFailedError, Toy


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


def test_an_approval_callback_of_the_engine_is_asked_in_a_framework() -> None:
    asked: list[Any] = []
    toy = desk(engine=Engine(observers=lambda event: None, approve=lambda step: asked.append(step) or len(asked) < 2))
    toy.engine.external_tool("refund", effect="irreversible")
    refund(toy)
    assert refund(toy, script=[]).outcome
    stopped = refund(toy, script=["I may not."])
    assert (stopped.outcome.status, stopped.outcome.reason) == ("diverged", Reason.NOT_APPROVED)
    assert len(asked) == 2


def test_a_success_callback_sees_the_answer_in_a_framework() -> None:
    toy = desk(engine=Engine(observers=lambda event: None, success=lambda value: "refunded" in value))
    assert refund(toy).outcome.learned
    assert refund(toy, script=[]).outcome
    assert refund(toy, "B-2002", script=[]).outcome
