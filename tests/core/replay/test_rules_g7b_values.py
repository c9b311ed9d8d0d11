"""D5, G7b: a value that may be another one is not returned, and one that cannot come back is announced."""

from __future__ import annotations

from typing import Any

import pytest

from muscle_mem import Engine, Outcome, Reason
from muscle_mem.events import NoticeEvent


class Market:
    """Asks three shops for a price, and returns one of the answers."""

    def __init__(self, **options: Any) -> None:
        self.prices = {"a": {"price": 30}, "b": {"price": 20}, "c": {"price": 40}}
        self.notices: list[NoticeEvent] = []
        self.engine = Engine(observers=self.observe, **options)
        self.choose: Any = lambda offers: min(offers, key=lambda offer: offer["price"])

        @self.engine.tool(effect="read")
        def ask(shop: str) -> dict[str, int]:
            return dict(self.prices[shop])

        self.ask = ask
        self.engine.set_agent(lambda task: self.choose([ask(shop) for shop in "abc"]))

    def observe(self, event: Any) -> None:
        if isinstance(event, NoticeEvent):
            self.notices.append(event)

    def codes(self) -> list[str]:
        return [notice.code for notice in self.notices if "value" in notice.code]

    def run(self, **options: Any) -> Outcome:
        return self.engine("t", **options)


@pytest.mark.parametrize("chosen", range(3))
def test_d5_one_of_several_outputs_of_a_tool_is_no_value_until_two_recordings_agreed(chosen: int) -> None:
    market = Market()
    market.choose = lambda offers: offers[chosen]
    assert market.run().learned
    assert market.codes() == ["uncertain_value"]
    outcome = market.run()
    assert (outcome.status, outcome.value, outcome.value_source) == ("hit", None, "none")
    assert market.run(mode="record").learned
    market.prices["abc"[chosen]] = {"price": 25}
    outcome = market.run()
    assert (outcome.status, outcome.value, outcome.value_source) == ("hit", {"price": 25}, "step")


def test_d5_recordings_that_returned_other_outputs_leave_no_value() -> None:
    market = Market()
    market.run()
    market.prices["c"] = {"price": 10}
    assert market.run(mode="record").value == {"price": 10}
    for _ in range(2):
        outcome = market.run()
        assert (outcome.status, outcome.value) == ("hit", None)
    market.run(mode="record")
    assert market.run().value is None


def test_d5_the_only_output_of_a_tool_and_the_last_act_are_values_at_once() -> None:
    engine = Engine()
    page = ["The first page."]
    ask = engine.tool(name="ask", effect="read")(lambda: {"page": page[0]})
    press = engine.tool(name="press")(lambda n: {"pressed": n, "page": page[0]})
    engine.set_agent(lambda task: ask() if task == "ask" else [press(1), press(2), press(3)][-1])
    for task in ("ask", "press"):
        engine(task)
        page[0] = f"The page after {page[0]}"
        outcome = engine(task)
        assert outcome
        assert outcome.value["page"] == page[0]


def test_d5_the_engines_result_needs_no_second_recording() -> None:
    market = Market(result=lambda results: min(result["price"] for result in results))
    market.run()
    assert market.run().value == 20
    assert not market.codes()


@pytest.mark.parametrize("value", ["signed in", {"made": "by the agent"}, 7])
def test_g7b_a_value_that_cannot_come_back_is_announced_when_it_is_learned(value: Any) -> None:
    market = Market()
    market.choose = lambda offers: value
    assert market.run().learned
    assert market.codes() == ["no_value"]
    [notice] = [notice for notice in market.notices if notice.code == "no_value"]
    assert notice.level == "warning"
    assert "Engine(result=...)" in notice.message
    assert market.run().value is None


def test_g7b_nothing_is_announced_where_there_is_no_value_or_nothing_was_learned() -> None:
    market = Market()
    market.choose = lambda offers: None
    assert market.run().learned
    market.choose = lambda offers: "refused"
    assert not market.engine("other", success=lambda value: False).learned
    assert not market.codes()


def test_g7b_a_success_callback_that_saw_none_says_why() -> None:
    market = Market()
    market.choose = lambda offers: "bought"
    accept = {"success": lambda value: value == "bought"}
    assert market.run(**accept).learned
    outcome = market.run(**accept)
    assert outcome.reason == Reason.UNSUCCESSFUL
    assert "value=None" in outcome.message
    assert "Engine(result=...)" in outcome.message
    other = Market()
    accept = {"success": lambda value: value["price"] < 25}
    assert other.run(**accept).learned
    assert "two recordings" in other.run(**accept).message
