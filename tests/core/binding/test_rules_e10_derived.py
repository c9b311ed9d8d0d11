"""E10: numbers and dates that may be computed from outputs are sent again only while these outputs are the same."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Engine, Outcome, Reason

NOON = datetime.datetime(2026, 3, 10, 12).timestamp()
DAY = 86_400.0


@dataclass
class Priced:
    """A record that is an object."""

    price: float


def _listed(rows: list[dict[str, Any]]) -> str:
    return "\n".join(f"{at}. id = {row['id']}; price = {row['price']:.2f}" for at, row in enumerate(rows, 1))


class Till:
    """A read tool that answers what a test says, a write tool, and a clock."""

    def __init__(self, agent: Callable[[Till], Any], store: str | None = None, **options: Any) -> None:
        self.answer: Any = None
        self.calls: list[Any] = []
        self.now = NOON
        self.engine = Engine(store, clock=lambda: self.now, **options)

        @self.engine.tool(effect="read", answers="any")
        def look() -> Any:
            return self.answer

        @self.engine.tool(effect="write")
        def pay(amount: Any, times: int = 12) -> None:
            self.calls.append(amount)

        @self.engine.tool(answers="any", effect="read")
        def search(limit: Any) -> None:
            self.calls.append(limit)

        self.look, self.pay, self.search = look, pay, search
        self.engine.set_agent(lambda task, *_: agent(self))

    def run(self, answer: Any, **options: Any) -> tuple[Outcome, list[Any]]:
        self.answer, self.calls = answer, []
        return self.engine("the task", **options), self.calls


CART = [{"name": "chair", "price": 120.5}, {"name": "table", "price": 300.25}]
MORE = [{"name": "chair", "price": 120.5}, {"name": "table", "price": 310.25}]
COMPUTED: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {
    "sum": (lambda out: sum(i["price"] for i in out), CART, MORE),
    "text": (lambda out: f"in all {sum(i['price'] for i in out)} EUR", CART, MORE),
    "product": (lambda out: out["n"] * 250, {"n": 3}, {"n": 4}),
    "length": (len, ["a", "b", "c"], ["a", "b", "c", "d"]),
    "position": (lambda out: out.index("b"), ["a", "b"], ["b", "a", "c"]),
    "bool": (lambda out: out["total"] > 1000, {"total": 900}, {"total": 1900}),
    "parsed": (lambda out: float(out.split()[0]) * 2, "12.50 EUR", "13.50 EUR"),
    "date": (
        lambda out: (datetime.date.fromisoformat(out["due"]) + datetime.timedelta(2)).isoformat(),
        {"due": "2031-05-01"},
        {"due": "2031-06-01"},
    ),
    "weekday": (lambda out: f"{datetime.date.fromisoformat(out):%A}", "2031-05-01", "2031-05-02"),
    "nested": (lambda out: {"lines": [sum(out["a"])]}, {"a": [100, 200]}, {"a": [100, 250]}),
    "unit": (lambda out: out["w"] * 2, {"w": 150, "unit": "kg"}, {"w": 150, "unit": "t"}),
}


@pytest.mark.parametrize("name", COMPUTED)
def test_e10_what_may_be_computed_is_sent_only_with_the_same_figures(name: str) -> None:
    compute, first, then = COMPUTED[name]
    till = Till(lambda t: t.pay(compute(t.look())))
    till.run(first)
    assert till.run(first)[0]
    outcome, calls = till.run(then)
    assert (outcome.status, outcome.reason) == ("diverged", Reason.UNCONFIRMED)
    assert calls == [compute(then)]
    assert "look" in outcome.message
    for answer in (first, then):
        outcome, calls = till.run(answer)
        assert outcome
        assert calls == [compute(answer)]


def test_e10_two_recordings_with_other_figures_confirm_a_constant(tmp_path: Path) -> None:
    till = Till(lambda t: (t.look(), t.pay(4900)), store=str(tmp_path / "s.db"))
    told = [bool(till.run({"n": n})[0]) for n in (150, 160, 170, 999)]
    assert told == [False, False, True, True]


def test_e10_a_small_number_is_confirmed_by_five_and_before_by_figures_that_were_seen() -> None:
    till = Till(lambda t: t.pay(len([n for n in t.look() if n > 500])))
    till.run([100, 900])
    assert not till.run([200, 900])[0]
    assert till.run([100, 900])[0]
    outcome, calls = till.run([600, 900])
    assert not outcome
    assert calls == [2]
    constant = Till(lambda t: (t.look(), t.pay(2)))
    told = [bool(constant.run({"n": n})[0]) for n in range(150, 157)]
    assert told == [False] * 5 + [True] * 2


@pytest.mark.parametrize(
    ("agent", "first", "then"),
    [
        (lambda t: (t.look(), t.pay("Save")), {"n": 150}, {"n": 160}),
        (lambda t: (t.look(), t.pay("line2 of #main3")), {"n": 150}, {"n": 160}),
        (lambda t: (t.look(), t.pay("x", 12)), {"n": 150}, {"n": 160}),
        (lambda t: (t.look(), t.search(25)), {"n": 150}, {"n": 160}),
        (lambda t: (t.pay(4900), t.look()), {"n": 150}, {"n": 160}),
        (lambda t: (t.look(), t.pay(4900)), {"name": "Ann"}, {"name": "Bob"}),
        (lambda t: (t.look(), t.pay(4900)), {"at": "10:15", "ts": NOON}, {"at": "11:45", "ts": NOON + 3600}),
        (lambda t: (t.look(), t.pay(4900)), "made 2026-03-10T12:00:01Z", "made 2026-03-10T12:07:41Z"),
        (lambda t: (t.look(), t.pay(4900)), {"id": "ab12cd"}, {"id": "ef34gh"}),
        (lambda t: (t.look(), t.pay(4900)), {"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ],
    ids="no figure,digits behind letters,default,read,later output,no number,clock,stamp,id,order".split(","),
)
def test_e10_what_cannot_have_been_computed_hits_after_one_recording(agent: Any, first: Any, then: Any) -> None:
    till = Till(agent)
    till.run(first)
    outcome, _ = till.run(then)
    assert outcome, outcome.message


def test_e10_figures_of_the_task_and_of_params_are_no_computation() -> None:
    engine = Engine()
    answers = iter(({"n": 1}, {"n": 2}, {"n": 3}))

    @engine.tool(answers="any", effect="read")
    def look() -> Any:
        return next(answers)

    @engine.tool(effect="write")
    def pay(amount: int, note: str) -> None: ...

    def agent(task: str, order: int) -> None:
        look()
        pay(4900, f"order {order}")

    engine.set_agent(agent)
    engine("pay 4900 EUR", 777, params={"order": 777})
    assert engine("pay 4900 EUR", 777, params={"order": 777})


def test_e10_the_old_behavior_can_be_had() -> None:
    till = Till(lambda t: t.pay(t.look()["n"] * 2), generalize="at_once")
    till.run({"n": 150})
    assert till.run({"n": 160})[0]


def test_e10_works_under_acall_and_in_shadow_and_learns_nothing_when_frozen() -> None:
    import asyncio

    till = Till(lambda t: t.pay(t.look()["n"] * 2))
    till.run({"n": 150})
    till.answer = {"n": 160}
    outcome = asyncio.run(till.engine.acall("the task"))
    assert outcome.reason == Reason.UNCONFIRMED
    till.answer, till.calls = {"n": 170}, []
    assert till.engine("the task", mode="frozen").reason == Reason.UNCONFIRMED
    assert till.calls == [340]
    assert not till.engine("the task", mode="frozen")


def test_e10_is_stored_and_holds_in_another_process(tmp_path: Path) -> None:
    path = str(tmp_path / "s.db")
    agent: Callable[[Till], Any] = lambda t: t.pay(sum(t.look()))
    first = Till(agent, store=path)
    first.run([100, 250])
    first.engine.close()
    again = Till(agent, store=path)
    assert again.run([100, 250])[0]
    assert again.run([100, 260])[0].reason == Reason.UNCONFIRMED


def test_e10_only_the_figures_that_differed_are_confirmed() -> None:
    till = Till(lambda t: t.pay(t.look()["price"] * 2))
    told = [bool(till.run({"price": p, "vat": v})[0]) for p, v in ((150, 19), (150, 20), (150, 7), (160, 19))]
    assert told == [False, False, True, False]


def test_e10_what_is_taken_from_a_table_of_text_depends_on_its_other_lines() -> None:
    def agent(till: Till) -> None:
        till.pay(min(float(line.split()[1]) for line in till.look().splitlines()))

    till = Till(agent)
    till.run("chair 120.50\ntable 300.25")
    assert till.run("chair 120.50\ntable 300.25")[0]
    assert not till.run("chair 120.50\ntable 99.25")[0]


def test_e10_the_same_figures_in_another_order_or_under_other_names_confirm_nothing() -> None:
    till = Till(lambda till: till.pay(sum(next(iter(row.values())) for row in till.look())))
    for answer in ([{"cost": 410}, {"cost": 733}], [{"cost": 733}, {"cost": 410}], [{"price": 733}, {"price": 410}]):
        till.run(answer)
    assert till.run([{"price": 733}, {"price": 410}])[0]
    outcome, calls = till.run([{"price": 733}, {"price": 411}])
    assert outcome.reason == Reason.UNCONFIRMED
    assert calls == [1144]


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"rows": rows, "total": 2}], ids=["alone", "inside"])
@pytest.mark.parametrize("record", [lambda price: {"price": price}, Priced], ids=["dict", "object"])
def test_e10_the_order_of_records_under_keys_counts(wrap: Callable[[Any], Any], record: Callable[[float], Any]) -> None:
    def price_of(row: Any) -> float:
        return row["price"] if isinstance(row, dict) else row.price

    def second(till: Till) -> None:
        answer = till.look()
        rows = list(answer.get("rows", answer).values())
        till.pay(round(price_of(rows[1]) * 100))

    till = Till(second)
    rows = {"2ba8": record(12.5), "546c": record(99.25)}
    assert not till.run(wrap(rows))[0]
    assert till.run(wrap(rows))[0]
    outcome, calls = till.run(wrap(dict(reversed(rows.items()))))
    assert outcome.reason == Reason.UNCONFIRMED
    assert calls == [1250]


@pytest.mark.parametrize("show", [lambda rows: rows, lambda rows: _listed(rows)], ids=["list", "text"])
def test_e10_a_quantity_that_equals_an_id_may_be_computed(show: Callable[[Any], Any]) -> None:
    rows = [{"id": 7, "price": 8.5}, {"id": 11, "price": 14.25}]
    till = Till(lambda till: (till.look(), till.pay(round(sum(row["price"] for row in rows) / 2))))
    till.run(show(rows))
    assert till.run(show(rows))[0]
    rows[0]["price"] = 4.5
    outcome, calls = till.run(show(rows))
    assert outcome.reason == Reason.UNCONFIRMED
    assert calls == [9]


def test_e10_a_quantity_of_a_field_of_its_name_is_none_of_an_id() -> None:
    till = Till(lambda till: till.pay(till.look()[0]["amount"]))
    till.run([{"id": 11, "amount": 11, "weight": 12.5}])
    assert till.run([{"id": 11, "amount": 11, "weight": 13.5}])[0]


def test_e10_the_order_of_fields_does_not_count() -> None:
    till = Till(lambda till: till.pay(round(till.look()["price"] * 100)))
    till.run({"price": 12.5, "weight": 3.25})
    assert till.run({"weight": 3.25, "price": 12.5})[0]


def test_e10_many_figures_in_another_order_confirm_nothing() -> None:
    till = Till(lambda till: till.pay(sum(till.look())))
    numbers = list(range(201, 261))
    for answer in (numbers, numbers[::-1], numbers[30:] + numbers[:30]):
        till.run(answer)
    assert till.run(numbers[::-1])[0]
    outcome, calls = till.run([*numbers[:-1], 999])
    assert outcome.reason == Reason.UNCONFIRMED
    assert calls == [sum(numbers) - 260 + 999]


def test_e10_figures_between_the_commas_of_csv_count() -> None:
    till = Till(lambda till: till.pay(3 * float(till.look().split("\n")[1].split(",")[2])))
    text = "ref,title,cost,due\nK-31,chair,7.00,2031-05-01\nK-77,pot,8.00,2031-05-02\n"
    till.run(text)
    assert till.run(text)[0]
    outcome, calls = till.run(text.replace("7.00", "6.00"))
    assert outcome.reason == Reason.UNCONFIRMED
    assert calls == [18.0]
