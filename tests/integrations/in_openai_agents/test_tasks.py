"""OpenAI Agents SDK: what makes a task, and what is kept of it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("agents", reason="openai-agents is not installed")

from agents import Agent, function_tool

from agents_desk import DONE, PARAMS, Desk, plan_of
from openai_agents_stub import config, run


def picture(data: bytes) -> list[Any]:
    """Return a prompt with an image."""
    url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    content = [
        {"type": "input_text", "text": "Refund the order in the picture."},
        {"type": "input_image", "image_url": url, "detail": "auto"},
    ]
    return [{"role": "user", "content": content}]


@pytest.mark.scenario("other_image")
def test_the_same_prompt_with_another_image_is_another_task() -> None:
    desk = Desk()
    desk.learned(input=picture(b"first"))
    task, _ = desk.do(input=picture(b"second"))
    assert (task.outcome.status, task.outcome.reason) == ("miss", "new_task")
    desk.reset()
    task, _ = desk.do(input=picture(b"first"))
    assert (task.outcome.status, desk.stub.asked) == ("hit", 0)


@pytest.mark.scenario("other_image")
def test_an_image_that_only_the_server_knows_counts_by_its_id() -> None:
    def prompt(file_id: str) -> list[Any]:
        content = [{"type": "input_text", "text": "Refund it."}, {"type": "input_image", "file_id": file_id}]
        return [{"role": "user", "content": content}]

    desk = Desk()
    desk.learned(input=prompt("file-1"))
    assert desk.do(input=prompt("file-2"))[0].outcome.status == "miss"
    desk.reset()
    assert desk.do(input=prompt("file-1"))[0].outcome.status == "hit"


@pytest.mark.scenario("other_prompt")
def test_a_block_around_another_prompt_is_another_task() -> None:
    desk = Desk()
    for name in ("Ada", "Grace"):
        with desk.engine.task("refund an order") as task:
            run("sync", desk.agent, f"Refund the order of {name}.", config(desk.provider))
        assert (task.outcome.status, task.outcome.reason) == ("miss", "new_task")
        desk.reset()


def test_other_instructions_are_another_task() -> None:
    desk = Desk()
    desk.learned()
    task, _ = desk.do(agent=desk.agent.clone(instructions="Refund orders, but never above 100."))
    assert (task.outcome.status, task.outcome.reason) == ("miss", "new_task")


@pytest.mark.scenario("dated_instructions")
def test_instructions_with_the_date_in_them_are_named_after_five_misses() -> None:
    desk = Desk()
    days = iter(range(1, 32))
    desk.agent = desk.agent.clone(instructions=lambda context, agent: f"It is May {next(days)}.")
    for _ in range(5):
        desk.stub.plan = plan_of([], "No.")
        with desk.engine.task("refund an order", params=PARAMS):
            run("sync", desk.agent, "Refund it.", config(desk.provider))
    (message,) = desk.notices("suggest_key")
    assert "instructions" in message
    assert "key=" in message


@pytest.mark.scenario("secrets")
def test_a_secret_argument_is_not_in_the_store_and_is_given_again(tmp_path: Path) -> None:
    store = tmp_path / "memory.db"
    desk = Desk(plan_of([[("log_in", {"user": "ada", "password": "hunter2-secret"})]], "You are in."), store=str(store))
    seen: list[str] = []

    def log_in(user: str, password: str) -> str:
        seen.append(password)
        return "welcome"

    tool = desk.engine.tool(name="log_in", version=1, effect="idempotent", secret=["password"])(log_in)
    desk.agent = Agent(name="door", instructions="Log in.", tools=[function_tool(tool, name_override="log_in")])
    for status in ("miss", "hit"):
        with desk.engine.task("log in", secrets={"password": "hunter2-secret"}) as task:
            run("sync", desk.agent, "Log in.", config(desk.provider))
        assert task.outcome.status == status
    assert seen == ["hunter2-secret"] * 2
    assert desk.stub.asked == 2
    assert not any("hunter2" in repr(event) for event in desk.events)
    desk.engine.close()
    assert not [path for path in tmp_path.iterdir() if b"hunter2" in path.read_bytes()]


@pytest.mark.scenario("record")
def test_a_recording_is_replayed_by_an_engine_that_reads_it_from_the_store(tmp_path: Path) -> None:
    store = str(tmp_path / "memory.db")
    first = Desk(store=store)
    first.learned()
    first.engine.close()
    second = Desk(store=store)
    task, _ = second.do()
    assert (task.outcome.status, second.did, second.stub.asked) == ("hit", DONE, 0)
    second.engine.close()
