"""The tools that an agent offers."""

from __future__ import annotations

from typing import Any

import pytest

from muscle_mem import Check, Reason
from muscle_mem.integrations._shared import ToolOffer
from refund_desk import desk, refund, refunding


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
