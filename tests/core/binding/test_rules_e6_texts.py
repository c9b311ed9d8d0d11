"""E6, C12: numbers, texts and tables that hold what was sent are asked again, and chance is struck."""

from __future__ import annotations

import contextlib
import copy
import random
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from answering_desk import Desk, by_title, is_stale
from muscle_mem import Engine

# -- numbers, units, texts made of a leaf


@pytest.mark.parametrize(
    ("first", "then", "read"),
    [
        ("1,234.50 EUR", "1,299.50 EUR", lambda t: float(t.split()[0].replace(",", ""))),
        ("1,234.50 EUR", "1,234.50 USD", lambda t: float(t.split()[0].replace(",", ""))),
        ("1.234,50 €", "1.234,60 €", lambda t: float(t[:-2].replace(".", "").replace(",", "."))),
        ("24.12.2031", "25.12.2031", lambda t: "-".join(reversed(t.split(".")))),
        ("due 24.12.2031 at noon", "due 24.11.2031 at noon", lambda t: f"{t[10:14]}-{t[7:9]}-{t[4:6]}"),
        ("weight 150 kg", "weight 150 lb", lambda t: int(t.split()[1])),
        ("12.50", "12.60", lambda t: float(t)),
        ({"amount": 150, "currency": "EUR"}, {"amount": 150, "currency": "USD"}, lambda t: t["amount"]),
        ({"unit": "kg", "rows": [{"w": 150}]}, {"unit": "g", "rows": [{"w": 150}]}, lambda t: t["rows"][0]["w"]),
    ],
)
def test_e10_a_number_or_date_is_guarded_by_the_place_that_holds_it(first: Any, then: Any, read: Any) -> None:
    desk = Desk(lambda d: d.say(read(d.look()), "sent"))
    desk.run(first)
    assert desk.run(first)
    desk.answer, desk.calls = then, []
    assert is_stale(desk.engine("the task"))


@pytest.mark.parametrize(
    "make",
    [
        lambda n: f"Dear {n.split()[0]},",
        lambda n: n.lower().replace(" ", "-"),
        lambda n: n.lower().replace(" ", ".") + "@acme.com",
        lambda n: n.upper(),
        lambda n: n.replace(" ", "").lower(),
        lambda n: n.split()[-1],
    ],
    ids=["greeting", "slug", "address", "upper", "joined", "last name"],
)
def test_e6_a_text_made_of_a_leaf_is_guarded_by_it(make: Callable[[str], str]) -> None:
    desk = Desk(lambda d: d.say(make(d.look()["name"])))
    desk.run({"name": "Annika Leeds", "city": "Rome"})
    assert desk.run({"name": "Annika Leeds", "city": "Oslo"})
    assert is_stale(desk.run({"name": "Robert Rayman", "city": "Rome"}))


def test_e6_a_text_that_only_shares_common_words_is_not_guarded() -> None:
    desk = Desk(lambda d: (d.look(), d.say("Hello and thank you for the order", "file.pdf")))
    desk.run({"note": "you thank", "name": "one.pdf"})
    assert desk.run({"note": "the end", "name": "two.pdf"})


# -- whole outputs with a param in them


@pytest.mark.parametrize("field", [False, True], ids=["whole", "field"])
def test_e6_a_whole_output_of_a_call_with_a_param_is_this_runs_output(field: bool) -> None:
    engine = Engine()
    sent: list[str] = []
    count = [0]

    @engine.tool(effect="read")
    def draft(name: str) -> Any:
        count[0] += 1
        text = f"Dear {name}, your code is {'x' * count[0]}."
        return {"text": text} if field else text

    @engine.tool(effect="write")
    def send(text: str) -> None:
        sent.append(text)

    def agent(task: str, name: str) -> None:
        made = draft(name)
        send(made["text"] if field else made)

    engine.set_agent(agent)
    for number, name in enumerate(("Ann Lee", "Bob Ray", "Cho Park"), 1):
        outcome = engine("write", name, params={"name": name})
        assert bool(outcome) is (number > 1), outcome.message
        assert sent[-1] == f"Dear {name}, your code is {'x' * number}."


# -- chance


@pytest.mark.parametrize(
    ("answers", "literal"),
    [
        ([{"place": "city"}, {"place": "town"}, {"place": "village"}, {"place": "lake"}], "city"),
        ([{"n": 122}, {"n": 130}, {"n": 141}, {"n": 9}], "122"),
        ([{"n": 122}, {"n": 130}, {"n": 141}, {"n": 9}], 122),
        ([{"ids": [4711]}, {"ids": [12]}, {"ids": [13]}, {"ids": [5]}], 4711),
    ],
)
def test_e6_a_guard_that_was_chance_is_struck_by_a_recording_that_contradicts_it(answers: Any, literal: Any) -> None:
    desk = Desk(lambda d: (d.look(), d.say(literal)))
    told = [bool(desk.run(answer)) for answer in answers]
    assert told == [False, False, True, True]


def test_e6_a_value_that_moved_in_its_list_is_still_taken_from_there() -> None:
    desk = Desk(by_title)
    desk.run([{"id": 18, "title": "dentist"}, {"id": 19, "title": "tax"}])
    desk.run([{"id": 17, "title": "yoga"}, {"id": 18, "title": "dentist"}])
    assert not desk.run([{"id": 5, "title": "yoga"}, {"id": 6, "title": "tax"}])


# -- outputs that are searched


class Frame:
    """Answers as a pandas data frame does."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.index = type("RangeIndex", (), {})()

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), len(self.rows[0])

    def to_dict(self, orient: str) -> list[dict[str, Any]]:
        assert orient == "records"
        return self.rows


Frame.__name__, Frame.__module__ = "DataFrame", "pandas.core.frame"


class Polars:
    """Answers as a polars data frame does."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.shape = (len(rows), len(rows[0]))

    def to_dicts(self) -> list[dict[str, Any]]:
        return self.rows


Polars.__name__, Polars.__module__ = "DataFrame", "polars.dataframe.frame"


def sqlite_row(id: int) -> sqlite3.Row:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        row: sqlite3.Row = connection.execute("SELECT ? AS id, 'x' AS name", (id,)).fetchone()
        return row


TABLES: dict[str, tuple[Callable[[int], Any], Callable[[Any], Any]]] = {
    "pandas": (lambda n: Frame([{"id": n, "x": 1.5}]), lambda t: t.rows[0]["id"]),
    "polars": (lambda n: Polars([{"id": n}]), lambda t: t.rows[0]["id"]),
    "sqlite3.Row": (sqlite_row, lambda t: t["id"]),
    "rows": (lambda n: [sqlite_row(n), sqlite_row(n + 1)], lambda t: t[0]["id"]),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("number", [7, 100_001])
def test_c12_ids_in_tables_and_rows_are_guarded(name: str, number: int) -> None:
    make, read = TABLES[name]
    desk = Desk(lambda d: d.take(read(d.look())))
    desk.engine.set_agent(lambda task, *_: desk.agent(desk))
    desk.run(make(number))
    assert desk.run(make(number))
    assert is_stale(desk.run(make(number + 13)))


class Sealed:
    """An object that nothing can be read from."""

    __slots__ = ()
    current = 100_017

    def number(self) -> int:
        return self.current


@pytest.mark.parametrize(("literal", "reported"), [(100_017, 1), ("A-10017", 1), ("ready", 0), (20_000, 0)])
def test_c12_an_output_that_cannot_be_searched_is_reported_if_an_id_follows(literal: Any, reported: int) -> None:
    desk = Desk(lambda d: (d.look(), d.take(literal)))
    desk.run(Sealed())
    assert len([event for event in desk.events if getattr(event, "code", "") == "unsearched_output"]) == reported


# -- random agents


def test_e6_random_choices_from_random_lists_are_right_or_not_made() -> None:
    rng = random.Random(12)
    hits = 0
    for _ in range(60):
        field, number = rng.choice(["price", "rank"]), rng.randrange(3)
        choose: Callable[[Any], Any] = rng.choice(
            [
                lambda rows, f=field: min(rows, key=lambda row: row[f]),
                lambda rows, f=field: max(rows, key=lambda row: row[f]),
                lambda rows: next((row for row in rows if row["free"]), rows[0]),
                lambda rows, n=number: rows[n],
            ]
        )
        desk = Desk(lambda d, c=choose: d.take(c(d.look()["rows"])["id"]))
        rows = [
            {"id": rng.randrange(1, 60) * 7 + at, "price": rng.randrange(900), "rank": rng.random(), "free": at > 0}
            for at in range(rng.randrange(3, 6))
        ]
        desk.run({"rows": rows})
        for _ in range(4):
            now = copy.deepcopy(rows)
            if rng.random() < 0.6:
                rng.choice(now).update(price=rng.randrange(900), rank=rng.random())
            if rng.random() < 0.2:
                rng.shuffle(now)
            hits += bool(desk.run({"rows": now}))
    assert hits > 60
