"""L15, L16: a run whose text fits a template acts as if it had named its params."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from typing import Any

import pytest

import text_families
from muscle_mem import Engine, InvalidTypeError, Outcome, StoreError
from muscle_mem.store import MemoryStore

Calls = list[tuple[Any, ...]]


class Desk:
    """An engine with tools, an agent that understands a few texts, and what was called."""

    def __init__(self, store: Any = None, effect: Any = None, **options: Any) -> None:
        self.calls: Calls = []
        self.asked: list[str] = []
        self.currency: Callable[[int], str] = lambda _: "EUR"
        self.extra = ""
        self.fails = False
        self.engine = engine = Engine(
            store if store is not None else MemoryStore(), **{"learn_params": True, **options}
        )

        @engine.tool(effect="read", name="find_order")
        def find_order(order: int) -> dict[str, int]:
            self.calls.append(("find", order))
            return {"order": order, "total": order * 2}

        @engine.tool(effect=effect, name="refund")
        def refund(order: int, customer: str) -> str:
            if self.fails:
                raise RuntimeError("no")
            self.calls.append(("refund", order, customer))
            return f"refunded {order} to {customer}"

        @engine.tool(effect="read", name="price")
        def price(item: str, amount: int, currency: str) -> dict[str, int]:
            self.calls.append(("price", item, amount, currency))
            return {"cost": 1000 + amount}

        engine.set_agent(self.agent)
        self.tools = find_order, refund, price

    def agent(self, task: str) -> Any:
        self.asked.append(task)
        find_order, refund, price = self.tools
        if found := re.fullmatch(r"Look up order (\d+)", task):
            return find_order(int(found[1]))
        if found := re.fullmatch(r"Get the price of (\d+) (\w+)", task):
            return price(found[2], int(found[1]), self.currency(int(found[1])))
        if found := re.fullmatch(r"Refund order (\d+) for (.*)", task):
            find_order(int(found[1]))
            return refund(int(found[1]), found[2] + self.extra)
        return find_order(1)

    def __call__(self, *tasks: str, **options: Any) -> Outcome:
        for task in tasks:
            self.asked.clear()
            self.calls.clear()
            outcome = self.engine(task, **options)
        return outcome


REFUNDS = [
    f"Refund order {7000 + at} for {name}" for at, name in enumerate("Ann Lee,Bob Ray,Cid Fox,Dan Poe".split(","))
]


def quiet(**options: Any) -> Desk:
    return Desk(observers=[], **options)


def test_l16_reads_are_answered_after_two_recordings() -> None:
    desk = quiet()
    desk("Look up order 7001", "Look up order 7002")
    third = desk("Look up order 3")
    assert (third.status, third.value, desk.asked, desk.calls) == ("hit", {"order": 3, "total": 6}, [], [("find", 3)])
    assert third.value_source == "step"


def test_l16_a_write_is_replayed_after_the_agent_agreed_once() -> None:
    desk = quiet()
    desk(*REFUNDS[:2])
    third = desk(REFUNDS[2])
    assert (third.status, third.reason, third.learned) == ("diverged", "probation", True)
    assert desk.asked
    assert desk.calls.count(("refund", 7002, "Cid Fox")) == 1
    fourth = desk(REFUNDS[3])
    assert (fourth.status, desk.asked) == ("hit", [])
    assert desk.calls == [("find", 7003), ("refund", 7003, "Dan Poe")]
    assert desk(REFUNDS[0]).status == "hit"


def test_l16_is_off_by_default_and_per_call() -> None:
    desk = quiet(learn_params=False)
    desk("Look up order 7001", "Look up order 7002")
    assert desk("Look up order 7003").status == "miss"
    assert desk("Look up order 7004", learn_params=True).status == "hit"
    other = quiet()
    other("Look up order 7001", "Look up order 7002")
    assert other("Look up order 7003", learn_params=False).status == "miss"


@pytest.mark.parametrize("wrong", ["yes", 1, object()])
def test_l16_a_wrong_option_is_an_error(wrong: Any) -> None:
    with pytest.raises(InvalidTypeError, match="learn_params"):
        Engine(learn_params=wrong)
    with pytest.raises(InvalidTypeError, match="learn_params"):
        quiet()("Look up order 1", learn_params=wrong)


def test_l15_a_declared_param_wins() -> None:
    desk = quiet()
    desk("Look up order 7001", "Look up order 7002")
    assert desk("Look up order 7003", params={"order": 7003}).status == "miss"
    told = desk.engine.explain("Look up order 7004", params={"number": 7004}, learn_params=True)
    assert told.template == "no template: the task names its params"


def test_l16_an_irreversible_step_is_never_replayed() -> None:
    desk = quiet(effect="irreversible", approve=lambda *_: True)
    for task in REFUNDS:
        assert desk(task).status != "hit"
        assert desk.asked == [task]


def test_l16_constants_beside_a_number_wait_for_five_numbers() -> None:
    desk = quiet()
    desk.currency = lambda amount: "EUR" if amount < 500 else "USD"
    for number in (10, 20, 30, 40):
        assert desk(f"Get the price of {number} Ab{'cdefg'[number // 10]}").status == "miss"
    assert desk("Get the price of 600 Big").status == "miss"
    assert desk.calls == [("price", "Big", 600, "USD")]
    told = desk.engine.explain("Get the price of 50 Small")
    assert "later recording" in told.template or "no calls in common" in told.template
    fair = quiet()
    for number in range(10, 60, 10):
        assert fair(f"Get the price of {number} Ab{'cdefgh'[number // 10]}").status == "miss"
    assert fair("Get the price of 35 Xyz").status == "hit"
    told = fair.engine.explain("Get the price of 70 Uvw")
    assert "70 is not between numbers that agreed" in told.template
    assert fair("Get the price of 70 Uvw").status == "miss"
    assert fair("Get the price of 69 Rst").status == "hit"


def test_l15_a_difference_that_no_hole_explains_prevents_the_template() -> None:
    desk = quiet()
    desk.currency = lambda amount: str(amount + 1)
    desk("Get the price of 10 Abc", "Get the price of 20 Def")
    told = desk.engine.explain("Get the price of 30 Ghi")
    assert not told
    assert "argument 'currency' of price (step 0) differs" in told.template
    assert desk("Get the price of 30 Ghi").status == "miss"


def test_l15_a_hole_that_explains_nothing_prevents_the_template() -> None:
    desk = quiet()
    desk("Look at order 7 of Ann", "Look at order 8 of Bob")
    told = desk.engine.explain("Look at order 9 of Cid")
    assert "explains no argument" in told.template
    assert desk("Look at order 9 of Cid").status == "miss"


def test_l15_a_constant_that_equals_a_fill_prevents_the_template() -> None:
    desk = quiet()
    desk.engine.set_agent(lambda task: desk.tools[2](task.split()[-1], 5, "Eur"))
    desk("Get the price of Abc", "Get the price of Def")
    assert desk("Get the price of Ghi").status == "hit"
    told = desk.engine.explain("Get the price of EUR")
    assert told.template == "no template: 'EUR' of the text also occurs in a call, and no hole explains it"
    assert desk("Get the price of EUR").status == "miss"


def test_l14_two_templates_that_fit_a_text_fit_none() -> None:
    desk = quiet()
    desk("Refund order 7001 for Ann", "Refund order 7002 for Ann", "Refund order 7003 for Bob")
    told = desk.engine.explain("Refund order 7004 for Ann")
    assert told.template.startswith("no template: two templates fit the text")
    assert desk("Refund order 7004 for Ann").status == "miss"


def test_l16_other_calls_end_the_template() -> None:
    desk = quiet()
    desk(*REFUNDS[:2])
    desk.extra = " II"
    assert desk(REFUNDS[2]).status == "diverged"
    assert "made other calls" in desk.engine.explain(REFUNDS[3]).template
    assert desk(REFUNDS[3]).status == "miss"


def test_l16_a_failure_ends_the_template() -> None:
    desk = quiet()
    desk(*REFUNDS[:3])
    hit = desk(REFUNDS[3])
    desk.engine.report_bad(hit.trajectory_id, "wrong customer")
    assert "quarantined" in desk.engine.explain("Refund order 9 for Eve").template
    assert desk("Refund order 9 for Eve").status == "miss"
    reads = quiet()
    reads("Look up order 7001", "Look up order 7002")
    reads.engine.report_bad(reads("Look up order 7003").trajectory_id, "wrong")
    assert reads("Look up order 7004").status == "miss"


def test_l16_without_its_recordings_the_template_is_gone() -> None:
    desk = quiet()
    first = desk("Look up order 7001")
    desk("Look up order 7002")
    assert desk.engine.explain("Look up order 7003")
    desk.engine.forget(first.trajectory_id)
    told = desk.engine.explain("Look up order 7003")
    assert not told
    assert told.template.startswith("no template: 1 recorded text ")
    assert desk("Look up order 7003").status == "miss"


def test_l16_explain_names_the_template_its_holes_and_its_state() -> None:
    desk = quiet()
    assert desk.engine.explain(REFUNDS[0]).template == "no template: no recorded texts with its words can be lined up"
    desk(*REFUNDS[:2])
    told = desk.engine.explain(REFUNDS[2])
    assert told.template == (
        "template 'Refund order {number_1} for {name_2}' (2 recordings; on probation: the agent's calls must have "
        "agreed with it once more) with number_1='7002', name_2='Cid Fox'"
    )
    assert told.template in str(told)
    assert "template" in told._repr_html_()
    assert desk.asked == [REFUNDS[1]]


def test_l16_another_process_derives_the_same() -> None:
    store = MemoryStore()
    quiet(store=store)(*REFUNDS[:3])
    other = quiet(store=store)
    assert other(REFUNDS[3]).status == "hit"
    assert quiet(store=store, scope="other")(REFUNDS[3]).status == "miss"


@pytest.mark.parametrize(
    "task",
    [
        "Refund order 7003 for Everyone",
        "Refund order 7003 for Dan and Bob",
        "Do not refund order 7003 for Dan",
        "",
        "x" * 10**6,
    ],
    ids=["everyone", "and", "not", "empty", "megabyte"],
)
def test_l14_hostile_texts_are_handed_over(task: str) -> None:
    desk = quiet()
    desk(*REFUNDS[:3])
    assert desk(task).status == "miss"
    assert desk.asked == [task]


class Broken(MemoryStore):
    """A store whose pages cannot be read."""

    def scan(self, **_: Any) -> Any:
        raise StoreError("no pages")


def test_l16_a_store_that_fails_leaves_the_task_to_the_agent() -> None:
    desk = quiet(store=Broken())
    desk("Look up order 7001", "Look up order 7002")
    outcome = desk("Look up order 7003")
    assert (outcome.status, outcome.learned) == ("miss", True)
    assert desk.engine.explain("Look up order 7004").template == "no template: the store cannot be read: no pages"


def test_l16_many_texts_alike_are_bounded_and_the_oldest_are_dropped() -> None:
    desk = quiet(learn_params=False)
    desk(*[f"Look up order {number}" for number in range(7000, 7020)])
    told = desk.engine.explain("Look up order 9", learn_params=True)
    assert "(8 recordings; " in told.template
    assert desk("Look up order 9", learn_params=True).status == "hit"


def test_l16_a_changed_tool_ends_what_was_derived() -> None:
    store = MemoryStore()
    quiet(store=store)(*REFUNDS[:3])
    desk = quiet(store=store, effect="irreversible", approve=lambda *_: True)
    assert desk(REFUNDS[3]).status != "hit"
    assert desk.asked == [REFUNDS[3]]


def test_l16_sessions_and_async_calls_learn_too() -> None:
    desk = quiet()
    desk("Look up order 7001", "Look up order 7002")
    assert asyncio.run(desk.engine.acall("Look up order 7003")).status == "hit"
    with desk.engine.session("Look up order 7004") as session:
        call = session.next()
        assert call is not None
        assert (call.name, call.args, call.replayed) == ("find_order", (7004,), True)


def test_l16_a_plain_hit_does_not_look_for_templates(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = quiet()
    desk("Look up order 7001", "Look up order 7002")
    monkeypatch.setattr(desk.engine._runtime, "learned_params", None)
    assert desk("Look up order 7001").status == "hit"
    assert desk.engine._runtime.learned_params is None


@pytest.mark.parametrize("recordings", [2, 3])
def test_l16_families_of_texts_are_answered_and_hostile_ones_never_wrongly(recordings: int) -> None:
    found = text_families.findings(2, 0, recordings)
    counts = {kind: sum(families.values(), text_families.Counter()) for kind, families in found.items()}
    assert not any(count["wrong"] for count in counts.values())
    assert counts["fair"]["answered"] >= 0.6 * counts["fair"].total()
    assert counts["hostile"].total() > 80


@pytest.mark.parametrize("seed", range(5))
def test_l16_a_threshold_is_never_crossed_by_a_replay(seed: int) -> None:
    chance = random.Random(seed)
    desk = quiet()
    desk.currency = lambda amount: "EUR" if amount < 700 else "USD"
    for at in range(25):
        number = chance.randint(100, 999)
        desk(f"Get the price of {number} Item{chr(97 + at)}")
        assert desk.calls == [("price", f"Item{chr(97 + at)}", number, desk.currency(number))]


@pytest.mark.parametrize("spelled", [str, str.upper, lambda name: name.lower().replace(" ", ".") + "@acme.com"])
def test_l16_a_value_of_a_text_that_an_output_no_longer_repeats_is_asked(spelled: Callable[[str], str]) -> None:
    engine = Engine(learn_params=True)
    others = {"Dan Moe": "Daniel Moe"}
    sent: list[str] = []
    contact = engine.tool(effect="read", name="contact")(lambda name: {"is": spelled(others.get(name, name))})
    send = engine.tool(effect="write", name="send")(sent.append)

    def agent(task: str) -> None:
        found = contact(task.removeprefix("Send the greeting to "))["is"]
        send(found.split("@")[0].replace(".", " ").title())

    engine.set_agent(agent)
    outcomes = [
        engine(f"Send the greeting to {name}") for name in ("Ann Lee", "Bob Ray", "Cho Park", "Eve Fox", "Dan Moe")
    ]
    assert [bool(outcome) for outcome in outcomes] == [False, False, False, True, False]
    assert sent[-2:] == ["Eve Fox", "Daniel Moe"]
