"""E6, C12: what was taken from outputs is sent again only while the outputs say so, and say the same of it."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from answering_desk import Agent, Desk, by_title, is_stale

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
