"""E12: answers that decide together, that moved, that say no in a sentence, or that were looked for and not found."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Check, Engine, Outcome, Reason


class Office:
    """Tools whose answers and page a test sets, and an agent that acts by them."""

    def __init__(self, agent: Callable[[Office], Any], *, checked: bool = False) -> None:
        self.answers: list[Any] = []
        self.page: Any = None
        self.calls: list[str] = []
        self.engine = engine = Engine()

        @engine.tool(name="ask", effect="read")
        def ask(number: int = 0) -> Any:
            return self.answers[number]

        def act(what: str, more: Any = None) -> None:
            self.calls.append(what)

        check = Check(lambda *_, **__: self.page) if checked else None
        self.ask = ask
        self.act = engine.tool(check, name="act", effect="write")(act)
        self.stamp = engine.tool(name="stamp", effect="write")(act)
        engine.set_agent(lambda task: agent(self))

    def run(self, *answers: Any, page: Any = "page", **options: Any) -> Outcome:
        """Run with these answers; whoever acts must do what the agent would do."""
        self.answers, self.page = list(answers), page
        self.calls = []
        outcome = self.engine("the task", **options)
        done, self.calls = self.calls, []
        self.engine("the task", mode="off")
        assert done == self.calls, outcome
        return outcome


# -- answers that moved


def create_or_update(office: Office) -> None:
    found = office.ask()
    match = next((value for key, value in _fields(found) if key in ("match", "person")), None)
    office.act("update" if match else "create")


def _fields(value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return []
    return [(key, child) for key, child in value.items() if child] + [
        pair for child in value.values() for pair in _fields(child)
    ]


FOUND = {"match": {"nr": 401}}
MOVED = [
    {"payload": {"match": {"nr": 402}}},
    {"match": None, "person": {"nr": 402}},
    {"person": {"nr": 402}},
    {"match": {}, "data": {"person": {"nr": 402}}},
    {"match": None, "data": [{"person": {"nr": 402}}], "more": 3},
]


@pytest.mark.parametrize("today", MOVED[:4])
@pytest.mark.parametrize("first", [FOUND, {"match": None}])
def test_e12_an_answer_that_stands_elsewhere_today_is_asked(first: Any, today: Any) -> None:
    office = Office(create_or_update)
    for answer in (first, {"match": None} if first is FOUND else FOUND):
        office.run(answer)
    assert office.run({"match": None})
    assert office.run(today).reason == Reason.UNSEEN_ANSWER


def test_e12_a_field_that_is_missing_is_not_the_same_as_none() -> None:
    office = Office(lambda office: office.act("none" if office.ask().get("offer", 0) is None else "other"))
    office.run({"offer": None, "at": 700})
    assert office.run({"offer": None, "at": 701})
    assert office.run({"at": 702}).reason == Reason.UNSEEN_ANSWER
    assert office.run({"at": 703})


def test_e12_a_field_more_is_no_question_while_nothing_is_gone() -> None:
    office = Office(lambda office: (office.ask(), office.act("go"))[-1])
    office.run({"match": {"nr": 401}})
    assert office.run({"match": {"nr": 402}, "links": {"self": "/people"}})


# -- sentences that say no


@pytest.mark.parametrize(
    ("then", "today"),
    [
        ("There are chairs in the shop today.", "There are no chairs in the shop today."),
        ("Nothing was found for this search.", "One order was found for this search."),
        ("The till can be opened now.", "The till cannot be opened now."),
        ("You have mail from Ann.", "You don't have mail from Ann."),
        ("Der Laden ist heute offen.", "Der Laden ist heute nicht offen."),
        ({"text": "Seats are left in 2 rows"}, {"text": "No seats are left in any row"}),
    ],
)
def test_e12_a_sentence_that_says_no_is_another_answer(then: Any, today: Any) -> None:
    office = Office(lambda office: office.act("go") if office.ask() == then else None)
    office.run(then)
    assert office.run(then)
    assert office.run(today).reason == Reason.UNSEEN_ANSWER
    assert office.run(today)


@pytest.mark.parametrize(
    ("then", "today"),
    [
        ("No. 17 is due on Monday", "No. 18 is due on Monday"),
        ({"title": "A day of rest"}, {"title": "No country for old men"}),
        (["The long way home"], ["Not the long way home"]),
        ("Please do not answer this mail, order A.", "Please do not answer this mail, order B."),
    ],
)
def test_e12_a_no_that_is_data_is_no_answer(then: Any, today: Any) -> None:
    office = Office(lambda office: (office.ask(), office.act("go"))[-1])
    office.run(then)
    assert office.run(today)


# -- what was looked for and not found


def act_on_late(office: Office) -> None:
    late = next((row for row in office.ask()["rows"] if row["status"] == "late"), None)
    if late is not None:
        office.act("remind", late["name"])


def rows(*states: str) -> dict[str, Any]:
    return {"rows": [{"name": f"reader {at} of the list", "status": state} for at, state in enumerate(states)]}


def test_e12_a_run_that_found_nothing_is_no_hit_once_there_is_something() -> None:
    office = Office(act_on_late)
    office.run(rows("fine", "away"))
    assert office.run(rows("away", "fine", "fine"))
    assert office.run(rows("fine", "late")).reason == Reason.UNSEEN_ANSWER
    assert office.run(rows("away"))


@pytest.mark.parametrize("empty", [[], {}, "", None, {"rows": []}, "Nothing was found.", "No results", {"count": 0}])
def test_e12_a_run_that_ended_at_nothing_asks_when_there_is_something(empty: Any) -> None:
    something = {str: "Found: the order of Ann Lee", list: ["a"], dict: {"rows": [{"a": 700}], "count": 5}}
    today = something.get(type(empty), {"nr": 700})
    office = Office(lambda office: office.act("go") if office.ask() == today else None)
    office.run(empty)
    assert office.run(empty)
    assert office.run(today).reason == Reason.UNSEEN_ANSWER


def test_e12_states_in_a_list_are_data_where_the_run_went_on() -> None:
    office = Office(lambda office: (office.ask(), office.act("go"))[-1])
    office.run(rows("fine", "away"))
    assert office.run(rows("late", "lost"))


# -- answers that decide together


def together(office: Office) -> None:
    one, two = office.ask(0)["ready"], office.ask(1)["paid"]
    office.act("send" if one == two else "wait", f"{one == two}")


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
def test_e12_two_outputs_that_decide_together_are_known_in_combinations_only(order: tuple[int, ...]) -> None:
    office = Office(together)
    days = [({"ready": a}, {"paid": b}) for a in (True, False) for b in (True, False)]
    for at in order:
        assert not office.run(*days[at])
        assert office.run(*days[at])
    for day in days:
        assert office.run(*day)


WORDS = ["open", "held", "lost"]


def by_table(office: Office) -> None:
    """Another way for one of nine combinations, which four recorded ones do not show."""
    pair = office.ask(0)["state"], office.ask(1)["place"]
    office.act("call" if pair == ("lost", "shelf") else "file")


def test_e12_many_combinations_prove_nothing_about_two_answers_that_never_met() -> None:
    office = Office(by_table)
    known = [("open", "desk"), ("open", "shelf"), ("held", "shelf"), ("held", "desk"), ("lost", "desk")]
    for state, place in known:
        office.run({"state": state}, {"place": place})
    assert office.run({"state": "lost"}, {"place": "shelf"}).reason == Reason.UNSEEN_ANSWER


def test_e12_a_combination_is_known_once_each_two_of_its_answers_met() -> None:
    office = Office(lambda office: ([office.ask(at) for at in range(3)], office.act("go"))[-1])
    for day in itertools.product((True, False), repeat=3):
        if sum(day) % 2:
            office.run(*({"flag": flag} for flag in day))
    for day in itertools.product((True, False), repeat=3):
        assert office.run(*({"flag": flag} for flag in day))


def by_page(office: Office) -> None:
    urgent = office.ask()["urgent"]
    office.act("now" if urgent and office.page == "night" else "later" if not urgent else "today")


@pytest.mark.parametrize("last", [(True, "night"), (False, "day")])
def test_e12_an_answer_and_a_page_that_decide_together(last: tuple[bool, str]) -> None:
    office = Office(lambda office: office.act("go", office.ask()["urgent"] is None), checked=True)
    office.run({"urgent": True}, page="day")
    office.run({"urgent": False}, page="night")
    assert office.run({"urgent": True}, page="day")
    assert office.run({"urgent": False}, page="night")
    assert not office.run({"urgent": last[0]}, page=last[1])
    assert office.run({"urgent": last[0]}, page=last[1])


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::7])
def test_e12_an_agent_that_looks_at_page_and_answer_is_never_replayed_otherwise(order: tuple[int, ...]) -> None:
    office = Office(by_page, checked=True)
    days = [(urgent, page) for urgent in (True, False) for page in ("day", "night")]
    for at in (*order, *order):
        office.run({"urgent": days[at][0]}, page=days[at][1])


# -- texts that tell two recorded ways apart


def by_letter(office: Office) -> None:
    office.act("pay") if "accepted" in office.ask() else office.stamp("file")


def letter(number: int, word: str) -> str:
    return f"Dear customer, your claim {number} of this spring was {word} by the office in Bern. Regards, the office"


def test_e12_a_status_in_a_sentence_chooses_between_recorded_ways() -> None:
    office = Office(by_letter)
    office.run(letter(311, "accepted"))
    office.run(letter(312, "turned down"), mode="record")
    for number, word in ((313, "accepted"), (314, "turned down"), (315, "accepted"), (316, "turned down")):
        assert office.run(letter(number, word))


def test_e12_a_sentence_that_was_in_no_recording_of_two_ways_is_asked() -> None:
    office = Office(by_letter)
    office.run(letter(311, "accepted"))
    office.run(letter(312, "turned down"), mode="record")
    assert office.run(letter(313, "forwarded")).reason == Reason.UNSEEN_ANSWER


# -- flags of rows that were used


def test_e12_flags_beside_a_used_column_are_answers() -> None:
    office = Office(lambda office: _each_free(office))
    columns = {"room": ["room of the north", "room of the south", "room of the east"], "free": [True, False, True]}
    office.run(columns)
    assert office.run(columns)
    assert not office.run({**columns, "free": [True, False, False]})
    assert not office.run({**columns, "free": [False, True, False]})


def _each_free(office: Office) -> None:
    output = office.ask()
    for name, free in zip(output["room"], output["free"], strict=True):
        if free:
            office.act("book", name)


def test_e12_yes_and_no_in_a_table_of_text_are_bools() -> None:
    def agent(office: Office) -> None:
        lines = office.ask().split("\n")[1:]
        office.act("ship" if all(line.endswith("yes") for line in lines) else "wait")

    for head, one, two in (("number,item,packed", "301,a lamp", "302,a desk"), ("item,note,packed", "a lamp,x", "a,y")):
        office = Office(agent)
        office.run(f"{head}\n{one},yes\n{two},no")
        assert office.run(f"{head}\n{one},yes\n{two},no")
        assert office.run(f"{head}\n{one},yes\n{two},yes").reason == Reason.UNSEEN_ANSWER


def test_e12_flags_of_used_lines_count_below_a_heading() -> None:
    def agent(office: Office) -> None:
        for line in office.ask().split("\n")[1:]:
            parts = dict(part.split(" = ") for part in line.partition(". ")[2].split("; "))
            if parts["ok"] == "yes":
                office.act("send", parts["name"].upper())

    office = Office(agent)

    def text(*flags: str) -> str:
        names = ["garden chair", "winter coat", "music stand"]
        lines = [f"{at}. name = {names[at - 1]}; size = 40{at}; ok = {flag}" for at, flag in enumerate(flags, 1)]
        return "\n".join(["Found 3 rows.", *lines])

    office.run(text("yes", "yes", "no"))
    assert office.run(text("yes", "yes", "no"))
    assert not office.run(text("no", "yes", "no"))
