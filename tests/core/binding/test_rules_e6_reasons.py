"""E6: how many elements, in which order and of which kind, where the calls alone do not say it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any

import pytest

from answering_desk import Desk

Row = dict[str, Any]


def tool(name: str, price: int, fit: Any = True, state: str = "new") -> Row:
    return {"name": name, "price": price, "fit": fit, "state": state}


SAW, AXE, HOE, RAKE = tool("hand saw", 310), tool("long axe", 320), tool("iron hoe", 330), tool("leaf rake", 340)


# -- equal calls, as many as elements with a flag


@pytest.mark.parametrize(("yes", "no"), [(True, False), ("yes", "no"), ("new", "worn")])
@pytest.mark.parametrize("columns", [False, True])
def test_e6_equal_calls_that_are_as_many_as_the_elements_with_a_flag_guard_their_number(
    columns: bool, yes: Any, no: Any
) -> None:
    field = "state" if yes == "new" else "fit"

    def agent(desk: Desk) -> None:
        output = desk.look()
        flags = output[field] if columns else [row[field] for row in output]
        for _ in [flag for flag in flags if flag == yes]:
            desk.say("sharpen one of the tools")

    def given(*flags: Any) -> Any:
        rows = [{**tool(f"tool of kind {at}", 300 + at), field: flag} for at, flag in enumerate(flags)]
        return {name: [row[name] for row in rows] for name in rows[0]} if columns else rows

    desk = Desk(agent)
    desk.run(given(yes, yes, no, no, no))
    assert desk.run(given(yes, no, no, yes, no))
    assert not desk.run(given(yes, yes, no, no, yes))
    assert not desk.run(given(yes, no, no, no, no))


# -- dicts of records


def test_e6_a_loop_over_keys_guards_them() -> None:
    def agent(desk: Desk) -> None:
        for key, row in desk.look().items():
            if row["fit"]:
                desk.take(key)

    desk = Desk(agent)
    desk.run({"k-311": SAW, "k-312": {**AXE, "fit": False}, "k-313": HOE})
    assert desk.run({"k-311": SAW, "k-312": {**AXE, "fit": False}, "k-313": HOE})
    assert not desk.run({"k-311": SAW, "k-312": {**AXE, "fit": False}, "k-313": HOE, "k-314": RAKE})


def test_e6_the_first_two_of_a_dict_stay_in_their_places_though_others_moved() -> None:
    def agent(desk: Desk) -> None:
        for row in list(desk.look().values())[:2]:
            desk.say(row["name"])

    desk = Desk(agent)
    rows = {"a1": SAW, "b2": AXE, "c3": HOE, "d4": RAKE}
    desk.run(rows)
    assert not desk.run({key: rows[key] for key in ("a1", "b2", "d4", "c3")})
    assert desk.run({key: rows[key] for key in ("a1", "b2", "d4", "c3")})
    assert not desk.run({key: rows[key] for key in ("a1", "c3", "b2", "d4")})


def test_e6_keys_that_were_joined_guard_their_order() -> None:
    desk = Desk(lambda desk: desk.say(", ".join(desk.look())))
    rows = {"north-wing": SAW, "south-wing": AXE, "west-wing": HOE}
    desk.run(rows)
    assert desk.run({**rows, "west-wing": RAKE})
    assert not desk.run({key: rows[key] for key in ("south-wing", "north-wing", "west-wing")})


# -- reasons


def cheapest(desk: Desk) -> None:
    desk.say(min(desk.look(), key=lambda row: row["price"])["name"])


def test_e6_the_first_of_ties_stays_a_reason_though_the_only_one_was_struck() -> None:
    desk = Desk(cheapest, learn_flows=False)
    desk.run([SAW, AXE, HOE])
    desk.run([SAW, {**AXE, "price": 310}, HOE])
    assert desk.run([{**SAW, "price": 300}, {**AXE, "price": 300}, HOE])
    assert not desk.run([{**SAW, "price": 390}, {**AXE, "price": 305}, HOE])


def test_e6_the_first_of_two_among_three_is_a_reason() -> None:
    desk = Desk(cheapest)
    desk.run([SAW, {**AXE, "price": 310}, HOE])
    assert not desk.run([{**SAW, "price": 350}, {**AXE, "price": 310}, HOE])


def test_e6_a_reason_is_seen_in_records_that_are_tuples() -> None:
    def agent(desk: Desk) -> None:
        desk.say(min(desk.look(), key=lambda row: row[1])[0].title())

    desk = Desk(agent)
    desk.run([("hand saw", 310, True), ("long axe", 320, False)])
    assert desk.run([("hand saw", 310, True), ("long axe", 320, False)])
    assert not desk.run([("hand saw", 310, True), ("long axe", 302, False)])


def test_e6_an_id_that_two_records_have_guards_the_reasons_of_both() -> None:
    def agent(desk: Desk) -> None:
        desk.take(id=min(desk.look(), key=lambda row: row["price"])["id"])

    desk = Desk(agent)
    rows = [{"id": 16, **SAW}, {"id": 16, **AXE}, {"id": 17, **HOE}]
    desk.run(rows)
    assert desk.run(rows)
    assert not desk.run([*rows[:2], {**rows[2], "price": 290}])


def test_e6_initials_in_a_loop_guard_its_length() -> None:
    def agent(desk: Desk) -> None:
        for row in desk.look():
            if row["fit"]:
                desk.say("".join(word[0] for word in row["name"].split()).upper())

    desk = Desk(agent)
    rows = [SAW, {**AXE, "fit": False}, HOE, RAKE]
    desk.run(rows)
    assert desk.run(rows)
    assert not desk.run([*rows, tool("pruning knife", 350)])


# -- E10, E9: what a number may have been computed from


@pytest.mark.parametrize("size", [3, 9])
@pytest.mark.parametrize(("yes", "no"), [(True, False), ("yes", "no")])
@pytest.mark.parametrize("as_json", [False, True])
def test_e10_a_number_may_be_computed_from_the_records_that_have_a_flag(
    size: int, yes: Any, no: Any, as_json: bool
) -> None:
    def given(*flags: Any) -> Any:
        rows = [{"name": f"kind {at}", "price": 301 + at, "fit": flag} for at, flag in enumerate(flags)]
        return json.dumps(rows) if as_json else rows

    def agent(desk: Desk) -> None:
        output = desk.look()
        rows = json.loads(output) if as_json else output
        desk.say(f"{sum(row['price'] for row in rows if row['fit'] == yes) * 3}")

    desk = Desk(agent)
    desk.run(given(*[yes, no] * size))
    assert desk.run(given(*[yes, no] * size))
    assert not desk.run(given(*[no, yes] * size))


def test_e10_the_flags_beside_figures_may_differ_once_two_recordings_agreed() -> None:
    desk = Desk(lambda desk: (desk.look(), desk.say("7411 pieces"))[-1])
    desk.run([SAW, AXE])
    assert not desk.run([SAW, {**AXE, "fit": False}])
    assert not desk.run([{**SAW, "fit": False}, {**AXE, "fit": False}])  # of the first one that fits, and how many
    assert desk.run([{**SAW, "fit": False}, AXE])


def test_e10_digits_within_a_code_explain_no_number() -> None:
    def agent(desk: Desk) -> None:
        row = desk.look()
        desk.take(id=row["id"], share=f"{300 // row['price']}%")

    desk = Desk(agent)
    desk.run({"id": "f3a1b8d1", "price": 100})
    assert not desk.run({"id": "f3a1b8d1", "price": 150})


DAYS: dict[str, tuple[Callable[[int], Any], Callable[[Any], Any]]] = {
    "iso": (lambda n: {"due": f"2031-05-{n:02}"}, lambda output: output["due"]),
    "in a text": (lambda n: {"note": f"due on 2031-05-{n:02}, ok?"}, lambda output: output["note"][7:17]),
}


@pytest.mark.parametrize("name", DAYS)
@pytest.mark.parametrize("spell", [int, "{} days".format])
def test_e9_the_days_that_are_left_are_counted_anew_tomorrow(name: str, spell: Callable[[int], Any]) -> None:
    give, read = DAYS[name]
    today = [datetime.datetime(2031, 3, 2, 12)]

    def agent(desk: Desk) -> None:
        day = datetime.date.fromisoformat(read(desk.look()))
        desk.say(spell((day - today[0].date()).days))

    desk = Desk(agent, clock=lambda: today[0].timestamp())
    desk.run(give(20))
    assert desk.run(give(20))
    today[0] += datetime.timedelta(1)
    assert not desk.run(give(20))


def test_e9_a_number_that_is_no_distance_of_a_date_holds_tomorrow() -> None:
    today = [datetime.datetime(2031, 3, 2, 12)]
    desk = Desk(lambda desk: (desk.look(), desk.say(7411))[-1], clock=lambda: today[0].timestamp())
    desk.run({"due": "2031-05-20"})
    today[0] += datetime.timedelta(1)
    assert desk.run({"due": "2031-05-20"})
