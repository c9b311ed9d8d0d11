"""L13: checks, approvals, hand-over, absorption and counts of the iterations of a loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from list_shop import TASK, ListShop
from muscle_mem import AskAgent, Call, Check, Diverged, Engine, Finished, Handover, Outcome, Reason


def test_l13_each_iteration_is_checked_right_before_its_call() -> None:
    shop = ListShop()
    log: list[Any] = []
    page = {"open": True}

    def capture(order_id: str) -> bool:
        log.append(("check", order_id))
        return page["open"]

    shop = ListShop(check=Check(capture))
    shop.answer = lambda order_id: log.append(("ship", order_id))
    shop.teach(1, 3)
    log.clear()
    assert shop.run(4).status == "hit"
    assert log == [(what, id) for id in shop.wanted() for what in ("check", "ship")]


def test_l13_a_check_that_refuses_stops_the_loop() -> None:
    closed: set[str] = set()
    shop = ListShop(check=Check(lambda order_id: order_id not in closed)).teach(1, 3)
    ids = shop.stock(5)
    closed.add(ids[2])
    shop.agent = lambda task: [shop.ship(id) for id in ids if id not in closed] and None
    outcome = shop.run()
    assert (outcome.status, outcome.reason, outcome.steps) == ("diverged", Reason.CHECK_REFUSED, 3)
    assert shop.shipped == [ids[0], ids[1], ids[3], ids[4]]
    shop.agent = shop.ship_all
    assert shop.run(4).status == "hit"  # it stopped for a check, which is no choice of the agent


def test_l13_snapshots_of_all_recorded_iterations_are_known() -> None:
    desk = {"tray": "left"}
    trays: list[str] = []
    shop = ListShop(check=Check(lambda order_id: desk["tray"]))

    def answer(order_id: str) -> None:
        desk["tray"] = trays.pop(0)

    shop.answer = answer
    for count, given in ((1, ["left"]), (3, ["right", "left", "left"])):
        trays[:] = given
        desk["tray"] = "left"
        shop.teach(count)
    trays[:] = ["right", "right", "left", "right"]
    desk["tray"] = "left"
    assert shop.run(4, mode="frozen").status == "hit"
    trays[:] = ["right", "floor", "left", "right"]
    desk["tray"] = "left"
    outcome = shop.run(4, mode="frozen")
    assert (outcome.status, outcome.reason, outcome.steps) == ("diverged", Reason.CHECK_REFUSED, 3)


def test_l13_snapshots_of_iterations_are_not_mixed() -> None:
    """Recorded were open and light, shut and dark; open and dark is neither."""
    room = {"door": "open", "lamp": "light"}
    shop = ListShop(check=Check(lambda order_id: room["door"]))
    pack = shop.engine.tool(name="pack", pre_check=Check(lambda order_id: room["lamp"]))(lambda order_id: None)
    ways: list[tuple[str, str]] = []

    def agent(task: str) -> None:
        for order, (room["door"], room["lamp"]) in zip(shop.list_orders()["orders"], ways, strict=False):
            shop.ship(order["id"])
            pack(order["id"])

    shop.agent = agent
    ways[:] = [("open", "light"), ("shut", "dark"), ("open", "light")]
    shop.teach(1, 3)
    shop.agent = lambda task: None
    room.update(door="shut", lamp="dark")
    assert shop.run(4, mode="frozen").status == "hit"
    room.update(door="open", lamp="dark")
    outcome = shop.run(4, mode="frozen")
    assert (outcome.status, outcome.reason, outcome.steps) == ("diverged", Reason.CHECK_REFUSED, 2)


def test_l13_the_handover_has_the_calls_the_list_and_what_is_left() -> None:
    shop = ListShop()
    seen: list[Handover | None] = []

    def agent(task: str, handover: Handover | None = None) -> None:
        seen.append(handover)
        if handover is None:
            shop.ship_all(task)
            return
        done = [step.args[0] for step in handover.executed[1:] if step.error is None]
        for order in handover.executed[0].result["orders"]:
            if order["id"] not in done:
                shop.ship(order["id"])

    shop.engine.set_agent(agent)
    shop.teach(1, 3)
    ids = shop.stock(5)
    failing = [ids[2]]

    def answer(order_id: str) -> Any:
        if order_id in failing:
            failing.remove(order_id)
            raise RuntimeError("out of labels")
        return {"ok": True}

    shop.answer = answer
    outcome = shop.run()
    handover = seen[-1]
    assert handover is not None
    assert (outcome.status, outcome.reason) == ("diverged", Reason.TOOL_RAISED)
    assert [step.args for step in handover.executed[1:]] == [(id,) for id in ids[:3]]
    assert [order["id"] for order in handover.executed[0].result["orders"]] == ids
    assert [str(step) for step in handover.remaining] == [f"ship(order_id={id!r})" for id in ids[3:]]
    assert shop.shipped == [*ids[:3], ids[2], *ids[3:]]


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]])
def test_l13_a_restarted_agent_may_repeat_the_iterations_in_any_order(order: list[int]) -> None:
    closed: set[str] = set()
    shop = ListShop(check=Check(lambda order_id: order_id not in closed)).teach(1, 3)
    ids = shop.stock(5)
    closed.add(ids[3])

    def agent(task: str) -> None:
        closed.clear()
        found = shop.list_orders()["orders"]
        for at in order:
            shop.ship(found[at]["id"])

    shop.agent = agent
    outcome = shop.run()
    assert outcome.status == "diverged"
    assert sorted(shop.shipped) == sorted(ids)  # nothing twice
    assert outcome.learned


def test_l13_approvals_name_the_element_and_the_count() -> None:
    asked: list[Any] = []

    def approve(step: Any, element: int | None, count: int | None) -> bool:
        asked.append((step.arguments["order_id"], element, count))
        return element != 4

    shop = ListShop(effect="irreversible", check=Check(lambda order_id: "here"), approve=approve)
    shop.engine.set_agent(lambda task, handover=None: None if handover else shop.ship_all(task))
    shop.teach(1, 3)
    outcome = shop.run(5)
    ids = shop.wanted()
    assert (outcome.status, outcome.reason, outcome.steps) == ("diverged", Reason.NOT_APPROVED, 4)
    assert asked == [(id, at, 5) for at, id in enumerate(ids[:4], 1)]
    assert "for element 4 of 5" in outcome.message
    assert shop.shipped == ids[:3]


def test_l13_an_approval_may_be_for_the_whole_loop() -> None:
    asked: list[Any] = []

    def approve(element: int | None, count: int | None) -> Any:
        asked.append((element, count))
        return "whole loop"

    shop = ListShop(effect="irreversible", check=Check(lambda order_id: "here"), approve=approve).teach(1, 3)
    assert shop.run(6).status == "hit"
    assert asked == [(1, 6)]


def test_l13_a_failure_counts_once_against_the_loop_and_not_its_recordings() -> None:
    shop = ListShop(post_check=Check(lambda order_id: shop.answer(order_id) is not False))
    shop.teach(1, 3)
    shop.answer = lambda order_id: False
    loop = shop.run(4)
    assert (loop.status, loop.reason) == ("diverged", Reason.POST_CHECK_REFUSED)
    shop.answer = lambda order_id: {"ok": True}
    states = {one.trajectory_id: one.state for one in shop.engine.explain(TASK).considered}
    assert states.pop(loop.trajectory_id or "") == "quarantined"
    assert set(states.values()) == {"fresh"}


def test_l13_a_run_that_stopped_in_a_loop_proves_no_length() -> None:
    closed: set[str] = set()
    shop = ListShop(check=Check(lambda order_id: order_id not in closed)).teach(2, 3)
    ids = shop.stock(8)
    closed.add(ids[4])

    def agent(task: str) -> None:
        closed.clear()
        shop.ship_all(task)

    shop.agent = agent
    assert shop.run().learned
    assert shop.shipped.count(ids[4]) == 1
    (loop,) = shop.engine.explain(TASK).loops
    assert loop.lengths == (2, 3, 8)
    assert shop.run(10, mode="frozen").reason is Reason.LOOP_UNCLEAR  # three times three, not three times eight


def test_l13_iterations_that_overlapped_are_replayed_one_after_the_other() -> None:
    shop = ListShop()
    running = [0, 0]
    barrier: list[threading.Barrier] = []

    def answer(order_id: str) -> dict[str, bool]:
        running[0] += 1
        running[1] = max(running)
        if barrier:
            barrier[0].wait(5)
        running[0] -= 1
        return {"ok": True}

    shop.answer = answer

    def agent(task: str) -> None:
        orders = shop.list_orders()["orders"]
        barrier[:] = [threading.Barrier(len(orders))]
        threads = [threading.Thread(target=shop.engine.bind(shop.ship), args=(order["id"],)) for order in orders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    shop.agent = agent
    shop.teach(2, 3)
    barrier.clear()
    running[:] = [0, 0]
    outcome = shop.run(5)
    assert (outcome.status, outcome.steps, running[1]) in [("hit", 6, 1), ("diverged", 1, running[1])]
    assert sorted(shop.shipped) == sorted(shop.wanted())


def test_l13_an_iteration_has_its_own_idempotency_key() -> None:
    from muscle_mem import current_run

    shop = ListShop()
    keys: list[Any] = []
    shop.answer = lambda order_id: keys.append(getattr(current_run(), "idempotency_key", None))
    shop.teach(1, 3)
    keys.clear()
    assert shop.run(5).status == "hit"
    assert len(set(keys)) == 5


def test_l13_a_cancelled_loop_leaves_the_engine_usable() -> None:
    shop = ListShop().teach(1, 3)

    def answer(order_id: str) -> Any:
        if order_id == shop.wanted()[2]:
            raise KeyboardInterrupt
        return {"ok": True}

    shop.answer = answer
    with pytest.raises(KeyboardInterrupt):
        shop.run(5)
    assert len(shop.shipped) == 3
    shop.answer = lambda order_id: {"ok": True}
    assert shop.run(4).status == "hit"


def test_l13_a_loop_within_a_parallel_group_is_not_folded() -> None:
    shop = ListShop()
    note = shop.engine.tool(name="note", effect="write")(lambda text: barrier.wait(5) and None)
    barrier = threading.Barrier(2)

    def agent(task: str) -> None:
        orders = shop.list_orders()["orders"]
        barrier.reset()
        beside = threading.Thread(target=shop.engine.bind(note), args=("working",))
        beside.start()
        for order in orders:
            shop.ship(order["id"])
        barrier.wait(5)
        beside.join()

    shop.agent = agent
    shop.teach(2, 3)
    assert not shop.engine.explain(TASK).loops


def test_l13_an_async_run_works_through_the_list() -> None:
    engine = Engine()
    orders: list[str] = []
    shipped: list[str] = []

    @engine.tool(effect="read")
    async def list_orders() -> list[str]:
        return list(orders)

    @engine.tool
    async def ship(order_id: str) -> None:
        shipped.append(order_id)

    async def agent(task: str) -> None:
        for order in await list_orders():
            await ship(order)

    engine.set_agent(agent)
    for count in (2, 3, 6):
        orders[:] = [f"ORD-{count}{at}001" for at in range(count)]
        shipped.clear()
        outcome = asyncio.run(engine.acall(TASK))
        assert shipped == orders
    assert outcome.status == "hit"


def test_l13_a_replay_never_asks_the_agent_with_mode_replay() -> None:
    shop = ListShop().teach(1, 3)
    assert shop.run(5, mode="replay").status == "hit"
    with pytest.raises(Diverged):
        shop.run(30, mode="replay")
    assert shop.asked == 2


def test_l13_a_shadow_run_leaves_the_work_to_the_agent() -> None:
    shop = ListShop().teach(1, 3)
    outcome = shop.run(5, mode="shadow")
    assert (outcome.status, shop.asked) == ("miss", 3)
    assert shop.shipped == shop.wanted()


def test_l13_what_a_run_without_a_handover_must_not_begin_is_left_to_the_agent() -> None:
    """The report behind the loop differs, so the replay would stop after the orders were shipped."""
    shop = ListShop()

    def agent(task: str) -> None:
        orders = shop.list_orders()["orders"]
        for order in orders:
            shop.ship(order["id"])
        shop.report(f"{len(orders)} orders")

    shop.agent = agent
    shop.teach(2, 3)
    outcome = shop.run(5)
    assert outcome.status != "hit"
    assert shop.shipped == shop.wanted()
    assert shop.reports == ["5 orders"]
    assert outcome.steps <= 1


def through_session(shop: ListShop, refused: str = "") -> tuple[Outcome, list[Any]]:
    """Run the task in a session, whose model has nothing to add; a person may refuse an order."""
    handed: list[Any] = []
    with shop.engine.session(TASK) as session:
        while True:
            match session.next():
                case Call() as call:
                    if refused and call.arguments.get("order_id") == refused:
                        session.refused(call, "not this one")
                        continue
                    handed.append(call.arguments.get("order_id"))
                    session.done(call, getattr(shop, call.name)(**call.arguments))
                case AskAgent():
                    session.said([])
                case Finished(outcome=outcome):
                    return outcome, handed
                case other:
                    raise AssertionError(other)


def test_l13_a_session_hands_out_the_calls_of_each_element() -> None:
    shop = ListShop().teach(1, 3)
    ids = shop.stock(5)
    outcome, handed = through_session(shop)
    assert (outcome.status, handed) == ("hit", [None, *ids])


def test_l13_an_element_that_a_person_refuses_stops_the_loop() -> None:
    shop = ListShop().teach(1, 3)
    ids = shop.stock(5)
    outcome, handed = through_session(shop, refused=ids[2])
    assert (outcome.status, outcome.reason) == ("diverged", Reason.REFUSED_BY_PERSON)
    assert handed == [None, *ids[:2]]
    ids = shop.stock(4)
    assert through_session(shop)[0].status == "hit"  # a person's no does not count against the loop


def test_l13_an_optional_call_of_an_iteration_is_not_skipped() -> None:
    shop = ListShop()
    pop_up = {"shown": True}
    close = shop.engine.tool(name="close", optional=True, pre_check=Check(lambda order_id: pop_up["shown"]))(
        lambda order_id: None
    )
    send = shop.engine.tool(name="send", pre_check=Check(lambda order_id: "desk"))(
        lambda order_id: shop.shipped.append(order_id)
    )

    def agent(task: str) -> None:
        for order in shop.list_orders()["orders"]:
            if pop_up["shown"]:
                close(order["id"])
            send(order["id"])

    shop.agent = agent
    shop.teach(2, 3)
    assert shop.run(5, mode="frozen").status == "hit"
    pop_up["shown"] = False
    outcome = shop.run(6, mode="frozen")
    assert (outcome.status, outcome.reason) == ("diverged", Reason.CHECK_REFUSED)
    assert shop.shipped == shop.wanted()


@pytest.mark.parametrize("count", [3, 5])
def test_l13_what_may_be_computed_behind_a_loop_is_named_with_its_call(count: int) -> None:
    engine, rows = Engine(), list[str]()
    listing = engine.tool(name="listing", effect="read")(lambda: {"items": [{"title": title} for title in rows]})
    send = engine.tool(name="send")(lambda to, text: None)
    order = engine.tool(name="order")(lambda item_id, qty: None)

    def agent(task: str, n: int) -> None:
        for row in listing()["items"]:
            send(row["title"].upper(), f"{n} pieces")
        order("chairs", 1290.5)

    engine.set_agent(agent)
    titles = ["oak desk", "elm chair", "ash tray", "fir tree", "yew bow"]
    for rows[:] in (titles[:2], titles[:count]):
        assert engine("order them", 150, params={"n": 150}).learned
    rows[:] = [*titles[:2], "box tray"]
    outcome = engine("order them", 175, params={"n": 175})
    assert outcome.reason == Reason.UNCONFIRMED
    assert f"argument 'qty' of order (step {count + 1})" in outcome.message
