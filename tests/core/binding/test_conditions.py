"""Conditions of the search for sources of a literal, each with an input that only this condition decides."""

from __future__ import annotations

import copy
import datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from answering_desk import Desk, is_stale
from muscle_mem import Engine
from muscle_mem._core import codec
from muscle_mem._core.binding.guards.given import Given
from muscle_mem._core.model.records import Guard
from muscle_mem._core.plan.strikes import _MAX_GUARDS, _Recording

NOON = datetime.datetime(2026, 3, 10, 12).timestamp()


YEARS = [(2024, False), (2025, True), (2027, True), (2028, False)]


@pytest.mark.parametrize(("year", "is_made_up"), [*YEARS, (2026, True)])
@pytest.mark.parametrize("spell", [lambda year: f"the budget of {year}", str, int], ids=["in a text", "text", "number"])
def test_e9_a_year_is_made_up_for_this_run_if_it_is_within_a_year_of_the_recording(
    year: int, is_made_up: bool, spell: Any
) -> None:
    assert hits_later(spell(year)) is not is_made_up


@pytest.mark.parametrize(("year", "is_made_up"), YEARS)
@pytest.mark.parametrize("spell", ["{}-11", "11/{}"])
def test_e9_so_is_a_month_of_a_year(year: int, is_made_up: bool, spell: str) -> None:
    assert hits_later(f"report {spell.format(year)}") is not is_made_up


def hits_later(value: Any) -> bool:
    """Whether a value without a source is sent again more than a year after it was recorded."""
    clock = [NOON]
    engine = Engine(clock=lambda: clock[0])

    @engine.tool(effect="write")
    def book(what: Any) -> None: ...

    engine.set_agent(lambda task: book(value))
    assert engine("task").learned
    clock[0] += 400 * 86_400.0
    return bool(engine("task"))


TITLES = ("lunch", "dentist", "call", "walk")
REPEATED = ("K-100", "K-777", "K-100", "K-100")
UNIQUE = ("K-100", "K-777", "K-300", "K-500")
CHOICES: dict[str, tuple[str, tuple[Any, ...], str, bool]] = {
    "an argument with the name of an id": ("code", REPEATED, "order_id", True),
    "a field with the name of an id": ("ref", REPEATED, "", True),
    "an argument with the name of the field": ("colour", REPEATED, "colour", True),
    "a value that no other record has": ("code", UNIQUE, "", True),
    "a value beside records without one": ("code", ("K-100", "K-777", None, "K-500"), "", False),
    "a value beside others that repeat": ("code", REPEATED, "", False),
    "a price that no other record has": ("price", (120.5, 230.5, 340.5, 20.5), "", False),
}


@pytest.mark.parametrize("name", CHOICES)
def test_e6_a_record_is_guarded_with_a_value_that_stands_for_it(name: str) -> None:
    field, values, argument, is_guarded = CHOICES[name]
    rows = [{field: value, "title": title} for value, title in zip(values, TITLES, strict=True)]

    def agent(desk: Desk) -> None:
        value = desk.look()[1][field]
        if argument:
            desk.take(**{argument: value})
        else:
            desk.say(value)

    desk = Desk(agent)
    desk.run(rows)
    assert desk.run(copy.deepcopy(rows))
    rows[1]["title"] = "plumber"
    assert is_stale(desk.run(rows)) is is_guarded


def test_e6_the_only_record_of_a_list_is_not_told_from_others_by_a_value_without_a_name() -> None:
    desk = Desk(lambda desk: desk.say(desk.look()[0]["code"]))
    desk.run([{"code": "K-777", "title": "dentist"}])
    assert desk.run([{"code": "K-777", "title": "plumber"}])


@pytest.mark.parametrize("spell", ["{:,.2f} EUR", "EUR {:.2f}", "{:.1f}"])
@pytest.mark.parametrize("held", [float, "{:.3f}".format], ids=["a number", "a text"])
def test_e6_a_number_of_a_record_in_another_spelling_chooses_it_as_the_number_does(spell: str, held: Any) -> None:
    prices = [120.5, 1234.5, 64.5, 20.5]
    desk = Desk(lambda desk: desk.say(spell.format(max(float(row["price"]) for row in desk.look()))))

    def rows() -> list[dict[str, Any]]:
        return [{"title": title, "price": held(price)} for title, price in zip(TITLES, prices, strict=True)]

    desk.run(rows())
    assert desk.run(rows())
    prices[0] = 9_999.5
    assert is_stale(desk.run(rows()))


def test_e10_a_day_in_another_spelling_is_guarded_by_the_day_and_not_by_its_form() -> None:
    desk = Desk(lambda desk: desk.say("24.12.2031") if desk.look() else None)
    desk.run({"day": datetime.date(2031, 12, 24)})
    assert desk.run({"day": datetime.date(2031, 12, 24)})
    assert desk.run({"day": "2031-12-24"})
    assert is_stale(desk.run({"day": datetime.date(2031, 12, 25)}))


# -- what a run was given

GIVEN = ("Dear Ann", 150, 1.5, -0.0, float("nan"), Decimal("2.50"), True, None, b"raw", datetime.date(2031, 12, 24))


@pytest.mark.parametrize(
    "value", [*GIVEN[:6], *GIVEN[8:], "Ann", "ann", "24.12.2031", "150", "1.5", "-0.0", "nan", "NaN"]
)
def test_what_a_run_was_given_is_found_by_its_value_or_as_a_token(value: Any) -> None:
    assert Given(GIVEN).holds(value)


@pytest.mark.parametrize("value", ["An", "nn", "15", 15, 0.25, Decimal("7.1"), "hello", "na", b"row", True, None, ""])
def test_what_a_run_was_not_given_is_not_found(value: Any) -> None:
    assert not Given(GIVEN).holds(value)


# -- guards that another recording strikes

NORTH = {"id": "K-100", "title": "lunch", "room": "north", "price": 50.5}
SOUTH = {"id": "K-300", "title": "walk", "room": "south", "price": 70.5}


def rooms(title: str, room: str, price: float) -> list[dict[str, Any]]:
    return [NORTH, {"id": "K-777", "title": title, "room": room, "price": price}, SOUTH]


def of_id(desk: Desk) -> None:
    desk.take(next(row["id"] for row in desk.look() if row["id"] == "K-777"))


def test_l4_a_reason_is_struck_by_a_recording_that_chose_a_record_with_one_of_its_texts() -> None:
    desk = Desk(of_id)
    desk.run(rooms("dentist", "blue", 20.5))  # the cheapest
    assert is_stale(desk.run(rooms("dentist", "green", 60.5)))
    assert desk.run(rooms("plumber", "blue", 60.5))  # this fits the first recording only


def test_l4_a_reason_is_not_struck_by_a_recording_that_chose_a_record_with_other_texts() -> None:
    desk = Desk(of_id)
    desk.run(rooms("dentist", "blue", 20.5))
    assert is_stale(desk.run(rooms("plumber", "green", 60.5)))
    assert is_stale(desk.run(rooms("dentist", "red", 60.5)))


def test_l4_a_reason_is_not_struck_where_it_moved_with_the_record() -> None:
    desk = Desk(of_id)
    desk.run(rooms("dentist", "blue", 20.5))
    assert is_stale(desk.run([NORTH, SOUTH, rooms("dentist", "blue", 20.5)[1]]))
    assert is_stale(desk.run(rooms("dentist", "blue", 60.5)))


def test_l4_a_place_is_struck_by_a_recording_that_took_only_another_value_from_the_output() -> None:
    desk = Desk(lambda desk: desk.say("Ann-77", "Bob-88") if desk.look() else None)
    desk.run({"one": "Ann-77", "two": "Bob-88"})
    assert is_stale(desk.run({"other": "Bob-88"}))
    assert desk.run({"two": "Bob-88"})
    assert is_stale(desk.run({"one": "Ann-77"}))


@pytest.mark.parametrize(("kind", "guards", "fails"), [("", _MAX_GUARDS - 1, True), ("", _MAX_GUARDS, False)])
def test_l4_an_output_that_was_not_stored_strikes_places_of_steps_whose_guards_are_all_known(
    kind: str, guards: int, fails: bool
) -> None:
    recording = _Recording(SimpleNamespace(candidates=[], steps=[]))  # type: ignore[arg-type]
    guard = Guard(0, (0,), codec.canonical("K-777"), (b"",), (), kind)
    assert recording._fails(guard, guards) is fails


@pytest.mark.parametrize("kind", ["figure", "least", "record", "length"])
def test_l4_an_output_that_was_not_stored_strikes_nothing_but_places(kind: str) -> None:
    recording = _Recording(SimpleNamespace(candidates=[], steps=[]))  # type: ignore[arg-type]
    guard = Guard(0, (0,), codec.canonical("K-777"), (b"",), (), kind)
    assert recording._fails(guard, 1) is (kind == "figure")
