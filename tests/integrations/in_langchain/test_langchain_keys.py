"""What makes a task of LangChain, and what is kept of it."""

from __future__ import annotations

import base64
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("langchain.agents.middleware", reason="langchain is not installed: pip install langchain")

from langchain.agents.middleware import dynamic_prompt, wrap_model_call
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool

from canaries import PLAIN as CANARY
from canaries import forms
from langchain_desk import TASK, Desk, asked_for, last, params
from langchain_model import ScriptedModel
from muscle_mem import Engine, Secret

PICTURES = [base64.b64encode(bytes([number]) * 40).decode() for number in (1, 2)]
SHAPES: dict[str, Any] = {
    "data url": lambda data: {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
    "address": lambda data: {"type": "image_url", "image_url": {"url": f"https://example.com/{data[:4]}.png"}},
    "standard": lambda data: {"type": "image", "base64": data, "mime_type": "image/png", "id": "lc_1"},
    "audio": lambda data: {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}},
    "unknown": lambda data: {"type": "hologram", "shape": {"points": data}},
}


def prompt(picture: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [HumanMessage([{"type": "text", "text": "Refund what you see."}, picture])]}


@pytest.mark.scenario("other_image")
@pytest.mark.parametrize(("shape", "block"), [*((shape, False) for shape in SHAPES), ("data url", True)])
def test_the_same_prompt_with_another_image_is_another_task(shape: str, block: bool) -> None:
    desk = Desk()
    make = SHAPES[shape]
    asked = []
    for picture in (PICTURES[0], PICTURES[1], PICTURES[0], PICTURES[1]):
        desk.reset()
        model = desk.model()
        if block:
            with desk.engine.task(TASK):
                desk.agent(model).invoke(prompt(make(picture)))
        else:
            desk.agent(model).invoke(prompt(make(picture)))
        asked.append(len(model.asked))
    assert asked == [4, 4, 0, 0]


def test_a_part_that_cannot_be_told_from_others_makes_no_key() -> None:
    desk = Desk()
    for _ in range(2):
        desk.reset()
        model = desk.model()
        desk.agent(model).invoke(prompt({"type": "hologram", "shape": object()}))
        assert len(model.asked) == 4
    assert desk.engine.cache_info().learned == 0


@pytest.mark.scenario("other_prompt")
def test_a_block_around_a_prompt_with_another_name_is_another_task() -> None:
    desk = Desk()
    asked = []
    for customer in ("Ada", "Bob", "Ada", "Bob"):
        desk.reset()
        model = desk.model(customer)
        with desk.engine.task(TASK):
            desk.agent(model).invoke(asked_for(customer))
        asked.append(len(model.asked))
    assert asked == [4, 4, 0, 0]


def test_other_instructions_and_another_history_are_another_task() -> None:
    desk = Desk()

    def run(input: Any = None, **options: Any) -> int:
        desk.reset()
        model = desk.model()
        with desk.engine.task(TASK, params=params()):
            desk.agent(model, **options).invoke(input or asked_for())
        return len(model.asked)

    history = {"messages": [HumanMessage("Hello."), AIMessage("Good day."), *asked_for()["messages"]]}
    ways: list[dict[str, Any]] = [
        {},
        {"system_prompt": "You are a clerk."},
        {"system_prompt": "You are a generous clerk."},
        {"input": history},
    ]
    assert [run(**way) for way in ways] == [4] * 4
    assert [run(**way) for way in ways] == [0] * 4


@pytest.mark.scenario("dated_instructions")
def test_instructions_with_the_date_in_them_are_named_by_an_event() -> None:
    desk = Desk()
    for number in range(6):
        desk.status["A-1001"] = "paid"
        today = date(2026, 11, 1) + timedelta(days=number)
        with desk.engine.task(TASK, params=params()):
            desk.agent(desk.model(), system_prompt=f"You are a clerk. Today is {today}.").invoke(asked_for())
    told = [event.message for event in desk.events if hasattr(event, "message") and "instructions" in event.message]
    assert told
    assert "key=" in told[0]


@pytest.mark.parametrize("behind", [False, True])
def test_instructions_that_other_middleware_writes_are_part_of_the_task_or_nothing_is_learned(behind: bool) -> None:
    """Behind this middleware they would be missing in the key."""
    desk = Desk()
    words = ["Be kind.", "Be strict.", "Be kind."]

    @dynamic_prompt
    def instructions(request: Any) -> str:
        return words[0]

    place: dict[str, Any] = {"then" if behind else "first": [instructions]}
    asked = []
    for word in words:
        words[0] = word
        desk.reset()
        model = desk.model()
        with desk.engine.task(TASK, params=params()) as task:
            desk.agent(model, **place).invoke(asked_for())
        asked.append(len(model.asked))
        if behind:
            assert task.outcome is not None
            assert not task.outcome.learned
            assert task.outcome.not_learned == "unlearnable"
            assert "MuscleMemoryMiddleware" in str(task.outcome.not_learned_message)
    assert asked == ([4, 4, 4] if behind else [4, 4, 0])


def test_messages_that_other_middleware_adds_behind_this_one_are_not_learned_and_shortened_results_are() -> None:
    @wrap_model_call
    def adds(request: Any, handler: Any) -> Any:
        return handler(request.override(messages=[HumanMessage("Mind the stock."), *request.messages]))

    @wrap_model_call
    def adds_in_place(request: Any, handler: Any) -> Any:
        request.messages.insert(0, HumanMessage("Mind the stock."))
        return handler(request)

    @wrap_model_call
    def shortens(request: Any, handler: Any) -> Any:
        def short(message: Any) -> Any:
            return message.model_copy(update={"content": "(cleared)"}) if message.name == "refund" else message

        return handler(request.override(messages=list(map(short, request.messages))))

    @wrap_model_call
    def marks_for_the_cache(request: Any, handler: Any) -> Any:
        first, *rest = request.messages
        block = {"type": "text", "text": first.content, "cache_control": {"type": "ephemeral"}}
        return handler(request.override(messages=[HumanMessage([block]), *rest]))

    for middleware, learned in ((adds, False), (adds_in_place, False), (shortens, True), (marks_for_the_cache, True)):
        desk = Desk()
        with desk.engine.task(TASK, params=params()) as task:
            desk.agent(desk.model(), then=[middleware]).invoke(asked_for(), {"recursion_limit": 20})
        assert task.outcome is not None
        assert task.outcome.learned if learned else task.outcome.not_learned == "unlearnable"


def assert_not_in(folder: Path) -> None:
    """No file of a folder holds the canary, in whatever form."""
    for file in folder.iterdir():
        content = file.read_bytes()
        assert not [form for form in forms(CANARY) if form in content], file


@pytest.mark.scenario("secrets")
@pytest.mark.parametrize("by", ["task", "tool"])
def test_a_secret_in_arguments_is_never_in_the_store_and_is_given_again_on_a_hit(tmp_path: Path, by: str) -> None:
    path = tmp_path / "memory.db"
    given = []

    def run() -> tuple[Any, int]:
        events: list[Any] = []
        desk = Desk(engine=Engine(path, observers=[events.append]))

        @tool
        def sign(order_id: str, pin: str) -> str:
            """Sign for an order."""
            given.append(pin)
            return "signed"

        desk.engine.external_tool("sign", effect="write", secret=["pin"] if by == "tool" else ())
        plan = [[("sign", {"order_id": "A-1001", "pin": CANARY})], "Signed."]
        model = ScriptedModel(plan=plan)
        secrets: Any = {} if by == "tool" and not given else {"secrets": {"pin": Secret(CANARY)}}
        with desk.engine.task("sign for the order", **secrets) as task:
            desk.agent(model, tools=[sign]).invoke({"messages": [HumanMessage("Sign for the order.")]})
        desk.engine.close()
        assert CANARY not in repr(events)
        return task.outcome, len(model.asked)

    outcome, asked = run()
    assert outcome.learned, outcome
    assert asked == 2
    assert_not_in(tmp_path)
    outcome, asked = run()
    assert outcome, outcome
    assert given == [CANARY, CANARY]
    assert_not_in(tmp_path)


def test_the_text_of_a_prompt_may_stand_in_several_blocks() -> None:
    desk = Desk()
    texts = [[{"type": "text", "text": "Refund"}, "the last order"], "Refund\nthe last order"]
    asked = []
    for content in texts:
        desk.reset()
        model = desk.model()
        desk.agent(model).invoke({"messages": [HumanMessage(content)]})  # type: ignore[arg-type]
        asked.append(len(model.asked))
    assert asked == [4, 0]
    assert last({"messages": [HumanMessage("x")]}) == "x"
