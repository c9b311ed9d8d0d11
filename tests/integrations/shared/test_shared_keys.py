"""Which prompts, agents and histories are one task."""

from __future__ import annotations

from typing import Any

import pytest

from muscle_mem import Reason
from muscle_mem.integrations._shared import Message, ModelCall, Part
from refund_desk import desk, refunding
from toy_framework import Toy


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


def test_results_that_are_objects_count_in_the_history_by_their_text() -> None:
    toy = desk()
    for number in (1, 2):
        call = ModelCall(f"foreign_{number}", "look", {"order": "A-1001"})
        history = [Message("user", "Look!"), Message("assistant", calls=(call,))]
        history += [Message("tool", "it is paid", call_id=call.id, content=object()), Message("assistant", "Paid.")]
        toy.script = [[("tell", {"text": "thanks"})], "Welcome."] if number == 1 else []
        assert toy.run([*history, Message("user", "Thank you.")]) == "Welcome."
