"""What is on a page, as plain values: the things one can act on, and how a target is described."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

FIELDS = ("textbox", "list", "radio", "checkbox")
TARGET = re.compile(r'^(?P<role>\w+) (?P<part>~?)"(?P<name>.*)"(?: #(?P<nth>\d+))?$', re.DOTALL)


class TargetError(LookupError):
    """The page has no such thing, several of them, or something lies on top of it."""


@dataclass(frozen=True)
class Thing:
    """One visible thing: what it is, what it says, its place in the content (pixels) and among its kind.

    `mine` is true for a field whose content was put there by the one who looks.
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
    """A page at one moment, with the task it sets. `reward` counts once `done` is true."""

    instruction: str
    done: bool
    reward: float
    things: tuple[Thing, ...]

    def of(self, role: str) -> list[Thing]:
        """All things of one role, in the order of the page."""
        return [thing for thing in self.things if thing.role == role]

    def find(self, target: str) -> Thing:
        """The one thing a target describes; TargetError if there is none or more than one."""
        said = TARGET.match(target)
        if said is None:
            raise TargetError(f'{target!r} is not a target; write role "name", role ~"part", or add #2')
        found = self._alike(said["role"], said["name"], bool(said["part"]))
        if said["nth"]:
            found = found[int(said["nth"]) - 1 : int(said["nth"])]
        if len(found) != 1:
            raise TargetError(f"the page shows {len(found) or 'no'} {target}")
        return found[0]

    def target(self, thing: Thing, part: str = "") -> str:
        """How to describe a thing of this view by its name, or a part of it; `find` finds it again."""
        text = f'{thing.role} {"~" if part else ""}"{part or thing.name}"'
        alike = self._alike(thing.role, part or thing.name, bool(part))
        return text if len(alike) == 1 else f"{text} #{alike.index(thing) + 1}"

    def _alike(self, role: str, name: str, part: bool) -> list[Thing]:
        return [thing for thing in self.of(role) if (_holds(thing.name, name) if part else thing.name == name)]


def view_of(raw: dict[str, Any], mine: set[int]) -> View:
    """The View in what look.js returned; `mine` are the refs of the fields one has filled in oneself."""
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
