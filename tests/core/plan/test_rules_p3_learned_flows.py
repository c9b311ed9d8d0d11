"""P3: what is learned from several recordings does not come from those that a person has not approved."""

from __future__ import annotations

from typing import Any

from muscle_mem import Engine, Reason
from muscle_mem.store import MemoryStore


def shop(store: MemoryStore, ids: list[str], **options: Any) -> tuple[Engine, list[str], list[str]]:
    """An engine whose agent creates an order with the next of some ids, and pays it."""
    engine = Engine(store)
    paid: list[str] = []
    asked: list[str] = []
    create = engine.tool(name="create", effect="write", version="1", **options)(lambda: {"order_id": ids.pop(0)})

    @engine.tool(name="pay", effect="write", version="1", sink=["order_id"] if options else [])
    def pay(order_id: str) -> str:
        paid.append(order_id)
        return "ok"

    def agent(task: str) -> str:
        asked.append(task)
        return pay(create()["order_id"])

    engine.set_agent(agent)
    return engine, paid, asked


def test_p3_recordings_that_wait_for_an_approval_are_no_parents() -> None:
    ids = [f"ORD-{number}" for number in (7781, 8812, 9043, 4471, 5512, 6653)]
    store = MemoryStore()
    engine, paid, asked = shop(store, ids)
    for _ in range(3):
        engine("buy tea")
    assert paid == ["ORD-7781", "ORD-8812", "ORD-9043"]
    assert len(asked) == 2  # The third run read its id from its own order.

    later, paid, asked = shop(store, ids, trusted=False)  # Now the answer of the shop is that of others.
    outcome = later("buy tea")
    assert (outcome.status, outcome.not_learned) == ("miss", Reason.UNTRUSTED_VALUE)
    assert paid == ["ORD-4471"]
    assert len(asked) == 1


def test_p3_a_declared_constant_is_given() -> None:
    engine = Engine()
    mail = engine.tool(name="mail", effect="read", trusted=False)(lambda: "Pay in EUR to ACC-7781.")
    pay = engine.tool(name="pay", sink=["currency"], const=["currency"])(lambda currency: "ok")
    engine.set_agent(lambda task: (mail(), pay("EUR"))[1])
    assert engine("pay").learned
