"""What makes a task for an agent of pydantic-ai, and what is kept of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pydantic_ai.capabilities", reason="pydantic-ai is not installed")

from pydantic_ai import BinaryContent, ImageUrl, UploadedFile
from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, UserPromptPart

from agents_of_pydantic_ai import OPEN_THE_DRAWER, Office, Script, hit, learned
from muscle_mem import Secret


def picture(data: bytes) -> BinaryContent:
    return BinaryContent(data=data, media_type="image/png")


@pytest.mark.scenario("other_image")
@pytest.mark.parametrize(
    "images",
    [
        (picture(b"one"), picture(b"two")),
        (ImageUrl(url="https://localhost/one.png"), ImageUrl(url="https://localhost/two.png")),
        tuple(UploadedFile(file_id=each, provider_name="openai", media_type="image/png") for each in ("one", "two")),
    ],
    ids=["bytes", "url", "uploaded"],
)
def test_the_same_prompt_with_another_image_is_another_task(images: tuple[Any, Any]) -> None:
    office, script = Office(), Script(OPEN_THE_DRAWER[0], "Seen.")
    agent = office.agent(script)
    statuses = []
    for image in (images[0], images[0], images[1], images[1]):
        with office.engine.task("see") as task:
            agent.run_sync(["is it open?", image])
        assert task.outcome is not None
        statuses.append(task.outcome.status)
    assert statuses == ["miss", "hit", "miss", "hit"]


@pytest.mark.scenario("other_prompt")
def test_a_block_around_a_prompt_with_another_name_is_another_task() -> None:
    office, script = Office(), Script(OPEN_THE_DRAWER[0], "Seen.")
    agent = office.agent(script)
    statuses = []
    for name in ("Ada", "Ada", "Bertha"):
        with office.engine.task("see") as task:
            agent.run_sync(f"how is the drawer of {name}?")
        assert task.outcome is not None
        statuses.append(task.outcome.status)
    assert statuses == ["miss", "hit", "miss"]


def test_another_agent_or_other_instructions_are_another_task() -> None:
    office, script = Office(), Script(OPEN_THE_DRAWER[0], "Seen.")
    statuses = []
    for options in ({}, {}, {"name": "another"}, {"instructions": "be brief"}, {"system_prompt": "be exact"}):
        with office.engine.task("see") as task:
            office.agent(script, **options).run_sync("see")
        assert task.outcome is not None
        statuses.append(task.outcome.status)
    assert statuses == ["miss", "hit", "miss", "miss", "miss"]


def test_another_history_is_another_task() -> None:
    """Also where it differs before the last answer of the model."""
    office, script = Office(), Script(OPEN_THE_DRAWER[0], "Seen.")
    agent = office.agent(script, tools=[office.look])
    statuses = []
    for first in ("Ada speaks", "Ada speaks", "Bertha speaks"):
        history: list[Any] = [
            ModelRequest(parts=[UserPromptPart(first)]),
            ModelResponse(parts=[TextPart("Welcome.")]),
        ]
        with office.engine.task("see") as task:
            agent.run_sync("see", message_history=history)
        assert task.outcome is not None
        statuses.append(task.outcome.status)
    assert statuses == ["miss", "hit", "miss"]


@pytest.mark.scenario("dated_instructions")
def test_instructions_with_the_date_in_them_are_named_by_an_event() -> None:
    office, script = Office(), Script(OPEN_THE_DRAWER[0], "Seen.")
    for day in range(6):
        agent = office.agent(script, instructions=f"Today is 2026-11-{day + 10}.")
        agent.run_sync("see")
    said = [each.message for each in office.events if hasattr(each, "code") and "key=" in getattr(each, "message", "")]
    assert len(said) == 1
    assert "instructions" in said[0]


@pytest.mark.scenario("secrets")
def test_a_secret_in_arguments_is_never_stored_and_is_given_again(tmp_path: Path) -> None:
    store = tmp_path / "memory.db"
    office = Office(store=str(store))
    entered: list[str] = []

    def log_in(user: str, password: str) -> str:
        entered.append(password)
        return f"welcome {user}"

    def line(messages: Any) -> Any:
        return [("log_in", {"user": "ada", "password": messages[0].parts[-1].content.split()[-1]})]

    script = Script(line, "Logged in.")
    agent = office.agent(script, tools=[log_in])
    for password in ("xyzzy-plugh-42", "other-word-17"):
        with office.engine.task("log in", params={"password": Secret(password)}) as task:
            agent.run_sync(f"log in with {password}")
        (learned if password.startswith("xyzzy") else hit)(task.outcome)
    assert entered == ["xyzzy-plugh-42", "other-word-17"]
    assert script.asked == 2
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"welcome" in stored
    assert b"plugh" not in stored
    assert b"other-word" not in stored
    assert "plugh" not in repr(office.events)


@pytest.mark.scenario("secrets")
def test_a_secret_argument_of_a_declared_tool_is_never_stored(tmp_path: Path) -> None:
    office = Office(store=str(tmp_path / "memory.db"))
    office.engine.external_tool("log_in", effect="write", secret=["password"])

    def log_in(user: str, password: str) -> str:
        return f"welcome {user}"

    script = Script([("log_in", {"user": "ada", "password": "xyzzy-plugh-42"})], "Logged in.")
    agent = office.agent(script, tools=[log_in])
    agent.run_sync("log in")
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"plugh" not in stored
