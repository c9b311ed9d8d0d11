"""E6, E10, E12: values that were chosen from, filtered in or computed from a list whose rows have changed."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from operator import itemgetter
from typing import Any, NamedTuple

import pytest

from answering_desk import Desk

Row = dict[str, Any]


def row(ref: int, name: str, cost: float, stock: int = 6, fit: bool = True) -> Row:
    return {"ref": ref, "name": name, "cost": cost, "stock": stock, "fit": fit}


BED, JUG, OAR = row(5101, "guest bed", 310.25), row(5102, "milk jug", 42.5), row(5103, "long oar", 77.75)


def as_csv(rows: list[Row]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(BED))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def as_markdown(rows: list[Row]) -> str:
    lines = ["| " + " | ".join(map(str, cells)) + " |" for cells in (BED, *(one.values() for one in rows))]
    return "\n".join([lines[0], "|" + " --- |" * len(BED), *lines[1:]])


def as_html(rows: list[Row]) -> str:
    lines = ["".join(f"<td>{cell}</td>" for cell in cells) for cells in (BED, *(one.values() for one in rows))]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def typed(cells: dict[str, str]) -> Row:
    number, stock = float(cells["cost"]), int(cells["stock"])
    return {**cells, "ref": int(cells["ref"]), "cost": number, "stock": stock, "fit": cells["fit"] == "True"}


def from_html(text: str) -> list[Row]:
    cells = [re.findall("<td>(.*?)</td>", line) for line in re.findall("<tr>(.*?)</tr>", text)]
    return [typed(dict(zip(cells[0], line, strict=True))) for line in cells[1:]]


def from_markdown(text: str) -> list[Row]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.split("\n")]
    return [typed(dict(zip(cells[0], line, strict=True))) for line in cells[2:]]


def from_columns(columns: dict[str, list[Any]]) -> list[Row]:
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


SHAPES: dict[str, tuple[Callable[[list[Row]], Any], Callable[[Any], list[Row]]]] = {
    "dicts": (lambda rows: rows, lambda output: output),
    "json": (json.dumps, json.loads),
    "nested": (lambda rows: {"data": {"items": rows}, "page": 1}, lambda output: output["data"]["items"]),
    "columns": (lambda rows: {name: [one[name] for one in rows] for name in BED}, from_columns),
    "csv": (as_csv, lambda text: list(map(typed, csv.DictReader(io.StringIO(text))))),
    "markdown": (as_markdown, from_markdown),
    "html": (as_html, from_html),
}
CHOICES: dict[str, Callable[[list[Row]], Row]] = {
    "cheapest": lambda rows: min(rows, key=lambda one: one["cost"]),
    "dearest": lambda rows: max(rows, key=lambda one: one["cost"]),
    "newest": lambda rows: max(rows, key=lambda one: one["ref"]),
}
USES: dict[str, Callable[[Row], Any]] = {
    "cents": lambda one: round(one["cost"] * 100),
    "with tax": lambda one: round(one["cost"] * 1.07, 2),
    "greeting": lambda one: f"Dear {one['name'].split()[0]},",
    "slug": lambda one: one["name"].replace(" ", "-"),
    "upper": lambda one: one["name"].upper(),
}
in_all_shapes = pytest.mark.parametrize("shape", SHAPES)


class Shelf(Desk):
    """A desk whose answers are rows in a shape."""

    def __init__(self, shape: str, agent: Callable[[Shelf, list[Row]], Any]) -> None:
        self.show, self.read = SHAPES[shape]
        super().__init__(lambda _: agent(self, self.read(self.look())))

    def give(self, *rows: Row) -> bool:
        return bool(self.run(self.show(list(rows))))


def turned(one: Row, choice: str, further: bool) -> Row:
    """Return a row that is chosen before another one, or is not."""
    sign = -1 if choice == "cheapest" else 1
    name = "ref" if choice == "newest" else "cost"
    return {**one, name: one[name] + sign * (4000 if further else 0)}


@in_all_shapes
@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("use", USES)
def test_e6_what_is_made_of_a_chosen_row_is_not_sent_again_once_another_row_is_chosen(
    shape: str, choice: str, use: str
) -> None:
    shelf = Shelf(shape, lambda desk, rows: desk.say(USES[use](CHOICES[choice](rows))))
    shelf.give(BED, JUG, OAR)
    assert shelf.give(BED, JUG, OAR)
    chosen = CHOICES[choice]([BED, JUG, OAR])
    for one in (BED, JUG, OAR):
        if one is not chosen:
            assert not shelf.give(*(turned(each, choice, each is one) for each in (BED, JUG, OAR)))


@in_all_shapes
@pytest.mark.parametrize("choice", ["cheapest", "dearest"])
def test_e10_a_place_that_differed_once_may_be_chosen_next_time(shape: str, choice: str) -> None:
    def agent(desk: Shelf, rows: list[Row]) -> None:
        desk.say(round(CHOICES[choice](rows)["cost"] * 100))

    shelf = Shelf(shape, agent)
    rows = [{**BED, "cost": 310.25}, {**JUG, "cost": 420.5}, {**OAR, "cost": 515.75}]
    at = 1
    shelf.give(*rows)
    for cost in (430.5, 440.5):  # neither the least nor the most
        rows[at] = {**rows[at], "cost": cost}
        shelf.give(*rows)
    assert shelf.give(*rows)
    rows[at] = {**rows[at], "cost": 12.25 if choice == "cheapest" else 7715.5}
    assert not shelf.give(*rows)


@in_all_shapes
def test_e10_figures_that_moved_are_compared_at_the_places_where_they_are(shape: str) -> None:
    shelf = Shelf(shape, lambda desk, rows: desk.say(round(CHOICES["dearest"](rows)["cost"] * 100)))
    rows = [{**one, "cost": cost} for one, cost in zip((BED, JUG, OAR), (812.5, 812.5, 4.25), strict=True)]
    shelf.give(*rows)
    shelf.give(rows[0], {**JUG, "cost": 4.25}, rows[2])
    assert not shelf.give(rows[0], {**JUG, "cost": 4.25}, {**OAR, "cost": 915.75})


@in_all_shapes
@pytest.mark.parametrize("size", [3, 12])
def test_e10_recordings_of_many_lengths_do_not_forget_why_a_row_was_chosen(shape: str, size: int) -> None:
    def agent(desk: Shelf, rows: list[Row]) -> None:
        desk.say(f"{CHOICES['cheapest'](rows)['cost'] * 3:.2f} in all")

    shelf = Shelf(shape, agent)
    more = [row(6000 + at, f"crate of kind {at}", 200.5 + at, stock=6 + at) for at in range(size)]
    for count in range(5):
        shelf.give(JUG, BED, *more[: size - 3 + count])
    assert not shelf.give(JUG, {**BED, "cost": 9.25}, *more[: size - 2])


@pytest.mark.parametrize("size", [3, 15])
@pytest.mark.parametrize("as_text", [False, True])
def test_e10_a_sum_of_one_column_is_computed_anew_though_another_column_differed(size: int, as_text: bool) -> None:
    def agent(desk: Desk) -> None:
        output = desk.look()
        rows = json.loads(output) if as_text else output
        desk.say(round(sum(one["cost"] for one in rows) * 1.5, 2))

    def given(stock: int, cost: float) -> Any:
        rows = [row(7000 + at, f"kind {at}", 31.25 + at, stock=stock + at) for at in range(size)]
        rows[1]["cost"] = cost
        return json.dumps(rows) if as_text else rows

    desk = Desk(agent)
    desk.run(given(6, 40.5))
    assert not desk.run(given(9, 40.5))
    assert desk.run(given(12, 40.5))
    assert not desk.run(given(12, 41.5))


@in_all_shapes
def test_e10_a_sum_over_the_rows_with_a_flag_is_computed_anew_when_other_rows_have_it(shape: str) -> None:
    def agent(desk: Shelf, rows: list[Row]) -> None:
        desk.say(round(sum(one["cost"] for one in rows if one["fit"]) * 1.5, 2))

    shelf = Shelf(shape, agent)
    no = {**OAR, "fit": False}
    for cost in (77.75, 78.75, 79.75):
        shelf.give(BED, JUG, {**no, "cost": cost})
    assert shelf.give(BED, JUG, {**no, "cost": 80.75})
    assert not shelf.give({**BED, "fit": False}, JUG, {**no, "cost": 80.75})
    assert not shelf.give(BED, {**JUG, "cost": 43.5}, {**no, "cost": 80.75})


def test_e10_a_rate_beside_a_long_list_is_no_constant_though_the_list_differed() -> None:
    desk = Desk(lambda desk: desk.say(round(desk.look()["rate"] * 1500)))
    rows = [row(7000 + at, f"kind {at}", 31.25 + at) for at in range(20)]
    desk.run({"rate": 0.19, "rows": rows})
    assert not desk.run({"rate": 0.19, "rows": rows[1:]})
    assert desk.run({"rate": 0.19, "rows": rows[3:]})
    assert not desk.run({"rate": 0.25, "rows": rows[3:]})


def test_e10_a_constant_is_sent_again_when_what_recordings_shared_has_differed_too() -> None:
    desk = Desk(lambda desk: (desk.look(), desk.say(7411))[-1])
    told = [bool(desk.run([{"cost": 300 + at}, {"cost": 900 + at}])) for at in range(4)]
    assert told == [False, False, True, True]


@in_all_shapes
@pytest.mark.parametrize("choice", ["cheapest", "dearest"])
def test_e6_the_first_of_equal_rows_is_not_chosen_once_they_differ(shape: str, choice: str) -> None:
    shelf = Shelf(shape, lambda desk, rows: desk.say(f"Dear {CHOICES[choice](rows)['name'].split()[0]},"))
    rows = [{**one, "cost": 64.5} for one in (BED, JUG, OAR)]
    shelf.give(*rows)
    assert shelf.give(*rows)
    assert not shelf.give(*rows[:2], {**OAR, "cost": 3.25 if choice == "cheapest" else 915.75})


@in_all_shapes
def test_e6_a_slug_that_is_an_id_may_have_been_made_of_a_name(shape: str) -> None:
    def agent(desk: Shelf, rows: list[Row]) -> None:
        for one in rows[:2]:
            desk.take(id=one["name"].lower().replace(" ", "-"))

    def named(one: Row, slug: str) -> Row:
        return {**one, "name": slug.replace("-", " ").title(), "note": slug}

    show, read = SHAPES[shape]
    if shape in ("csv", "markdown", "html"):
        pytest.skip("these tables have no column for a slug")
    desk = Desk(lambda desk: agent(desk, read(desk.look())))  # type: ignore[arg-type]
    if shape == "columns":
        show = lambda rows: {name: [one[name] for one in rows] for name in rows[0]}
    rows = [named(BED, "mona-berg"), named(JUG, "timo-falk"), named(OAR, "rita-wolf")]
    desk.run(show(rows))
    assert desk.run(show(rows))
    assert not desk.run(show([{**rows[0], "name": "Mona Stein"}, *rows[1:]]))


@in_all_shapes
def test_e6_a_loop_over_one_row_makes_more_calls_when_two_rows_have_the_flag(shape: str) -> None:
    def agent(desk: Shelf, rows: list[Row]) -> None:
        for one in rows:
            if one["fit"]:
                desk.say(f"polish the {one['name']}")

    shelf = Shelf(shape, agent)
    no, other = {**JUG, "fit": False}, {**OAR, "fit": False}
    shelf.give(BED, no, other)
    assert shelf.give(BED, no, other)
    assert not shelf.give(BED, no, OAR)


def test_e6_a_value_that_moved_between_recordings_is_not_sent_when_it_is_gone() -> None:
    """A recording has it at one place, another one at another, and both are joined to what is learned."""
    desk = Desk(lambda desk: None)

    @desk.engine.tool(effect="read", answers="any")
    def detail(key: str) -> dict[str, Any]:
        return {"kind": "a long text without figures"}

    def agent(desk: Desk) -> None:
        rows = desk.look()
        detail(max(rows, key=lambda one: one["cost"])["key"])
        for one in rows:
            if one["fit"]:
                desk.say(one["name"])

    desk.engine.set_agent(lambda task: agent(desk))
    rows = [{**BED, "key": "k5f1a"}, {**JUG, "key": "k9c2d", "fit": False}, {**OAR, "key": "k7e3b", "fit": False}]
    moved = [{**rows[1], "cost": 512.5, "key": "m1d4c"}, {**rows[0], "key": "m3b8a"}, {**rows[2], "key": "m2a6f"}]
    desk.run(rows)
    desk.run(moved)
    desk.run([{**one, "key": f"{one['key']}7"} for one in moved])
    gone = [{**one, "key": f"{one['key']}9", "fit": one["name"] == "long oar"} for one in (moved[0], moved[2])]
    assert not desk.run(gone)


@pytest.mark.parametrize("shape", ["csv", "markdown", "html"])
def test_e12_a_table_with_nothing_but_its_header_is_empty(shape: str) -> None:
    show, read = SHAPES[shape]
    desk = Desk(lambda desk: None)

    @desk.engine.tool(effect="read")
    def shelf() -> Any:
        return desk.answer

    desk.engine.set_agent(lambda task: None if read(shelf()) else desk.say("the shelf holds none of it"))
    desk.run(show([]))
    assert desk.run(show([]))
    assert not desk.run(show([BED]))


@pytest.mark.parametrize("text", ["<table><tr><td>Paid</td><td>no</td></tr></table>", "ready,steady\n", "a | b\nc | d"])
def test_e12_a_row_of_two_cells_is_not_the_header_of_an_empty_table(text: str) -> None:
    from muscle_mem._core.binding.outputs.answers import EMPTY, read

    assert read(text).category != EMPTY


@pytest.mark.parametrize("name", ["total", "amount", "stock"])
def test_e10_a_position_that_equals_a_number_by_chance_is_worked_out_anew(name: str) -> None:
    def agent(desk: Desk) -> None:
        rows = desk.look()["rows"]
        desk.take(id=rows.index(max(rows, key=lambda one: one["cost"])) + 1)

    desk = Desk(agent)
    rows = [{"title": "guest bed", "cost": 42.5}, {"title": "milk jug", "cost": 310.25}]
    desk.run({"rows": rows, name: 2})
    assert desk.run({"rows": rows, name: 2})
    assert not desk.run({"rows": [{**rows[0], "cost": 500.5}, rows[1]], name: 2})


class Seat(NamedTuple):
    """A record with names, and a word of a closed set."""

    name: str
    cost: float
    status: str


@pytest.mark.parametrize(
    ("show", "words"),
    [
        (lambda rows: rows, lambda rows: [one.status for one in rows]),
        (lambda rows: list(map(tuple, rows)), lambda rows: [one[2] for one in rows]),
        (lambda rows: [one._asdict() for one in rows], lambda rows: [one["status"] for one in rows]),
        (
            lambda rows: {"name": [one.name for one in rows], "status": [one.status for one in rows]},
            itemgetter("status"),
        ),
    ],
    ids=["named tuples", "tuples", "dicts", "columns"],
)
@pytest.mark.parametrize("size", [4, 12])
def test_e10_a_number_of_rows_with_a_word_is_counted_anew(show: Any, words: Any, size: int) -> None:
    def given(*states: str) -> Any:
        return show([Seat(f"seat of row {at}", 310.5 + at, states[at % 4]) for at in range(size)])

    desk = Desk(lambda desk: desk.say(words(desk.look()).count("held")))
    desk.run(given("held", "sold", "free", "held"))
    assert desk.run(given("held", "sold", "free", "held"))
    assert not desk.run(given("held", "sold", "held", "held"))


def test_e6_the_first_two_of_a_dict_in_one_text_keep_their_places_though_its_keys_changed() -> None:
    desk = Desk(lambda desk: desk.say(" and ".join(one["name"] for one in list(desk.look().values())[:2])))
    rows = {"c51": BED, "c52": JUG, "c53": OAR}
    desk.run(rows)
    desk.run({**rows, "c54": row(5104, "tin drum", 64.5)})
    assert desk.run({**rows, "c55": row(5105, "wool hat", 24.5)})
    assert not desk.run({"c51": BED, "c56": row(5106, "fur coat", 94.5), "c52": JUG, "c53": OAR})


GROUPS: dict[str, tuple[Callable[[list[Row]], Any], Callable[[Any], list[Row]]]] = {
    "named": (
        lambda rows: {"halls": [{"seats": rows[:2]}, {"seats": rows[2:]}]},
        lambda output: [one for hall in output["halls"] for one in hall["seats"]],
    ),
    "json": (
        lambda rows: json.dumps({"data": [{"seats": rows[:1]}, {"seats": rows[1:2]}, {"seats": rows[2:]}]}),
        lambda output: [one for hall in json.loads(output)["data"] for one in hall["seats"]],
    ),
    "lists": (lambda rows: [rows[:2], rows[2:]], lambda output: [one for part in output for one in part]),
}


@pytest.mark.parametrize("shape", GROUPS)
@pytest.mark.parametrize("choice", CHOICES)
def test_e6_a_row_is_chosen_among_the_rows_of_all_groups(shape: str, choice: str) -> None:
    show, read = GROUPS[shape]
    desk = Desk(lambda desk: desk.say(CHOICES[choice](read(desk.look()))["name"].upper()))
    rows = [BED, JUG, OAR, row(5100, "tin drum", 64.5), row(5099, "wool hat", 98.5)]
    desk.run(show(rows))
    assert desk.run(show(rows))
    for at, one in enumerate(rows):
        if one is not CHOICES[choice](rows):
            assert not desk.run(show([turned(each, choice, each is one) for each in rows[: at + 1]] + rows[at + 1 :]))


TIED: dict[str, tuple[Callable[[list[Row]], Any], int, Row]] = {
    "dearest": (lambda rows: max(one["cost"] for one in rows), 2, {"cost": 915.75}),
    "cheapest": (lambda rows: min(one["cost"] for one in rows), 2, {"cost": 3.25}),
    "stock of the dearest": (lambda rows: max(rows, key=lambda one: one["ref"])["stock"] * 3, 0, {"ref": 9105}),
    "cost of the newest": (lambda rows: max(rows, key=lambda one: one["ref"])["cost"], 2, {"ref": 9105}),
    "name of the first that fits": (lambda rows: next(one["name"] for one in rows if one["fit"]), 0, {"fit": True}),
    "name of the last": (lambda rows: rows[-1]["name"], 4, {}),
    "cost of the last": (lambda rows: rows[-1]["cost"], 4, {}),
}


@in_all_shapes
@pytest.mark.parametrize("choice", TIED)
def test_e6_a_value_that_rows_share_is_not_sent_once_a_row_without_it_is_chosen(shape: str, choice: str) -> None:
    made, at, changed = TIED[choice]
    shelf = Shelf(shape, lambda desk, rows: desk.say(made(rows)))
    shared = {"name": "milk jug", "cost": 64.5, "stock": 40}
    rows = [
        row(5101, "guest bed", 64.5 if choice in ("dearest", "cheapest") else 77.75, stock=60, fit=False),
        {**row(5102, "", 0), **shared},
        row(5103, "long oar", 64.5 if choice in ("dearest", "cheapest") else 78.75, stock=80),
        {**row(5104, "", 0), **shared},
    ]
    shelf.give(*rows)
    assert shelf.give(*rows)
    if at < len(rows):
        rows[at] = {**rows[at], **changed}
    else:
        rows.append(row(5100, "tin drum", 99.25, stock=70))
    assert not shelf.give(*rows)


def by_name(name: str) -> Callable[[Shelf, list[Row]], None]:
    """Return an agent that takes the row with a name that no task says, or else the first one."""
    return lambda desk, rows: desk.take(id=next((one for one in rows if one["name"] == name), rows[0])["ref"])


@in_all_shapes
@pytest.mark.parametrize("at", [1, 2, 3])
def test_e6_a_row_is_not_chosen_again_beside_one_that_no_recording_had(shape: str, at: int) -> None:
    shelf = Shelf(shape, by_name("tin drum"))
    rows = [{**JUG, "cost": 77.75}, {**OAR, "cost": 310.25}, {**BED, "cost": 42.5}]  # the first is no extreme
    shelf.give(*rows)
    assert shelf.give(*rows)
    assert not shelf.give(*rows[:at], row(5104, "tin drum", 64.5), *rows[at:])


@in_all_shapes
def test_e6_a_row_may_be_chosen_again_beside_those_that_some_recording_had(shape: str) -> None:
    shelf = Shelf(shape, by_name("tin drum"))
    middle = [row(5105, "wool hat", 54.5), row(5107, "fur coat", 64.5)]
    shelf.give(BED, JUG, middle[0], OAR)
    assert not shelf.give(BED, JUG, middle[1], OAR)
    assert shelf.give(BED, JUG, *middle, OAR)


@in_all_shapes
def test_e6_rows_that_are_new_in_each_of_five_recordings_do_not_matter(shape: str) -> None:
    shelf = Shelf(shape, lambda desk, rows: desk.take(id=rows[0]["ref"]))
    told = [shelf.give(BED, JUG, row(5102, f"hat of kind {chr(97 + at)}", 44.5), OAR) for at in range(7)]
    assert told == [False] * 5 + [True] * 2


def test_e6_a_row_that_the_task_names_is_chosen_again_beside_a_new_one() -> None:
    desk = Desk(lambda desk: desk.take(id=next(one["ref"] for one in desk.look() if one["name"] == "milk jug")))
    rows = [BED, JUG, OAR]
    desk.run(rows, params={"name": "milk jug"})
    assert desk.run([*rows[:2], row(5102, "wool hat", 54.5), OAR], params={"name": "milk jug"})
