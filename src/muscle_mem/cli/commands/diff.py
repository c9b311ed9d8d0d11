"""`muscle-mem diff`: the differences between two trajectories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from ..._reading.comparing import Change, Side, align_steps, compare, side_of
from ..._reading.script import call_text
from ..._reading.text import printable
from ...errors import InvalidValueError
from ..finding import get_stored
from ..opening import NotDoneError, UnusableStoreError, json_option, open_existing, store_option
from ..output import console, print_json, text
from .import_ import read_file


@click.command(short_help="Compare two trajectories.")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@json_option
@store_option
@click.pass_context
def diff(context: click.Context, a: str, b: str, as_json: bool, store: str | None) -> None:
    """Compare two trajectories, each an ID or a file that `muscle-mem export` wrote.

    The command aligns the steps. It reports steps that only one trajectory has. For the others it reports differences
    in arguments, guards, tool code, checks, and what the checks of the newest recordings captured. Trust and counts are
    not compared.

    Exit codes: 0 equal; 1 different; 2 a trajectory cannot be read.

    \b
    Example:
      muscle-mem diff 5c7a40f4 91d2e0b7 --store memory.db
      muscle-mem diff trajectories/pay-5c7a40f4aa01.json 5c7a40f4
    """
    try:
        sides = [_side(one, store) for one in (a, b)]
    except NotDoneError as error:
        raise UnusableStoreError(error.message) from error
    changes = list(compare(*sides))
    if as_json:
        listed = [
            {
                "step": _place(change.step),
                "other": _place(change.other),
                "what": change.what,
                "a": change.a,
                "b": change.b,
            }
            for change in changes
        ]
        print_json(
            {"a": sides[0].stored.sealed.id, "b": sides[1].stored.sealed.id, "equal": not changes, "changes": listed}
        )
    else:
        _print(sides[0], sides[1], changes)
    if changes:
        context.exit(1)


def _place(step: int) -> int | None:
    return step if step >= 0 else None


def _side(name: str, store: str | None) -> Side:
    if name.endswith(".json") or "/" in name or Path(name).is_file():
        stored = read_file(Path(name))
    else:
        with open_existing(store) as source:
            stored = get_stored(source, name)
    try:
        return side_of(name, stored)
    except InvalidValueError as error:
        raise NotDoneError(error) from error


def _print(a: Side, b: Side, changes: Sequence[Change]) -> None:
    out = console()
    for mark, side in (("---", a), ("+++", b)):
        sealed = side.stored.sealed
        out.print(text(f"{mark} {printable(sealed.id)}  {printable(sealed.task)}", "bold"), soft_wrap=True)
    for change in changes:
        if change.step < 0 and change.other < 0:
            out.print(text(f"!  {_change_text(change)}", "yellow"), soft_wrap=True)
    for at, other in align_steps(a.body.steps, b.body.steps):
        here = [change for change in changes if (change.step, change.other) == (at, other)]
        for line, style in _step_lines(a, b, at, other, here):
            out.print(text(line, style), soft_wrap=True)
    if not changes:
        out.print(text("equal", "green"))


def _step_lines(a: Side, b: Side, at: int, other: int, changes: Sequence[Change]) -> Iterator[tuple[str, str]]:
    """Yield text and style of the lines for a pair of steps."""
    side, index = (a, at) if at >= 0 else (b, other)
    call = f"{index:>3}  {call_text(side.body.steps[index], side.outputs())}"
    if other < 0:
        yield f"- {call}", "red"
    elif at < 0:
        yield f"+ {call}", "green"
    elif not changes:
        yield f"  {call}", "dim"
    else:
        yield f"! {call}", "yellow"
        for change in changes:
            yield f"         {_change_text(change)}", "yellow"


def _change_text(change: Change) -> str:
    return f"{change.what}: {change.a or 'none'} | {change.b or 'none'}"
