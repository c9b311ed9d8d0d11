"""E6: a loop that went over the pages of a list, or left out elements, guards how much there was to go through."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from muscle_mem import Engine, Outcome

Row = dict[str, Any]


def as_csv(rows: list[Row]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, ["nr", "title", "state"])
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


SHAPES: dict[str, tuple[Callable[[list[Row]], Any], Callable[[Any], list[Row]]]] = {
    "dicts": (list, list),
    "wrapped": (lambda rows: {"rows": rows}, lambda output: output["rows"]),
    "json": (json.dumps, json.loads),
    "csv": (as_csv, lambda output: list(csv.DictReader(io.StringIO(output)))),
    "tuples": (
        lambda rows: [tuple(row.values()) for row in rows],
        lambda output: [dict(zip(("nr", "title", "state"), row, strict=True)) for row in output],
    ),
}


class Library:
    """Pages of loans, and an agent that writes to each reader who is late."""

    def __init__(self, shape: str, *, meanwhile: bool = False) -> None:
        self.pages: list[list[Row]] = []
        self.sent: list[Any] = []
        self.engine = engine = Engine()
        give, read = SHAPES[shape]

        @engine.tool(effect="read")
        def loans(page: int) -> Any:
            return {"page": give(self.pages[page]), "more": page + 1 < len(self.pages)}

        @engine.tool(effect="write")
        def remind(title: str, tone: str = "kind") -> None:
            self.sent.append(title)

        def agent(task: str) -> None:
            page, more, found = 0, True, []
            while more:
                output = loans(page)
                rows = [row for row in read(output["page"]) if row["state"] == "late"]
                for row in rows if meanwhile else ():
                    remind(row["title"])
                found += [] if meanwhile else rows
                page, more = page + 1, output["more"]
            for row in found:
                remind(row["title"])

        engine.set_agent(agent)

    def run(self, *pages: Sequence[Row]) -> Outcome:
        self.pages, self.sent = [list(page) for page in pages], []
        return self.engine("remind them")


def row(number: int, title: str, late: bool = False) -> Row:
    return {"nr": number, "title": title, "state": "late" if late else "fine"}


ONE = [row(11, "Emma"), row(12, "Dracula", True), row(13, "Walden")]
TWO = [row(21, "Ulysses"), row(22, "Beloved", True), row(23, "Lolita")]
THREE = [row(31, "Hamlet")]


@pytest.mark.parametrize("shape", SHAPES)
def test_e6_a_loop_with_one_match_on_each_page_guards_the_lengths_of_all_pages(shape: str) -> None:
    library = Library(shape)
    library.run(ONE, TWO, THREE)
    assert library.run(ONE, TWO, THREE)
    moved = [TWO[0], TWO[1], row(24, "Persuasion", True)]
    assert not library.run(ONE, moved, [TWO[2], THREE[0]])
    assert library.sent == ["Dracula", "Beloved", "Persuasion"]


@pytest.mark.parametrize("page", range(3))
def test_e6_a_page_that_grew_asks_the_agent(page: int) -> None:
    library = Library("wrapped")
    pages = [ONE, TWO, THREE]
    library.run(*pages)
    pages[page] = [*pages[page], row(99, "Sula", True)]
    assert not library.run(*pages)
    assert "Sula" in library.sent


def test_e6_pages_that_are_read_while_the_loop_goes_on_are_guarded_as_soon_as_they_are_there() -> None:
    library = Library("wrapped", meanwhile=True)
    library.run(ONE, TWO, ONE[:2])
    assert library.run(ONE, TWO, ONE[:2])
    assert not library.run([*ONE, row(14, "Middlemarch", True)], TWO, ONE[:2])
    assert library.sent == ["Dracula", "Middlemarch", "Beloved", "Dracula"]


def test_e6_groups_within_one_output_are_pages_as_well() -> None:
    engine = Engine()
    sent: list[str] = []
    groups: list[list[Row]] = []

    @engine.tool(effect="read")
    def shelves() -> Any:
        return {"shelves": [{"loans": loans} for loans in groups]}

    @engine.tool(effect="write")
    def remind(title: str) -> None:
        sent.append(title)

    engine.set_agent(
        lambda task: [
            remind(one["title"]) for group in shelves()["shelves"] for one in group["loans"] if one["state"] == "late"
        ]
    )
    groups[:] = [ONE, TWO]
    engine("remind them")
    assert engine("remind them")
    groups[:] = [ONE, [*TWO, row(25, "Nostromo", True)]]
    assert not engine("remind them")
    assert sent[-1] == "Nostromo"


@pytest.mark.parametrize("shape", SHAPES)
def test_e6_an_element_that_two_have_the_name_of_is_one_of_a_loop(shape: str) -> None:
    library = Library(shape)
    page = [row(11, "Emma"), row(12, "Emma", True), row(13, "Walden"), row(14, "Beloved", True)]
    library.run(page)
    assert library.run(page)
    assert not library.run([*page[:2], row(15, "Sula", True), page[3], page[2]])
    assert library.sent == ["Emma", "Sula", "Beloved"]


def test_e6_equal_elements_in_a_loop_guard_its_length() -> None:
    library = Library("wrapped")
    page = [row(11, "Emma", True), row(12, "Emma", True), row(13, "Walden")]
    library.run(page)
    assert library.run(page)
    assert not library.run([*page, row(14, "Emma", True)])
    assert library.sent == ["Emma"] * 3


def test_e6_a_value_that_stands_on_two_pages_is_no_loop() -> None:
    engine = Engine()
    pages = [[row(11, "Emma"), row(12, "Walden")], [row(21, "Beloved"), row(11, "Emma")]]

    @engine.tool(effect="read")
    def loans(page: int) -> Any:
        return pages[page]

    @engine.tool(effect="write")
    def renew(title: str) -> None:
        pass

    engine.set_agent(lambda task: (loans(0), loans(1), renew("Emma"))[-1])
    engine("renew it")
    pages[0] = pages[0][:1]
    assert engine("renew it")


def test_e6_records_of_two_searches_that_differ_otherwise_are_no_loop() -> None:
    engine = Engine()
    found: dict[str, list[Row]] = {
        "hotel": [{"id": 501, "name": "Ritz"}, {"id": 502, "name": "Savoy"}],
        "flight": [{"id": 601, "name": "LX 38"}, {"id": 602, "name": "BA 7"}],
    }

    @engine.tool(effect="read")
    def search(what: str) -> Any:
        return found[what]

    @engine.tool(effect="write")
    def book(what: str, id: int) -> None:
        pass

    engine.set_agent(lambda task: [book(what, search(what)[0]["id"]) for what in ("hotel", "flight")])
    engine("book")
    del found["hotel"][1]
    assert engine("book")
