"""L2: what happens to parents, stores, tools and outputs between recordings, and errors of our own (G4)."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.fresh_ids import TASK, Desk, numbers

from muscle_mem import Check, Engine, Handover, Reason
from muscle_mem._core.plan import generalized
from muscle_mem.store import MemoryStore


def test_l2_a_parent_that_expires_in_a_running_process_proves_nothing_any_more() -> None:
    now = [time.time()]
    desk = Desk(clock=lambda: now[0], ttl=100.0)
    desk.run()
    now[0] += 60
    assert desk.runs(2) == "dh"
    now[0] += 60
    assert desk.run().reason is Reason.STALE_OUTPUT
    assert desk.agreed


def test_l2_an_output_that_a_later_tool_changes_costs_the_recording_and_not_the_run() -> None:
    desk, page = Desk(), ["open"]

    @desk.engine.tool(name="take_out")
    def take_out(order_id: int, order: dict[str, Any]) -> dict[str, int]:
        desk.paid.append(order_id)
        del order["order_id"]
        return {"paid": 1}

    @desk.engine.tool(Check(lambda *_: page[0]), name="ship")
    def ship() -> None: ...

    def agent(task: str, handover: Handover | None = None) -> None:
        done = [step.tool for step in handover.executed] if handover else []
        order = handover.executed[0].result if handover else desk.create_order()
        if "take_out" not in done:
            take_out(desk.created[-1], order)
        ship()

    desk.engine.set_agent(agent)
    assert desk.runs(3) == "mdh"
    page[0] = "busy"
    outcome = desk.run()
    assert outcome.reason is Reason.CHECK_REFUSED
    assert outcome.not_learned is Reason.NOT_REPLAYABLE
    assert "changed" in outcome.not_learned_message
    page[0] = "open"
    assert desk.run()
    assert desk.agreed


@pytest.mark.parametrize("error", [ZeroDivisionError("boom"), KeyError("boom"), RecursionError("boom")])
def test_g4_an_error_in_the_derivation_costs_the_learning_and_is_reported_once(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*_: Any) -> None:
        raise error

    events: list[Any] = []
    desk = Desk(observers=events.append)
    monkeypatch.setattr(generalized, "generalize", fails)
    assert desk.runs(5) == "mdddd"
    assert desk.agreed
    (event,) = [event for event in events if "boom" in getattr(event, "message", "")]
    assert "nothing is learned" in event.message
    monkeypatch.undo()
    assert desk.runs(2) == "dh"


def test_g4_an_error_in_the_comparison_is_no_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    from muscle_mem._core.record import compare_flows

    def fails(*_: Any) -> None:
        raise ZeroDivisionError("boom")

    desk = Desk()
    desk.run()
    monkeypatch.setattr(compare_flows, "_lined_up", fails)
    assert desk.runs(2) == "dh"
    assert desk.agreed


def test_l10_a_report_reaches_what_is_generalized_from_an_older_store() -> None:
    store, ids = MemoryStore(), numbers()
    older = Desk(ids, store, learn_flows=False)
    older.runs(2)
    desk = Desk(ids, store)
    hit = desk.run()
    assert hit
    hit.report_bad("the wrong order was paid")
    assert not desk.run()
    assert not Desk(ids, store).run()
    desk.engine.report_good(hit.trajectory_id or "")
    assert desk.run()


def test_l2_forgetting_what_was_generalized_keeps_its_parents() -> None:
    desk = Desk()
    desk.runs(3)
    (record,) = desk.stored(learned=True)
    assert desk.engine.forget(record.sealed.id)
    assert not desk.stored(learned=True)
    assert desk.run()
    assert desk.agreed


def test_b7_a_hit_of_a_generalized_trajectory_refreshes_the_snapshots_of_a_parent() -> None:
    """The page drifts by one each run; the check allows one."""
    desk, page = Desk(), [0]
    drifts = Check(lambda *_: page[0], lambda now, then: abs(now - then) <= 1, refresh=True)

    @desk.engine.tool(drifts, name="open_order")
    def open_order() -> Any:
        return desk.create_order()

    desk.engine.set_agent(lambda task: desk.pay(open_order()["order_id"]))
    statuses = ""
    for page[0] in (0, 0, 0, 1, 2, 3, 4, 5):
        statuses += desk.run().status[0]
    assert statuses == "mdhhhhhh"
    assert desk.agreed
    rows = [observation for one in desk.stored() for _, observation in one.observations]
    assert [row.refresh for row in rows].count(True) == 1


def test_l2_a_tool_that_is_edited_between_recordings_has_other_parents() -> None:
    store, ids = MemoryStore(), numbers()
    paid: list[Any] = []

    def make(edited: bool) -> Engine:
        engine = Engine(store)

        @engine.tool(name="create_order")
        def create_order() -> dict[str, int]:
            return {"order_id": next(ids)}

        if edited:

            @engine.tool(name="pay")
            def pay(order_id: int) -> None:
                paid.append(("again", order_id))
        else:

            @engine.tool(name="pay")
            def pay(order_id: int) -> None:
                paid.append(("at first", order_id))

        engine.set_agent(lambda task: pay(create_order()["order_id"]))
        return engine

    make(False)(TASK)
    edited = make(True)
    assert [edited(TASK).status for _ in range(3)] == ["miss", "diverged", "hit"]
    assert paid == [("at first", 1000), ("again", 1007), ("again", 1014), ("again", 1021)]


@pytest.mark.parametrize("kind", ["sqlite", "folder"])
def test_l2_parents_of_several_processes_are_joined(kind: str, tmp_path: Path) -> None:
    """Each engine stands for a process that closes its store; two of them store parents at the same time."""
    url = str(tmp_path / "store.db") if kind == "sqlite" else f"{tmp_path / 'store'}/"
    ids = numbers()
    one, two = Desk(ids, url), Desk(ids, url)
    one.run(mode="record")
    two.run(mode="record")
    assert one.run()
    assert two.run()
    for desk in (one, two):
        assert desk.agreed
        desk.engine.close()
    third = Desk(ids, url)
    assert third.run()
    assert third.agreed
    third.engine.close()


def test_l2_a_type_that_changes_between_recordings_is_not_guessed() -> None:
    ids = itertools.chain.from_iterable((number, str(number)) for number in itertools.count(1000, 7))
    desk = Desk(iter(ids))
    statuses = desk.runs(8)
    assert desk.created == desk.paid
    assert statuses.startswith("md")


def test_l5_a_list_that_is_empty_or_shorter_than_any_recorded_one_is_not_read() -> None:
    desk, lengths = Desk(), iter([2, 3, 2, 0, 1, 2])
    ids = numbers()

    @desk.engine.tool(name="list_orders", effect="read")
    def list_orders() -> dict[str, Any]:
        return {"orders": [{"order_id": next(ids)} for _ in range(next(lengths))]}

    def agent(task: str) -> None:
        orders = list_orders()["orders"]
        desk.created += [order["order_id"] for order in orders[1:2]]
        for order in orders[1:2]:
            desk.pay(order["order_id"])

    desk.engine.set_agent(agent)
    for _ in range(6):
        outcome = desk.run()
        if outcome:
            desk.created.append(desk.paid[-1])
    assert desk.agreed


def test_l4_a_fixed_value_beside_a_reference_that_recordings_contradict_is_not_sent() -> None:
    """E7 beside references: the currency differs in recordings whose ids differ, too."""
    desk, currencies = Desk(), itertools.cycle(["EUR", "USD"])
    sent: list[str] = []
    wanted: list[str] = []

    @desk.engine.tool(name="pay_in")
    def pay_in(order_id: int, currency: str) -> None:
        desk.paid.append(order_id)
        sent.append(currency)

    def agent(task: str) -> None:
        order = desk.create_order()
        wanted.append(next(currencies))
        pay_in(order["order_id"], wanted[-1])

    desk.engine.set_agent(agent)
    assert "h" not in desk.runs(8)
    assert sent == wanted
    assert desk.agreed
