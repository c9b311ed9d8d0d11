"""I11: a step keeps the arguments as the model said them."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import threading
from typing import Any, Literal

import msgspec
import pytest

from muscle_mem import Call, Check, Engine, Finished
from scripted_framework import asked, ended, handed


@pytest.mark.parametrize(
    "arguments", ['{"amount": 5, "to": "Ada", "note": null}', {"amount": 5, "to": "Ada", "note": None}]
)
def test_i11_arguments_keep_the_order_of_the_model(arguments: Any) -> None:
    engine = Engine()
    seen: list[Any] = []

    @engine.tool(Check(lambda **named: seen.append(list(named))), name="pay")
    def pay(to: str, note: str | None, amount: int = 1) -> str:
        return "paid"

    def check(session: Any) -> None:
        call = handed(session)
        assert list(call.arguments.items()) == [("amount", 5), ("to", "Ada"), ("note", None)]
        assert list(call.kwargs) == ["amount", "to", "note"]
        assert seen.pop() == ["amount", "to", "note"]
        session.done(call, pay(**call.arguments))

    with engine.session("task") as session:
        asked(session).said([("pay", arguments)])
        check(session)
        asked(session).said([])
    assert ended(session).learned
    with engine.session("task") as session:
        check(session)
        assert isinstance(session.next(), Finished)
    assert engine.set_agent(lambda task: None)("task")


def test_i11_the_order_survives_a_divergence() -> None:
    engine = Engine()
    state = {"x": 0}

    @engine.tool(Check(lambda to, amount: state.get(to)), name="pay")
    def pay(to: str, amount: int) -> str:
        return "paid"

    def order(session: Any) -> list[str]:
        call = handed(session)
        session.done(call, "paid")
        return list(call.arguments)

    with engine.session("task") as session:
        for to in "ax":
            asked(session).said([("pay", {"amount": 5, "to": to})])
            assert order(session) == ["amount", "to"]
        asked(session).said([])
    state["x"] = 1
    with engine.session("task") as session:
        assert order(session) == ["amount", "to"]
        asked(session).said([("pay", {"to": "b", "amount": 6})])
        assert order(session) == ["to", "amount"]
        asked(session).said([])
    assert ended(session).learned
    with engine.session("task") as session:
        assert [order(session), order(session)] == [["amount", "to"], ["to", "amount"]]
        assert isinstance(session.next(), Finished)


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Guest:
    name: str
    born: datetime.date


class Model:
    """As a pydantic model: it has `model_validate`."""

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def model_validate(cls, value: dict[str, Any]) -> Model:
        return cls(value["name"].upper())


TYPED: list[tuple[Any, Any, Any]] = [
    (datetime.date, "2026-05-01", datetime.date(2026, 5, 1)),
    (datetime.date | None, "2026-05-01", datetime.date(2026, 5, 1)),
    (datetime.date | None, None, None),
    (list[datetime.date], ["2026-05-01"], [datetime.date(2026, 5, 1)]),
    (tuple[int, ...], [1, 2], (1, 2)),
    (datetime.timedelta, "PT90S", datetime.timedelta(seconds=90)),
    (decimal.Decimal, "1.50", decimal.Decimal("1.50")),
    (Color, "red", Color.RED),
    (Guest, {"name": "Ada", "born": "1815-12-10"}, Guest("Ada", datetime.date(1815, 12, 10))),
    (float, 5, 5.0),
    (str, "2026-05-01", "2026-05-01"),
    (dict[str, Any], {"a": [1]}, {"a": [1]}),
    (Literal["a", "b"], "a", "a"),
    (datetime.date, "not a date", "not a date"),
    (datetime.date | str, "2026-05-01", "2026-05-01"),
    ("Unknown", "2026-05-01", "2026-05-01"),
]


@pytest.mark.parametrize(("hint", "said", "expected"), TYPED)
def test_i11_captures_and_the_call_get_the_types_of_the_annotations(hint: Any, said: Any, expected: Any) -> None:
    engine = Engine()
    seen: list[Any] = []

    def book(when: Any) -> str:
        seen.append(("made", when))
        return "booked"

    book.__annotations__["when"] = hint

    def look(when: Any) -> str:
        seen.append(("before", when))
        return str(when)

    def look_after(when: Any) -> str:
        seen.append(("after", when))
        return str(when)

    engine.tool(Check(look), Check(look_after), name="book")(book)

    def step(session: Any) -> None:
        call = handed(session)
        assert call.arguments == {"when": said}
        assert type(call.arguments["when"]) is type(said)
        session.done(call, call.fn(*call.args, **call.kwargs))
        assert seen == [("before", expected), ("made", expected), ("after", expected)]
        assert all(type(value) is type(expected) for _, value in seen)
        seen.clear()

    with engine.session("task") as session:
        asked(session).said([("book", msgspec.json.encode({"when": said}).decode())])
        step(session)
        asked(session).said([])
    assert ended(session).learned, ended(session).not_learned_message
    with engine.session("task") as session:
        step(session)
        assert isinstance(session.next(), Finished)
    assert engine.set_agent(lambda task: None)("task")
    assert seen == [("before", expected), ("made", expected), ("after", expected)]


def test_i11_a_pydantic_model_is_made_by_its_own_rules() -> None:
    engine = Engine()
    seen: list[Any] = []

    @engine.tool(Check(lambda guest: seen.append(guest.name)), name="greet")
    def greet(guest: Model) -> str:
        return guest.name

    with engine.session("task") as session:
        asked(session).said([("greet", {"guest": {"name": "ada"}})])
        call = handed(session)
        assert isinstance(call, Call)
        assert call.arguments == {"guest": {"name": "ada"}}
        session.done(call, call.fn(*call.args, **call.kwargs))
        asked(session).said([])
    assert seen == ["ADA"]
    assert ended(session).learned


def test_i11_what_an_agent_passes_itself_is_never_converted() -> None:
    engine = Engine()
    seen: list[Any] = []

    @engine.tool(Check(lambda when: seen.append(when)), name="book")
    def book(when: datetime.date) -> str:
        seen.append(when)
        return "booked"

    engine.set_agent(lambda task: book("2026-05-01"))  # type: ignore[arg-type]
    assert engine("task").learned
    seen.clear()
    assert engine("task")
    assert seen == ["2026-05-01", "2026-05-01"]
    with engine.session("task") as session:
        assert handed(session).args == ("2026-05-01",)
    assert seen[2:] == ["2026-05-01"]


def test_i11_a_parsed_argument_in_a_thread_of_the_framework_is_the_same_call() -> None:
    engine = Engine()

    @engine.tool(name="book")
    def book(when: datetime.date) -> str:
        return when.isoformat()

    with engine.session("task") as session:
        asked(session).said([("book", {"when": "2026-05-01"})])
        call = handed(session)
        for given in (datetime.date(2026, 5, 1), "2026-05-01"):
            thread = threading.Thread(target=_call, args=(book, given))
            thread.start()
            thread.join()
        session.done(call, "2026-05-01")
        asked(session).said([])
    assert ended(session).learned


def _call(fn: Any, given: Any) -> None:
    try:
        fn(given)
    except AttributeError:  # A text has no isoformat.
        pass
