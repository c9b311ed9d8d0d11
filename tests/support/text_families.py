"""Families of task texts with known calls, fair and hostile ones, and what an engine answers after some recordings."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from muscle_mem import Engine
from muscle_mem.store import MemoryStore

NAMES = "Ann Bea Cid Dan Eve Fay Gus Hal Ida Jon Kim Lea Max Ned Ola Pia Roy Sue Tom Uma Vic".split()
LAST = "Lee Ray Fox Poe Sax Oak Ash Birch Stone Field Brook Hill Wood Lane Marsh Reed".split()
CITIES = ["Paris", "Rome", "New York", "Oslo", "San Remo", "Bonn", "Lima", "Hong Kong", "Kyoto", "Quito"]
EXTRAS = (" and Bob", ", but only half", " if that is allowed", " and then delete it", " except on Monday", " twice")
FILLS = ("Everyone", "Nobody", "All", "Ann And Bob", "Not Ann", "Ann Or Bob", "Anyone Except Ann", "Both", "The Others")

Call = tuple[str, dict[str, Any]]
Values = dict[str, Any]


class Family(NamedTuple):
    """Texts with one wording: the wording, the calls that an agent makes for values, and whether they write.

    `is_fair` says that the holes are all that a replay must know.
    """

    name: str
    text: str
    calls: Callable[[Values], list[Call]]
    writes: bool = False
    is_fair: bool = True


def _look(values: Values) -> list[Call]:
    return [("look", {"what": values["number"]})]


def _by_threshold(values: Values) -> list[Call]:
    return [
        ("search", {"city": values["city"], "budget": values["number"], "stars": 4 if values["number"] > 500 else 3})
    ]


FAMILIES = (
    Family("look up by number", "Look up order {number}", _look),
    Family("look up by id", "Show the status of ticket {id}", lambda v: [("look", {"what": v["id"]})]),
    Family("look up by mail", "Find the account of {mail}", lambda v: [("look", {"what": v["mail"]})]),
    Family("weather", "Get the weather report for {city}", lambda v: [("look", {"what": v["city"]})]),
    Family("on a date", "List the meetings on {date}", lambda v: [("look", {"what": v["date"]})]),
    Family(
        "flights",
        "Find a flight from {city} to {other_city}",
        lambda v: [("fly", {"a": v["city"], "b": v["other_city"]})],
    ),
    Family(
        "German",
        "Zeige die Bestellung {number} des Kunden {name}",
        lambda v: [("fly", {"a": v["number"], "b": v["name"]})],
    ),
    Family("in a text", "Find the notes about {name}", lambda v: [("look", {"what": f"notes: {v['name']}"})]),
    Family("two steps", "Check order {number} of {name}", lambda v: [*_look(v), ("look", {"what": v["name"]})]),
    Family("assign", "Assign ticket {id} to {name}", lambda v: [("assign", {"id": v["id"], "to": v["name"]})], True),
    Family(
        "refund",
        "Refund order {number} for {name}",
        lambda v: [*_look(v), ("assign", {"id": v["number"], "to": v["name"]})],
        True,
    ),
    Family(
        "pay",
        "Transfer {number} from {name} to {other}",
        lambda v: [("pay", {"n": v["number"], "a": v["name"], "b": v["other"]})],
        True,
    ),
    Family("threshold", "Search a hotel in {city} up to {number} a night", _by_threshold, False, False),
    Family("first letter", "Find the files of {name}", lambda v: [("look", {"what": v["name"][0]})], False, False),
    Family("French", "Annule la commande {number}", _look, False, False),
    Family("ignored", "Look up the last order for {name}", lambda _: [("look", {"what": 7})], False, False),
)


def values_of(chance: random.Random) -> Values:
    """Values for all holes; no two of one text share a word."""
    first, other = chance.sample(NAMES, 2)
    last, other_last = chance.sample(LAST, 2)
    city, other_city = chance.sample(CITIES, 2)
    return {
        "number": chance.randint(100, 9_999),
        "id": f"T-{chance.randint(1_000, 99_999)}",
        "mail": f"{first.lower()}.{last.lower()}@example.com",
        "date": f"2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}",
        "name": f"{first} {last}",
        "other": f"{other} {other_last}",
        "city": city,
        "other_city": other_city,
    }


def hostile_texts(family: Family, chance: random.Random) -> Iterator[tuple[str, list[Call]]]:
    """Texts that look like a family's and mean something else, each with what an agent does."""
    values = values_of(chance)
    text = family.text.format(**values)
    yield text + chance.choice(EXTRAS), [("ask", {})]
    yield f"Do not {text[0].lower()}{text[1:]}", [("ask", {})]
    yield f"{text}. {family.text.format(**values_of(chance))}", [("ask", {})]
    yield text.replace(" ", " all ", 1), [("ask", {})]
    yield f"Bitte {text}", [("ask", {})]
    if "{name}" in family.text:
        yield family.text.format(**{**values, "name": chance.choice(FILLS)}), [("ask", {})]
    if "{number}" in family.text:
        yield family.text.format(**{**values, "number": f"{values['number']} to {values['number'] + 9}"}), [("ask", {})]
        yield family.text.format(**{**values, "number": f"-{values['number']}"}), [("ask", {})]
    for first, second in (("name", "other"), ("city", "other_city")):
        if f"{{{second}}}" in family.text:
            swapped = {**values, first: values[second], second: values[first]}
            yield family.text.format(**swapped), family.calls(swapped)
            yield family.text.format(**{**values, second: values[first]}), [("ask", {})]
    if "{number}" in family.text and "{name}" in family.text:
        yield family.text.format(**{**values, "number": values["name"], "name": values["number"]}), [("ask", {})]


class Trial:
    """An engine whose agent knows what is to be done for a text, and what it answered."""

    def __init__(self) -> None:
        self.todo: list[Call] = []
        self.made: list[Call] = []
        self.engine = Engine(MemoryStore(), learn_params=True, observers=[], history="off")
        self.tools = {
            name: self._tool(name, effect)
            for name, effect in (
                ("look", "read"),
                ("fly", "read"),
                ("search", "read"),
                ("ask", "read"),
                ("assign", None),
                ("pay", None),
            )
        }
        self.engine.set_agent(self._agent)

    def _tool(self, name: str, effect: Any) -> Callable[..., Any]:
        made = self.made

        def look(what: Any) -> dict[str, Any]:
            made.append((name, {"what": what}))
            return {"found": 1_000}

        def fly(a: Any, b: Any) -> dict[str, Any]:
            made.append((name, {"a": a, "b": b}))
            return {"found": 1_000}

        def search(city: str, budget: int, stars: int) -> dict[str, Any]:
            made.append((name, {"city": city, "budget": budget, "stars": stars}))
            return {"found": 1_000}

        def assign(id: Any, to: str) -> dict[str, Any]:
            made.append((name, {"id": id, "to": to}))
            return {"found": 1_000}

        def pay(n: int, a: str, b: str) -> dict[str, Any]:
            made.append((name, {"n": n, "a": a, "b": b}))
            return {"found": 1_000}

        def ask() -> dict[str, Any]:
            made.append((name, {}))
            return {"found": 1_000}

        kinds = {"look": look, "fly": fly, "search": search, "assign": assign, "pay": pay, "ask": ask}
        return self.engine.tool(name=name, effect=effect)(kinds[name])

    def _agent(self, _task: str, handover: Any = None) -> None:
        done = len(handover.executed) if handover else 0
        for name, arguments in self.todo[done:]:
            self.tools[name](**arguments)

    def run(self, text: str, calls: list[Call]) -> str:
        """Do a task, and return "answered", "wrong" or "handed over"."""
        self.made.clear()
        self.todo = calls
        outcome = self.engine(text)
        if outcome.status == "hit":
            return "answered" if self.made == calls else "wrong"
        return "handed over" if self.made == calls else "wrong"


def findings(count: int, seed: int, recordings: int) -> dict[str, dict[str, Counter[str]]]:
    """What comes of `count` trials of each family after so many recordings: by kind, family and result."""
    found: dict[str, dict[str, Counter[str]]] = {"fair": {}, "doubtful": {}, "hostile": {}}
    for family in FAMILIES:
        kind = "fair" if family.is_fair else "doubtful"
        for number in range(count):
            chance = random.Random(f"{seed} {family.name} {number} {recordings}")
            trial = Trial()
            for _ in range(recordings):
                values = values_of(chance)
                trial.run(family.text.format(**values), family.calls(values))
            values = values_of(chance)
            found[kind].setdefault(family.name, Counter())[
                trial.run(family.text.format(**values), family.calls(values))
            ] += 1
            for text, calls in hostile_texts(family, chance):
                found["hostile"].setdefault(family.name, Counter())[trial.run(text, calls)] += 1
    return found
