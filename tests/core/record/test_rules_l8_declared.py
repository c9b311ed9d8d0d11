"""L8: a declared flow acts from one recording, is compared with it, and stops where the value is missing."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from muscle_mem import AskAgent, Call, DeclaredFlow, Engine, Finished, Handover, Outcome, Reason, Secret, ref
from muscle_mem.events import NotLearnedEvent
from muscle_mem.store import open_store

Flows = dict[str, DeclaredFlow]
ORDER_ID = ref("create_order", "order_id")


class Shop:
    """A shop that makes an order with the next of some ids, and takes payments."""

    def __init__(
        self,
        ids: Iterable[Any],
        flow: DeclaredFlow | None = ORDER_ID,
        *,
        output: Callable[[Any], Any] = lambda id: {"order_id": id},
        create: dict[str, Any] | None = None,
        pay: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.ids: Iterator[Any] = iter(ids)
        self.made: list[Any] = []
        self.paid: list[Any] = []
        self.asked: list[Handover | None] = []
        self.events: list[Any] = []
        self.engine = Engine(observers=self.events.append, **options)
        self.agent: Callable[[], Any] = lambda: self.pay(self.made_id(self.create("tea")))
        self.output = output
        self.made_id: Callable[[Any], Any] = lambda _: self.made[-1]
        flows = {} if flow is None else {"flows": {"order_id": flow}}

        @self.engine.tool(name="Shop.create_order", effect="write", answers="any", **(create or {}))
        def create_order(item: str) -> Any:
            self.made.append(next(self.ids))
            return self.output(self.made[-1])

        @self.engine.tool(name="Shop.pay", effect="write", **{**flows, **(pay or {})})
        def pay_order(order_id: Any, currency: str = "EUR", coupon: Any = None) -> None:
            self.paid.append(order_id)

        self.create, self.pay = create_order, pay_order

        def agent(task: str, handover: Handover | None = None) -> Any:
            self.asked.append(handover)
            if handover is not None:
                return self.pay(self.made[-1])
            return self.agent()

        self.engine.set_agent(agent)

    def run(self, **options: Any) -> Outcome:
        return self.engine("buy tea", **options)

    @property
    def warnings(self) -> list[NotLearnedEvent]:
        return [event for event in self.events if isinstance(event, NotLearnedEvent) and event.level == "warning"]


def fresh_uuids() -> Iterator[str]:
    while True:
        yield str(uuid.uuid4())


IDS: dict[str, Callable[[], Iterator[Any]]] = {
    "from 1000": lambda: iter(range(1000, 1010)),
    "from 7": lambda: iter(range(7, 17)),
    "uuids": fresh_uuids,
    "the same": lambda: iter(["T-1"] * 10),
}


# -- acting


@pytest.mark.parametrize("ids", IDS)
def test_l8_a_declared_flow_acts_from_the_second_run_on(ids: str) -> None:
    shop = Shop(IDS[ids]())
    outcomes = [shop.run() for _ in range(5)]
    assert [outcome.status for outcome in outcomes] == ["miss", "hit", "hit", "hit", "hit"]
    assert len(shop.asked) == 1
    assert len(shop.made) == 5
    assert shop.paid == shop.made


def test_l8_without_the_declaration_the_same_run_stops() -> None:
    shop = Shop(range(7, 17), None)
    assert shop.run().learned
    assert shop.run().reason is Reason.STALE_OUTPUT


def test_l8_recordings_of_other_ids_are_one_trajectory_which_explain_shows() -> None:
    shop = Shop(range(1000, 1010))
    first, second = shop.run(), shop.run(mode="record")
    assert second.learned
    assert first.trajectory_id == second.trajectory_id
    plan = shop.engine.explain("buy tea").plan
    assert [step.arguments for step in plan] == ["item='tea'", "order_id=output[0]['order_id']"]


def test_l8_acts_under_acall_and_for_async_tools() -> None:
    ids, paid = iter(range(50, 60)), []
    engine = Engine()

    @engine.tool
    async def create_order() -> dict[str, int]:
        return {"order_id": next(ids)}

    @engine.tool(flows={"order_id": ref("create_order", "order_id")})
    async def pay(order_id: int) -> None:
        paid.append(order_id)

    async def agent(task: str) -> None:
        await pay((await create_order())["order_id"])

    engine.set_agent(agent)
    assert [asyncio.run(engine.acall("buy")).status for _ in range(3)] == ["miss", "hit", "hit"]
    assert paid == [50, 51, 52]


def test_l8_acts_in_sessions() -> None:
    shop = Shop(range(50, 60))

    def run() -> Outcome:
        said = iter([[("create_order", {"item": "tea"})], [("pay", {})], []])
        with shop.engine.session("buy tea") as session:
            turn = session.next()
            while not isinstance(turn, Finished):
                if isinstance(turn, AskAgent):
                    session.said([(name, arguments or {"order_id": shop.made[-1]}) for name, arguments in next(said)])
                else:
                    assert isinstance(turn, Call)
                    session.done(turn, turn.fn(*turn.args, **turn.kwargs))
                turn = session.next()
        return turn.outcome

    assert run().learned
    assert run().status == "hit"
    assert shop.paid == [50, 51]


@dataclasses.dataclass
class Order:
    item: str
    order_id: Any


class Receipt(NamedTuple):
    item: str
    order_id: Any


class Row:
    """Has no canonical form, as the object of a database library."""

    def __init__(self, order_id: Any) -> None:
        self.order_id = order_id
        self.lock = threading.Lock()


class Closed:
    """Cannot be looked into, and is recognized by identity alone."""

    __slots__ = ("_order", "lock")

    def __init__(self, order_id: Any) -> None:
        self._order = order_id
        self.lock = threading.Lock()

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("closed")

    def __eq__(self, other: object) -> bool:
        return bool(object.__getattribute__(self, "_order") == other)

    def __hash__(self) -> int:
        return 1


OUTPUTS: dict[str, tuple[Callable[[Any], Any], DeclaredFlow]] = {
    "whole": (lambda id: id, ref("create_order")),
    "nested": (lambda id: {"order": {"order_id": id}}, ref("create_order", "order", "order_id")),
    "first": (lambda id: [{"id": id}, {"id": 0}], ref("create_order", 0, "id")),
    "last": (lambda id: {"orders": [0] * (id % 5) + [id]}, ref("create_order", "orders", -1)),
    "tuple": (lambda id: ("tea", id), ref("Shop.create_order", 1)),
    "dataclass": (lambda id: Order("tea", id), ORDER_ID),
    "named tuple": (lambda id: Receipt("tea", id), ORDER_ID),
    "namespace": (lambda id: SimpleNamespace(order_id=id), ORDER_ID),
    "opaque object": (Row, ORDER_ID),
    "opaque object in a dict": (lambda id: {"row": Row(id)}, ref("create_order", "row", "order_id")),
    "json": (lambda id: json.dumps({"order_id": id}), ORDER_ID),
    "json in a message": (
        lambda id: {"content": [{"type": "text", "text": json.dumps({"ids": [id]})}]},
        ref("create_order", "content", 0, "text", "ids", 0),
    ),
    "too large to store": (lambda id: {"order_id": id, "text": "x" * 70_000}, ORDER_ID),
    "an object that cannot be looked into": (lambda id: {"order": Closed(id)}, ref("create_order", "order")),
    "another order of keys": (
        lambda id: {"order_id": id, "item": 1} if id % 2 else {"item": 1, "order_id": id},
        ORDER_ID,
    ),
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_l8_reads_outputs_of_every_form(output: str) -> None:
    make, flow = OUTPUTS[output]
    shop = Shop(range(7, 17), flow, output=make)
    if flow == ref("create_order", "order"):
        shop.agent = lambda: shop.pay(shop.create("tea")["order"])
    outcomes = [shop.run() for _ in range(4)]
    assert [outcome.status for outcome in outcomes] == ["miss", "hit", "hit", "hit"], shop.events
    assert shop.paid == shop.made == [7, 8, 9, 10]


def test_l8_reads_a_class_whose_fields_have_moved_by_their_names() -> None:
    shop = Shop(range(7, 17), output=lambda id: Order("tea", id))
    assert shop.run().learned
    moved = dataclasses.make_dataclass("Order", [("order_id", Any), ("item", str)])
    shop.output = lambda id: moved(id, "tea")
    assert shop.run()
    assert shop.paid == [7, 8]


def test_l8_an_argument_that_is_an_object_from_the_output_is_read_from_the_declared_place() -> None:
    shop = Shop(range(7, 17), ref("create_order", "second"), output=lambda id: {"first": [id], "second": [id]})
    shop.agent = lambda: shop.pay(shop.create("tea")["first"])
    assert shop.run().learned
    shop.output = lambda id: {"first": [0], "second": [id]}
    assert shop.run()
    assert shop.paid == [[7], [8]]


def test_l8_a_declared_flow_wins_over_a_param_with_the_value() -> None:
    shop = Shop(range(1000, 1010))
    assert shop.run(params={"number": 1000}).learned
    assert shop.run(params={"number": 1000})
    assert shop.paid == [1000, 1001]


def test_l8_an_argument_that_the_call_leaves_out_is_not_compared() -> None:
    shop = Shop(range(7, 17), pay={"flows": {"order_id": ORDER_ID, "coupon": ref("create_order", "coupon")}})
    assert shop.run().learned
    assert shop.run()


def test_l8_none_is_a_value_only_where_it_is_the_default() -> None:
    flows = {"order_id": ORDER_ID, "coupon": ref("create_order", "coupon")}
    shop = Shop(range(7, 17), output=lambda id: {"order_id": id, "coupon": None}, pay={"flows": flows})
    shop.agent = lambda: shop.pay(shop.create("tea")["order_id"], "EUR", None)
    assert shop.run().learned
    assert shop.run()
    shop.output = lambda id: {"order_id": None, "coupon": "SPRING"}
    outcome = shop.run()
    assert outcome.reason is Reason.FLOW_UNCLEAR
    assert "None" in outcome.message


# -- several calls of the source


def two_orders(order: Callable[[Shop], Any], ids: list[Any]) -> Shop:
    shop = Shop(ids)
    shop.agent = lambda: order(shop)
    assert shop.run().learned
    assert shop.run()
    return shop


def test_l8_of_two_calls_of_the_source_the_one_with_the_value_counts() -> None:
    def agent(shop: Shop) -> None:
        tea, milk = shop.create("tea"), shop.create("milk")
        shop.pay(tea["order_id"])
        shop.pay(milk["order_id"])

    assert two_orders(agent, [7, 8, 21, 22]).paid == [7, 8, 21, 22]


def test_l8_of_two_calls_with_the_value_the_latest_counts() -> None:
    def agent(shop: Shop) -> None:
        shop.create("tea")
        shop.pay(shop.create("milk")["order_id"])

    assert two_orders(agent, [7, 7, 21, 22]).paid == [7, 22]


def test_l8_acts_after_a_parallel_group() -> None:
    paid: list[int] = []
    items = ["tea", "milk"]
    numbers = {"tea": iter([7, 31, 41, 51]), "milk": iter([8, 32, 42, 52])}
    engine = Engine()

    @engine.tool
    async def create_order(item: str) -> dict[str, int]:
        await asyncio.sleep(0)
        return {"order_id": next(numbers[item])}

    @engine.tool(flows={"order_id": ref("create_order", "order_id")})
    async def pay(order_id: int) -> None:
        await asyncio.sleep(0)
        paid.append(order_id)

    async def agent(task: str) -> None:
        orders = await asyncio.gather(*map(create_order, items))
        await asyncio.gather(*(pay(order["order_id"]) for order in orders))

    engine.set_agent(agent)
    first = asyncio.run(engine.acall("buy"))
    assert first.learned
    assert asyncio.run(engine.acall("buy"))
    assert sorted(paid[:2]) == [7, 8]
    assert sorted(paid[2:]) == [31, 32]
    items.reverse()
    again = asyncio.run(engine.acall("buy", mode="record"))
    assert again.trajectory_id == first.trajectory_id, "the order in which the members began does not count"
    assert asyncio.run(engine.acall("buy"))
    assert len(set(paid)) == len(paid) == 8


def test_l8_a_call_that_has_not_ended_is_no_source() -> None:
    engine = Engine()
    may_end = asyncio.Event()

    @engine.tool
    async def create_order() -> dict[str, int]:
        await may_end.wait()
        return {"order_id": 7}

    @engine.tool(flows={"order_id": ref("create_order", "order_id")})
    async def pay(order_id: int) -> None:
        may_end.set()

    async def agent(task: str) -> None:
        creating = asyncio.ensure_future(create_order())
        await asyncio.sleep(0)
        await pay(7)
        await creating

    engine.set_agent(agent)
    assert asyncio.run(engine.acall("buy")).not_learned is Reason.FLOW_MISMATCH


# -- comparison with the recording


MISMATCHES: dict[str, tuple[DeclaredFlow, Callable[[Any], Any], str]] = {
    "another value": (ORDER_ID, lambda id: {"order_id": id + 1}, "expected 8 from the output, got 7"),
    "another type": (ORDER_ID, lambda id: {"order_id": str(id)}, "expected '7' from the output, got 7"),
    "a bool": (ORDER_ID, lambda id: {"order_id": True}, "expected True from the output, got 7"),
    "no such field": (ORDER_ID, lambda id: {"id": id}, "no field 'order_id'"),
    "no field of an object": (ORDER_ID, lambda id: Row(id).lock, "no field 'order_id'"),
    "a field twice": (ORDER_ID, lambda id: '{"order_id": 6, "order_id": 7}', "the field 'order_id' more than once"),
    "a text": (ORDER_ID, lambda id: f"order_id {id}", "no field 'order_id'"),
    "nothing": (ORDER_ID, lambda id: None, "no field 'order_id'"),
    "None there": (ORDER_ID, lambda id: {"order_id": None}, "None there"),
    "an empty list": (ref("create_order", -1), lambda id: [], "no item -1"),
    "a position of a dict": (ref("create_order", 0), lambda id: {"order_id": id}, "no item 0"),
    "a position too far": (ref("create_order", 3), lambda id: [id] * 3, "no item 3"),
    "another tool": (ref("create_invoice", "order_id"), lambda id: {"order_id": id}, "no call of 'create_invoice'"),
    "itself": (ref("pay"), lambda id: {"order_id": id}, "no call of 'pay'"),
}


@pytest.mark.parametrize("case", MISMATCHES)
def test_l8_what_does_not_fit_the_recording_is_a_warning_and_not_learned(case: str) -> None:
    flow, output, words = MISMATCHES[case]
    shop = Shop([7] * 9, flow, output=output)
    outcome = shop.run()
    assert outcome.not_learned is Reason.FLOW_MISMATCH
    (warning,) = shop.warnings
    assert (warning.reason, warning.tool) == ("flow_mismatch", "Shop.pay")
    assert words in warning.message
    assert "'order_id'" in warning.message
    assert repr(flow) in warning.message
    assert outcome.not_learned_message == warning.message
    assert shop.run().reason is Reason.NEW_TASK
    assert len(shop.warnings) == 1  # Once per tool and reason.


def test_l8_a_field_that_the_source_does_not_offer_is_not_read() -> None:
    shop = Shop([7] * 9, create={"outputs": ["item"]}, output=lambda id: {"order_id": id, "item": "tea"})
    outcome = shop.run()
    assert outcome.not_learned is Reason.FLOW_MISMATCH
    assert "outputs=['item']" in outcome.not_learned_message


@pytest.mark.parametrize("outputs", [["order"], ["order.id", "item"], "order.id"])
def test_l8_a_field_that_the_source_offers_is_read(outputs: Any) -> None:
    flow = ref("create_order", "order", "id")
    shop = Shop(range(7, 17), flow, create={"outputs": outputs}, output=lambda id: {"order": {"id": id}})
    assert shop.run().learned
    assert shop.run()
    assert shop.paid == [7, 8]


@pytest.mark.parametrize("field", ["order_id", "token"])
def test_l8_an_output_with_a_secret_is_no_source(field: str, tmp_path: Path) -> None:
    ids = ["hush-hush-4711" if field == "order_id" else "T-1"] * 9
    shop = Shop(
        ids, store=str(tmp_path / "store.db"), output=lambda id: {"order_id": id, "x": 1, field: "hush-hush-4711"}
    )
    outcome = shop.run(secrets={"token": Secret("hush-hush-4711")})
    assert outcome.not_learned is Reason.FLOW_MISMATCH
    assert "contains the value of a secret" in outcome.not_learned_message
    assert not any("hush-hush" in repr(event) for event in shop.events)
    shop.engine.close()
    assert not any(b"hush-hush" in path.read_bytes() for path in tmp_path.iterdir())


def test_l8_frozen_runs_follow_a_declared_flow_and_compare_nothing() -> None:
    shop = Shop(range(7, 17))
    assert shop.run().learned
    assert shop.run(mode="frozen")
    assert shop.paid == [7, 8]
    shop = Shop([7] * 9, ref("nothing"))
    assert shop.run(mode="frozen").not_learned is Reason.MODE
    assert not shop.warnings


def test_l8_shadow_runs_agree_for_other_ids() -> None:
    shop = Shop(range(7, 17))
    assert shop.run().learned
    shadow = shop.run(mode="shadow").shadow
    assert shadow is not None
    assert shadow.agreed
    shop.made_id = lambda _: 7
    shadow = shop.run(mode="shadow").shadow
    assert shadow is not None
    assert not shadow.agreed


# -- stopping


UNCLEAR: dict[str, tuple[Callable[[Any], Any], DeclaredFlow, Callable[[Any], Any]]] = {
    "no field": (lambda id: {"order_id": id}, ORDER_ID, lambda id: {"id": id}),
    "None": (lambda id: {"order_id": id}, ORDER_ID, lambda id: {"order_id": None}),
    "nothing": (lambda id: {"order_id": id}, ORDER_ID, lambda id: None),
    "whole None": (lambda id: id, ref("create_order"), lambda id: None),
    "an empty list": (lambda id: [id], ref("create_order", 0), lambda id: []),
    "a dict in place of a list": (lambda id: [id], ref("create_order", 0), lambda id: {"error": id}),
    "a text in place of a list": (lambda id: [id], ref("create_order", 0), lambda id: "no orders"),
    "no json any more": (lambda id: json.dumps([id]), ref("create_order", 0), lambda id: "no orders"),
    "another object": (Row, ORDER_ID, lambda id: threading.Lock()),
}


@pytest.mark.parametrize("case", UNCLEAR)
def test_l8_a_missing_value_stops_before_the_step_and_the_agent_goes_on(case: str) -> None:
    before, flow, after = UNCLEAR[case]
    shop = Shop(range(7, 17), flow, output=before)
    assert shop.run().learned
    shop.output = after
    outcome = shop.run()
    assert (outcome.status, outcome.reason) == ("diverged", Reason.FLOW_UNCLEAR)
    assert "'order_id'" in outcome.message
    assert "'Shop.pay'" in outcome.message
    assert repr(flow) in outcome.message
    assert outcome.divergence is not None
    assert (outcome.divergence.step, outcome.divergence.expected) == (1, repr(flow))
    assert shop.paid == shop.made == [7, 8]  # The agent paid the second, once.
    handover = shop.asked[-1]
    assert handover is not None
    assert [step.tool for step in handover.executed] == ["Shop.create_order"]
    assert [step.arguments for step in handover.remaining] == [
        "order_id=output[0]" + "".join(f"[{item!r}]" for item in flow.path)
    ]
    shop.output = before
    assert shop.run(), "it does not count against the recording"


def test_l8_a_restarted_agent_is_answered_and_nothing_is_done_twice() -> None:
    shop = Shop(range(7, 17))
    shop.engine.set_agent(lambda task: shop.pay(shop.create("tea").get("order_id", shop.made[-1])))
    assert shop.run().learned
    shop.output = lambda id: {"id": id}
    outcome = shop.run()
    assert outcome.reason is Reason.FLOW_UNCLEAR
    assert outcome.not_learned is Reason.FLOW_MISMATCH
    assert shop.paid == shop.made == [7, 8]


@pytest.mark.parametrize("manner", ["absorbed", "handover"])
def test_l8_a_call_of_the_replay_is_a_source_for_the_agents_calls_after_it(manner: str) -> None:
    shop = Shop(range(7, 17))
    boards: list[str] = ["a"]

    @shop.engine.tool(effect="write")
    def look_up(board: str) -> str:
        return boards[0]

    def agent(task: str) -> None:
        made = shop.create("tea")
        if look_up("main") == "b":
            look_up("other")
        shop.pay(made["order_id"])

    def knowing_agent(task: str, handover: Handover | None = None) -> None:
        if handover is None:
            return agent(task)
        look_up("other")
        return shop.pay(handover.executed[0].result["order_id"])

    shop.engine.set_agent(agent if manner == "absorbed" else knowing_agent)
    assert shop.run().learned
    boards[0] = "b"
    outcome = shop.run()
    assert (outcome.status, outcome.reason) == ("diverged", Reason.UNSEEN_ANSWER)
    assert outcome.learned
    assert [shop.run().status for _ in range(2)] == ["hit", "hit"]
    assert shop.paid == shop.made == [7, 8, 9, 10]


# -- declarations that change


def test_l8_a_recording_of_another_declaration_is_not_replayed(tmp_path: Path) -> None:
    both = {"output": lambda id: {"order_id": id, "id": id}, "store": str(tmp_path / "store.db")}
    shop = Shop([7], **both)
    assert shop.run().learned
    shop.engine.close()
    for flow in (ref("create_order", "id"), ref("create_order", "order_id", 0), ref("other", "order_id")):
        changed = Shop([8], flow, **both)
        outcome = changed.run(mode="record" if flow.path == ("id",) else "auto")
        changed.engine.close()
        if flow.path != ("id",):
            assert outcome.reason is Reason.TOOL_CHANGED
            assert repr(flow) in outcome.message
    again = Shop([9], ref("create_order", "id"), **both)
    assert again.run()
    assert again.paid == [9]
    again.engine.close()


def test_l8_a_literal_that_was_recorded_before_is_not_sent_any_more(tmp_path: Path) -> None:
    store = str(tmp_path / "store.db")
    with Shop([2], None, store=store, output=lambda id: {"n": [id] * 9}).engine as engine:
        assert engine("buy tea").learned
    flow = ref("create_order", "n", 0)
    shop = Shop([5, 6, 2, 2], flow, store=store, output=lambda id: {"n": [id] * 9})
    outcome = shop.run()
    assert outcome.reason is Reason.TOOL_CHANGED
    assert outcome.learned
    assert shop.run()
    assert shop.paid == [5, 6]


# -- stores and documents


@pytest.mark.parametrize("url", ["{}/store.db", "folder:///{}/folder"])
def test_l8_acts_in_another_process_and_adds_nothing_to_a_store(url: str, tmp_path: Path) -> None:
    shop = Shop(range(7, 17), store=url.format(tmp_path))
    learned = shop.run()
    assert learned.learned
    assert shop.run(mode="record").trajectory_id == learned.trajectory_id
    shop.engine.close()
    again = Shop(range(70, 80), store=url.format(tmp_path))
    assert again.run()
    assert again.paid == [70]
    again.engine.close()
    store = open_store(url.format(tmp_path))
    assert [stored.sealed.id for stored in store.scan().stored] == [learned.trajectory_id]
    store.close()


def exported(store: Path, *options: str) -> str:
    from click.testing import CliRunner

    from muscle_mem.cli import main

    done = CliRunner().invoke(main, [*options, "--store", str(store)])
    assert done.exit_code == 0, done.output
    return done.output


def test_l8_documents_carry_a_declared_flow(tmp_path: Path) -> None:
    store, other, document = tmp_path / "store.db", tmp_path / "other.db", tmp_path / "out.json"
    shop = Shop(range(7, 17), ref("create_order", "orders", -1, "id"), store=str(store))
    shop.output = lambda id: {"orders": [{"id": 0}, {"id": id}]}
    shop.agent = lambda: shop.pay(shop.create("tea")["orders"][-1]["id"])
    id = shop.run().trajectory_id
    assert id
    shop.engine.close()
    assert "output[0]['orders'][-1]['id']" in exported(store, "show", id)
    document.write_text(exported(store, "export", id))
    exported(other, "import", "--approve", str(document))
    again = Shop(range(70, 80), ref("create_order", "orders", -1, "id"), store=str(other))
    again.output = lambda id: {"orders": [{"id": id}]}
    assert again.run()
    assert again.paid == [70]
    again.engine.close()


def test_l8_an_exported_function_reads_the_output(tmp_path: Path) -> None:
    shop = Shop(range(7, 17), store=str(tmp_path / "store.db"))
    id = shop.run().trajectory_id
    shop.engine.close()
    source = exported(tmp_path / "store.db", "export", str(id), "--format", "python", "--name", "buy")
    made: dict[str, Any] = {}
    exec(compile(source, "exported", "exec"), made)
    calls: list[Any] = []
    tools = SimpleNamespace(
        Shop=SimpleNamespace(create_order=lambda item: {"order_id": 99}, pay=lambda *args, **more: calls.append(args))
    )
    made["buy"](tools)
    assert calls == [(99,)]


# -- const


def test_l8_a_constant_that_stands_in_an_output_is_guarded_by_it() -> None:
    shop = Shop(range(7, 17), output=lambda id: {"order_id": id, "currency": "EUR"}, pay={"const": ["currency"]})
    shop.agent = lambda: shop.pay(shop.create("tea")["order_id"], "EUR")
    assert shop.run().learned
    shop.output = lambda id: {"order_id": id, "currency": "USD"}
    assert shop.run().reason is Reason.STALE_OUTPUT


def test_l8_a_constant_is_not_suspected_to_be_computed_from_an_output_with_other_ids() -> None:
    for options, reason in (({}, Reason.UNCONFIRMED), ({"const": ["currency"]}, Reason.HIT)):
        shop = Shop(range(700, 717), pay=options)
        shop.agent = lambda shop=shop: shop.pay(shop.create("tea")["order_id"], 2500)  # type: ignore[misc]
        assert shop.run().learned
        assert shop.run().reason is reason


@pytest.mark.parametrize(("options", "levels"), [({}, ["fast", "slow", "wide"]), ({"const": "level"}, ["fast"] * 3)])
def test_l8_a_constant_that_equals_a_param_is_not_bound_to_it(options: dict[str, Any], levels: list[str]) -> None:
    said: list[str] = []
    asked: list[str] = []
    engine = Engine()

    @engine.tool(**options)
    def say(text: str, level: str) -> None:
        said.append(level)

    def agent(task: str, mood: str) -> None:
        asked.append(mood)
        say(f"It is {mood}.", "fast")

    engine.set_agent(agent)
    for mood in ("fast", "slow", "wide"):
        engine("speak", mood, params={"mood": mood})
    assert said == levels
    assert asked == (["fast", "slow"] if options else ["fast"]), "the second recording confirms the constant"


def test_l8_a_constant_is_not_suspected_to_be_made_up() -> None:
    for options, reason in (({}, Reason.UNCONFIRMED), ({"const": ["text"]}, Reason.HIT)):
        now = [1_700_000_000.0]
        engine = Engine(clock=lambda now=now: now[0])  # type: ignore[misc]

        @engine.tool(**options)
        def say(text: str) -> None: ...

        engine.set_agent(lambda task, say=say: say("since 2023-11-14"))
        assert engine("greet").learned
        now[0] += 400 * 86_400
        assert engine("greet").reason is reason


def test_l8_a_constant_that_varies_is_asked_for() -> None:
    paid: list[str] = []
    engine = Engine()
    words = iter(["one word", "two words", "three words", "four words"])

    @engine.tool(const=["text"])
    def say(text: str) -> None:
        paid.append(text)

    engine.set_agent(lambda task: say(next(words)))
    assert engine("greet").learned
    assert engine("greet", mode="record").learned
    assert engine("greet").reason is Reason.VALUE_VARIES
