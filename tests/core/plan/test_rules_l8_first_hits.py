"""L8: an order with another id in each run is paid by a hit as soon as the recordings prove where its id comes from."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from muscle_mem import Check, Engine, Handover, Outcome

RUNS = 6
AGENTS = ("absorbed", "handover")
IDS: dict[str, Callable[[], Iterator[Any]]] = {
    "from 1000": lambda: itertools.count(1000),
    "from 7": lambda: itertools.count(7),
    "uuid": lambda: (str(uuid.UUID(int=n * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)) for n in itertools.count(1)),
}
EFFECTS = {
    "undeclared": (None, None),
    "write": ("write", "write"),
    "irreversible": ("write", "irreversible"),
}
# An irreversible step asks for three different values; so does a small id, under its name.
FIRST_HIT = {
    **{("from 1000", effects): 3 for effects in ("undeclared", "write")},
    **{("from 7", effects): 4 for effects in ("undeclared", "write")},
    **{("uuid", effects): 3 for effects in ("undeclared", "write")},
    **{(ids, "irreversible"): 4 for ids in IDS},
}


class Shop:
    """An engine whose agent creates an order and pays it: `pay(create_order()["order_id"])`."""

    def __init__(self, ids: str, effects: str, agent: str) -> None:
        create_effect, pay_effect = EFFECTS[effects]
        self.numbers = IDS[ids]()
        self.created: list[Any] = []
        self.paid: list[Any] = []
        self.engine = Engine()
        check = Check(lambda *_: "open") if pay_effect == "irreversible" else None

        @self.engine.tool(name="create_order", effect=create_effect)
        def create_order() -> dict[str, Any]:
            self.created.append(next(self.numbers))
            return {"order_id": self.created[-1]}

        @self.engine.tool(check, name="pay", effect=pay_effect)
        def pay(order_id: Any) -> None:
            self.paid.append(order_id)

        def absorbed(task: str) -> None:
            pay(create_order()["order_id"])

        def continued(task: str, handover: Handover | None = None) -> None:
            done = handover.executed if handover else ()
            order = done[0].result if done else create_order()
            if len(done) < 2:
                pay(order["order_id"])

        self.engine.set_agent(continued if agent == "handover" else absorbed)

    def run(self) -> tuple[Outcome, list[Any], list[Any]]:
        self.created, self.paid = [], []
        return self.engine("order and pay"), self.created, self.paid


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize(("ids", "effects"), FIRST_HIT)
def test_l8_the_first_hit_comes_with_the_evidence(ids: str, effects: str, agent: str) -> None:
    shop = Shop(ids, effects, agent)
    statuses = [shop.run()[0].status for _ in range(RUNS)]
    assert "hit" in statuses
    assert statuses.index("hit") + 1 == FIRST_HIT[ids, effects]
    assert set(statuses[statuses.index("hit") :]) == {"hit"}


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize(("ids", "effects"), FIRST_HIT)
def test_l8_each_run_creates_one_order_and_pays_it_once(ids: str, effects: str, agent: str) -> None:
    shop = Shop(ids, effects, agent)
    seen: list[Any] = []
    for _ in range(RUNS):
        outcome, created, paid = shop.run()
        assert len(created) == 1
        assert paid == created, f"{outcome!r}: {outcome.message}"
        assert created[0] not in seen
        seen += created
