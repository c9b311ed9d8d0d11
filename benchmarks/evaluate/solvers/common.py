"""What the policies share: things by name, submitting, filling in."""

from __future__ import annotations

from collections.abc import Mapping

from muscle_mem.demo.sight import Thing, View
from muscle_mem.demo.solvers import Action, PuzzledError

ENDS = ("Submit", "Search", "Go!", "Go", "Find", "Done", "OK")


def named(view: View, role: str, name: str) -> Thing | None:
    """The first thing of a role with this name."""
    return next((thing for thing in view.of(role) if thing.name == name), None)


def click(view: View, role: str, name: str) -> Action:
    """Click what the instruction names. Raises PuzzledError if it is not there."""
    thing = named(view, role, name)
    if thing is None:
        raise PuzzledError(f"expected a {role} {name!r}, the page shows none")
    return Action("click", view.target(thing))


def pick(view: View, thing: Thing) -> Action:
    """Click what follows from the page."""
    return Action("pick", view.target(thing))


def submit(view: View) -> Action:
    """Click the button that ends the task, whatever it is called."""
    for role in ("button", "item", "text"):
        for name in ENDS:
            if named(view, role, name):
                return click(view, role, name)
    raise PuzzledError("expected a button to submit, the page shows none")


def fill(view: View, wanted: Mapping[str, str], verb: str = "type_text") -> Action | None:
    """The action for the first field that lacks its value; None if all have it."""
    for field in view.of("textbox"):
        if field.name in wanted and field.state != wanted[field.name]:
            return Action(verb, view.target(field), wanted[field.name])
    return None


def only(view: View, role: str) -> Thing:
    things = view.of(role)
    if len(things) != 1:
        raise PuzzledError(f"expected one {role}, the page shows {len(things)}")
    return things[0]


def texts(view: View) -> list[str]:
    return [thing.name for thing in view.of("text")]
