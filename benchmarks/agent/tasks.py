"""The stream of tasks of a seed: six rounds of the same twenty kinds.

Ten kinds are standing tasks, whose texts are the same in each round. The other ten have another name each time, four
of them with another number. One form in ten opens with a leftover value.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from .form import BLANK

ROUNDS = 6
LEFTOVERS = 0.1
NAMES = (
    "Ada Anton Bella Boris Bruno Clara Dora Edgar Elena Emil Fatima Felix Flora Gustav Hanna Helen Igor Irene Ivan "
    "Jonas Julia Klara Leon Luisa Marta Mila Nadia Oscar Paul Petra Rosa Simon Sofia Theo Tom Vera Viktor Walter "
    "Yara Zoe"
).split()
STANDING = "Albert Berta Carlos Diana Erwin Frida Georg Heidi Isaac Jenny".split()


@dataclass(frozen=True)
class Kind:
    """A kind of task: the topic, and whether the ticket is urgent and has a note."""

    topic: str
    high: bool = False
    note: bool = False
    standing: bool = False


@dataclass(frozen=True)
class Task:
    """A task as the agent gets it, what a caller knows of it, and how the form opens.

    Attributes:
        text: What the agent is asked.
        request: The fields of the ticket that is wanted, as the caller has them.
        params: The values that differ from round to round; empty for a standing task.
        leftover: The fields that are not blank when the form opens.
    """

    text: str
    request: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    leftover: dict[str, str] = field(default_factory=dict)


_SHAPES = (
    *(Kind(topic) for topic in ("billing", "login", "delivery")),
    *(Kind(topic, high=True) for topic in ("billing", "login", "delivery")),
    *(Kind(topic, note=True) for topic in ("billing", "login", "delivery")),
    Kind("login", high=True, note=True),
)
KINDS = (*_SHAPES, *(Kind(kind.topic, kind.high, kind.note, standing=True) for kind in _SHAPES))


def stream(seed: int) -> list[Task]:
    """The tasks of a seed, in the order in which they come."""
    chance = random.Random(f"tasks of seed {seed}")
    fixed = {kind: (name, _number(chance)) for kind, name in zip(KINDS[len(_SHAPES) :], STANDING, strict=True)}
    tasks = []
    for _ in range(ROUNDS):
        names = iter(chance.sample(NAMES, len(_SHAPES)))
        for kind in chance.sample(KINDS, len(KINDS)):
            name, number = fixed[kind] if kind.standing else (next(names), _number(chance))
            tasks.append(_task(kind, name, number, _leftover(chance)))
    return tasks


def _task(kind: Kind, name: str, number: str, leftover: dict[str, str]) -> Task:
    text = f"Send a {'high ' if kind.high else ''}ticket about {kind.topic} for {name}"
    request = {**BLANK, "name": name, "topic": kind.topic, "priority": "high" if kind.high else "low"}
    params = {"name": name}
    if kind.note:
        text += f" with note {number}"
        request["note"] = params["note"] = number
    return Task(text, request, {} if kind.standing else params, leftover)


def _number(chance: random.Random) -> str:
    return str(chance.randrange(1000, 10000))


def _leftover(chance: random.Random) -> dict[str, str]:
    if chance.random() >= LEFTOVERS:
        return {}
    return chance.choice(({"priority": "high"}, {"note": "8080"}))
