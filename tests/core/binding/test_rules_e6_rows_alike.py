"""E6: values of a chosen row that no other row has, though other rows have a value in common."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from answering_desk import Desk

Row = dict[str, Any]


def row(ref: int, cost: float, **more: Any) -> Row:
    """Return a row that is not free; two of these have all but a number in common."""
    alike = {"label": "tin kettle", "lot": 640, "weight": 12.75, "owner": "una.voss@initech.com", "due": "2031-03-04"}
    return {"ref": ref, **alike, "cost": cost, "stock": 30 + ref % 10, "open": False, **more}


OWN = {"label": "felt cap", "lot": 977, "weight": 88.25, "owner": "ivo.brandt@hooli.com", "due": "2031-07-19"}


def keyed(rows: list[Row]) -> dict[Any, Row]:
    return {one["ref"]: {name: value for name, value in one.items() if name != "ref"} for one in rows}


def unkeyed(output: dict[Any, Row]) -> list[Row]:
    return [{"ref": int(key), **one} for key, one in output.items()]


def named(rows: list[Row]) -> dict[str, Row]:
    return {f"lot {one['ref']}": one for one in rows}


SHAPES: dict[str, tuple[Callable[[list[Row]], Any], Callable[[Any], list[Row]]]] = {
    "dicts": (lambda rows: rows, lambda output: output),
    "json": (json.dumps, json.loads),
    "by id": (keyed, unkeyed),
    "by id in JSON": (lambda rows: json.dumps(keyed(rows)), lambda text: unkeyed(json.loads(text))),
    "by name": (named, lambda output: list(output.values())),
    "nested by name": (
        lambda rows: {"page": 1, "data": {"rows": named(rows)}},
        lambda output: list(output["data"]["rows"].values()),
    ),
}
CHOICES: dict[str, tuple[Callable[[list[Row]], Row], Row, Row]] = {
    "cheapest": (lambda rows: min(rows, key=lambda one: one["cost"]), {"cost": 21.5}, {"cost": 4.5}),
    "dearest": (lambda rows: max(rows, key=lambda one: one["cost"]), {"cost": 871.5}, {"cost": 990.25}),
    "most in stock": (lambda rows: max(rows, key=lambda one: one["stock"]), {"stock": 70}, {"stock": 81}),
    "first open": (lambda rows: next(one for one in rows if one["open"]), {"open": True}, {"open": True}),
}
USES: dict[str, Callable[[Row], Any]] = {
    "name": lambda one: one["label"],
    "greeting": lambda one: f"Dear {one['label'].split()[0]},",
    "upper": lambda one: one["label"].upper(),
    "owner's name": lambda one: one["owner"].split("@")[0].replace(".", " ").title(),
    "number": lambda one: one["lot"],
    "number in a text": lambda one: f"lot {one['lot']} please",
    "float": lambda one: one["weight"],
    "day": lambda one: one["due"],
}
in_all_shapes = pytest.mark.parametrize("shape", SHAPES)


def rows_with(at: int, **more: Any) -> list[Row]:
    """Return rows of which one has values of its own."""
    rows = [row(7311 + place, 210.25 + 31 * place) for place in range(4)]
    rows[at] |= {**OWN, **more}
    return rows


def desk_for(shape: str, act: Callable[[Desk, list[Row]], Any]) -> Callable[[list[Row]], bool]:
    """Return a function that gives rows to an agent and says whether its task was a hit."""
    show, read = SHAPES[shape]
    desk = Desk(lambda desk: act(desk, read(desk.look())))
    return lambda rows: bool(desk.run(show(rows)))


@in_all_shapes
@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("use", USES)
def test_e6_a_value_of_its_own_says_why_its_row_was_chosen_though_others_are_alike(
    shape: str, choice: str, use: str
) -> None:
    choose, reason, better = CHOICES[choice]
    give = desk_for(shape, lambda desk, rows: desk.say(USES[use](choose(rows))))
    rows = rows_with(2, **reason)
    give(rows)
    assert give(rows)
    assert not give([{**rows[0], **better}, *rows[1:]])


@in_all_shapes
@pytest.mark.parametrize("choice", ["cheapest", "dearest", "most in stock"])
def test_e6_a_float_that_differs_in_each_row_is_of_the_row_that_was_chosen(shape: str, choice: str) -> None:
    choose, reason, better = CHOICES[choice]
    give = desk_for(shape, lambda desk, rows: desk.say(choose(rows)["weight"]))
    rows = [{**one, "weight": 41.75 + 2 * at} for at, one in enumerate(rows_with(1, **reason))]
    give(rows)
    assert give(rows)
    assert not give([*rows[:3], {**rows[3], **better}])


@in_all_shapes
def test_e6_a_greeting_is_sent_under_a_condition_to_the_row_that_is_chosen_now(shape: str) -> None:
    def act(desk: Desk, rows: list[Row]) -> None:
        chosen = max(rows, key=lambda one: one["cost"])
        if chosen["stock"] > 0:
            desk.say("please call", f"Dear {chosen['label'].split()[0]},")

    give = desk_for(shape, act)
    rows = rows_with(0, cost=640.5)
    give(rows)
    assert give(rows)
    assert not give([{**rows[0], "cost": 3.25}, *rows[1:]])


@in_all_shapes
def test_e6_a_reason_that_another_recording_contradicts_asks_nothing_any_more(shape: str) -> None:
    give = desk_for(shape, lambda desk, rows: desk.say(rows[1]["label"].upper()))
    rows = rows_with(1, stock=70)
    other = [{**rows[0], "stock": 81}, *rows[1:]]
    give(rows)
    assert not give(other)
    assert give(other)
    assert give(rows)
