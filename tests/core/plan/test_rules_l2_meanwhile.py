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


@pytest.mark.parametrize(
    ("amounts", "hits"), [((3276, 4996, 1658, 838.6), "--h-"), ((3276.5, 4996, 1658.25, 838.6), "--hh")]
)
def test_l5_the_text_of_a_fraction_is_not_guessed_from_whole_numbers(amounts: tuple[float, ...], hits: str) -> None:
    """The agent rounds the first amounts, and not the others."""
    engine, given, paid = Engine(), iter(amounts), []
    price = engine.tool(name="price", effect="read")(lambda: {"amount": next(given)})
    pay = engine.tool(name="pay")(lambda amount: paid.append(amount))
    rounds = hits == "--h-"
    engine.set_agent(lambda task: pay(f"{price()['amount']:.0f}" if rounds else str(price()["amount"])))
    assert "".join("h" if engine("pay it") else "-" for _ in amounts) == hits
    assert paid[-1] == ("839" if rounds else "838.6")


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


def test_l10_an_agent_run_of_the_same_calls_lifts_a_quarantine_that_no_person_made() -> None:
    desk, balance = Desk(), [0]

    @desk.engine.tool(post_check=Check(lambda *_: balance[0]), name="pay_checked")
    def pay_checked(order_id: int) -> None:
        desk.paid.append(order_id)

    desk.engine.set_agent(lambda task: pay_checked(desk.create_order()["order_id"]))
    assert desk.runs(3) == "mdh"
    balance[0] = 1
    assert desk.run().reason is Reason.POST_CHECK_REFUSED
    assert [one.standing.state for one in desk.stored(learned=True)] == ["quarantined"]
    balance[0] = 0
    assert desk.runs(3) == "dhh"
    assert desk.agreed


def test_l10_an_agent_run_does_not_lift_the_quarantine_of_a_person() -> None:
    desk = Desk()
    desk.runs(2)
    desk.run().report_bad("the wrong order was paid")
    assert "h" not in desk.runs(4)
    assert desk.agreed


def test_l2_hits_keep_the_parents_of_what_was_replayed_from_being_pruned() -> None:
    desk = Desk(max_items=3)
    desk.runs(3)
    desk.engine.set_agent(lambda task: desk.create_order())
    for number in range(4):
        desk.engine(f"another task {number}")
        assert desk.run()


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_e11_small_params_under_another_name_act_when_two_recordings_agreed(count: int) -> None:
    engine, bought = Engine(MemoryStore()), []

    @engine.tool(name="buy")
    def buy(count: int) -> None:
        bought.append(count)

    engine.set_agent(lambda task, qty: buy(count=qty))
    given = [17, 4, count, count + 1]
    outcomes = [engine("buy some", qty=number, params={"qty": number}) for number in given]
    assert [outcome.status for outcome in outcomes] == ["miss", "miss", "hit", "hit"]
    assert bought == given


@pytest.mark.parametrize("value", [True, 2.0, "2", None])
def test_e11_a_param_of_another_type_does_not_act(value: object) -> None:
    engine, bought = Engine(MemoryStore()), []

    @engine.tool(name="buy")
    def buy(count: object) -> None:
        bought.append(count)

    engine.set_agent(lambda task, qty: buy(count=qty))
    given = [17, 4, value]
    outcomes = [engine("buy some", qty=number, params={"qty": number}) for number in given]
    assert not outcomes[-1]
    assert bought == given


def test_e11_spelled_numbers_act_and_words_are_asked_for() -> None:
    engine, bought = Engine(MemoryStore()), []

    @engine.tool(name="buy")
    def buy(count: int) -> None:
        bought.append(count)

    numbers = {"7": 7, "8": 8, "9": 9, "two": 2}
    engine.set_agent(lambda task, qty: buy(count=numbers[qty]))
    outcomes = [engine("buy some", qty=text, params={"qty": text}) for text in numbers]
    assert [outcome.status for outcome in outcomes] == ["miss", "miss", "hit", "miss"]
    assert bought == [7, 8, 9, 2]


def test_e11_params_act_beside_references() -> None:
    desk, sent = Desk(), []

    @desk.engine.tool(name="pay_for")
    def pay_for(order_id: int, count: int, who: str) -> None:
        desk.paid.append(order_id)
        sent.append((count, who))

    def agent(task: str, qty: int, who: str) -> None:
        pay_for(desk.create_order()["order_id"], qty, who)

    desk.engine.set_agent(agent)
    given = [(2, "Ann Lee"), (3, "Bob Ross"), (5, "Cy Twombly"), (7, "Ann Lee")]
    outcomes = [desk.engine("pay", qty=qty, who=who, params={"qty": qty, "who": who}) for qty, who in given]
    assert [outcome.status for outcome in outcomes] == ["miss", "miss", "hit", "hit"]
    assert sent == given
    assert desk.agreed


def test_e4_params_that_no_leaf_explains_keep_their_own_values() -> None:
    desk, sent = Desk(), []

    @desk.engine.tool(name="pay_fast")
    def pay_fast(order_id: int, speed: str) -> None:
        desk.paid.append(order_id)
        sent.append(speed)

    def agent(task: str, color: str) -> None:
        pay_fast(desk.create_order()["order_id"], "fast" if color == "red" else "slow")

    desk.engine.set_agent(agent)
    colors = ["red", "blue", "red", "blue", "red", "green", "blue", "mauve", "red"]
    for color in colors:
        desk.engine("pay", color=color, params={"color": color})
    assert sent == ["fast" if color == "red" else "slow" for color in colors]
    assert desk.agreed


def test_e9_a_date_that_was_made_up_is_asked_for_on_the_next_day() -> None:
    import datetime

    now = [time.time()]
    desk, sent = Desk(clock=lambda: now[0]), []

    @desk.engine.tool(name="pay_on")
    def pay_on(order_id: int, day: str) -> None:
        desk.paid.append(order_id)
        sent.append(day)

    def today() -> str:
        return datetime.date.fromtimestamp(now[0]).isoformat()

    desk.engine.set_agent(lambda task: pay_on(desk.create_order()["order_id"], today()))
    wanted = []
    for at in range(8):
        now[0] += 86_400 if at in (4, 7) else 0
        wanted.append(today())
        outcome = desk.run()
        assert not (at in (4, 7) and outcome)
    assert sent == wanted
    assert desk.agreed


def test_e10_a_total_that_was_computed_is_asked_for_when_its_figures_change() -> None:
    desk, totals, wanted = Desk(), [], []
    now = (0, 0)

    @desk.engine.tool(name="price", effect="read")
    def price() -> dict[str, int]:
        return {"chair": now[0], "table": now[1]}

    @desk.engine.tool(name="pay_total")
    def pay_total(order_id: int, total: int) -> None:
        desk.paid.append(order_id)
        totals.append(total)

    def agent(task: str) -> None:
        found = price()
        pay_total(desk.create_order()["order_id"], found["chair"] + found["table"])

    desk.engine.set_agent(agent)
    hits = 0
    for now in [(1010, 2020)] * 4 + [(1511, 2020), (1511, 2020), (1101, 2303)]:
        wanted.append(sum(now))
        hits += bool(desk.run())
    assert hits
    assert totals == wanted
    assert desk.agreed


def test_b12_snapshots_with_params_are_compared_under_a_generalized_trajectory() -> None:
    desk, page = Desk(), [""]

    @desk.engine.tool(name="open_order")
    def open_order(name: str) -> Any:
        page[0] = f"Order for {name}"
        return desk.create_order()

    @desk.engine.tool(Check(lambda *_: page[0]), name="pay_checked")
    def pay_checked(order_id: int) -> None:
        desk.paid.append(order_id)

    desk.engine.set_agent(lambda task, who: pay_checked(open_order(who)["order_id"]))
    names = ["Ann Lee", "Bob Ross", "Cy Twombly", "Dee Dee"]
    statuses = "".join(desk.engine("pay", who=name, params={"who": name}).status[0] for name in names)
    assert statuses == "mdhh"
    assert desk.agreed


def test_l1_concurrent_runs_pay_each_order_once() -> None:
    from concurrent.futures import ThreadPoolExecutor

    desk = Desk()
    desk.engine.set_agent(lambda task: desk.pay(desk.create_order()["order_id"]))
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: desk.run(), range(24)))
    assert any(outcomes)
    assert sorted(desk.paid) == sorted(desk.created)
    assert len(set(desk.paid)) == 24


@pytest.mark.parametrize(
    ("currencies", "statuses"), [("EUE" + "UEU", "mddddd"), ("EUE" + "EEE", "mdddhh"), ("EEE" + "EEE", "mddhhh")]
)
def test_e7_a_quarantined_recording_contradicts_until_two_in_a_row_agree(currencies: str, statuses: str) -> None:
    desk, sent, current = Desk(), [], [""]

    @desk.engine.tool(name="pay_in")
    def pay_in(order_id: int, currency: str) -> None:
        desk.paid.append(order_id)
        sent.append(currency)

    desk.engine.set_agent(lambda task: pay_in(desk.create_order()["order_id"], {"E": "EUR", "U": "USD"}[current[0]]))
    found = ""
    for current[0] in currencies:
        outcome = desk.run()
        found += outcome.status[0]
        if len(found) == 2:
            desk.engine.report_bad(outcome.trajectory_id or "")
    assert found == statuses
    assert desk.agreed


def test_e7_an_argument_that_may_have_any_value_does_not_stop_a_generalized_trajectory() -> None:
    desk, greetings = Desk(), itertools.cycle(["good morning", "hello there", "dear shop"])

    @desk.engine.tool(name="pay_with_note", any=["note"])
    def pay_with_note(order_id: int, note: str) -> None:
        desk.paid.append(order_id)

    desk.engine.set_agent(lambda task: pay_with_note(desk.create_order()["order_id"], next(greetings)))
    assert desk.runs(5) == "mdhhh"
    assert desk.agreed


def test_d6_what_is_generalized_from_verified_recordings_is_verified() -> None:
    desk = Desk(trust="verified")
    assert [desk.run(success=lambda _: True).status[0] for _ in range(4)] == ["m", "d", "h", "h"]
    assert desk.agreed


def test_d6_one_parent_without_a_verdict_is_not_enough() -> None:
    desk = Desk(trust="verified")
    desk.run(success=lambda _: True)
    desk.run()
    assert "h" not in desk.runs(2)
    assert desk.agreed


def test_d6_a_review_of_the_parents_is_none_of_what_is_generalized_from_them() -> None:
    desk = Desk(trust="manual")
    for _ in range(3):
        desk.engine.report_good(desk.run().trajectory_id or "")
    assert not desk.run()
    (record,) = desk.stored(learned=True)
    desk.engine.report_good(record.sealed.id)
    assert desk.run()
    assert desk.agreed


@pytest.mark.parametrize(
    ("notes", "statuses"), [("010101", "mddddd"), ("001100", "mdhhhh"), ("010011", "mdddhh"), ("011111", "mddhhh")]
)
def test_e7_an_argument_that_the_agent_leaves_out_at_times_contradicts_until_two_in_a_row_agree(
    notes: str, statuses: str
) -> None:
    desk, current = Desk(), [""]

    @desk.engine.tool(name="pay_for")
    def pay_for(order_id: int, note: str = "") -> None:
        desk.paid.append(order_id)

    def agent(task: str) -> None:
        order = desk.create_order()
        pay_for(order["order_id"], **({"note": "please"} if current[0] == "1" else {}))

    desk.engine.set_agent(agent)
    found = ""
    for current[0] in notes:
        found += desk.run().status[0]
    assert found == statuses
    assert desk.agreed


def test_e12_an_argument_that_an_answer_decides_does_not_contradict() -> None:
    desk, notes = Desk(), []
    is_gift = [False]
    desk.shape = lambda id: {"order_id": id, "gift": is_gift[0]}

    @desk.engine.tool(name="pay_for")
    def pay_for(order_id: int, note: str = "") -> None:
        desk.paid.append(order_id)
        notes.append(note)

    def agent(task: str) -> None:
        order = desk.create_order()
        pay_for(order["order_id"], **({"note": "please"} if is_gift[0] else {}))

    desk.engine.set_agent(agent)
    found = ""
    wanted = [False, True, False, True, False, True, True]
    for is_gift[0] in wanted:
        found += desk.run().status[0]
    assert found == "mdddhhh"
    assert notes == ["please" if gift else "" for gift in wanted]
    assert desk.agreed


def test_e6_a_last_element_is_not_read_where_the_list_has_more_pages() -> None:
    desk, ids = Desk(), numbers()
    pages = [False, 3]
    wanted: list[int] = []

    @desk.engine.tool(name="list_orders", effect="read")
    def list_orders(page: int = 1) -> dict[str, Any]:
        orders = [{"order_id": next(ids), "name": f"order {at}"} for at in range(int(pages[1]))]
        wanted.append(orders[-1]["order_id"])
        return {"orders": orders, "has_more": pages[0] and page == 1}

    def agent(task: str) -> None:
        found = list_orders()
        if found["has_more"]:
            found = list_orders(page=2)
        desk.pay(found["orders"][-1]["order_id"])

    desk.engine.set_agent(agent)
    hits = 0
    for pages[:] in ([False, 3], [False, 4], [False, 2], [False, 5], [True, 3], [True, 3], [False, 3], [True, 4]):
        outcome = desk.run()
        hits += bool(outcome)
        assert desk.paid[-1] == wanted[-1]
    assert hits
