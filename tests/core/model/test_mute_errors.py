"""An exception or answer of the user's that cannot even be shown is passed on and told of like any other."""

from __future__ import annotations

from typing import Any

import pytest

from muscle_mem import Check, Engine


class Mute(Exception):
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


def mute() -> Any:
    raise Mute


def test_the_agent_gets_its_tools_exception() -> None:
    engine = Engine()
    tool = engine.tool(name="tool")(mute)

    def agent(task: str) -> str:
        with pytest.raises(Mute):
            tool()
        return "went on"

    engine.set_agent(agent)
    assert engine("task").value == "went on"


def test_the_callers_exception_is_the_agents() -> None:
    engine = Engine()
    engine.set_agent(lambda task: mute())
    with pytest.raises(Mute):
        engine("task")


@pytest.mark.parametrize("where", ["tool", "capture", "compare", "post-check"])
def test_a_replay_that_meets_it_stops_and_says_so(where: str) -> None:
    failing: list[str] = []

    def at(place: str) -> bool:
        return mute() if place in failing else True

    engine = Engine()
    check = Check(lambda: at("capture"), lambda a, b: at("compare"))
    after = Check(lambda: at("post-check"))
    tool = engine.tool(name="tool", effect="read", pre_check=check, post_check=after)(lambda: at("tool"))
    engine.set_agent(lambda task: tool() if not failing else None)
    assert engine("task").learned
    failing.append(where)
    outcome = engine("task")
    assert not outcome
    assert "Mute" in outcome.message


def test_callbacks_that_raise_it_say_no() -> None:
    engine = Engine(success=mute, approve=mute)
    pay = engine.tool(name="pay", effect="irreversible")(lambda: None)
    engine.set_agent(lambda task: pay())
    assert engine("task").not_learned == "refused"
    assert engine("task", success=lambda: True).learned
    assert engine("task", mode="frozen").reason == "not_approved"
