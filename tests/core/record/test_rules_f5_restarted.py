"""F5: a restarted agent makes nothing multiply, and teaches its own calls."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import Any

import pytest

from muscle_mem import Check, Engine, Reason, current_run
from muscle_mem.events import NoticeEvent, NotLearnedEvent
from muscle_mem.store import MemoryStore
from replay_world import Desk

ONES = {"a": 1, "b": 1, "c": 1, "d": 1, "x": 1}
C_BROKEN = {**ONES, "c": 2}


class Shop:
    """Orders that the agent words anew each time; each order has another id."""

    def __init__(self, effect: Any = None, store: Any = None, **options: Any) -> None:
        self.orders: list[str] = []
        self.paid: list[str] = []
        self.events: list[Any] = []
        self.words = itertools.count()
        self.engine = Engine(store, observers=self.events.append, **options)

        @self.engine.tool(name="create_order", effect=effect)
        def create_order(text: str) -> dict[str, str]:
            self.orders.append(text)
            return {"order_id": f"order-{1000 + len(self.orders)}"}

        @self.engine.tool(name="pay", effect=effect)
        def pay(order_id: str) -> None:
            self.paid.append(order_id)

        self.create_order, self.pay = create_order, pay
        self.engine.set_agent(self.agent)

    def agent(self, task: str) -> None:
        self.pay(self.create_order(f"no. {next(self.words)}")["order_id"])

    def run(self, **options: Any) -> Any:
        self.orders_before, self.paid_before = len(self.orders), len(self.paid)
        return self.engine("order", **options)

    @property
    def ordered(self) -> int:
        return len(self.orders) - self.orders_before

    def lengths(self) -> list[int]:
        return [stored.sealed.steps for stored in self.engine._runtime.library.store.scan(limit=100).stored]


@pytest.mark.parametrize("effect", [None, "write", "idempotent"])
@pytest.mark.parametrize("policy", ["auto", "absorb", "continue"])
def test_f5_orders_never_multiply(effect: Any, policy: Any) -> None:
    shop = Shop(effect, on_divergence=policy)
    for _ in range(12):
        shop.run()
        assert shop.ordered <= 2  # the agent's own, and that of one replay
        assert len(shop.paid) - shop.paid_before == 1
        assert set(shop.lengths()) == {2}


def test_f5_what_was_followed_is_quarantined_until_the_agent_makes_these_calls_again() -> None:
    shop = Shop()
    words = ["milk", "bread", "milk", "milk"]
    shop.engine.set_agent(lambda task: shop.pay(shop.create_order(words.pop(0))["order_id"]))
    first = shop.run().trajectory_id
    outcome = shop.run()
    assert (outcome.status, outcome.not_learned) == ("diverged", Reason.NOT_ABSORBED)
    assert "'create_order' was done by the replay and again by the agent" in outcome.not_learned_message
    assert "handover" in outcome.not_learned_message
    standing = shop.engine._runtime.library.store.get(first).standing
    assert (standing.state, standing.held, standing.failures, standing.strikes) == ("quarantined", False, 0, 0)
    assert standing.reason.startswith("not_absorbed")
    assert shop.run().status == "miss"
    shop.engine.report_good(first)
    assert shop.engine._runtime.library.store.get(first).standing.state == "trusted"


def test_d6_one_good_agent_run_of_the_same_calls_lifts_that_quarantine() -> None:
    desk = Desk()
    first = desk.learn("abc", ONES)
    desk.plan = list("ax")
    assert desk.run(C_BROKEN).not_learned is Reason.NOT_ABSORBED
    desk.plan = list("abc")
    outcome = desk.run(ONES)
    assert (outcome.status, outcome.reason, outcome.trajectory_id) == ("miss", Reason.QUARANTINED, first.trajectory_id)
    assert desk.run(ONES)


@pytest.mark.parametrize("effect", [None, "write", "irreversible"])
def test_f5_a_warning_names_the_step_and_the_outcome_carries_it(effect: Any, caplog: Any) -> None:
    desk = Desk(effect=effect)
    desk.learn("abc", ONES)
    desk.plan = list("ax")
    outcome = desk.run(C_BROKEN)
    (event,) = [event for event in desk.events if isinstance(event, NotLearnedEvent)]
    assert (event.level, event.reason, event.tool) == ("warning", "not_absorbed", "step")
    assert event.message == outcome.not_learned_message
    assert not outcome.learned


def test_f5_the_default_observer_logs_that_warning(caplog: Any) -> None:
    words = itertools.count()
    engine = Engine()
    orders: list[str] = []

    @engine.tool(name="create_order")
    def create_order(text: str) -> str:
        orders.append(text)
        return f"order-{1000 + len(orders)}"

    pay = engine.tool(name="pay")(lambda order: None)
    engine.set_agent(lambda task: pay(create_order(f"no. {next(words)}") + "!"))
    with caplog.at_level(logging.WARNING, "muscle_mem"):
        engine("t")
        caplog.clear()
        outcome = engine("t")
    assert outcome.not_learned is Reason.NOT_ABSORBED
    assert [
        record for record in caplog.records if "create_order" in record.message and "not_absorbed" in record.message
    ]


def test_f5_an_event_tells_of_a_differing_call_before_it_is_made() -> None:
    shop = Shop()
    shop.run()
    told: list[tuple[int, NoticeEvent]] = []
    seen = len(shop.events)
    shop.engine.set_agent(
        lambda task: (
            shop.create_order("other"),
            told.extend((len(shop.orders), event) for event in shop.events[seen:] if isinstance(event, NoticeEvent)),
        )
    )
    before = len(shop.orders)
    shop.run()
    (found,) = [(count, event) for count, event in told if event.code == "differing_call"]
    assert found[1].tool == "create_order"
    order = [type(event).__name__ for event in shop.events[seen:]]
    assert order.index("NoticeEvent") < order.index("NotLearnedEvent")
    assert len(shop.orders) == before + 2


@pytest.mark.parametrize("plan", ["ab", "ba", "xab", "abx", "abab"])
def test_f5_no_event_tells_of_calls_that_were_done_or_whose_steps_were(plan: str) -> None:
    desk = Desk()
    other = desk.engine.tool(name="other")(lambda: None)
    desk.learn("abc", ONES)

    def agent(task: str) -> None:
        for name in plan:
            other() if name == "x" else desk.step(name)

    desk.engine.set_agent(agent)
    desk.run(C_BROKEN)
    assert not desk.notices("differing_call")


def test_f5_a_frozen_run_quarantines_nothing() -> None:
    shop = Shop()
    first = shop.run().trajectory_id
    outcome = shop.run(mode="frozen")
    assert (outcome.status, outcome.not_learned) == ("diverged", Reason.MODE)
    assert shop.engine._runtime.library.store.get(first).standing.state == "fresh"


def test_f5_what_was_followed_is_quarantined_although_the_run_is_not_learned_for_another_reason() -> None:
    shop = Shop()
    first = shop.run().trajectory_id
    outcome = shop.run(success=lambda value: False)
    assert outcome.not_learned is Reason.REFUSED
    assert shop.engine._runtime.library.store.get(first).standing.state == "quarantined"
    assert [event for event in shop.events if isinstance(event, NoticeEvent) and event.code == "not_absorbed"]


def test_f5_works_under_acall_and_over_a_store_that_two_engines_share() -> None:
    store = MemoryStore()
    made: list[str] = []
    words = itertools.count()

    def open_engine() -> Engine:
        engine = Engine(store, observers=[])

        @engine.tool(name="create")
        async def create(text: str) -> str:
            made.append(text)
            return f"order-{1000 + len(made)}"

        @engine.tool(name="pay")
        async def pay(order: str) -> None: ...

        async def agent(task: str) -> None:
            await pay(await create(f"no. {next(words)}"))

        return engine.set_agent(agent)

    for _ in range(8):
        before = len(made)
        asyncio.run(open_engine().acall("order"))
        assert len(made) - before <= 2


# An agent that "continue" calls


@pytest.mark.parametrize("plan", ["x", "xa", "bx", "abx"])
def test_f5_an_unaware_agent_under_continue_has_started_again(plan: str) -> None:
    desk = Desk(on_divergence="continue")
    first = desk.learn("abc", ONES)
    desk.plan = list(plan)
    outcome = desk.run(C_BROKEN)
    assert outcome.not_learned is (Reason.REPEATED_PREFIX if plan[0] == "a" else Reason.NOT_ABSORBED)
    assert desk.run(ONES).reason is Reason.QUARANTINED
    assert first.trajectory_id


def test_f5_an_unaware_agent_under_continue_teaches_its_own_calls_after_reads() -> None:
    desk = Desk(on_divergence="continue", effect="read")
    first = desk.learn("abc", ONES)
    desk.plan = ["x", "b"]
    assert desk.run(C_BROKEN).learned
    first.report_bad()
    assert desk.run(C_BROKEN, mode="replay")
    assert desk.done == ["x", "b"]


def test_f5_an_agent_that_looks_at_the_handover_goes_on() -> None:
    desk = Desk(on_divergence="continue")
    desk.learn("abc", ONES)

    def agent(task: str) -> None:
        run = current_run()
        if run is not None and run.handover is not None:
            desk.step("x")

    desk.engine.set_agent(agent)
    assert desk.run(C_BROKEN).learned
    assert desk.run(C_BROKEN, mode="replay")
    assert desk.done == ["a", "b", "x"]


# Its own calls, absorbed ones in their places


@pytest.mark.parametrize("effect", [None, "write", "irreversible"])
@pytest.mark.parametrize("plan", ["abx", "bax", "xab", "axb", "xbax"])
def test_f5_a_restarted_agents_own_calls_are_stored_absorbed_ones_in_their_places(effect: Any, plan: str) -> None:
    desk = Desk(effect=effect)
    first = desk.learn("abc", ONES)
    desk.plan = list(plan)
    assert desk.run(C_BROKEN).learned
    assert sorted(desk.done[:2]) == ["a", "b"]
    assert desk.done[2:] == [name for name in plan if name == "x"]
    first.report_bad()  # else this detour is behind it (D3), and not reached where it begins with other calls
    assert desk.run(C_BROKEN, mode="replay")
    assert desk.done == list(plan)


def test_f2_a_restarted_agent_that_first_looks_once_more_does_nothing_again() -> None:
    """Number 14: undeclared steps after a look."""
    desk = Desk()
    seen: list[int] = []
    look = desk.engine.tool(name="look", effect="read")(lambda: seen.append(1) or "page")
    first = desk.learn("abc", ONES)

    def agent(task: str) -> None:
        look()
        desk.step("a")
        look()
        desk.step("b")
        desk.step("x")

    desk.engine.set_agent(agent)
    outcome = desk.run(C_BROKEN)
    assert outcome.learned
    assert desk.done == ["a", "b", "x"]
    assert len(seen) == 2
    first.report_bad()
    assert desk.run(C_BROKEN, mode="replay").steps == 5


def test_f5_repeated_calls_keep_the_snapshots_of_their_places() -> None:
    """The looks are made again where the world has moved on; the next run from the start is a hit all the same."""
    engine = Engine(observers=[])
    page = {"n": 0, "odd": False}
    done: list[str] = []
    check = Check(lambda *_: page["n"])
    look = engine.tool(name="look", effect="read", pre_check=check)(lambda: done.append("look") or "page")
    fill = engine.tool(name="fill", effect="idempotent", pre_check=check)(
        lambda at: (done.append(f"fill {at}"), page.update(n=at))[0]
    )
    press = engine.tool(name="press", pre_check=check)(lambda: (done.append("press"), page.update(n=page["n"] + 10))[0])
    send = engine.tool(name="send", pre_check=Check(lambda: page["odd"]))(lambda: done.append("send"))
    again = engine.tool(name="again")(lambda: done.append("again"))

    def agent(task: str) -> None:
        look()
        fill(1)
        look()
        press()
        again() if page["odd"] else send()

    engine.set_agent(agent)
    assert engine("t").learned
    page.update(n=0, odd=True)
    done.clear()
    outcome = engine("t")
    assert outcome.learned, outcome.not_learned_message
    assert done == ["look", "fill 1", "look", "press", "look", "fill 1", "look", "again"]
    page.update(n=0)
    done.clear()
    assert engine("t", mode="replay")
    assert done == ["look", "fill 1", "look", "press", "again"]
