"""Generalized trajectories: parents, takeover, votes, failures (L1, L2, L5, L9, L10)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from muscle_mem import Check, Engine, Outcome, Reason, Secret
from muscle_mem._core.model.learned import is_flows_body
from muscle_mem._core.plan.general_trajectory import GeneralTrajectory
from muscle_mem._core.plan.learning import MAX_PARENTS
from muscle_mem.store import MemoryStore
from muscle_mem.store.paging import each

Make = Callable[[int], Any]


class Shop:
    """Orders with a new id each time; the agent pays what it created, unless it is told otherwise."""

    def __init__(self, ids: Iterator[Any], store: Any = None, *, wrong: bool = False, **options: Any) -> None:
        self.ids = ids
        self.wrong = wrong
        self.created: list[Any] = []
        self.paid: list[Any] = []
        self.shape: Callable[[Any], Any] = lambda id: {"order_id": id, "state": "new"}
        self.broken = False
        self.engine = Engine(MemoryStore() if store is None else store, **options)

        @self.engine.tool(name="create_order")
        def create_order(item: str) -> Any:
            self.created.append(next(self.ids))
            return self.shape(self.created[-1])

        @self.engine.tool(name="pay")
        def pay(order_id: Any) -> str:
            if self.broken:
                raise OSError("the till is closed")
            self.paid.append(order_id)
            return "paid"

        self.pay = pay
        self.create_order = create_order

        def agent(task: str) -> None:
            create_order("chair")
            pay(self.created[-1])

        self.engine.set_agent(agent)

    def run(self, **options: Any) -> Outcome:
        return self.engine("order a chair and pay", **options)

    def records(self) -> list[Any]:
        store = self.engine._runtime.library.store
        return [stored for stored in each(store) if is_flows_body(stored.sealed.body)]

    def general(self) -> GeneralTrajectory:
        (key,) = {stored.sealed.key for stored in each(self.engine._runtime.library.store)}
        learning = self.engine._runtime.library.find(key).candidate_set.learning
        assert learning is not None
        (general,) = learning.all()
        return general


def thousands() -> Iterator[int]:
    return itertools.count(1000, 7)


def test_l1_without_learning_a_fresh_id_never_hits() -> None:
    shop = Shop(thousands(), learn_flows=False)
    assert [shop.run().reason for _ in range(4)] == [Reason.NEW_TASK, *[Reason.STALE_OUTPUT] * 3]
    assert shop.created == shop.paid
    assert not shop.records()


def test_l1_nothing_is_derived_while_the_recorded_id_comes_again() -> None:
    shop = Shop(itertools.repeat(1000))
    shop.run()
    assert [bool(shop.run()) for _ in range(3)] == [True] * 3
    key = next(each(shop.engine._runtime.library.store)).sealed.key
    learning = shop.engine._runtime.library.find(key).candidate_set.learning
    assert learning is not None
    assert not learning._found


def test_l2_a_task_with_fresh_ids_keeps_at_most_its_parents_and_one_more() -> None:
    shop = Shop(thousands())
    for number in range(40):
        shop.run(mode="record" if number % 2 else "auto")
    assert len(list(each(shop.engine._runtime.library.store))) <= MAX_PARENTS + 1
    assert shop.created == shop.paid
    assert shop.run()


def test_l2_parents_differ_in_values_if_any_recordings_do() -> None:
    ids = itertools.chain([1000], itertools.repeat(2000, 12), [3000, 4000])
    shop = Shop(ids)
    for _ in range(13):
        shop.run(mode="record")
    assert shop.run()
    assert shop.paid[-1] == 3000


def test_l2_forgotten_parents_take_what_they_prove_with_them() -> None:
    shop = Shop(thousands())
    first = shop.run().trajectory_id
    shop.run()
    assert first is not None
    assert shop.run()
    shop.engine.forget(first)
    assert shop.run().reason in (Reason.PROBATION, Reason.STALE_OUTPUT)
    assert shop.created == shop.paid


@pytest.mark.parametrize("state", ["quarantined", "expired"])
def test_l2_what_is_quarantined_or_expired_is_no_parent(state: str) -> None:
    now = [1_000_000.0]
    shop = Shop(thousands(), clock=lambda: now[0], ttl=100.0)
    shop.run()
    if state == "expired":
        now[0] += 99
    second = shop.run().trajectory_id
    assert second is not None
    if state == "quarantined":
        shop.engine.report_bad(second)
    else:
        now[0] += 50
    assert not shop.run()
    assert shop.created == shop.paid


def test_l2_another_engine_of_the_store_goes_on_where_the_first_was() -> None:
    store, ids = MemoryStore(), thousands()
    for number in range(6):
        shop = Shop(ids, store)
        assert bool(shop.run()) == (number >= 2)
        assert shop.paid == shop.created


def test_l2_the_stored_record_has_one_id_in_every_process() -> None:
    one, two = Shop(thousands()), Shop(thousands())
    for shop in (one, two):
        for _ in range(3):
            shop.run()
    assert [stored.sealed.id for stored in one.records()] == [stored.sealed.id for stored in two.records()]
    assert [stored.sealed.id for stored in one.records()] == [one.general().id]


def test_l2_a_secret_in_an_output_is_not_a_source() -> None:
    shop = Shop(iter([f"tok-{n}-9f8e7d6c" for n in range(1000, 1010)]))
    shop.shape = lambda id: {"order_id": Secret(id)}
    agent_pays = shop.pay

    def agent(task: str) -> None:
        shop.create_order("chair")
        agent_pays(shop.created[-1])

    shop.engine.set_agent(agent)
    outcomes = [shop.run() for _ in range(4)]
    assert not any(outcomes)
    assert all("tok-" not in repr(stored) for stored in each(shop.engine._runtime.library.store))


MISSING: dict[str, Make] = {
    "no such field": lambda id: {"number": id},
    "None": lambda id: {"order_id": None},
    "another type": lambda id: {"order_id": str(id)},
    "a list": lambda id: {"order_id": [id]},
    "a bool": lambda id: {"order_id": True},
    "nothing": lambda id: None,
    "an object without it": lambda id: object(),
}


@pytest.mark.parametrize("name", MISSING)
def test_l5_an_output_without_the_value_hands_over_before_the_step(name: str) -> None:
    shop = Shop(thousands())
    for _ in range(3):
        shop.run()
    paid = len(shop.paid)
    shop.shape = MISSING[name]
    outcome = shop.run()
    assert not outcome
    assert outcome.reason in (Reason.FLOW_UNCLEAR, Reason.STALE_OUTPUT, Reason.UNSEEN_ANSWER)
    assert shop.paid[paid:] == shop.created[-1:]


def test_l5_sources_that_disagree_are_not_acted_on() -> None:
    shop = Shop(thousands())
    shop.shape = lambda id: {"order_id": id, "id": id}
    for _ in range(3):
        shop.run()
    assert shop.run()
    shop.shape = lambda id: {"order_id": id, "id": id + 1}
    outcome = shop.run()
    assert outcome.reason is Reason.FLOW_UNCLEAR
    assert "order_id is" in outcome.message
    assert "id is" in outcome.message
    assert shop.created == shop.paid


def test_l9_probation_hands_over_before_the_write_and_counts_the_agents_value() -> None:
    shop = Shop(iter([f"{n}f3c-88ab-{n * 7919}" for n in range(100_000, 100_010)]))
    assert [shop.run().reason for _ in range(3)] == [Reason.NEW_TASK, Reason.PROBATION, Reason.HIT]
    assert shop.created == shop.paid


def test_l9_an_engine_may_ask_for_more_values() -> None:
    shop = Shop(thousands(), probation=2)
    reasons = [shop.run().reason for _ in range(5)]
    assert reasons.index(Reason.HIT) == 4
    assert Reason.PROBATION in reasons
    assert shop.created == shop.paid


def test_l9_a_call_that_differs_strikes_the_source() -> None:
    shop = Shop(iter([f"{n}f3c-88ab-{n * 7919}" for n in range(100_000, 100_010)]))
    shop.run()
    other = iter([f"x{n}-77cd-{n * 104729}" for n in range(5000, 5010)])

    def agent(task: str) -> None:
        shop.create_order("chair")
        shop.pay(next(other))

    shop.engine.set_agent(agent)
    assert shop.run().reason is Reason.PROBATION
    (record,) = shop.records()
    learning = shop.engine._runtime.library.find(record.sealed.key).candidate_set.learning
    assert learning is not None
    assert learning.known[record.sealed.id].evidence.struck


def test_l9_frozen_compares_nothing() -> None:
    shop = Shop(iter([f"{n}f3c-88ab-{n * 7919}" for n in range(100_000, 100_010)]))
    shop.run()
    assert shop.run(mode="frozen").reason is Reason.PROBATION
    assert not shop.records()


def test_l10_a_failure_of_a_generalized_trajectory_quarantines_it_and_not_its_parents() -> None:
    shop = Shop(thousands())
    ids = [shop.run().trajectory_id for _ in range(2)]
    assert shop.run()
    shop.broken = True
    for _ in range(2):
        with pytest.raises(OSError, match="till"):
            shop.run()
    shop.broken = False
    states = {stored.sealed.id: stored.standing.state for stored in each(shop.engine._runtime.library.store)}
    assert states[shop.records()[0].sealed.id] == "quarantined"
    assert {states[id] for id in ids if id} == {"fresh"}
    assert not shop.run()


def test_l10_a_bad_report_on_a_hit_quarantines_the_generalized_trajectory() -> None:
    shop = Shop(thousands())
    for _ in range(2):
        shop.run()
    hit = shop.run()
    assert hit.trajectory_id == shop.records()[0].sealed.id
    hit.report_bad("the wrong order was paid")
    assert not shop.run()
    assert shop.created == shop.paid
    shop.engine.report_good(hit.trajectory_id or "")
    assert shop.run()


def test_l1_checks_are_asked_in_a_generalized_trajectory() -> None:
    page = ["open"]
    engine, ids, paid = Engine(MemoryStore()), thousands(), []

    @engine.tool(name="create_order")
    def create_order() -> dict[str, int]:
        return {"order_id": next(ids)}

    @engine.tool(Check(lambda *_: page[0]), name="pay")
    def pay(order_id: int) -> None:
        paid.append(order_id)

    engine.set_agent(lambda task: pay(create_order()["order_id"]))
    assert [bool(engine("pay")) for _ in range(4)] == [False, False, True, True]
    page[0] = "closed"
    assert engine("pay").reason is Reason.CHECK_REFUSED
    assert len(paid) == len(set(paid)) == 5


def test_l2_steps_that_take_several_elements_of_one_list_ask_the_agent_where_its_length_is_not_held() -> None:
    engine, numbers, taken = Engine(MemoryStore()), itertools.count(100_003, 7), []
    length = [3]

    @engine.tool(name="inbox", effect="read")
    def inbox() -> list[dict[str, str]]:
        return [{"id": f"M-{next(numbers)}"} for _ in range(length[0])]

    @engine.tool(name="archive")
    def archive(id: str) -> None:
        taken.append(id)

    def agent(task: str) -> None:
        mails = inbox()
        archive(mails[0]["id"])
        archive(mails[-1]["id"])

    engine.set_agent(agent)
    for length[0] in (3, 4, 5, 6):
        assert not engine("tidy up")  # The agent may have gone through a list, and left out what is in the middle.
    assert len(taken) == len(set(taken)) == 8
