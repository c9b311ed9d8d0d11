"""E6, C12: what was taken from outputs is sent again only while the outputs say so, and say the same of it."""

from __future__ import annotations

import copy
import dataclasses
import json
import random
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Engine, Outcome, Reason

Agent = Callable[["Desk"], Any]


class Desk:
    """Tools that answer what a test says, and an agent; what was done is compared with what the agent would do."""

    def __init__(self, agent: Agent, **options: Any) -> None:
        self.answer: Any = None
        self.calls: list[tuple[Any, ...]] = []
        self.events: list[Any] = []
        self.engine = Engine(observers=self.events.append, **options)

        @self.engine.tool(effect="read", answers="any")
        def look(what: Any = "all", limit: int = 0) -> Any:
            return self.answer

        @self.engine.tool(effect="write")
        def take(id: Any = None, **more: Any) -> None:
            self.calls.append(("take", copy.deepcopy(id), copy.deepcopy(more)))

        @self.engine.tool(effect="write")
        def say(text: Any, *more: Any) -> None:
            self.calls.append(("say", copy.deepcopy(text), *copy.deepcopy(more)))

        self.look, self.take, self.say = look, take, say
        self.agent = agent
        self.engine.set_agent(lambda task, *_: agent(self))

    def run(self, answer: Any, **options: Any) -> Outcome:
        """Run with this answer; a hit must have done what the agent would have done."""
        self.answer = answer
        self.calls = []
        outcome = self.engine("the task", **options)
        done = self.calls
        self.calls = []
        self.engine("the task", mode="off")
        assert repr(done) == repr(self.calls), outcome
        return outcome


def is_stale(outcome: Outcome) -> bool:
    return outcome.reason == Reason.STALE_OUTPUT


# -- small values


@dataclasses.dataclass
class Made:
    id: int
    name: str = "x"


class Plain:
    def __init__(self, id: int) -> None:
        self.id = id


SMALL: dict[str, tuple[Callable[[int], Any], Agent]] = {
    "id": (lambda n: {"id": n}, lambda d: d.take(d.look()["id"])),
    "order id": (lambda n: {"order_id": n, "x": 1}, lambda d: d.take(d.look()["order_id"])),
    "camel case": (lambda n: {"orderId": n}, lambda d: d.say(d.look()["orderId"])),
    "by keyword": (lambda n: {"index": n, "text": "Save"}, lambda d: d.take(index=d.look()["index"])),
    "same name": (lambda n: {"quantity": n}, lambda d: d.take(quantity=d.look()["quantity"])),
    "in an argument": (lambda n: {"row": n}, lambda d: d.say({"row": d.look()["row"]})),
    "bare": (lambda n: n, lambda d: d.take(d.look())),
    "list of ids": (lambda n: {"ids": [n, n + 1]}, lambda d: d.take(d.look()["ids"][0])),
    "dataclass": (lambda n: Made(n), lambda d: d.take(d.look().id)),
    "object": (lambda n: Plain(n), lambda d: d.take(d.look().id)),
    "text": (lambda n: {"seat": f"{n}A"}, lambda d: d.take(seat=d.look()["seat"])),
    "text of a number": (lambda n: {"id": n}, lambda d: d.take(str(d.look()["id"]))),
    "json": (lambda n: json.dumps({"id": n, "ok": True}), lambda d: d.take(json.loads(d.look())["id"])),
    "mcp": (
        lambda n: {"content": [{"type": "text", "text": json.dumps({"item": {"id": n}})}]},
        lambda d: d.take(json.loads(d.look()["content"][0]["text"])["item"]["id"]),
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_e6_a_small_id_is_sent_only_while_the_output_holds_it(name: str) -> None:
    give, agent = SMALL[name]
    desk = Desk(agent)
    desk.run(give(7))
    assert desk.run(give(7))
    assert not desk.run(give(8))
    assert desk.run(give(8))


def test_e6_three_recordings_that_contradict_each_other_send_no_old_id() -> None:
    desk = Desk(lambda d: d.take(d.look()["id"]), learn_flows=False)
    for n in (7, 8, 9, 12, 13):
        assert not desk.run({"id": n})


def test_l8_three_recordings_with_different_small_ids_prove_their_source() -> None:
    desk = Desk(lambda d: d.take(d.look()["id"]))
    assert [bool(desk.run({"id": n})) for n in (7, 8, 9, 12, 13)] == [False, False, False, True, True]


def test_e6_small_values_without_a_name_are_not_guarded_by_chance() -> None:
    desk = Desk(lambda d: (d.look(), d.take(name="ok", size="M")))
    desk.run({"state": "ok", "n": "M"})
    assert desk.run({"state": "no", "n": "L"})


def test_e6_an_index_of_an_element_is_guarded_with_the_element() -> None:
    desk = Desk(lambda d: d.take(index=next(e["index"] for e in d.look() if e["text"] == "Save")))
    page = [{"index": 0, "text": "Back"}, {"index": 1, "text": "Save"}, {"index": 2, "text": "Help"}]
    desk.run(page)
    assert desk.run(page)
    moved = [{"index": 0, "text": "Back"}, {"index": 1, "text": "Delete"}, {"index": 2, "text": "Save"}]
    assert is_stale(desk.run(moved))


def test_e6_an_index_in_a_page_that_is_text_is_guarded_with_its_line() -> None:
    def agent(desk: Desk) -> None:
        line = next(line for line in desk.look().splitlines() if "Save" in line)
        desk.take(index=int(line[1 : line.index("]")]))

    desk = Desk(agent)
    desk.run("[1] Back\n[2] Save\n[3] Help")
    assert desk.run("[1] Back\n[2] Save\n[3] Help")
    assert is_stale(desk.run("[1] Save\n[2] Back\n[3] Help"))


# -- parts by identity


@pytest.mark.parametrize("answer", [[3, 4], [], [1], ["a", "b"]], ids=repr)
@pytest.mark.parametrize(
    ("wrap", "read"),
    [
        (lambda x: x, lambda out: out),
        (lambda x: {"ids": x, "n": "x"}, lambda out: out["ids"]),
        (lambda x: {"a": {"b": x}}, lambda out: out["a"]["b"]),
        (lambda x: {"n": "x", "a": {"b": x}}, lambda out: {"all": out["a"]["b"]}),
        (lambda x: (x, "end"), lambda out: out[0]),
    ],
    ids=["whole", "field", "deep", "inside", "tuple"],
)
def test_e6_a_part_that_is_passed_on_is_this_runs_part(wrap: Any, read: Any, answer: Any) -> None:
    desk = Desk(lambda d: d.say(read(d.look())))
    desk.run(wrap(answer))
    for now in ([5, 6, 7], [], ["m1"], answer):
        assert desk.run(wrap(list(now)))


def test_e6_a_part_that_was_changed_is_no_reference() -> None:
    def agent(desk: Desk) -> None:
        order = desk.look()["order"]
        order["note"] = "urgent"
        desk.say(order)

    desk = Desk(agent)
    desk.run({"order": {"id": 4711}})
    assert desk.run({"order": {"id": 4711}})
    assert is_stale(desk.run({"order": {"id": 4712}}))


def test_e6_an_element_that_was_chosen_is_guarded_by_what_it_is() -> None:
    desk = Desk(lambda d: d.say(next(m for m in d.look() if m["title"] == "dentist")))
    desk.run([{"title": "yoga"}, {"title": "dentist"}, {"title": "tax"}])
    assert desk.run([{"title": "yoga"}, {"title": "dentist"}, {"title": "tax"}])
    assert is_stale(desk.run([{"title": "dentist"}, {"title": "yoga"}, {"title": "tax"}]))


# -- records

DENTIST = [{"id": 17, "title": "yoga"}, {"id": 18, "title": "dentist", "at": "10:00"}, {"id": 19, "title": "tax"}]


def by_title(desk: Desk) -> None:
    found = [one["id"] for one in desk.look("dentist") if one["title"] == "dentist"]
    desk.take(found[0] if found else "none")


def test_e6_a_record_that_changed_under_its_id_stops_the_replay() -> None:
    desk = Desk(by_title)
    desk.run(DENTIST)
    assert desk.run(DENTIST)
    changed = copy.deepcopy(DENTIST)
    changed[1]["title"], changed[2]["title"] = "swimming", "dentist"
    assert is_stale(desk.run(changed))


def test_e6_one_text_that_is_as_it_was_is_enough() -> None:
    desk = Desk(lambda d: d.take(d.look()[1]["id"]))
    mails = [{"id": 501, "from": "ann", "subject": "hi"}, {"id": 502, "from": "bob", "subject": "yes"}]
    desk.run(mails)
    later = copy.deepcopy(mails)
    later[1]["subject"] = "yes (read)"
    assert desk.run(later)
    later[1]["from"] = "eve"
    later[1]["subject"] = "no"
    assert is_stale(desk.engine("the task"))


KEYED = {"yoga": {"room": "A1", "who": "Ann"}, "dentist": {"room": "B2", "who": "Bob"}}


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"room 12": "free", "room 14": "taken"}, {"room 12": "taken", "room 14": "free"}),
        ({"room 12": True, "room 14": False}, {"room 12": False, "room 14": True}),
        ({"room 12": 120, "room 14": 150}, {"room 12": 190, "room 14": 150}),
    ],
    ids=["word", "bool", "price"],
)
def test_e6_a_key_is_guarded_with_what_is_under_it(first: Any, then: Any) -> None:
    pick: Callable[[Any], Any] = lambda out: min(out, key=lambda k: (str(out[k]) in ("taken", "False"), str(out[k])))
    desk = Desk(lambda d: d.say(pick(d.look())))
    desk.run(first)
    assert desk.run(first)
    assert is_stale(desk.run(then))


FLIGHTS = [
    {"id": "LH1001", "price": 320, "day": "2031-05-02", "free": False},
    {"id": "LH1002", "price": 180, "day": "2031-05-04", "free": True},
    {"id": "LH1003", "price": 250, "day": "2031-05-01", "free": True},
]
REASONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], None]]] = {
    "cheapest": (
        lambda fs: min(fs, key=lambda f: f["price"]),
        lambda fs: fs.append({"id": "LH1004", "price": 90, "day": "2031-05-03", "free": False}),
    ),
    "dearest": (lambda fs: max(fs, key=lambda f: f["price"]), lambda fs: fs[1].update(price=700)),
    "earliest": (lambda fs: min(fs, key=lambda f: f["day"]), lambda fs: fs[0].update(day="2030-01-01")),
    "newest": (lambda fs: max(fs, key=lambda f: f["day"]), lambda fs: fs[0].update(day="2033-01-01")),
    "first free": (lambda fs: next(f for f in fs if f["free"]), lambda fs: fs[0].update(free=True)),
    "first free, now taken": (lambda fs: next(f for f in fs if f["free"]), lambda fs: fs[1].update(free=False)),
}


@pytest.mark.parametrize("name", REASONS)
@pytest.mark.parametrize(
    "spelled", [lambda f: f, lambda f: {**f, "price": f"{f['price']}.00 EUR"}], ids=["number", "text"]
)
def test_e6_a_record_is_taken_only_for_the_reason_it_was_chosen_for(name: str, spelled: Any) -> None:
    choose, change = REASONS[name]

    def agent(desk: Desk) -> None:
        rank = [{**f, "price": float(str(f["price"]).split()[0])} for f in desk.look()]
        desk.take(choose(rank)["id"])

    desk = Desk(agent)
    desk.run([spelled(f) for f in FLIGHTS])
    assert desk.run([spelled(f) for f in FLIGHTS])
    now = copy.deepcopy(FLIGHTS)
    change(now)
    assert is_stale(desk.run([spelled(f) for f in now]))


def test_e6_a_second_recording_strikes_a_reason_that_was_chance() -> None:
    desk = Desk(lambda d: d.take(next(f["id"] for f in d.look() if f["id"] == "LH1002")))
    desk.run(FLIGHTS)
    dearer = copy.deepcopy(FLIGHTS)
    dearer[1].update(price=999)
    assert is_stale(desk.run(dearer))
    again = copy.deepcopy(FLIGHTS)
    again[1].update(price=270)
    assert desk.run(again)


# -- lists


def loop(desk: Desk) -> None:
    for mail in desk.look():
        desk.take(mail["id"])
    desk.say("done")


MAILS = [{"id": n, "subject": f"subject {n}"} for n in range(501, 506)]


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("now", [0, 1, 2, 3, 5])
def test_e6_a_list_that_was_worked_through_guards_its_length(count: int, now: int) -> None:
    desk = Desk(loop)
    desk.run(MAILS[:count])
    assert desk.run(MAILS[:count])
    outcome = desk.run(MAILS[:now])
    assert bool(outcome) is (now == count)


def test_e6_a_loop_over_parts_guards_the_length_and_takes_this_runs_parts() -> None:
    desk = Desk(lambda d: [d.say(mail) for mail in d.look()])
    desk.run([{"a": "x"}, {"a": "y"}])
    assert desk.run([{"a": "v"}, {"a": "w"}])
    assert is_stale(desk.run([{"a": "x"}, {"a": "y"}, {"a": "z"}]))


@pytest.mark.parametrize("now", [2, 3])
def test_e6_a_text_joined_of_a_list_guards_its_length(now: int) -> None:
    desk = Desk(lambda d: d.say(", ".join(mail["subject"] for mail in d.look())))
    desk.run(MAILS[:2])
    assert bool(desk.run(MAILS[:now])) is (now == 2)


def test_e6_a_loop_over_a_dict_of_records_guards_its_length() -> None:
    desk = Desk(lambda d: [d.take(mail["id"]) for mail in d.look().values()])
    mails = {mail["subject"]: mail for mail in MAILS}
    first = dict(list(mails.items())[:2])
    desk.run(first)
    assert desk.run(first)
    assert is_stale(desk.run(mails))


def test_e6_a_dict_of_fields_that_are_lists_is_no_list_of_records() -> None:
    desk = Desk(lambda d: (d.say(d.look()["rows"]), d.say(d.look()["ids"])))
    desk.run({"rows": [1], "ids": [2]})
    assert desk.run({"rows": [1, 2], "ids": [], "more_ids": [3]})


def test_e6_the_last_of_a_list_must_be_the_last_again() -> None:
    desk = Desk(lambda d: d.take(d.look()[-1]["id"]))
    desk.run([{"id": 900, "n": "x"}, {"id": 300, "n": "y"}])
    assert desk.run([{"id": 900, "n": "x"}, {"id": 300, "n": "y"}])
    assert is_stale(desk.run([{"id": 900, "n": "x"}, {"id": 300, "n": "y"}, {"id": 500, "n": "z"}]))


PAGES: dict[str, tuple[Any, Any]] = {
    "next": ({"items": MAILS[:3], "next": None}, {"items": MAILS[:3], "next": "p2"}),
    "absent": ({"items": MAILS[:3]}, {"items": MAILS[:3], "next_page_token": "abc"}),
    "has more": ({"items": MAILS[:3], "has_more": False}, {"items": MAILS[:3], "has_more": True}),
    "total": ({"items": MAILS[:3], "total": 3}, {"items": MAILS[:3], "total": 40}),
    "above": ({"data": {"items": MAILS[:3]}, "cursor": ""}, {"data": {"items": MAILS[:3]}, "cursor": "c2"}),
}


@pytest.mark.parametrize("name", PAGES)
def test_e6_a_list_that_is_cut_short_now_stops_the_step_that_uses_it(name: str) -> None:
    first, then = PAGES[name]

    def agent(desk: Desk) -> None:
        out = desk.look()
        desk.take((out.get("items") or out["data"]["items"])[1]["id"])

    desk = Desk(agent)
    desk.run(first)
    assert desk.run(first)
    assert is_stale(desk.run(then))


def test_e6_as_many_as_were_asked_for_is_cut_short() -> None:
    desk = Desk(lambda d: d.take(d.look("all", limit=4)[1]["id"]))
    desk.run(MAILS[:3])
    assert is_stale(desk.run(MAILS[:4]))


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
    connection = sqlite3.connect(":memory:")
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
