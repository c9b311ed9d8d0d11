"""Rules E6 and E12 where outputs are tables of text, columns or dicts of records, or where calls are repeated."""

from __future__ import annotations

import json
from typing import Any

import pytest

from muscle_mem import Outcome, Reason
from muscle_mem._core.binding.outputs.tables import MAX_TABLE_TEXT, rows_in
from muscle_mem._core.binding.outputs.text_tables import table_of
from param_cases import World

HEADER = ("ref", "title", "cost")
ROWS = [("K-31", "oak chair", "120.50"), ("K-77", "tea pot", "18.90"), ("K-12", "desk lamp", "64.00")]


def as_csv(rows: list[tuple[str, ...]]) -> str:
    return "\r\n".join(",".join(row) for row in (HEADER, *rows)) + "\r\n"


def as_markdown(rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (HEADER, ("---",) * len(HEADER), *rows)]
    return "\n".join(["Stock:", "", *lines])


def as_html(rows: list[tuple[str, ...]]) -> str:
    cells = ["".join(f"<td class='c'>{cell}</td>" for cell in row) for row in (HEADER, *rows)]
    return "<p>Stock</p><table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


def as_blocks(rows: list[tuple[str, ...]]) -> str:
    return "\n\n".join("\n".join(f"{name}: {cell}" for name, cell in zip(HEADER, row, strict=True)) for row in rows)


def as_lines(rows: list[tuple[str, ...]]) -> str:
    pairs = ["; ".join(f"{name} = {cell}" for name, cell in zip(HEADER, row, strict=True)) for row in rows]
    return "Found:\n" + "\n".join(f"{number}. {line}" for number, line in enumerate(pairs, 1))


FORMS = [as_csv, as_markdown, as_html, as_blocks, as_lines]


def twice(agent: Any, first: Any, then: Any, *, times: int = 1) -> tuple[Outcome, list[Any]]:
    """Run an agent in one world, then in another; return the outcome and the calls of the latter."""
    world = World()
    world.answers["it"] = first
    for _ in range(times):
        world.run(lambda task: agent(world), "task")
    world.made()
    world.answers["it"] = then
    return world.run(lambda task: agent(world), "task"), world.made()


@pytest.mark.parametrize("form", FORMS)
def test_e6_a_table_of_text_is_read_as_its_rows(form: Any) -> None:
    found = table_of(form(ROWS))
    assert found is not None
    rows = found if isinstance(found[0], dict) else found[0]
    assert rows == [dict(zip(HEADER, row, strict=True)) for row in ROWS]


@pytest.mark.parametrize(
    "text",
    [
        "The shop is closed.\nCome back tomorrow.",
        '- button "Save" [ref=e1]\n- link "Back" [ref=e2]\n- text: none',
        "def f(x):\n    return x\n",
        "a,b\nc\n",
        "x" * 20 + "\n",
        "  \n      \n  ",
        "The first - of two\nThe second",
    ],
)
def test_e6_other_texts_are_no_tables(text: str) -> None:
    assert table_of(text) is None


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("position", "then"),
    [
        (2, [*ROWS, ("K-90", "ink pad", "30.00")]),  # the last one
        (1, [ROWS[0], ROWS[1], ("K-12", "desk lamp", "9.10")]),  # the cheapest
        (0, [ROWS[0], ("K-77", "tea pot", "918.90"), ROWS[2]]),  # the dearest
        (1, [ROWS[1], ROWS[0], ROWS[2]]),  # the second
    ],
)
def test_e6_the_reason_for_a_row_of_a_table_of_text_must_hold_again(
    form: Any, position: int, then: list[tuple[str, ...]]
) -> None:
    agent = lambda world: world.many(world.give() and ROWS[position][0])
    outcome, _ = twice(agent, form(ROWS), form(ROWS))
    assert outcome
    outcome, _ = twice(agent, form(ROWS), form(then))
    assert outcome.reason == Reason.STALE_OUTPUT


def test_e6_the_first_of_a_few_cheapest_records_must_be_the_first_of_them_again() -> None:
    records = [{"ref": f"K-{at}1", "cost": cost} for at, cost in enumerate([90, 30, 70, 30, 80])]
    agent = lambda world: world.many(min(world.give(), key=lambda record: record["cost"])["ref"])
    dearer = [{**record, "cost": 95} if record["cost"] == 90 else record for record in records]
    cheaper = [{**record, "cost": 30} if record["cost"] == 90 else record for record in records]
    assert twice(agent, records, dearer)[0]
    outcome, made = twice(agent, records, cheaper)
    assert outcome.reason == Reason.STALE_OUTPUT
    assert made[-1] == ("many", "K-01")


def test_e6_a_row_of_lists_side_by_side_is_guarded_as_a_record() -> None:
    columns = {"ref": ["K-31", "K-77", "K-12"], "cost": [120, 18, 64], "title": ["chair", "pot", "lamp"]}

    def agent(world: World) -> None:
        found = world.give()
        world.many(found["ref"][found["cost"].index(min(found["cost"]))])

    assert twice(agent, columns, {**columns, "cost": [120, 19, 64]})[0]
    outcome, made = twice(agent, columns, {**columns, "cost": [12, 18, 64]})
    assert outcome.reason == Reason.STALE_OUTPUT
    assert made[-1] == ("many", "K-31")


def test_e6_a_record_of_a_dict_keeps_its_place() -> None:
    records = {"K-31": {"cost": 120}, "K-77": {"cost": 18}, "K-12": {"cost": 64}}
    agent = lambda world: world.many(list(world.give())[1])
    assert twice(agent, records, {**records, "K-12": {"cost": 65}})[0]
    outcome, made = twice(agent, records, {"K-90": {"cost": 70}, **records})
    assert outcome.reason == Reason.STALE_OUTPUT
    assert made[-1] == ("many", "K-31")


def test_e6_equal_calls_that_are_as_many_as_the_records_guard_their_number() -> None:
    def agent(world: World) -> None:
        for _ in world.give():
            world.many("next")

    outcome, made = twice(agent, [{"n": 1}, {"n": 2}, {"n": 3}], [{"n": 1}, {"n": 2}])
    assert outcome.reason == Reason.STALE_OUTPUT
    assert made.count(("many", "next")) == 2
    assert twice(agent, [{"n": 1}, {"n": 2}], [{"n": 1}, {"n": 2}])[0]


def test_e6_a_record_chosen_beside_a_loop_over_its_list_keeps_its_reason() -> None:
    records = [{"ref": "K-31", "cost": 120}, {"ref": "K-77", "cost": 18}, {"ref": "K-12", "cost": 64}]

    def agent(world: World) -> None:
        found = world.give()
        world.send(to=min(found, key=lambda record: record["cost"])["ref"])
        for record in found:
            world.many(record["ref"])

    cheaper = [{**records[0], "cost": 9}, *records[1:]]
    assert twice(agent, records, [{**records[0], "cost": 99}, *records[1:]])[0]
    assert twice(agent, records, cheaper)[0].reason == Reason.STALE_OUTPUT


def test_e6_initials_are_guarded_by_the_name_that_they_were_made_of() -> None:
    agent = lambda world: world.many("".join(word[0] for word in world.give()["title"].split()).upper())
    assert twice(agent, {"title": "wall clock"}, {"title": "wall clock"})[0]
    outcome, made = twice(agent, {"title": "wall clock"}, {"title": "desk lamp"})
    assert outcome.reason == Reason.STALE_OUTPUT
    assert made[-1] == ("many", "DL")


def test_e6_a_renamed_field_does_not_make_its_value_chance() -> None:
    world = World()
    agent = lambda task: world.many(next(iter(world.give().values())))
    for answer in ({"stock": 150}, {"count": 150}):
        world.answers["it"] = answer
        world.run(agent, "task")
    world.answers["it"] = {"count": 320}
    assert not world.run(agent, "task")


@pytest.mark.parametrize("wrap", [str, lambda text: {"content": [{"type": "text", "text": text}]}])
def test_e12_a_flag_of_a_used_row_counts_in_json_within_content_too(wrap: Any) -> None:
    def shown(ok: bool) -> Any:
        return wrap(json.dumps({"rows": [{"ref": "K-31", "ok": False}, {"ref": "K-77", "ok": ok}]}))

    outcome, _ = twice(lambda world: world.many(world.give() and "K-77"), shown(True), shown(False))
    assert outcome.reason in (Reason.UNSEEN_ANSWER, Reason.STALE_OUTPUT)


@pytest.mark.parametrize("form", [as_csv, as_markdown, as_html])
def test_e12_a_word_in_a_used_row_of_a_table_of_text_is_an_answer(form: Any) -> None:
    open_, closed = (
        [(ref, state, "5") for ref, state in (("K-31", "open"), ("K-77", "held"))],
        [
            ("K-31", "closed", "5"),
            ("K-77", "held", "5"),
        ],
    )
    agent = lambda world: world.many(world.give() and "K-31")
    assert twice(agent, form(open_), form(open_))[0]
    assert twice(agent, form(open_), form(closed))[0].reason in (Reason.UNSEEN_ANSWER, Reason.STALE_OUTPUT)


def test_e6_a_text_beyond_the_limit_is_no_table() -> None:
    rows = "ab,c\n" * (MAX_TABLE_TEXT // 100)
    assert rows_in(rows) == [["ab", "c"]] * (MAX_TABLE_TEXT // 100)
    assert rows_in(rows + "ab,c\n" * MAX_TABLE_TEXT) is None
