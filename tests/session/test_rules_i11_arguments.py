"""I11: a step keeps the arguments as the model said them."""

from __future__ import annotations

from typing import Any

import pytest

from muscle_mem import Check, Engine, Finished
from scripted_framework import asked, ended, handed


@pytest.mark.parametrize(
    "arguments", ['{"amount": 5, "to": "Ada", "note": null}', {"amount": 5, "to": "Ada", "note": None}]
)
def test_i11_arguments_keep_the_order_of_the_model(arguments: Any) -> None:
    engine = Engine()
    seen: list[Any] = []

    @engine.tool(Check(lambda **named: seen.append(list(named))), name="pay")
    def pay(to: str, note: str | None, amount: int = 1) -> str:
        return "paid"

    def check(session: Any) -> None:
        call = handed(session)
        assert list(call.arguments.items()) == [("amount", 5), ("to", "Ada"), ("note", None)]
        assert list(call.kwargs) == ["amount", "to", "note"]
        assert seen.pop() == ["amount", "to", "note"]
        session.done(call, pay(**call.arguments))

    with engine.session("task") as session:
        asked(session).said([("pay", arguments)])
        check(session)
        asked(session).said([])
    assert ended(session).learned
    with engine.session("task") as session:
        check(session)
        assert isinstance(session.next(), Finished)
    assert engine.set_agent(lambda task: None)("task")


def test_i11_the_order_survives_a_divergence() -> None:
    engine = Engine()
    state = {"x": 0}

    @engine.tool(Check(lambda to, amount: state.get(to)), name="pay")
    def pay(to: str, amount: int) -> str:
        return "paid"

    def order(session: Any) -> list[str]:
        call = handed(session)
        session.done(call, "paid")
        return list(call.arguments)

    with engine.session("task") as session:
        for to in "ax":
            asked(session).said([("pay", {"amount": 5, "to": to})])
            assert order(session) == ["amount", "to"]
        asked(session).said([])
    state["x"] = 1
    with engine.session("task") as session:
        assert order(session) == ["amount", "to"]
        asked(session).said([("pay", {"to": "b", "amount": 6})])
        assert order(session) == ["to", "amount"]
        asked(session).said([])
    assert ended(session).learned
    with engine.session("task") as session:
        assert [order(session), order(session)] == [["amount", "to"], ["to", "amount"]]
        assert isinstance(session.next(), Finished)
