"""E2, E8, E9, E11: what may be computed from params, or made up, needs a second recording before it is sent."""

from __future__ import annotations

import datetime
import itertools
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Engine, Outcome, Reason

NOON = datetime.datetime(2026, 3, 10, 12).timestamp()
DAY = 86_400.0


class Shop:
    """An engine with some tools, an agent that is a function of the params, and a clock that tests move."""

    def __init__(self, agent: Callable[[Shop, Any], Any], store: str | None = None, **options: Any) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.now = NOON
        self.engine = Engine(store, clock=lambda: self.now, **options)

        @self.engine.tool(effect="write")
        def do(what: str, *args: Any) -> None:
            self.calls.append((what, *args))

        @self.engine.tool(effect="write")
        def pay(amount: Any, key: Any = None) -> None:
            self.calls.append(("pay", amount, key))

        @self.engine.tool(effect="read")
        def look(what: Any) -> str:
            self.calls.append(("look", what))
            return "seen"

        @self.engine.tool(effect="irreversible")
        def wire(account: str, text: str = "") -> None:
            self.calls.append(("wire", account, text))

        self.do, self.pay, self.look, self.wire = do, pay, look, wire
        self.engine.set_agent(lambda task, given=None: agent(self, given))

    def run(self, value: Any = None) -> tuple[Outcome, list[tuple[Any, ...]]]:
        self.calls = []
        params = None if value is None else {"p": value}
        return self.engine("the task", value, params=params), self.calls


def chairs(shop: Shop, quantity: int) -> None:
    shop.do("order", quantity)
    shop.pay(quantity * 250)


def test_e8_a_total_computed_from_a_quantity_is_paid_for_no_other_quantity() -> None:
    shop = Shop(chairs)
    shop.run(150)
    assert shop.run(150)[0]
    outcome, calls = shop.run(300)
    assert (outcome.status, outcome.reason) == ("miss", Reason.UNCONFIRMED)
    assert calls == [("order", 300), ("pay", 75_000, None)]
    assert "'amount' of" in outcome.message
    assert "37500" in outcome.message
    assert "'p'" in outcome.message
    for quantity in (150, 300):
        outcome, calls = shop.run(quantity)
        assert outcome
        assert calls[1] == ("pay", quantity * 250, None)
    assert not shop.run(400)[0]


@pytest.mark.parametrize(
    ("agent", "values"),
    [
        (lambda s, n: (s.do("order", n), s.do("say", f"{n} chairs are {n * 250} EUR")), (150, 300)),
        (lambda s, n: (s.do("n", n), s.do("flag", n > 500)), (150, 900)),
        (lambda s, n: (s.do("n", n), s.do("total", f"{n * 2.5:.2f} EUR")), (150, 300)),
        (
            lambda s, d: (s.do("in", d), s.do("out", d + datetime.timedelta(2))),
            (datetime.date(2031, 5, 1), datetime.date(2031, 6, 1)),
        ),
        (
            lambda s, d: (s.do("in", d), s.do("day", f"{datetime.date.fromisoformat(d):%A}")),
            ("2031-05-01", "2031-05-02"),
        ),
        (
            lambda s, d: (s.do("in", d), s.do("month", f"{datetime.date.fromisoformat(d):%B}")),
            ("2031-05-01", "2031-06-02"),
        ),
        (lambda s, x: (s.do("list", x), s.do("count", len(x))), ([1000, 2000], [1000, 2000, 3000])),
        (lambda s, t: (s.do("n", t), s.pay(int(t) * 2)), ("150", "300")),
        (
            lambda s, d: (s.do("in", d), s.look(d + datetime.timedelta(2)))[1],
            (datetime.date(2031, 5, 1), datetime.date(2031, 6, 1)),
        ),
    ],
    ids=["text", "bool", "decimals", "end date", "weekday", "month", "length", "numeric text", "read with the answer"],
)
def test_e8_whatever_is_computed_from_a_param_is_what_the_agent_would_compute(
    agent: Any, values: tuple[Any, Any]
) -> None:
    shop = Shop(agent)
    for value in (*values, *values):
        outcome, calls = shop.run(value)
        _, expected = Shop(agent).run(value)
        assert calls == expected, outcome
    assert outcome  # each value was recorded by then


def test_e8_a_constant_is_confirmed_by_two_recordings_that_differ_in_the_param() -> None:
    shop = Shop(lambda s, n: (s.do("order", n), s.pay(4900)))
    shop.run(150)
    assert shop.run(300)[0].reason is Reason.UNCONFIRMED
    for n in (150, 300, 777, 12_000):
        outcome, calls = shop.run(n)
        assert outcome
        assert calls == [("order", n), ("pay", 4900, None)]


def test_e11_a_narrow_constant_holds_between_its_witnesses_only_until_five_agreed() -> None:
    shop = Shop(lambda s, n: (s.do("order", n), s.do("express", n > 500)))
    for n in (150, 300):
        shop.run(n)
    assert shop.run(200)[0]
    outcome, calls = shop.run(900)
    assert outcome.reason is Reason.UNCONFIRMED
    assert calls[1] == ("express", True)
    constant = Shop(lambda s, n: (s.do("order", n), s.do("express", False)))
    told = [bool(constant.run(n)[0]) for n in (100, 200, 300, 400, 500, 600)]
    assert told == [False, False, False, False, False, True]


@pytest.mark.parametrize(
    ("agent", "value", "other"),
    [
        (lambda s, n: (s.do("order", n), s.do("press", "line2")), 150, 300),
        (lambda s, n: (s.do("order", n), s.do("press", "#3")), 150, 300),
        (lambda s, n: (s.do("order", n), s.do("press", "Save")), 150, 300),
        (lambda s, n: (s.do("say", n), s.pay(4900)), "Ann", "Bob"),
        (lambda s, n: (s.do("order", n), s.look(4900)), 150, 300),
    ],
    ids=[
        "digits behind letters",
        "digits behind a hash",
        "no figure",
        "no number in the param",
        "a read that nobody uses",
    ],
)
def test_e8_what_cannot_have_been_computed_hits_after_one_recording(agent: Any, value: Any, other: Any) -> None:
    shop = Shop(agent)
    shop.run(value)
    assert shop.run(other)[0]


def test_e8_a_number_of_the_task_and_a_default_are_no_computation() -> None:
    engine = Engine()
    calls: list[Any] = []

    @engine.tool(effect="write")
    def pay(amount: int, times: int = 12) -> None:
        calls.append((amount, times))

    def agent(task: str) -> None:
        pay(int(task.split()[1]), 12)
        pay(4900, 12)

    engine.set_agent(agent)
    engine("pay 150 and 4900", params={"n": 150})
    assert engine("pay 300 and 4900", params={"n": 300})
    assert calls[2:] == [(300, 12), (4900, 12)]


def test_e8_in_an_irreversible_step_every_literal_counts() -> None:
    shop = Shop(lambda s, name: s.wire("DE-ACME", f"for {name}"), approve=lambda task: True)
    shop.run("Ann")
    assert shop.run("Bob")[0].reason is Reason.UNCONFIRMED
    assert shop.run("Carl")[0]


def test_generalize_at_once_and_confirmed() -> None:
    shop = Shop(chairs, generalize="at_once")
    shop.run(150)
    outcome, calls = shop.run(300)
    assert outcome
    assert calls[1] == ("pay", 37_500, None)
    shop = Shop(lambda s, city: s.do("to", city), generalize="confirmed")
    told = [bool(shop.run(city)[0]) for city in ("Rome", "Rome", "Oslo", "Bern")]
    assert told == [False, True, False, True]
    with pytest.raises(ValueError, match="generalize"):
        Engine(generalize="never")  # type: ignore[arg-type]


def test_e2_two_numbers_hold_only_in_their_order_until_both_orders_agreed() -> None:
    def agent(shop: Shop, _: Any) -> None:
        shop.do("both", low, high)

    shop = Shop(agent)
    told = []
    for low, high in ((200, 500), (300, 900), (900, 300), (700, 100), (100, 900)):
        shop.calls = []
        told.append(bool(shop.engine("t", params={"low": low, "high": high})))
        assert shop.calls == [("both", low, high)]
    assert told == [False, True, False, True, True]


# -- E9: made up for this run


MADE_UP = {
    "uuid": lambda: str(uuid.uuid4()),
    "uuid in a text": lambda: f"key:{uuid.uuid4()}",
    "hex": lambda: uuid.uuid4().hex,
    "token": lambda: "aB3dE5fG7hI9jK1l" + str(next(COUNT)),
}
COUNT = itertools.count(10)


@pytest.mark.parametrize("make", MADE_UP.values(), ids=MADE_UP)
def test_e9_a_random_value_is_sent_by_no_other_run(make: Callable[[], str]) -> None:
    shop = Shop(lambda s, _: s.pay(15_000, make()))
    seen = set()
    for _ in range(4):
        outcome, calls = shop.run()
        assert not outcome
        seen.add(calls[0][2])
    assert len(seen) == 4


DATES: dict[str, Callable[[datetime.date], Any]] = {
    "iso": lambda day: day.isoformat(),
    "date": lambda day: day,
    "tomorrow": lambda day: day + datetime.timedelta(1),
    "german": lambda day: f"{day:%d.%m.%Y}",
    "within a text": lambda day: f"report of {day:%d %B %Y}, final",
    "year and month": lambda day: f"{day:%Y-%m}",
    "month name": lambda day: f"{day:%B} report",
    "year": lambda day: day.year,
}


@pytest.mark.parametrize("make", DATES.values(), ids=DATES)
def test_e9_a_date_is_sent_on_its_own_day_only(make: Callable[[datetime.date], Any]) -> None:
    shop = Shop(lambda s, _: s.do("book", make(datetime.date.fromtimestamp(s.now))))
    shop.run()
    assert shop.run()[0]
    shop.now += 400 * DAY
    outcome, calls = shop.run()
    assert outcome.reason is Reason.UNCONFIRMED
    assert calls == [("book", make(datetime.date.fromtimestamp(shop.now)))]


def test_e9_a_date_that_stays_the_same_on_another_day_is_a_constant() -> None:
    shop = Shop(lambda s, _: s.do("book", "2026-12-24"))
    shop.run()
    shop.now += DAY
    assert shop.run()[0].reason is Reason.UNCONFIRMED
    shop.now += 40 * DAY
    assert shop.run()[0]


def test_e9_a_random_constant_is_confirmed_by_another_process_or_day(tmp_path: Path) -> None:
    fixed = "550e8400-e29b-41d4-a716-446655440000"
    shop = Shop(lambda s, _: s.pay(1, fixed), store=str(tmp_path / "s.db"))
    shop.run()
    shop.now += DAY
    assert not shop.run()[0]
    assert shop.run()[0]


def test_e9_what_stands_in_the_task_a_param_or_an_output_was_not_made_up() -> None:
    token, day = "aB3dE5fG7hI9jK1l", "2026-03-12"
    engine = Engine(clock=lambda: clock[0])
    clock = [NOON]

    @engine.tool(effect="read")
    def find() -> dict[str, str]:
        return {"token": token, "day": day}

    @engine.tool(effect="write")
    def send(*args: Any) -> None: ...

    def agent(task: str) -> None:
        found = find()
        send(found["token"], found["day"], "2026-03-15", task.split()[-1])

    engine.set_agent(agent)
    engine("until 15.03.2026 with q1w2e3r4t5y6u7i8")
    clock[0] += DAY * 400
    assert engine("until 15.03.2026 with q1w2e3r4t5y6u7i8")


def test_e9_an_ordinary_long_word_or_a_far_date_is_no_made_up_value() -> None:
    shop = Shop(lambda s, _: s.do("say", "internationalization", "1987-05-01", "ISO8601 and RFC2119", "May I come?"))
    shop.run()
    shop.now += 400 * DAY
    assert shop.run()[0]


def test_e11_a_row_keeps_at_most_eight_witnesses_and_is_one_candidate() -> None:
    shop = Shop(lambda s, n: s.do("order", n))
    for n in range(200, 220):
        assert shop.engine("the task", n, params={"p": n}, mode="record").learned
    (entry,) = shop.engine._runtime.library.entries()
    (trajectory,) = entry.trajectories
    assert len(trajectory.candidates) == 8
    assert len(entry.candidate_set.candidates) == 1
