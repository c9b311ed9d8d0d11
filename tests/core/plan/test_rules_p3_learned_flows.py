"""P3: what is learned from several recordings does not come from those that a person has not approved."""

from __future__ import annotations

from typing import Any

import pytest

from muscle_mem import Check, Engine, Outcome, Reason
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


def approved(engine: Engine) -> Outcome:
    """A run whose recording a person approves, so that P3 does not keep it from being a parent."""
    outcome = engine("pay")
    if outcome.status != "hit" and outcome.trajectory_id is not None:
        engine.report_good(outcome.trajectory_id)
    return outcome


def learned(target: dict[str, Any], source: dict[str, Any]) -> list[str]:
    """The statuses of four runs that send the id of a message on, and of what was sent."""
    engine, sent, numbers = Engine(MemoryStore()), [], iter(range(1_000, 2_000, 7))
    read = engine.tool(name="inbox", effect="write", **source)(lambda: {"account": f"ACC-{next(numbers)}"})

    @engine.tool(Check(lambda account: "open"), name="send", **target)
    def send(account: str) -> None:
        sent.append(account)

    engine.set_agent(lambda task: send(read()["account"]))
    statuses = [approved(engine).status for _ in range(5)]
    assert len(sent) == 5
    assert len(set(sent)) == 5
    return statuses


@pytest.mark.parametrize("target", [{}, {"sink": ["account"]}, {"effect": "irreversible"}])
def test_p4_a_trusted_output_is_read_wherever_its_value_goes(target: dict[str, Any]) -> None:
    assert "hit" in learned(target, {})


@pytest.mark.parametrize("target", [{"sink": ["account"]}, {"effect": "irreversible"}])
def test_p4_no_value_of_an_untrusted_output_is_carried_to_a_sink(target: dict[str, Any]) -> None:
    assert "hit" not in learned(target, {"trusted": False})


def test_p4_an_argument_that_carries_it_on_is_no_way_around() -> None:
    engine, sent, numbers = Engine(MemoryStore()), [], iter(range(1_000, 2_000, 7))
    read = engine.tool(name="inbox", effect="write", trusted=False)(lambda: {"account": f"ACC-{next(numbers)}"})
    note = engine.tool(name="note", effect="write")(lambda account: None)
    send = engine.tool(name="send", sink=["account"])(lambda account: sent.append(account))

    def agent(task: str) -> None:
        account = read()["account"]
        note(account)
        send(account)

    engine.set_agent(agent)
    assert not any(approved(engine) for _ in range(5))
    assert len(set(sent)) == len(sent) == 5
