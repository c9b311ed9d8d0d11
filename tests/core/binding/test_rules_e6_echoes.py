"""E6: a value that is a param's and stands in an output, too, is sent while both say the same, or once decided."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from answering_desk import Desk
from muscle_mem import Engine, Outcome, Param, Reason
from muscle_mem._core.binding.guards.echoes import relation


def is_asked(outcome: Outcome) -> bool:
    return outcome.reason == Reason.UNCONFIRMED


class Way(NamedTuple):
    """What a tool answers for a name, and how an agent makes the name of it."""

    answer: Callable[[str], Any]
    read: Callable[[Any], str]


def _titled(slug: str, mark: str) -> str:
    return " ".join(map(str.capitalize, slug.split(mark)))


WAYS = {
    "field": Way(lambda n: {"name": n}, lambda a: a["name"]),
    "whole": Way(lambda n: n, lambda a: a),
    "json": Way(lambda n: f'{{"name": "{n}"}}', lambda a: a.split('"')[3]),
    "row": Way(lambda n: [{"id": 1, "name": n}, {"id": 2, "name": "Dee Foxx"}], lambda a: a[0]["name"]),
    "address": Way(
        lambda n: {"mail": n.lower().replace(" ", ".") + "@acme.com"}, lambda a: _titled(a["mail"].split("@")[0], ".")
    ),
    "slug": Way(lambda n: {"key": n.lower().replace(" ", "-")}, lambda a: _titled(a["key"], "-")),
    "snake": Way(lambda n: {"key": n.lower().replace(" ", "_")}, lambda a: _titled(a["key"], "_")),
    "upper": Way(lambda n: {"name": n.upper()}, lambda a: a["name"].title()),
    "camel": Way(lambda n: {"key": n.replace(" ", "")}, lambda a: re.sub("(?<=[a-z])(?=[A-Z])", " ", a["key"])),
    "sentence": Way(lambda n: {"text": f"Opened by {n}."}, lambda a: a["text"][10:-1]),
    "path": Way(lambda n: {"url": f"/people/{n.replace(' ', '%20')}/x"}, lambda a: a["url"][8:-2].replace("%20", " ")),
    "join": Way(lambda n: {"first": n.split()[0], "last": n.split()[1]}, lambda a: f"{a['first']} {a['last']}"),
    "reversed": Way(
        lambda n: {"name": ", ".join(reversed(n.split()))}, lambda a: " ".join(reversed(a["name"].split(", ")))
    ),
    "turned": Way(
        lambda n: {"last": n.split()[1].upper(), "first": n.split()[0].upper()},
        lambda a: f"{a['first']} {a['last']}".title(),
    ),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_value_that_may_be_made_of_an_output_is_not_taken_for_the_param(way: Way) -> None:
    desk = Desk(lambda d: d.say(way.read(d.look())))
    desk.run(way.answer("Annika Leeds"), params={"who": "Annika Leeds"})
    assert is_asked(desk.run(way.answer("Robert Rayman"), params={"who": "Cho Parker"}))


def test_what_a_call_itself_returns_does_not_hide_where_its_value_came_from() -> None:
    engine = Engine()
    answer: dict[str, str] = {}
    said: list[str] = []
    look = engine.tool(effect="read", answers="any", name="look")(lambda: dict(answer))
    say = engine.tool(effect="write", answers="any", name="say")(lambda text: said.append(text) or {"said": text})
    engine.set_agent(lambda task: say(" ".join(look().values())) and None)
    answer.update(first="Annika", last="Leeds")
    engine("the task", params={"who": "Annika Leeds"})
    answer.update(first="Robert", last="Rayman")
    assert is_asked(engine("the task", params={"who": "Cho Parker"}))
    assert said == ["Annika Leeds", "Robert Rayman"]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_value_whose_output_changed_is_asked_for_the_same_param_too(way: Way) -> None:
    desk = Desk(lambda d: d.say(way.read(d.look())))
    desk.run(way.answer("Annika Leeds"), params={"who": "Annika Leeds"})
    assert is_asked(desk.run(way.answer("Robert Rayman"), params={"who": "Annika Leeds"}))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_an_output_that_repeats_the_param_costs_no_hit(way: Way) -> None:
    desk = Desk(lambda d: d.say(way.read(d.look())))
    desk.run(way.answer("Annika Leeds"), params={"who": "Annika Leeds"})
    for name in ("Robert Rayman", "Cho Parker", "Annika Leeds"):
        assert desk.run(way.answer(name), params={"who": name})


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_param_that_an_output_held_by_chance_is_asked_once(way: Way) -> None:
    given: dict[str, str] = {}
    desk = Desk(lambda d: d.say(d.look() and given["who"]))

    def run(answer: str, who: str) -> Outcome:
        given["who"] = who
        return desk.run(way.answer(answer), params=given)

    run("Annika Leeds", "Annika Leeds")
    assert is_asked(run("Robert Rayman", "Cho Parker"))
    assert run("Mary Moe", "Dan Brown")
    assert run("Robert Rayman", "Annika Leeds")


@pytest.mark.parametrize(
    ("param", "other", "answer", "changed"),
    [
        (1500, 2500, {"total": "1,500.00 EUR"}, {"total": "1,700.00 EUR"}),
        (1500, 2500, {"total": 1500.0}, {"total": 1700.0}),
        (1500, 2500, "order 1500 is open", "order 1700 is open"),
        ("1500", "2500", [{"no": 1500}], [{"no": 1700}]),
        ("7003", "8003", {"ref": "order-7003"}, {"ref": "order-9003"}),
        ("2031-12-24", "2031-11-20", {"due": "24.12.2031"}, {"due": "25.12.2031"}),
        (dt.date(2031, 12, 24), dt.date(2031, 11, 20), {"due": "Dec 24, 2031"}, {"due": "Dec 25, 2031"}),
        (dt.date(2031, 12, 24), dt.date(2031, 11, 20), {"due": dt.date(2031, 12, 24)}, {"due": dt.date(2031, 12, 25)}),
        ("24/12/2031", "20/11/2031", {"due": dt.date(2031, 12, 24)}, {"due": dt.date(2031, 12, 25)}),
        ("東京", "大阪", {"place": "東京都"}, {"place": "京都府"}),
        ("José Ruiz", "Ana Gil", {"key": "jose-ruiz"}, {"key": "eva-diaz"}),
    ],
    ids=str,
)
def test_numbers_and_dates_are_recognized_in_any_spelling(param: Any, other: Any, answer: Any, changed: Any) -> None:
    given: dict[str, Any] = {}
    desk = Desk(lambda d: d.say(d.look() and given["p"]))

    def run(seen: Any, value: Any) -> Outcome:
        given["p"] = value
        return desk.run(seen, params=given)

    run(answer, param)
    assert run(answer, param)
    assert is_asked(run(changed, other))
    assert run(answer, other)


def test_the_record_that_holds_a_param_is_not_taken_for_another_value() -> None:
    rows = [{"id": 1001, "name": "Ann Lee"}, {"id": 1002, "name": "Bob Ray"}, {"id": 1003, "name": "Cho Park"}]
    given: dict[str, str] = {}
    desk = Desk(lambda d: d.take(next(r["id"] for r in d.look() if r["name"] == given["who"]), note=given["who"]))
    for who in ("Ann Lee", "Bob Ray", "Cho Park", "Ann Lee", "Bob Ray"):
        given["who"] = who
        outcome = desk.run(rows, params=given)  # A hit that took the id of another record would fail there.
    assert outcome


@pytest.mark.parametrize("whole", [False, True], ids=["id", "record"])
def test_a_record_is_not_taken_for_another_value_before_the_param_is_used(whole: bool) -> None:
    rows = [{"id": 1001, "name": "Ann Lee"}, {"id": 1002, "name": "Bob Ray"}, {"id": 1003, "name": "Cho Park"}]
    given: dict[str, str] = {}

    def agent(desk: Desk) -> None:
        desk.say(f"looking for {given['who']}")
        row = next(row for row in desk.look() if row["name"] == given["who"])
        desk.take(row if whole else row["id"])

    desk = Desk(agent)
    for who in ("Ann Lee", "Bob Ray", "Cho Park", "Ann Lee"):
        given["who"] = who
        desk.run(rows, params=given)


def test_a_value_under_a_key_that_is_a_param_is_not_taken_for_another_key() -> None:
    prices = {"chair": 500, "table": 700, "shelf": 300}
    given: dict[str, str] = {}
    desk = Desk(lambda d: d.take(given["what"], amount=d.look()[given["what"]]))
    for what in ("chair", "table", "shelf", "chair"):
        given["what"] = what
        desk.run(prices, params=given)


def test_a_field_that_all_records_share_with_the_param_may_have_other_lengths() -> None:
    given: dict[str, str] = {}
    desk = Desk(lambda d: d.say(d.look() and given["city"]))

    def run(city: str, count: int, *more: str) -> Outcome:
        given["city"] = city
        cities = [city] * count + list(more)
        return desk.run([{"hotel": f"House {at}", "city": each} for at, each in enumerate(cities)], params=given)

    run("Rome", 3)
    assert run("Oslo", 5)
    assert run("Bern", 1)
    assert is_asked(run("Lima", 2, "Kyiv"))


@pytest.mark.parametrize("count", [20, 60])
def test_a_long_list_that_repeats_the_param_costs_no_hit(count: int) -> None:
    given: dict[str, str] = {}
    hits: list[bool] = []
    desk = Desk(lambda d: d.say(d.look() and given["city"]))
    for city, length in (("Rome", count), ("Oslo", count + 1), ("Bern", 2)):
        given["city"] = city
        hits.append(bool(desk.run([{"no": at, "city": city} for at in range(length)], params=given)))
    assert hits == [False, True, True]


def test_a_small_value_is_looked_for_under_its_name_only() -> None:
    given: dict[str, int] = {}
    desk = Desk(lambda d: d.take("x", qty=d.look() and given["qty"]))

    def run(qty: int, echoed: int, level: int) -> Outcome:
        given["qty"] = qty
        return desk.run({"qty": echoed, "level": level}, params=given)

    desk.engine.set_agent(lambda task: desk.agent(desk))
    engine_take = desk.engine.tool(effect="write", name="order")

    def order(qty: int) -> None:
        desk.calls.append(("order", qty))

    bound = engine_take(order)
    desk.agent = lambda d: bound(d.look() and given["qty"])
    run(2, 2, 2)
    assert run(3, 3, 2)
    assert is_asked(run(4, 5, 2))


@pytest.mark.parametrize("options", [{"generalize": "at_once"}, {}], ids=["at once", "vouched"])
def test_a_caller_may_say_that_the_param_is_meant(options: Any) -> None:
    given: dict[str, str] = {}
    desk = Desk(lambda d: d.say(d.look() and given["who"]), **options)

    def run(answer: str, who: str) -> Outcome:
        given["who"] = who
        return desk.run({"name": answer}, params={"who": who if options else Param(who, bind=["say.text"])})

    run("Annika Leeds", "Annika Leeds")
    assert run("Robert Rayman", "Cho Parker")


def test_what_is_learned_of_several_recordings_asks_too() -> None:
    given: dict[str, str] = {}
    desk = Desk(lambda d: d.take(d.look()["order_id"], name=given["who"]))
    ids = iter(range(710_001, 710_099, 13))

    def run(who: str, echoed: str = "") -> Outcome:
        given["who"] = who
        return desk.run({"order_id": next(ids), "name": echoed or who}, params=given)

    for who in ("Annika Leeds", "Robert Rayman", "Cho Parker", "Mary Moe"):
        outcome = run(who)
    assert outcome
    assert not run("Dan Brown", "Daniel Brown")
    assert run("Eve Adams", "Eva Adams"), "the fifth recording shows that the param is meant"


def test_the_message_names_the_param_and_the_output() -> None:
    desk = Desk(lambda d: d.say(d.look()["name"]))
    desk.run({"name": "Annika Leeds"}, params={"who": "Annika Leeds"})
    outcome = desk.run({"name": "Robert Rayman"}, params={"who": "Cho Parker"})
    assert outcome.divergence is not None
    message = outcome.divergence.message
    assert all(part in message for part in ("say", "param 'who'", "step 0", "look", "'Robert Rayman'", "bind="))


@pytest.mark.parametrize(
    ("leaf", "given", "kind"),
    [
        ("Ann", "Ann", "equal"),
        (150, "150", "equal"),
        (150.0, 150, "equal"),
        (True, "True", ""),
        (None, "None", ""),
        ("150 kg", 150, "figure"),
        ("ann lee", "Ann Lee", "spelled"),
        ("annlee", "Ann Lee", "spelled"),
        ("Joanne", "Ann", ""),
        ("Ann", "Ann Lee", "part"),
        ("", "Ann", ""),
        ("...", "Ann", ""),
        ("a-b", "+++", ""),
        ("x +++ y", "+++", "spelled"),
    ],
)
def test_how_a_leaf_holds_a_value(leaf: Any, given: Any, kind: str) -> None:
    assert relation(leaf, given) == kind


def test_a_store_keeps_what_it_learned(tmp_path: Any) -> None:
    answers = {"name": "Annika Leeds"}
    said: list[str] = []

    def make() -> Engine:
        engine = Engine(tmp_path / "mm.db")
        look = engine.tool(effect="read", name="look")(lambda: dict(answers))
        say = engine.tool(effect="write", name="say")(said.append)
        engine.set_agent(lambda task: say(look()["name"]))
        return engine

    with make() as engine:
        engine("the task", params={"who": "Annika Leeds"})
    answers["name"] = "Robert Rayman"
    with make() as engine:
        assert is_asked(engine("the task", params={"who": "Cho Parker"}))
    assert said == ["Annika Leeds", "Robert Rayman"]
