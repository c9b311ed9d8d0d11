"""Messages say what is wrong in the words of the one who reads them, and what can be done."""

from __future__ import annotations

from typing import Any

import pytest

from muscle_mem import Check, Engine, InvalidTypeError, Secret


def test_explain_tells_of_a_misspelt_keyword() -> None:
    engine = Engine()
    engine.set_agent(lambda task: None)
    assert "unexpected keyword argument 'param'" in engine.explain("task", param={"a": 1}).message
    assert "does not take them" not in engine.explain("task", params={"a": 1}).message


@pytest.mark.parametrize(("trust", "callback_helps"), [("verified", True), ("manual", False)])
def test_too_little_trust_names_what_would_give_it(trust: Any, callback_helps: bool) -> None:
    engine = Engine(trust=trust)
    tool = engine.tool(name="tool", effect="read")(lambda: 1)
    engine.set_agent(lambda task: tool())
    engine("task")
    message = engine("task", mode="frozen").message
    assert ("success=" in message) is callback_helps
    engine("task", success=lambda: True)
    assert bool(engine("task", mode="frozen")) is callback_helps


def test_a_whole_secret_without_a_name_is_told_as_such() -> None:
    engine = Engine()
    fetch = engine.tool(name="fetch")(lambda: {"token": Secret("t0ken-of-monday")})
    use = engine.tool(name="use")(lambda token: None)
    engine.set_agent(lambda task: use(fetch()["token"].value))
    outcome = engine("task")
    assert outcome.not_learned == "opaque_argument"
    assert "longer value" not in outcome.not_learned_message
    assert "secret=[...]" in outcome.not_learned_message


def test_a_task_that_holds_a_tools_secret_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine()
    login = engine.tool(name="login", secret=["password"])(lambda password: None)
    engine.set_agent(lambda task, password: login(password))
    for _ in range(2):
        assert engine("log in", password="correct horse").not_learned == "no_key"
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len([text for text in warned if "secrets={...}" in text]) == 1


async def later() -> bool:
    return True


def test_an_awaitable_under_the_plain_call_is_told_by_its_role() -> None:
    engine = Engine()
    tool = engine.tool(name="tool")(lambda: 1)
    engine.set_agent(lambda task: later())
    with pytest.raises(InvalidTypeError, match="the agent returned an awaitable"):
        engine("task")
    engine.set_agent(lambda task: tool())
    assert "a callback returned an awaitable" in engine("task", success=lambda: later()).not_learned_message
    watched = engine.tool(name="watched", pre_check=Check(lambda: later()))(lambda: 1)
    engine.set_agent(lambda task: watched())
    assert "a capture returned an awaitable" in engine("other").not_learned_message
