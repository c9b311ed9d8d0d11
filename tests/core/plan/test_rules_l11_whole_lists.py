"""L11: a loop over a whole list is replayed for lists of another length, and declared with each()."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from list_shop import TASK, ListShop
from muscle_mem import Check, Engine, InvalidTypeError, InvalidValueError, Reason, Secret, each

EACH = {"order_id": each("list_orders", "orders", "id", where={"status": "pending"})}


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9])
def test_l11_two_lists_of_different_lengths_teach_a_loop(count: int) -> None:
    shop = ListShop().teach(1, 3)
    outcome = shop.run(count)
    assert (outcome.status, outcome.steps) == ("hit", count + 1)
    assert shop.shipped == shop.wanted()
    assert shop.asked == 2


@pytest.mark.parametrize("counts", [(3,), (3, 3), (1, 2), (1, 1), (0, 3)])
def test_l11_without_two_lengths_one_of_three_or_more_the_agent_does_it(counts: tuple[int, ...]) -> None:
    shop = ListShop().teach(*counts)
    assert shop.run(4).status == "diverged"
    assert shop.shipped == shop.wanted()


def test_l11_a_second_process_learns_the_same_from_the_store(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    ListShop(store=str(path)).teach(1, 3).engine.close()
    shop = ListShop(store=str(path))
    first = shop.run(5)
    assert first.status == "hit"
    assert shop.shipped == shop.wanted()
    shop.engine.report_bad(first.trajectory_id)
    assert shop.run(5).status == "diverged"  # the verdict is stored under the id of the loop
    shop.engine.close()
    again = ListShop(store=str(path))
    assert again.run(4).status == "diverged"
    again.engine.report_good(first.trajectory_id)
    assert again.run(6).status == "hit"
    again.engine.close()


FORMS: dict[str, tuple[Callable[[list[Any]], Any], Callable[[Any], list[Any]]]] = {
    "a list": (lambda orders: orders, lambda output: output),
    "json": (lambda orders: json.dumps({"orders": orders}), lambda output: json.loads(output)["orders"]),
    "mcp": (
        lambda orders: {"content": [{"type": "text", "text": json.dumps({"orders": orders})}], "isError": False},
        lambda output: json.loads(output["content"][0]["text"])["orders"],
    ),
    "deep": (lambda orders: {"data": {"items": orders}}, lambda output: output["data"]["items"]),
    "a tuple": (lambda orders: {"orders": tuple(orders)}, lambda output: list(output["orders"])),
}


@pytest.mark.parametrize("form", FORMS)
def test_l11_the_list_may_stand_anywhere_in_an_output(form: str) -> None:
    wrap, unwrap = FORMS[form]
    shop = ListShop()
    lister = shop.engine.tool(name="list_all", effect="read")(lambda: wrap(shop.orders))

    def agent(task: str) -> None:
        for order in unwrap(lister()):
            shop.ship(order["id"])

    shop.agent = agent
    shop.teach(2, 3)
    assert shop.run(6).status == "hit"
    assert shop.shipped == shop.wanted()


@dataclasses.dataclass
class Order:
    id: str
    weight: int


def test_l11_elements_may_be_objects_that_are_passed_on() -> None:
    engine = Engine()
    stock: list[Order] = []
    shipped: list[str] = []
    list_orders = engine.tool(name="list_orders", effect="read")(lambda: list(stock))
    ship = engine.tool(name="ship")(lambda order: shipped.append(order.id))
    engine.set_agent(lambda task: [ship(order) for order in list_orders()] and None)
    for count in (2, 3, 5):
        stock[:] = [Order(f"ORD-{count}{at}71", at + 3) for at in range(count)]
        shipped.clear()
        outcome = engine(TASK)
        assert shipped == [order.id for order in stock]
    assert outcome.status == "hit"


def test_l11_elements_may_be_texts_or_numbers() -> None:
    shop = ListShop()
    shop.agent = lambda task: [shop.ship(id) for id in shop.list_orders()["orders"]] and None
    for ids in (["A-71001", "A-71002"], ["B-81003", "B-81004", "B-81005"], [f"C-9100{at}" for at in range(6)]):
        shop.orders = list(ids)
        outcome = shop.run()
        assert shop.shipped == ids
    assert outcome.status == "hit"


def test_l11_an_iteration_may_have_several_calls_that_read_each_other() -> None:
    shop = ListShop()
    label = shop.engine.tool(name="label", effect="write")(
        lambda order_id: {"label_id": f"LBL-{order_id[4:]}-{len(shop.shipped)}00"}
    )

    def agent(task: str) -> None:
        for order in shop.list_orders()["orders"]:
            shop.ship(label(order["id"])["label_id"])
        shop.report("all done")

    shop.agent = agent
    shop.teach(1, 3)
    assert shop.run(5).status == "hit"
    assert len(shop.shipped) == 5
    assert all(one.startswith("LBL-") for one in shop.shipped)
    assert shop.reports == ["all done"]


def test_l11_two_loops_follow_each_other() -> None:
    shop = ListShop()
    bill = shop.engine.tool(name="bill")(lambda order_id: shop.reports.append(order_id))

    def agent(task: str) -> None:
        orders = shop.list_orders()["orders"]
        for order in orders:
            shop.ship(order["id"])
        for order in orders:
            bill(order["id"])

    shop.agent = agent
    shop.teach(2, 3)
    outcome = shop.run(5)
    assert (outcome.status, outcome.steps) == ("hit", 11)
    assert shop.shipped == shop.wanted() == shop.reports


def test_l11_what_comes_behind_a_loop_may_vary_and_is_then_asked_of_the_agent() -> None:
    shop = ListShop()
    handed: list[Any] = []

    def agent(task: str, handover: Any = None) -> None:
        orders = handover.executed[0].result["orders"] if handover else shop.list_orders()["orders"]
        handed.append(handover)
        for order in orders if handover is None else orders[len(handover.executed) - 1 :]:
            shop.ship(order["id"])
        shop.report(f"{len(orders)} orders")

    shop.engine.set_agent(agent)
    shop.teach(2, 3)
    outcome = shop.run(5)
    assert (outcome.status, outcome.reason) == ("diverged", Reason.VALUE_VARIES)
    assert shop.shipped == shop.wanted()
    assert shop.reports == ["5 orders"]
    assert len(handed[-1].executed) == 6


# -- whole lists


CUT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "next": ({"next": None}, {"next": "c2"}),
    "absent": ({}, {"next_cursor": "c2"}),
    "has_more": ({"has_more": False}, {"has_more": True}),
    "empty": ({"cursor": ""}, {"cursor": "x"}),
}


@pytest.mark.parametrize("kind", CUT)
def test_l11_a_list_that_goes_on_is_not_gone_through(kind: str) -> None:
    shop = ListShop()
    shop.beside, now = CUT[kind]
    shop.teach(1, 3)
    shop.beside = now
    outcome = shop.run(5)
    assert (outcome.status, outcome.reason) == ("diverged", Reason.LOOP_UNCLEAR)
    shop.beside, _ = CUT[kind]
    assert ListShop().teach(1, 3).run(5).status == "hit"


def test_l11_a_list_that_is_shorter_than_its_total_is_not_gone_through() -> None:
    shop = ListShop()
    for count in (1, 3):
        shop.beside = {"total": count}
        shop.teach(count)
    shop.beside = {"total": 4}
    assert shop.run(4, mode="frozen").status == "hit"
    shop.beside = {"total": 9}
    outcome = shop.run(4)
    assert (outcome.status, outcome.reason) == ("diverged", Reason.LOOP_UNCLEAR)
    assert "total is 9" in outcome.message


def test_l11_a_list_as_long_as_the_limit_is_not_gone_through() -> None:
    shop = ListShop()
    shop.agent = lambda task: [shop.ship(one["id"]) for one in shop.list_orders(limit=5)["orders"]] and None
    shop.teach(1, 3)
    assert shop.run(4, mode="frozen").status == "hit"
    outcome = shop.run(8)
    assert (outcome.status, outcome.reason) == ("diverged", Reason.LOOP_UNCLEAR)
    assert "the limit of the call" in outcome.message


def test_l11_an_empty_list_must_have_been_seen() -> None:
    shop = ListShop().teach(1, 3)
    assert shop.run(0).reason is Reason.LOOP_UNCLEAR
    assert shop.run(0).status == "hit"
    assert shop.run(4).status == "hit"
    assert shop.shipped == shop.wanted()


@pytest.mark.parametrize("has_other_words", [True, False])
def test_l11_what_was_said_of_an_empty_list_is_not_said_otherwise(has_other_words: bool) -> None:
    shop = ListShop()

    def agent(task: str) -> None:
        shop.ship_all(task)
        shop.report("nothing to do" if has_other_words and not shop.orders else "all done")

    shop.agent = agent
    shop.teach(0, 1, 3)
    outcome = shop.run(0, mode="frozen")
    assert shop.reports == ["nothing to do" if has_other_words else "all done"]
    assert (outcome.status == "hit") == (not has_other_words)
    assert shop.run(5, mode="frozen").status == "hit"
    assert (shop.shipped, shop.reports) == (shop.wanted(), ["all done"])


def test_l11_a_list_is_at_most_three_times_as_long_as_the_longest() -> None:
    shop = ListShop().teach(1, 3)
    assert shop.run(10, mode="frozen").reason is Reason.LOOP_UNCLEAR
    assert shop.run(9, mode="frozen").status == "hit"


def test_l11_a_number_in_the_task_may_be_how_many_are_wanted() -> None:
    shop = ListShop()
    task = "ship the first five orders"
    shop.agent = lambda task: [shop.ship(one["id"]) for one in shop.list_orders()["orders"][:5]] and None
    for count in (2, 4):
        shop.stock(count)
        shop.engine(task)
    shop.stock(5)
    assert shop.engine(task, mode="frozen").status == "hit"
    shop.stock(7)
    shop.shipped.clear()
    outcome = shop.engine(task)
    assert (outcome.status, outcome.reason) == ("diverged", Reason.LOOP_UNCLEAR)
    assert len(shop.shipped) == 5


def test_l11_a_recording_that_leaves_out_elements_prevents_the_loop() -> None:
    shop = ListShop()
    shop.teach(1, 3)
    shop.agent = lambda task: [shop.ship(one["id"]) for one in shop.list_orders()["orders"][:2]] and None
    shop.teach(4)
    shop.agent = shop.ship_all
    assert shop.run(5).status == "diverged"
    assert shop.run(6).status == "diverged"


# -- elements


ELEMENTS: dict[str, tuple[list[Any], str]] = {
    "equal": ([{"id": "ORD-9001"}, {"id": "ORD-9002"}, {"id": "ORD-9001"}], "equal to an earlier one"),
    "another type": ([{"id": "ORD-9001"}, {"id": 9002}], "where the recorded ones had str"),
    "a missing field": ([{"id": "ORD-9001"}, {"number": "ORD-9002"}], "element 2 of 2"),
    "None": ([{"id": "ORD-9001"}, {"id": None}], "None"),
    "no record": ([{"id": "ORD-9001"}, 7], "element 2 of 2"),
    "another status": ([{"id": "ORD-9001", "status": "open"}, {"id": "ORD-9002", "status": "shipped"}], "'shipped'"),
    "a flag": ([{"id": "ORD-9001"}, {"id": "ORD-9002", "cancelled": True}], "True"),
}


@pytest.mark.parametrize("kind", ELEMENTS)
def test_l11_an_element_unlike_the_recorded_ones_stops_the_loop(kind: str) -> None:
    orders, told = ELEMENTS[kind]
    shop = ListShop()
    shop.teach(1, 3, fields={"status": "open"} if kind == "another status" else None)
    shop.orders = orders
    shop.agent = lambda task: None
    outcome = shop.run()
    assert (outcome.status, outcome.reason) == ("diverged", Reason.LOOP_UNCLEAR)
    assert told.replace("element 2 of 2", "orders[1]") in outcome.message or told in outcome.message
    assert len(shop.shipped) <= 1
    assert 9002 not in shop.shipped


def test_l11_equal_elements_teach_nothing() -> None:
    shop = ListShop()
    for ids in (["ORD-9001"], ["ORD-9002", "ORD-9002", "ORD-9002"]):
        shop.orders = [{"id": id} for id in ids]
        shop.run(mode="record")
    assert shop.run(4).status == "diverged"


def test_l11_a_secret_element_teaches_nothing_and_is_not_passed_on() -> None:
    shop = ListShop()
    secret = Secret("hunter2-hunter2")
    for count in (2, 3):
        shop.stock(count)
        shop.orders[0]["id"] = secret.value
        shop.engine(TASK, params={"password": secret})
    shop.stock(5)
    assert shop.engine(TASK, params={"password": secret}).status != "hit"


def test_l11_a_constant_that_all_elements_had_must_be_theirs() -> None:
    shop = ListShop()
    move = shop.engine.tool(name="move")(lambda order_id, currency: shop.shipped.append((order_id, currency)))
    shop.agent = lambda task: [move(one["id"], one["currency"]) for one in shop.list_orders()["orders"]] and None
    shop.teach(1, 3, fields={"currency": "EUR"})
    assert shop.run(4, fields={"currency": "EUR"}, mode="frozen").status == "hit"
    outcome = shop.run(2, fields={"currency": "USD"})
    assert outcome.status == "diverged"
    assert [currency for _, currency in shop.shipped] == ["USD", "USD"]


def test_l11_the_list_is_read_once() -> None:
    shop = ListShop(mutable=True)
    shop.answer = lambda order_id: shop.orders.pop(0) and None
    shop.agent = lambda task: [shop.ship(one["id"]) for one in list(shop.list_orders()["orders"])] and None
    shop.mutable = False
    shop.teach(1, 3)
    shop.mutable = True  # the tool returns the list itself, from which `ship` takes each order
    ids = shop.stock(4)
    outcome = shop.run()
    assert outcome.status == "hit"
    assert shop.shipped == ids
    assert shop.orders == []


def test_l11_nested_lists_are_not_learned() -> None:
    shop = ListShop()

    def agent(task: str) -> None:
        for order in shop.list_orders()["orders"]:
            for line in order["lines"]:
                shop.ship(line)

    shop.agent = agent
    for counts in ((1, 1), (1, 1, 1), (2, 1, 3)):
        shop.orders = [
            {"id": f"ORD-{next(shop.ids)}", "lines": [f"L-{next(shop.ids)}" for _ in range(n)]} for n in counts
        ]
        outcome = shop.run()
        assert outcome.status != "hit"
        assert shop.shipped == [line for order in shop.orders for line in order["lines"]]


def test_l11_a_thousand_elements() -> None:
    shop = ListShop()
    shop.agent = lambda task: [shop.ship(id) for id in shop.list_orders()["orders"]] and None
    for count in (2, 400, 1000):
        shop.orders = [f"ORD-{next(shop.ids)}" for _ in range(count)]
        outcome = shop.run(mode="auto" if count == 1000 else "record")
        assert shop.shipped == shop.orders
    assert (outcome.status, outcome.steps) == ("hit", 1001)


def test_l11_without_learned_flows_nothing_is_learned() -> None:
    shop = ListShop(learn_flows=False).teach(1, 3)
    assert shop.run(4).status == "diverged"


# -- declared


def pending(shop: ListShop, *states: str) -> list[str]:
    shop.orders = [{"id": f"ORD-{next(shop.ids)}", "status": state} for state in states]
    return [order["id"] for order in shop.orders if order["status"] == "pending"]


def ship_pending(shop: ListShop) -> Callable[[str], None]:
    def agent(task: str) -> None:
        for order in shop.list_orders()["orders"]:
            if order["status"] == "pending":
                shop.ship(order["id"])

    return agent


@pytest.mark.parametrize("states", ["pending", "", "paid", "paid pending pending new", "pending " * 40])
def test_l11_a_declared_loop_acts_from_one_recording(states: str) -> None:
    shop = ListShop(flows=EACH)
    shop.agent = ship_pending(shop)
    pending(shop, "pending", "paid")
    shop.run()
    wanted = pending(shop, *states.split())
    outcome = shop.run()
    assert (outcome.status, shop.shipped) == ("hit", wanted)


def test_l11_a_run_that_does_otherwise_than_declared_is_not_learned() -> None:
    shop = ListShop(flows=EACH)
    pending(shop, "pending", "paid")
    outcome = shop.run()  # it ships the paid one as well
    assert outcome.not_learned is Reason.FLOW_MISMATCH
    shop.agent = lambda task: shop.ship("ORD-1")
    assert shop.run().not_learned is Reason.FLOW_MISMATCH


def test_l11_a_declared_list_that_goes_on_stops_the_loop() -> None:
    shop = ListShop(flows=EACH)
    shop.agent = ship_pending(shop)
    pending(shop, "pending", "paid")
    shop.run()
    shop.beside = {"next": "page 2"}
    pending(shop, "pending", "pending")
    assert shop.run().reason is Reason.LOOP_UNCLEAR


def moving_shop(*, reports: bool) -> ListShop:
    shop = ListShop()
    shop.beside = {"carrier": "Parcel One"}
    move = shop.engine.tool(name="move", flows={"order_id": each("list_orders", "orders", "id")})(
        lambda order_id, carrier: shop.shipped.append((order_id, carrier)) or {"receipt": f"R-{next(shop.ids)}"}
    )

    def agent(task: str) -> None:
        output = shop.list_orders()
        receipts = [move(one["id"], output["carrier"])["receipt"] for one in output["orders"]]
        if reports:
            shop.report(receipts[-1])

    shop.agent = agent
    return shop.teach(2)


def test_l11_a_value_beside_a_declared_list_is_guarded() -> None:
    shop = moving_shop(reports=False)
    assert shop.run(3, mode="frozen").status == "hit"
    shop.beside = {"carrier": "Other Mail"}
    assert shop.run(3, mode="frozen").status == "diverged"
    assert {carrier for _, carrier in shop.shipped} == {"Other Mail"}


def test_l11_a_value_that_one_recording_took_from_an_iteration_is_not_sent_again() -> None:
    shop = moving_shop(reports=True)
    recorded = shop.reports[0]
    assert shop.run(3, mode="frozen").status == "diverged"
    assert shop.reports != [recorded]
    assert len(shop.reports) == 1


def test_l11_a_total_that_one_recording_computed_from_iterations_is_not_sent_again() -> None:
    shop = ListShop(flows={"order_id": each("list_orders", "orders", "id")})
    shop.answer = lambda order_id: {"cents": int(order_id[4:])}
    pay = shop.engine.tool(name="pay")(lambda cents: shop.reports.append(cents))

    def agent(task: str) -> None:
        pay(sum(shop.ship(one["id"])["cents"] for one in shop.list_orders()["orders"]))

    shop.agent = agent
    shop.teach(2)
    assert shop.run(3, mode="frozen").status == "diverged"
    assert shop.reports == [sum(int(one[4:]) for one in shop.wanted())]


WRONG: dict[str, tuple[Callable[[], Any], type[Exception]]] = {
    "no tool": (lambda: each(7), InvalidTypeError),  # type: ignore[arg-type]
    "a position": (lambda: each("list_orders", 0), InvalidTypeError),  # type: ignore[arg-type]
    "an empty name": (lambda: each("list_orders", ""), InvalidValueError),
    "a condition": (lambda: each("list_orders", where=["status"]), InvalidTypeError),  # type: ignore[arg-type]
    "a value": (lambda: each("list_orders", where={"status": ["open"]}), InvalidTypeError),
    "an argument": (lambda: ListShop(flows={"id": each("list_orders", "id")}), InvalidValueError),
}


@pytest.mark.parametrize("kind", WRONG)
def test_l11_each_refuses_what_it_cannot_mean(kind: str) -> None:
    make, error = WRONG[kind]
    with pytest.raises(error):
        make()


def test_l11_each_shows_itself() -> None:
    assert repr(EACH["order_id"]) == "each('list_orders', 'orders', 'id', where={'status': 'pending'})"
    assert repr(each("ids")) == "each('ids')"


# -- shown


def test_l11_explain_shows_the_loop() -> None:
    shop = ListShop().teach(1, 3)
    shop.stock(2)
    found = shop.engine.explain(TASK)
    assert found
    assert "list_orders" in str(found.plan[0])
    (loop,) = found.loops
    assert str(loop) == "for each of list_orders().orders (1, 3 elements): ship(order_id = .id)"
    assert str(loop) in str(found)
    assert (loop.recordings, loop.is_declared) == (2, False)


# -- provenance


@pytest.mark.parametrize("kind", ["sink", "irreversible", "neither"])
def test_p4_an_element_of_an_untrusted_list_is_not_carried_to_a_sink_or_an_irreversible_step(kind: str) -> None:
    engine = Engine()
    orders: list[str] = []
    done: list[str] = []
    list_orders = engine.tool(name="list_orders", effect="read", trusted=False)(lambda: [{"id": id} for id in orders])
    ship = engine.tool(
        name="ship",
        effect="irreversible" if kind == "irreversible" else "write",
        sink=["order_id"] if kind == "sink" else [],
        pre_check=Check(lambda order_id: "open"),
    )(lambda order_id: done.append(order_id))
    engine.set_agent(lambda task: [ship(one["id"]) for one in list_orders()] and None)
    for count in (2, 3):
        orders[:] = [f"ORD-{count}{at}771" for at in range(count)]
        engine.report_good(engine(TASK, mode="record").trajectory_id or "")
    orders[:] = [f"ORD-{at}7719" for at in range(4)]
    done.clear()
    outcome = engine(TASK)
    assert (outcome.status == "hit") == (kind == "neither")
    assert done == orders


def test_l2_a_recording_that_was_reported_bad_is_no_parent() -> None:
    shop = ListShop()
    outcomes = [shop.run(count, mode="record") for count in (1, 3)]
    assert shop.run(4, mode="frozen").status == "hit"
    shop.engine.report_bad(outcomes[1].trajectory_id or "")
    assert shop.run(4).status == "diverged"


def test_l2_of_many_lengths_a_bounded_number_is_kept() -> None:
    shop = ListShop().teach(*range(1, 14))
    (loop,) = shop.engine.explain(TASK).loops
    assert len(loop.lengths) <= 8
    assert {1, 13} <= set(loop.lengths)
    assert shop.run(20, mode="frozen").status == "hit"


@pytest.mark.parametrize("more", [3, 250], ids=["small", "computed"])
def test_l11_a_doubt_behind_what_a_loop_reads_names_the_argument(more: int) -> None:
    engine = Engine()
    orders: list[dict[str, Any]] = []
    shipped: list[tuple[Any, ...]] = []
    listed = engine.tool(effect="read", name="listed")(lambda: list(orders))
    ship = engine.tool(effect="write", name="ship")(lambda order_id, days: shipped.append((order_id, days)))
    given = {"n": 3}
    engine.set_agent(lambda task: [ship(one["id"], days=more * given["n"] // 3) for one in listed()] and None)
    for count in (2, 4):
        orders[:] = [{"id": f"K-{7000 + 13 * at + count}"} for at in range(count)]
        engine("ship all", params=given)
    assert engine("ship all", params=given)
    given["n"] = 9
    shipped.clear()
    outcome = engine("ship all", params=given)
    assert outcome.status != "hit"
    assert shipped == [(one["id"], 3 * more) for one in orders]
    found = engine.explain("ship all", params={"n": 6})
    assert "days" in str(found)
