"""Contents of a page as plain values, and descriptions of targets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

FIELDS = ("textbox", "list", "radio", "checkbox")
TARGET = re.compile(r'^(?P<role>\w+) (?P<part>~?)"(?P<name>.*)"(?: #(?P<nth>\d+))?$', re.DOTALL)


class TargetError(LookupError):
    """Error for a target that is absent, ambiguous or covered."""


@dataclass(frozen=True)
class Thing:
    """Visible thing with its role, its text, and its place in the page (pixels).

    `nth` is its number among things of its role, and `mine` is true for a field that the agent filled in.
    """

    ref: int
    role: str
    tag: str
    name: str
    nth: int
    place: tuple[int, int]
    state: str
    options: tuple[str, ...]
    card: str
    mine: bool = False


@dataclass(frozen=True)
class View:
    """Page at one time, with its task. `reward` is valid if `done` is true."""

    instruction: str
    done: bool
    reward: float
    things: tuple[Thing, ...]

    def of(self, role: str) -> list[Thing]:
        """Return all things of one role, in the order of the page."""
        return [thing for thing in self.things if thing.role == role]

    def find(self, target: str) -> Thing:
        """Return the one thing that a target describes. Raises TargetError."""
        parsed = TARGET.match(target)
        if parsed is None:
            raise TargetError(
                f'expected a target, got {target!r}. Write role "name" or role ~"part", with #2 if several match.'
            )
        found = self._alike(parsed["role"], parsed["name"], bool(parsed["part"]))
        if parsed["nth"]:
            found = found[int(parsed["nth"]) - 1 : int(parsed["nth"])]
        if len(found) != 1:
            raise TargetError(f"expected one {target}, the page shows {len(found) or 'none'}")
        return found[0]

    def target(self, thing: Thing, part: str = "") -> str:
        """Return the target of a thing, by its name or a part of it, as `find` reads it."""
        text = f'{thing.role} {"~" if part else ""}"{part or thing.name}"'
        alike = self._alike(thing.role, part or thing.name, bool(part))
        return text if len(alike) == 1 else f"{text} #{alike.index(thing) + 1}"

    def _alike(self, role: str, name: str, part: bool) -> list[Thing]:
        return [thing for thing in self.of(role) if (_holds(thing.name, name) if part else thing.name == name)]


def view_of(raw: dict[str, Any], mine: set[int]) -> View:
    """Return the View for the result of look.js.

    `mine` are the refs of the fields that the agent filled in.
    """
    things = tuple(
        Thing(
            **{**thing, "place": tuple(thing["place"]), "options": tuple(thing["options"])},
            mine=thing["ref"] in mine,
        )
        for thing in raw["things"]
    )
    return View(raw["instruction"], bool(raw["done"]), float(raw["reward"]), things)


def _holds(name: str, wanted: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", name) is not None
