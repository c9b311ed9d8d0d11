"""L1: learned references in groups, threads, sessions, contexts, nested engines and all modes."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.support.fresh_ids import TASK, Desk, numbers

from muscle_mem import (
    Answered,
    AskAgent,
    Call,
    Check,
    Diverged,
    Engine,
    Finished,
    Handover,
    Missed,
    Outcome,
    Reason,
    Secret,
)
from muscle_mem.store import MemoryStore

Agent = Callable[..., Awaitable[None]]


class AsyncDesk:
    """Orders that are created, logged and paid in calls that overlap."""

    def __init__(self, shape: str) -> None:
        self.created: list[int] = []
        self.paid: list[int] = []
        self.engine = Engine(MemoryStore())
        ids = numbers()

        @self.engine.tool(name="create_order")
        async def create_order(item: str) -> dict[str, Any]:
            self.created.append(next(ids))
            made = {"order_id": self.created[-1], "item": item}
            await asyncio.sleep(0)
            return made

        @self.engine.tool(name="log")
        async def log(text: str) -> None:
            for _ in range(10 if shape == "late" else 1):
                await asyncio.sleep(0)

        @self.engine.tool(name="pay")
        async def pay(order_id: int, item: str) -> None:
            await asyncio.sleep(0)
            self.paid.append(order_id)

        async def second_is_stale(task: str) -> None:
            order = await create_order("chair")
            await asyncio.gather(log("paying"), pay(order["order_id"], "chair"))

        async def first_is_stale(task: str) -> None:
            order = await create_order("chair")
            await asyncio.gather(pay(order["order_id"], "chair"), log("paying"))

        async def both_are_stale(task: str) -> None:
            one, two = await asyncio.gather(create_order("chair"), create_order("table"))
            await asyncio.gather(pay(one["order_id"], "chair"), pay(two["order_id"], "table"))

        async def late(task: str) -> None:
            async def order() -> None:
                await pay((await create_order("chair"))["order_id"], "chair")

            await asyncio.gather(log("ordering"), order())

        agents: dict[str, Agent] = {
            "second": second_is_stale,
            "first": first_is_stale,
            "both": both_are_stale,
            "late": late,
        }
        self.engine.set_agent(agents[shape])

    async def runs(self, count: int) -> list[Outcome]:
        return [await self.engine.acall(TASK) for _ in range(count)]


@pytest.mark.parametrize(("shape", "first_hit"), [("second", 3), ("first", 3), ("both", 3), ("late", 4)])
def test_l1_members_of_a_parallel_group_read_what_was_made_before_it(shape: str, first_hit: int) -> None:
    desk = AsyncDesk(shape)
    statuses = [outcome.status for outcome in asyncio.run(desk.runs(6))]
    assert statuses.index("hit") + 1 == first_hit
    assert set(statuses[first_hit:]) == {"hit"}
    assert sorted(desk.paid) == sorted(desk.created)


def test_l1_members_that_overlap_in_threads_read_what_was_made_before_them() -> None:
    desk, meets = Desk(), threading.Barrier(2)
    inside = [False]

    @desk.engine.tool(name="log")
    def log(text: str) -> None:
        if inside[0]:
            meets.wait(10)

    @desk.engine.tool(name="pay_together")
    def pay_together(order_id: int) -> None:
        if inside[0]:
            meets.wait(10)
        desk.paid.append(order_id)

    def agent(task: str) -> None:
        order = desk.create_order()
        inside[0] = True
        with ThreadPoolExecutor(2) as pool:
            calls = [lambda: log("paying"), lambda: pay_together(order["order_id"])]
            list(pool.map(lambda call: call(), map(desk.engine.bind, calls)))
        inside[0] = False

    desk.engine.set_agent(agent)
    assert desk.runs(5) == "mdhhh"
    assert desk.agreed


def test_l1_guards_of_a_group_are_found_again_for_what_a_generalized_trajectory_read() -> None:
    """The prefix that is stored after it has this run's values, so each of them needs its own guard."""
    engine, ids, page = Engine(MemoryStore()), numbers(), ["open"]
    created: list[int] = []
    paid: list[int] = []

    @engine.tool(name="create_order")
    async def create_order() -> dict[str, int]:
        created.append(next(ids))
        return {"order_id": created[-1]}

    @engine.tool(name="log")
    async def log(text: str) -> None:
        await asyncio.sleep(0)

    @engine.tool(name="pay")
    async def pay(order_id: int) -> None:
        await asyncio.sleep(0)
        paid.append(order_id)

    @engine.tool(Check(lambda *_: page[0]), name="ship")
    async def ship() -> None: ...

    async def agent(task: str, handover: Handover | None = None) -> None:
        done = [step.tool for step in handover.executed] if handover else []
        if "create_order" not in done:
            await create_order()
        if "pay" not in done:
            await asyncio.gather(log("paying"), pay(created[-1]))
        await ship()

    engine.set_agent(agent)

    async def story() -> list[Outcome]:
        outcomes = [await engine.acall(TASK) for _ in range(3)]
        page[0] = "busy"
        return [*outcomes, await engine.acall(TASK)]

    outcomes = asyncio.run(story())
    assert [outcome.reason for outcome in outcomes[2:]] == [Reason.HIT, Reason.CHECK_REFUSED]
    assert outcomes[3].learned
    library = engine._runtime.library
    found = library.find(next(iter(library.entries())).trajectories[0].sealed.key)
    newest = next(one for one in found.trajectories if one.id == outcomes[3].trajectory_id)
    (step,) = [step for step in newest.body.steps if step.tool == "pay"]
    assert [guard.step for guard in step.guards] == [0]
    assert paid == created


def test_l1_method_tools_act_on_the_context_object_of_the_run() -> None:
    engine, ids, paid = Engine(MemoryStore()), numbers(), []

    class Till:
        def __init__(self, name: str) -> None:
            self.name = name

        @engine.tool
        def create(self) -> dict[str, int]:
            return {"order_id": next(ids)}

        @engine.tool
        def pay(self, order_id: int) -> None:
            paid.append((self.name, order_id))

    def agent(task: str, till: Till) -> None:
        till.pay(till.create()["order_id"])

    engine.set_agent(agent)
    statuses = ""
    for name in ("north", "east", "south", "west"):
        till = Till(name)
        with engine.context(till):
            statuses += engine(TASK, till).status[0]
    assert statuses == "mdhh"
    assert paid == [("north", 1000), ("east", 1007), ("south", 1014), ("west", 1021)]


def test_l1_the_value_of_a_nested_engine_is_a_source() -> None:
    inner, desk = Engine(name="orders"), Desk()
    ids = numbers()

    @inner.tool(name="make")
    def make() -> dict[str, int]:
        desk.created.append(next(ids))
        return {"order_id": desk.created[-1]}

    inner.set_agent(lambda task: make())
    desk.engine.set_agent(lambda task: desk.pay(inner("make an order").value["order_id"]))
    statuses = desk.runs(6)
    assert statuses.startswith("md")
    assert statuses.endswith("hhh")
    assert desk.agreed


def test_l1_secrets_beside_references_are_those_of_the_run() -> None:
    desk = Desk()
    logins: list[str] = []

    @desk.engine.tool(name="pay_with")
    def pay_with(order_id: int, login: Secret[str]) -> None:
        desk.paid.append(order_id)
        logins.append(login.value)

    def agent(task: str, login: Secret[str]) -> None:
        pay_with(desk.create_order()["order_id"], login)

    desk.engine.set_agent(agent)
    given = [f"hunter-{number}-kestrel" for number in range(5)]
    statuses = "".join(desk.engine(TASK, Secret(login)).status[0] for login in given)
    assert statuses == "mdhhh"
    assert desk.agreed
    assert logins == given
    assert "kestrel" not in repr(desk.stored()) + repr(desk.stored(learned=True))


def test_l2_an_output_with_the_value_of_a_secret_is_no_source() -> None:
    desk = Desk()

    @desk.engine.tool(name="open_order")
    def open_order(login: Secret[str]) -> dict[str, Any]:
        return {"order_id": desk.create_order()["order_id"], "by": login.value}

    def agent(task: str, login: Secret[str]) -> None:
        desk.pay(open_order(login)["order_id"])

    desk.engine.set_agent(agent)
    assert "h" not in "".join(desk.engine(TASK, Secret("kestrel-77-x")).status[0] for _ in range(5))
    assert desk.agreed


SHAPES: dict[str, Callable[[int], Any]] = {
    "too large": lambda id: {"order_id": id, "rows": [f"row {number}" for number in range(3000)]},
    "opaque": lambda id: {"order_id": id, "lock": threading.Lock()},
}


@pytest.mark.parametrize("name", SHAPES)
def test_l2_an_output_that_is_not_stored_is_no_source(name: str) -> None:
    desk = Desk()
    desk.shape = SHAPES[name]
    assert "h" not in desk.runs(5)
    assert desk.agreed


@pytest.mark.parametrize("policy", ["auto", "continue"])
def test_l1_sessions_step_a_generalized_trajectory(policy: Any) -> None:
    desk = Desk(on_divergence=policy)
    tools = {"create_order": desk.create_order, "pay": desk.pay}

    def loop() -> Outcome:
        done: dict[str, Any] = {}
        with desk.engine.session(TASK) as session:
            while True:
                match session.next():
                    case Call() as call:
                        result = tools[call.tool](**call.arguments)
                        session.done(call, result)
                        if not call.replayed:
                            done[call.tool] = result
                    case AskAgent(handover=handover):
                        done |= {step.tool: step.result for step in (handover.executed if handover else ())}
                        wanted = [("create_order", {})] if not done else []
                        if "create_order" in done and "pay" not in done:
                            wanted = [("pay", {"order_id": done["create_order"]["order_id"]})]
                        session.said(wanted)
                    case Answered() as answer:
                        done[answer.tool] = answer.result
                    case Finished(outcome=outcome):
                        return outcome

    assert "".join(loop().status[0] for _ in range(5)) == "mdhhh"
    assert desk.agreed


def test_l1_shadow_runs_act_on_nothing_and_count_as_recordings() -> None:
    desk = Desk()
    outcomes = [desk.run(mode="shadow") for _ in range(3)]
    assert {outcome.status for outcome in outcomes} == {"miss"}
    assert desk.agreed
    assert desk.run()
    assert desk.run(mode="shadow").status == "miss"
    assert desk.run()
    assert desk.agreed


def test_l1_a_shadow_run_is_compared_with_what_several_recordings_prove() -> None:
    desk = Desk()
    first, second, third = [desk.run(mode="shadow").shadow for _ in range(3)]
    (record,) = desk.stored(learned=True)
    assert first is None
    assert second is not None
    assert not second.agreed
    assert third is not None
    assert (third.agreed, third.trajectory_id) == (True, record.sealed.id)
    desk.engine.set_agent(lambda task: desk.pay(desk.create_order()["order_id"] + 1))
    other = desk.run(mode="shadow").shadow
    assert other is not None
    assert (other.agreed, other.step) == (False, 1)
    (record,) = desk.stored(learned=True)
    assert (record.standing.agreed, record.standing.disagreed) == (1, 0)


def test_e11_a_shadow_run_is_compared_with_params_that_recordings_confirmed() -> None:
    engine, bought = Engine(MemoryStore()), []

    @engine.tool(name="buy")
    def buy(count: int) -> None:
        bought.append(count)

    agents = iter([lambda task, qty: buy(qty)] * 3 + [lambda task, qty: buy(qty + 1)])
    found = []
    for qty in (2, 3, 5, 7):
        engine.set_agent(next(agents))
        shadow = engine("buy", qty=qty, params={"qty": qty}, mode="shadow").shadow
        found.append(shadow and shadow.agreed)
    assert found == [None, None, True, False]
    assert bought == [2, 3, 5, 8]


def test_l1_replay_mode_hits_once_the_source_is_proven_and_never_asks_the_agent() -> None:
    desk = Desk()
    desk.run()
    with pytest.raises((Diverged, Missed)):
        desk.run(mode="replay")
    assert desk.paid == desk.created[:1]
    desk.run()
    assert [bool(desk.run(mode="replay")) for _ in range(2)] == [True, True]
    assert desk.paid[-2:] == desk.created[-2:]


def test_l1_frozen_hits_and_stores_nothing() -> None:
    desk = Desk()
    desk.runs(2)
    before = [(one.seq, one.standing.hits) for one in (*desk.stored(), *desk.stored(learned=True))]
    assert desk.runs(3, mode="frozen") == "hhh"
    desk.engine._runtime.library.flush()
    assert [(one.seq, one.standing.hits) for one in (*desk.stored(), *desk.stored(learned=True))] == before
    assert desk.agreed


@pytest.mark.parametrize("policy", ["absorb", "continue", "raise"])
def test_l1_every_policy_hits_and_pays_once_where_the_source_is_proven(policy: Any) -> None:
    desk = Desk()
    assert desk.runs(2) == "md"
    assert desk.runs(2, on_divergence=policy) == "hh"
    assert desk.agreed


def test_l1_recordings_of_the_agent_alone_prove_as_much() -> None:
    desk = Desk()
    assert desk.runs(2, mode="record") == "mm"
    assert desk.runs(2) == "hh"
    assert desk.agreed


def test_l10_a_rejected_hit_counts_against_the_generalized_trajectory_alone() -> None:
    desk = Desk()
    verdicts = itertools.chain([True] * 3, [False] * 2, itertools.repeat(True))

    def success(value: Any) -> bool:
        return next(verdicts)

    reasons = [desk.run(success=success).reason for _ in range(4)]
    assert reasons[2] is Reason.HIT
    assert reasons[3] is Reason.UNSUCCESSFUL
    assert {one.standing.failures for one in desk.stored()} == {0}
    assert [one.standing.failures for one in desk.stored(learned=True)] == [1]
    assert desk.agreed


def test_l8_an_irreversible_step_is_approved_with_the_value_that_it_will_send() -> None:
    asked: list[Any] = []
    desk = Desk(approve=lambda task, params, step: asked.append(step.arguments) or True)

    @desk.engine.tool(name="pay_for_good", effect="irreversible")
    def pay_for_good(order_id: int) -> None:
        desk.paid.append(order_id)

    desk.engine.set_agent(lambda task: pay_for_good(desk.create_order()["order_id"]))
    assert desk.runs(5) == "mddhh"
    assert asked[-2:] == [{"order_id": number} for number in desk.created[-2:]]
    assert desk.agreed


def test_l1_an_optional_step_that_reads_an_id_is_skipped_where_its_check_fails() -> None:
    desk, pop_up = Desk(), [True]
    closed: list[str] = []
    desk.shape = lambda id: {"order_id": id, "pop_up": f"pop-{id}"}

    @desk.engine.tool(Check(lambda *_: pop_up[0]), name="close", optional=True)
    def close(pop_up: str) -> None:
        closed.append(pop_up)

    @desk.engine.tool(Check(lambda *_: "open"), name="pay_checked")
    def pay_checked(order_id: int) -> None:
        desk.paid.append(order_id)

    def agent(task: str) -> None:
        order = desk.create_order()
        if pop_up[0]:
            close(order["pop_up"])
        pay_checked(order["order_id"])

    desk.engine.set_agent(agent)
    assert desk.runs(3) == "mdh"
    pop_up[0] = False
    assert desk.runs(2) == "hh"
    pop_up[0] = True
    assert desk.runs(1) == "h"
    assert closed == [f"pop-{desk.created[at]}" for at in (0, 1, 2, 5)]
    assert desk.agreed


def test_l1_branches_that_checks_tell_apart_are_each_generalized() -> None:
    desk, page, held = Desk(), ["pay"], []

    @desk.engine.tool(Check(lambda *_: page[0]), name="pay_now")
    def pay_now(order_id: int) -> None:
        desk.paid.append(order_id)

    @desk.engine.tool(Check(lambda *_: page[0]), name="hold")
    def hold(order_id: int) -> None:
        held.append(order_id)

    def agent(task: str) -> None:
        (pay_now if page[0] == "pay" else hold)(desk.create_order()["order_id"])

    desk.engine.set_agent(agent)
    statuses = ""
    for page[0] in ("pay", "pay", "hold", "hold", "pay", "hold", "pay", "hold"):
        statuses += desk.run().status[0]
    assert statuses == "mdddhhhh"
    assert sorted(desk.paid + held) == desk.created
    assert held == [desk.created[at] for at in (2, 3, 5, 7)]


def test_f1_a_hand_over_names_the_source_of_what_was_not_run() -> None:
    desk, page = Desk(), ["open"]
    handed: list[Handover] = []

    @desk.engine.tool(name="confirm")
    def confirm(order_id: int) -> None: ...

    @desk.engine.tool(Check(lambda *_: page[0]), name="ship")
    def ship() -> None: ...

    def agent(task: str, handover: Handover | None = None) -> None:
        done = {step.tool: step.result for step in handover.executed} if handover else {}
        handed.extend([handover] if handover else [])
        order = done["create_order"] if done else desk.create_order()
        if "confirm" not in done:
            confirm(order["order_id"])
        if "ship" not in done:
            ship()
        desk.pay(order["order_id"])

    desk.engine.set_agent(agent)
    assert desk.runs(3) == "mdh"
    page[0] = "busy"
    desk.run()
    assert [step.arguments for step in handed[-1].executed] == [{}, {"order_id": desk.created[-1]}]
    ship_left, pay_left = handed[-1].remaining
    assert (ship_left.tool, ship_left.arguments) == ("ship", "")
    assert pay_left.tool == "pay"
    assert pay_left.arguments in (
        "order_id=create_order().order_id",
        "order_id=argument order_id of confirm()",
    )
    assert desk.agreed


def test_b1_a_group_with_a_stale_member_captures_each_check_once() -> None:
    engine, ids = Engine(MemoryStore()), numbers()
    captured: list[tuple[Any, ...]] = []
    paid: list[int] = []

    def see(*args: Any) -> str:
        captured.append(args)
        return "open"

    @engine.tool(name="create_order")
    async def create_order() -> dict[str, int]:
        return {"order_id": next(ids)}

    @engine.tool(Check(see), name="log")
    async def log(text: str) -> None:
        await asyncio.sleep(0)

    @engine.tool(Check(see), name="pay")
    async def pay(order_id: int) -> None:
        await asyncio.sleep(0)
        paid.append(order_id)

    async def agent(task: str) -> None:
        order_id = (await create_order())["order_id"]
        await asyncio.gather(log("first"), pay(order_id), log("last"))

    engine.set_agent(agent)

    async def story() -> Outcome:
        for _ in range(2):
            await engine.acall(TASK)
        captured.clear()
        return await engine.acall(TASK)

    assert asyncio.run(story())
    assert captured.count(("first",)) == captured.count(("last",)) == 1
    assert captured.count((paid[-1],)) == len(captured) - 2 == 1


@pytest.mark.parametrize("newest", ["pay_now", "hold"])
def test_l1_without_checks_another_branch_does_not_go_on_where_the_newest_is_not_proven(newest: str) -> None:
    """The agent paid three times and holds now, or the other way round: it is asked, since nothing tells them apart."""
    desk, done = Desk(), []
    choice = [newest]

    @desk.engine.tool(name="pay_now")
    def pay_now(order_id: int) -> None:
        done.append(("pay_now", order_id))

    @desk.engine.tool(name="hold")
    def hold(order_id: int) -> None:
        done.append(("hold", order_id))

    tools = {"pay_now": pay_now, "hold": hold}
    desk.engine.set_agent(lambda task: tools[choice[0]](desk.create_order()["order_id"]))
    choice[0] = "hold" if newest == "pay_now" else "pay_now"
    assert desk.runs(3) == "mdh"
    choice[0] = newest
    desk.run(mode="record")
    assert not desk.run()
    assert [name for name, _ in done[3:]] == [newest, newest]
    assert [id for _, id in done] == desk.created


def test_e11_an_older_branch_does_not_start_where_the_newest_proves_nothing_yet() -> None:
    engine, done = Engine(MemoryStore()), []
    choice = ["buy"]

    @engine.tool(name="buy")
    def buy(count: int) -> None:
        done.append(("buy", count))

    @engine.tool(name="rent")
    def rent(count: int) -> None:
        done.append(("rent", count))

    tools = {"buy": buy, "rent": rent}
    engine.set_agent(lambda task, qty: tools[choice[0]](count=qty))

    def run(qty: int) -> str:
        return engine("get some", qty=qty, params={"qty": qty}).status

    assert [run(2), run(3), run(5)] == ["miss", "miss", "hit"]
    choice[0] = "rent"
    engine("get some", qty=7, params={"qty": 7}, mode="record")
    assert [run(8), run(11)] == ["miss", "hit"]
    assert done == [("buy", 2), ("buy", 3), ("buy", 5), ("rent", 7), ("rent", 8), ("rent", 11)]
