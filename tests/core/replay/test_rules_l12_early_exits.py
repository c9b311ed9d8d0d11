"""L12: an agent that looks until it finds something is not taken for one that looks at everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from list_shop import ListShop
from muscle_mem import Reason

FOUND: dict[str, tuple[str, Any, Any]] = {
    "a bool": ("found", False, True),
    "a word": ("result", "none", "match"),
    "a state": ("status", "busy", "free"),
    "a number": ("score", 2, 5),
    "zero": ("left", 1, 0),
    "None": ("slot", "ORD 77 12", None),
    "empty": ("items", ["A 12"], []),
}


class Seeker:
    """An agent that looks at each order until one answers what is looked for, and ships that one at last."""

    def __init__(self, kind: str) -> None:
        self.name, self.other, self.wanted = FOUND[kind]
        self.shop = shop = ListShop()
        self.at = -1
        self.looked: list[str] = []

        @shop.engine.tool(effect="read", name="look")
        def look(order_id: str) -> dict[str, Any]:
            self.looked.append(order_id)
            is_it = order_id == shop.wanted()[self.at] if self.at < len(shop.orders) else False
            return {"seen": order_id, self.name: self.wanted if is_it else self.other}

        def agent(task: str) -> None:
            for order in shop.list_orders()["orders"]:
                if look(order["id"])[self.name] == self.wanted:
                    break
            shop.report("looked")

        shop.agent = agent

    def run(self, count: int, at: int, **options: Any) -> Any:
        self.at = at
        self.looked.clear()
        return self.shop.run(count, **options)


@pytest.mark.parametrize("kind", FOUND)
def test_l12_a_search_that_ended_with_the_list_is_no_walk_through_it(kind: str) -> None:
    """Both recordings found it in the last element, so they went through whole lists."""
    seeker = Seeker(kind)
    seeker.run(1, 0, mode="record")
    seeker.run(4, 3, mode="record")
    outcome = seeker.run(5, 1)
    assert (outcome.status, outcome.reason) == ("diverged", Reason.LOOP_UNCLEAR)
    assert set(seeker.looked) == set(seeker.shop.wanted()[:2])
    assert seeker.shop.reports == ["looked"]


@pytest.mark.parametrize("kind", FOUND)
def test_l12_a_search_that_found_nothing_stops_where_it_finds_something(kind: str) -> None:
    seeker = Seeker(kind)
    seeker.run(2, 9, mode="record")
    seeker.run(4, 9, mode="record")
    outcome = seeker.run(5, 2)
    assert (outcome.status, outcome.reason) == ("diverged", Reason.LOOP_UNCLEAR)
    assert set(seeker.looked) == set(seeker.shop.wanted()[:3])


@pytest.mark.parametrize("kind", ["a bool", "a word", "a number"])
def test_l12_a_search_that_finds_nothing_at_the_end_stops_there(kind: str) -> None:
    """Both recordings ended because they had found it: nothing is known of what comes after a search in vain."""
    seeker = Seeker(kind)
    seeker.run(1, 0, mode="record")
    seeker.run(4, 3, mode="record")
    outcome = seeker.run(3, 9, mode="frozen")
    assert (outcome.status, outcome.reason) == ("diverged", Reason.LOOP_UNCLEAR)
    assert seeker.run(3, 2, mode="frozen").status == "hit"


def test_l12_a_stopped_search_is_a_recording_that_leaves_out_elements() -> None:
    seeker = Seeker("a bool")
    seeker.run(1, 0, mode="record")
    seeker.run(4, 3, mode="record")
    seeker.run(5, 1)
    outcome = seeker.run(4, 3)  # the loop is not taken for a walk any more
    assert outcome.status != "hit"
    assert outcome.reason is not Reason.LOOP_UNCLEAR


ANSWERS: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda order_id: None,
    "the same": lambda order_id: {"ok": True, "state": "done"},
    "data": lambda order_id: {"receipt": f"R {order_id}", "weight": int(order_id[4:])},
    "names": lambda order_id: {"driver": ["ann", "bob", "cho", "dee", "eve", "kim", "lou"][int(order_id[4:]) % 7]},
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_l12_other_answers_stop_nothing(kind: str) -> None:
    shop = ListShop()
    shop.answer = ANSWERS[kind]
    shop.teach(2, 6)
    assert shop.run(7).status == "hit"
    assert shop.shipped == shop.wanted()


def test_l12_both_answers_of_recorded_iterations_are_known() -> None:
    shop = ListShop()
    shop.answer = lambda order_id: {"delayed": int(order_id[4:]) % 2 == 0}
    shop.teach(3, 4)
    assert shop.run(6).status == "hit"
    assert shop.shipped == shop.wanted()


def test_l12_a_tool_with_any_answers_stops_nothing() -> None:
    shop = ListShop()
    look = shop.engine.tool(effect="read", name="look", answers="any")(
        lambda order_id: {"found": order_id == shop.wanted()[-1]}
    )
    shop.agent = lambda task: [look(one["id"]) for one in shop.list_orders()["orders"]] and None
    shop.teach(1, 3)
    assert shop.run(5).status == "hit"
