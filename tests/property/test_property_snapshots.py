"""B12 as a property: a replay is refused exactly where the agent would see another screen."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Check, Engine, Outcome

NAMES = ["Ann", "Bob Ray", "Carla", "test", "prod", "Main Street 5", "ann", "Zoë", "x-7", "Save", "150"]
NUMBERS = [120, 250, 3000]
FIELDS = ["name", "note", "amount", "env", "customer", "who"]
Script = list[tuple[str, str, str]]


@dataclasses.dataclass(frozen=True)
class Page:
    title: str
    fields: tuple[tuple[str, Any], ...]


def as_text(fields: dict[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in sorted(fields.items()))


SIGHTS: list[Callable[[dict[str, Any]], Any]] = [
    dict,
    lambda fields: {"page": "Order", "form": dict(fields)},
    lambda fields: [[name, value] for name, value in sorted(fields.items())],
    lambda fields: Page(f"Order of {fields.get('name')}", tuple(sorted(fields.items()))),
    as_text,
    lambda fields: {"text": as_text(fields), "count": len(fields)},
    lambda fields: {f"row of {fields.get('name', '-')}": dict(fields)},
]


class Desk:
    """A form, an agent that works a script, and checks that see the form as one sight."""

    def __init__(self, script: Script, sight: Callable[[dict[str, Any]], Any], compared: bool) -> None:
        self.script, self.sight = script, sight
        self.fields: dict[str, Any] = {}
        self.screens: list[Any] = []
        self.fault: tuple[int, Any] | None = None
        self.engine = Engine(generalize="at_once")
        check = Check(lambda *_: self.sight(self.fields), (lambda now, then: now == then) if compared else None)

        @self.engine.tool(pre_check=check)
        def fill(field: str, text: Any) -> None:
            self.look()
            if self.fault is None or self.fault[0] != len(self.screens):
                self.fields[field] = text
            elif self.fault[1] is not None:
                self.fields[field] = self.fault[1]

        @self.engine.tool(pre_check=check)
        def press(button: str) -> None:
            self.look()

        self.fill, self.press = fill, press
        self.engine.set_agent(lambda task, who, amount: self.work(who, amount))

    def look(self) -> None:
        self.screens.append(self.sight(dict(self.fields)))

    def work(self, who: str, amount: int) -> None:
        for what, field, form in self.script:
            if what == "press":
                self.press(field)
            else:
                self.fill(field, amount if form == "amount" else form.replace("{who}", who))

    def run(self, who: str, amount: int, start: dict[str, Any], fault: Any = None, mode: Any = "frozen") -> Outcome:
        self.fields, self.screens, self.fault = dict(start), [], fault
        return self.engine("order", who, amount, params={"person": who, "total": amount}, mode=mode)


def story(rng: random.Random) -> Script:
    script: Script = [("fill", "name", "{who}"), ("fill", "amount", "amount")]
    for _ in range(rng.randint(1, 4)):
        press = "press", rng.choice(["Save", "Next"]), ""
        fill = "fill", rng.choice(["note", "who"]), rng.choice(["{who}", "Dear {who},", "hello"])
        script.append(rng.choice([press, fill]))
    rng.shuffle(script)
    return [*script, ("press", "Submit", "")]


def start_of(rng: random.Random) -> dict[str, Any]:
    chosen = rng.sample(FIELDS, rng.randint(0, 3))
    return {field: rng.choice([rng.choice(NAMES), "", "plain"]) for field in chosen}


def changed(rng: random.Random, start: dict[str, Any], values: tuple[str, int]) -> dict[str, Any]:
    """The start of another day: often the same, sometimes with another value, also that of a param."""
    found = dict(start)
    if rng.random() < 0.5:
        field = rng.choice(FIELDS)
        if field in found and rng.random() < 0.3:
            del found[field]
        else:
            found[field] = rng.choice([*values, "other", rng.choice(NAMES)])
    return found


def screens(script: Script, sight: Any, values: tuple[str, int], start: dict[str, Any], fault: Any = None) -> list[Any]:
    """What the agent sees."""
    desk = Desk(script, sight, False)
    desk.run(*values, start, fault, mode="off")
    return desk.screens


def play(rng: random.Random) -> tuple[bool, bool]:
    """Record one story, replay it with other values on another day; return whether it hit, and whether it should."""
    script, sight = story(rng), rng.choice(SIGHTS)
    desk = Desk(script, sight, rng.random() < 0.5)
    start = start_of(rng)
    first = rng.choice(NAMES), rng.choice(NUMBERS)
    assert desk.run(*first, start, mode="auto").learned
    values = rng.choice([first, (rng.choice(NAMES), rng.choice(NUMBERS))])
    fault = rng.choice([None, None, (rng.randint(1, len(script)), rng.choice([None, "oops", *first]))])
    today = changed(rng, start, values)
    hit = bool(desk.run(*values, today, fault))
    return hit, screens(script, sight, values, today, fault) == screens(script, sight, values, start)


@pytest.mark.parametrize("seed", range(12))
def test_b12_a_replay_is_refused_exactly_where_the_agent_would_see_another_screen(seed: int) -> None:
    rng = random.Random(seed)
    played = [play(rng) for _ in range(60)]
    assert not [(hit, fits) for hit, fits in played if hit and not fits]
    assert sum(hit for hit, _ in played) > 15
    lost = sum(fits and not hit for hit, fits in played)
    assert lost <= 1
