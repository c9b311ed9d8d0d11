"""E3, E6: a part of a param, and a param or an id in the name of an argument, are never replayed for another value."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Engine

Given = dict[str, Any]
SPLIT: dict[str, tuple[Callable[[str], Any], str, str]] = {
    "a first name": (lambda name: name.split()[0], "John Smith", "Jane Doe"),
    "a last name, in a list": (lambda name: [name.split()[1]], "John Smith", "Jane Doe"),
    "a slug": (lambda name: name.lower().replace(" ", "-"), "John Smith", "Jane Doe"),
    "names turned round": (lambda name: ", ".join(reversed(name.split())), "John Smith", "Jane Doe"),
    "the user of an address": (lambda mail: mail.split("@")[0], "john@x.com", "jane@y.com"),
    "a list of texts": (lambda names: names.split(","), "john,mary", "jane,bob"),
    "a text without its spaces": (lambda name: name.strip(), "john ", "jane "),
    "a number in a text": (lambda order: int(order.split()[1]), "order 4711", "order 4712"),
    "a date turned round": (lambda date: "/".join(reversed(date.split("-"))), "2024-01-02", "2025-03-04"),
    "the year of a date": (lambda date: datetime.date.fromisoformat(date).year, "2024-01-02", "2025-03-04"),
}


@pytest.mark.parametrize("kind", SPLIT)
def test_e3_what_is_made_of_a_params_words_is_not_replayed_for_another(kind: str) -> None:
    make, first, second = SPLIT[kind]
    sent: list[tuple[str, Any]] = []
    given = {"param": first}
    engine = Engine()
    send = engine.tool(name="send")(lambda whole, part: sent.append((whole, part)))
    engine.set_agent(lambda task: send(given["param"], make(given["param"])))
    assert engine("send it", params=given).learned
    assert engine("send it", params=given)
    given["param"] = second
    assert engine("send it", params=given).reason == "param_guard"
    assert sent[-1] == (second, make(second))


@pytest.mark.parametrize(
    "literal", ["send", "in the house", "John is here", "to John's", "a", "", 7, None, "https://x.com/login"]
)
def test_e3_a_literal_with_words_of_its_own_is_a_literal(literal: Any) -> None:
    given: Given = {"name": "Mary Jones", "mail": "mary@x.com"}
    engine = Engine()
    send = engine.tool(name="send")(lambda *values: None)
    engine.set_agent(lambda task: send(given["name"], given["mail"], literal))
    assert engine("send it", params=given).learned
    given |= {"name": "Ann Miller", "mail": "ann@y.com"}
    assert engine("send it", params=given)


def test_e3_the_words_around_a_param_in_a_text_are_literals() -> None:
    given: Given = {"name": "John Smith"}
    sent: list[str] = []
    engine = Engine()
    send = engine.tool(name="send")(lambda text: sent.append(text))
    engine.set_agent(lambda task: send(f"My {given['name']}, dear"))
    assert engine("send it", params=given).learned
    given["name"] = "Jane Doe"
    assert engine("send it", params=given)
    assert sent[-1] == "My Jane Doe, dear"


@pytest.mark.parametrize("spelled", ["{}", "id_{}", "field {} of"])
def test_e3_a_param_in_the_name_of_an_argument_is_not_replayed_for_another(spelled: str) -> None:
    given: Given = {"field": "color"}
    filled: list[Given] = []
    engine = Engine()
    fill = engine.tool(name="fill")(lambda **fields: filled.append(fields))
    engine.set_agent(lambda task: fill(**{spelled.format(given["field"]): 1, "note": given["field"]}))
    assert engine("fill it", params=given).learned
    given["field"] = "width"
    assert engine("fill it", params=given).reason == "param_guard"
    assert filled[-1] == {spelled.format("width"): 1, "note": "width"}


def test_e6_an_id_in_the_name_of_an_argument_is_guarded() -> None:
    numbers = itertools.count(100_001)
    filled: list[Given] = []
    engine = Engine()
    make = engine.tool(name="make")(lambda: f"field{next(numbers)}")
    fill = engine.tool(name="fill")(lambda **fields: filled.append(fields))
    engine.set_agent(lambda task: fill(**{make(): "x"}))
    assert engine("fill it").learned
    assert engine("fill it").reason == "stale_output"
    assert filled == [{"field100001": "x"}, {"field100002": "x"}]


def test_a_name_given_by_place_and_in_kwargs_is_not_learned() -> None:
    def fill(name: str, /, **fields: str) -> None:
        filled.append((name, fields))

    filled: list[Any] = []
    engine = Engine()
    tool = engine.tool(name="fill")(fill)
    engine.set_agent(lambda task: tool("form", name="Jane"))
    outcome = engine("fill it")
    assert outcome.not_learned == "opaque_argument"
    assert "'name'" in outcome.not_learned_message
    assert not engine("fill it")
    assert filled == [("form", {"name": "Jane"})] * 2
