"""D3: a detour, recorded because a check failed, ranks behind what it went around."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Check, Engine, Outcome


class Shop:
    """An engine whose agent buys the shirt if it is there, and otherwise something else."""

    def __init__(self, wait: float = 0.0) -> None:
        self.world: dict[str, Any] = {"shirt": True, "jumper": True}
        self.calls: list[str] = []
        self.engine = Engine()
        there = Check(lambda what: self.world.get(what), lambda now, then: bool(now), wait=wait, every=0.01)

        @self.engine.tool(effect="idempotent", name="open")
        def open_(page: str) -> None:
            self.calls.append(page)

        @self.engine.tool(there, effect="write", name="buy")
        def buy(what: str) -> None:
            self.calls.append(what)

        self.open, self.buy = open_, buy
        self.engine.set_agent(self.agent)

    def agent(self, task: str, handover: Any = None) -> None:
        if handover is None:
            self.open("shop")
        self.buy(next(what for what in ("shirt", "jumper", "socks") if self.world.get(what)))

    def run(self, **options: Any) -> tuple[Outcome, list[str]]:
        self.calls = []
        return self.engine("buy", **options), self.calls


def test_d3_what_was_sold_out_once_is_bought_when_it_is_back() -> None:
    shop = Shop()
    shop.run()
    shop.world["shirt"] = False
    outcome, calls = shop.run()
    assert (outcome.status, calls) == ("diverged", ["shop", "jumper"])
    outcome, calls = shop.run()
    assert outcome
    assert calls == ["shop", "jumper"]
    shop.world["shirt"] = True
    for _ in range(2):
        outcome, calls = shop.run()
        assert outcome
        assert calls == ["shop", "shirt"]


def test_d3_a_detour_of_a_detour_comes_last_also_at_the_first_step() -> None:
    shop = Shop()
    shop.engine.set_agent(lambda task: shop.agent(task, handover=1))
    shop.world["socks"] = True
    for missing in ((), ("shirt",), ("shirt", "jumper")):
        shop.world.update(shirt="shirt" not in missing, jumper="jumper" not in missing)
        shop.run()
    for world, bought in (
        ({"shirt": True, "jumper": True}, "shirt"),
        ({"shirt": False, "jumper": True}, "jumper"),
        ({"shirt": False, "jumper": False}, "socks"),
        ({"shirt": True, "jumper": False}, "shirt"),
    ):
        shop.world.update(world)
        outcome, calls = shop.run()
        assert outcome
        assert calls == [bought]


def teach_again(shop: Shop) -> None:
    """The agent is now told to prefer the jumper, and is recorded doing so."""
    shop.world["shirt"] = False
    shop.run(mode="record")
    shop.world["shirt"] = True


LIFTED: dict[str, Callable[[Shop, Outcome, Outcome], Any]] = {
    "recorded again for another reason": lambda shop, first, second: teach_again(shop),
    "a good report on it": lambda shop, first, second: second.report_good(),
    "a bad report on the other": lambda shop, first, second: first.report_bad(),
}


@pytest.mark.parametrize("lift", LIFTED.values(), ids=LIFTED)
def test_d3_the_mark_of_a_detour_can_be_taken_away(lift: Callable[[Shop, Outcome, Outcome], Any]) -> None:
    shop = Shop()
    first, _ = shop.run()
    shop.world["shirt"] = False
    second, _ = shop.run()
    shop.world["shirt"] = True
    assert shop.run()[1] == ["shop", "shirt"]
    lift(shop, first, second)
    outcome, calls = shop.run()
    assert outcome
    assert calls == ["shop", "jumper"]


def test_d3_explain_names_what_a_detour_is_ranked_behind() -> None:
    shop = Shop()
    shop.engine.set_agent(lambda task: shop.agent(task, handover=1))
    first, _ = shop.run()
    shop.world["shirt"] = False
    second, _ = shop.run()
    shop.world["shirt"] = True
    told = shop.engine.explain("buy")
    assert [entry.trajectory_id for entry in told.considered] == [first.trajectory_id, second.trajectory_id]
    assert f"the checks of {first.trajectory_id} failed" in told.considered[1].message


def test_d3_a_detour_is_taken_only_when_the_wait_of_what_it_went_around_is_over() -> None:
    shop = Shop(wait=0.2)
    shop.engine.set_agent(lambda task: shop.agent(task, handover=1))
    shop.run()
    shop.world["shirt"] = False
    assert shop.run()[1] == ["jumper"]
    back = [None, None, None, True]

    class Late(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            if key == "shirt":
                return back.pop(0) if len(back) > 1 else back[0]
            return super().get(key, default)

    shop.world = Late(shop.world)
    outcome, calls = shop.run()
    assert outcome
    assert calls == ["shirt"]


def test_d3_a_detour_whose_snapshot_is_equal_is_taken_without_waiting() -> None:
    world = {"page": "old"}
    calls: list[str] = []
    looks: list[str] = []
    engine = Engine()

    def look(name: str) -> str:
        looks.append(name)
        return world["page"]

    @engine.tool(Check(look, lambda now, then: now == then, wait=0.1, every=0.01), effect="write", name="press")
    def press(name: str) -> None:
        calls.append(name)

    engine.set_agent(lambda task: press(f"button of {world['page']}"))
    engine("t")
    world["page"] = "new"
    assert engine("t").reason == "first_check_refused"
    assert len(looks) > 4
    looks.clear()
    assert engine("t")
    assert calls[-1] == "button of new"
    assert len(looks) <= 2


def test_d3_a_detour_keeps_all_that_was_refused_before_it() -> None:
    shop = Shop()
    shop.engine.set_agent(lambda task: shop.agent(task, handover=1))
    shop.world["socks"] = True
    first, _ = shop.run()
    for missing in ("shirt", "jumper"):
        shop.world[missing] = False
        shop.run()
    first.forget()
    shop.world.update(shirt=True, jumper=True)
    outcome, calls = shop.run()
    assert outcome
    assert calls == ["jumper"]  # The socks went around it, too.
