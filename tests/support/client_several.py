"""Applications with a wrapped client that have several agents, engines or kinds of tools; and what makes a task."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from client_kit import ALL, TASK, Kit, params, prompt
from client_loops import Loop
from muscle_mem import Engine
from stub_models import Wants, script

ANSWER = "Ada has the money of A-1001."


def hand_off(kit: Kit) -> None:
    """The loop goes on as another agent, with other instructions and other tools."""
    tools = kit.shop.tools()
    mails = {"mail": tools["mail"]}
    wants = Wants("transfer", {"to": "post"}), Wants("mail", {"customer": "Ada", "text": "done"})
    kit.stub.mind = script(Wants("find_order", {"customer": "Ada"}), *wants, "It was sent.")
    for times in (4, 0):
        loop: Loop

        def transfer(to: str) -> str:
            """Hand off to another agent."""
            loop.system, loop.tools = "You send mails.", mails  # noqa: B023
            return f"you are {to} now"

        kit.reset()
        desk = {"find_order": tools["find_order"], "transfer": transfer}
        client = kit.client(tools=["find_order", "transfer", "mail"])
        loop = kit.loop(client, tools=desk, system="You are the desk.")
        with kit.asks(times), kit.engine.task("tell Ada") as task:
            assert loop.run("Tell Ada.") == "It was sent."
        assert task.outcome.status == ("miss" if times else "hit")
        assert kit.shop.log == ["find_order", "mail"]


def sub_agent(kit: Kit) -> None:
    """An agent that a tool runs through the same client."""
    clerk = kit.stub.mind
    outer = script(Wants("ask_clerk", {"about": "Ada"}), "The clerk did it.")
    kit.stub.mind = lambda seen: outer(seen) if seen.prompt == "Let the clerk do it." else clerk(seen)
    client = kit.client()
    for times in (6, 0):

        def ask_clerk(about: str) -> str:
            """Let the clerk refund an order."""
            return kit.loop(client).run(prompt(about))

        kit.reset()
        kit.events.clear()
        loop = kit.loop(client, tools={"ask_clerk": ask_clerk})
        with kit.asks(times), kit.engine.task("delegate", params=params()) as task:
            assert loop.run("Let the clerk do it.") == "The clerk did it."
        assert [name for name, _ in loop.made] == ["ask_clerk"]
        assert kit.shop.log == ALL
        assert [outcome.status for outcome in task.outcomes] == ["miss" if times else "hit"] * 2
        if not times:
            assert [outcome.steps for outcome in task.outcomes] == [3, 1]


def decorated_tools(kit: Kit) -> None:
    """A function of the engine, called by the loop, beside functions that the engine does not know."""
    shop, engine = kit.shop, kit.new_engine(checked=False)
    refund = engine.tool(name="refund", version=1, effect="write")(shop.refund)
    for times in (4, 0):
        kit.reset()
        loop = kit.loop(kit.client(engine), tools={**shop.tools(), "refund": refund})
        with kit.asks(times), engine.task(TASK, params=params()) as task:
            assert loop.run(prompt()) == ANSWER
        assert shop.log == ALL
        assert task.outcome.status == ("miss" if times else "hit")
    assert task.outcome.steps == 3


def renamed_tool(kit: Kit) -> None:
    """A tool that the model knows under another name than its function has."""
    engine, tools = kit.new_engine(checked=False), kit.shop.tools()
    hidden = engine.tool(name="lookup", version=1, effect="read")(tools["find_order"])
    wants = [Wants("lookup", {"customer": "Ada"}), Wants("post", {"customer": "Ada", "text": "hello"})]
    kit.stub.mind = script(*wants, "It was sent.")
    for times in (3, 0):
        kit.reset()
        loop = kit.loop(kit.client(engine), tools={"lookup": hidden, "post": tools["mail"]})
        with kit.asks(times), engine.task("write to Ada") as task:
            assert loop.run("Write to Ada.") == "It was sent."
        assert [name for name, _ in loop.made] == ["lookup", "post"]
        assert kit.shop.log == ["find_order", "mail"]
    assert (task.outcome.status, task.outcome.steps) == ("hit", 2)


def two_engines(kit: Kit) -> None:
    inner = Engine(observers=[])
    client = kit.wrap(kit.client(inner), kit.engine)
    for times in (4, 0):
        kit.reset()
        with kit.asks(times), kit.engine.task(TASK, params=params()) as task:
            assert kit.loop(client).run(prompt()) == ANSWER
        assert task.outcome.status == ("miss" if times else "hit")
        assert kit.shop.log == ALL
    assert inner.cache_info().learned == 0
    inner.close()


def wrapped_twice(kit: Kit, *, with_another_between: bool) -> None:
    client = kit.client()
    between = Engine(observers=[])
    if with_another_between:
        client = kit.wrap(client, between)
    client = kit.wrap(client, kit.engine)
    for times in (4, 0):
        kit.reset()
        with kit.asks(times), kit.engine.task(TASK, params=params()) as task:
            assert kit.loop(client).run(prompt()) == ANSWER
        assert len(task.outcomes) == 1
    assert task.outcome.status == "hit"
    assert (kit.engine.cache_info().learned, between.cache_info().learned) == (1, 0)
    between.close()


# -- what makes a task, and what is kept of it


def other_image(kit: Kit) -> None:
    pictures = [base64.b64encode(data).decode() for data in (b"one", b"two", b"one")]
    for picture, times in zip(pictures, (4, 4, 0), strict=True):
        kit.reset()
        with kit.asks(times), kit.engine.task(TASK, params=params()) as task:
            assert kit.loop().run(prompt(), image=picture) == ANSWER
    assert task.outcome.status == "hit"


def other_prompt(kit: Kit) -> None:
    for customer in ("Ada", "Bob"):
        with kit.asks(4), kit.engine.task(TASK) as task:
            kit.loop().run(prompt(customer))
        assert (task.outcome.status, task.outcome.reason) == ("miss", "new_task")


def dated_instructions(kit: Kit) -> None:
    kit.stub.mind = script("No.")
    for day in range(1, 6):
        with kit.engine.task(TASK, params=params()):
            kit.loop(system=f"It is May {day}.").run(prompt())
        assert len(kit.notices("suggest_key")) == (day == 5)
    (event,) = kit.notices("suggest_key")
    assert "instructions" in event.message
    assert "key=" in event.message


def secrets(kit: Kit, folder: Path) -> None:
    store = folder / "memory.db"
    engine = kit.new_engine(store, checked=False)
    engine.external_tool("log_in", effect="idempotent", secret=["password"])
    seen: list[str] = []

    def log_in(user: str, password: str) -> str:
        """Log in."""
        seen.append(password)
        return "welcome"

    kit.stub.mind = script(Wants("log_in", {"user": "ada", "password": "hunter2-secret"}), "You are in.")
    for times in (2, 0):
        with kit.asks(times), engine.task("log in", secrets={"password": "hunter2-secret"}) as task:
            assert kit.loop(kit.client(engine), tools={"log_in": log_in}).run("Log in.") == "You are in."
        assert task.outcome.status == ("miss" if times else "hit")
    assert seen == ["hunter2-secret"] * 2
    assert not any("hunter2" in repr(event) for event in kit.events)
    engine.close()
    files: list[Any] = list(folder.iterdir())
    assert files
    assert not [path for path in files if b"hunter2" in path.read_bytes()]
