"""`muscle-mem show`: one trajectory as a readable script."""

from __future__ import annotations

from collections.abc import Iterator

import click

from ...store import Store, Stored
from ...store.pruning import recorded_at
from ..detail import detail
from ..finding import full_id
from ..opening import NotDoneError, json_option, open_existing, store_option
from ..output import console, print_json, print_pairs, text
from ..reading import LoadedBody, LoadedRow, load_body, load_rows
from ..script import script
from ..text import count, duration, local, printable
from .ls import labels


@click.command(short_help="Show one trajectory as a script.")
@click.argument("id", metavar="ID")
@click.option(
    "--observation",
    "number",
    type=click.IntRange(min=1),
    metavar="N",
    help="The N-th newest recording; 1 is the newest.",
)
@json_option
@store_option
def show(id: str, number: int | None, as_json: bool, store: str | None) -> None:
    """Show a trajectory: what is known about it, and its steps as a script.

    ID may be cut to its first four characters or more, if no other begins with them. Steps are numbered from 0. Each
    line shows the call, its effect, its checks and its time; below it stands where each argument comes from that is
    no literal, and what the newest recording saw. With --json all recordings are printed, or the one of --observation.

    \b
    Example:
      muscle-mem show 5c7a40f4 --store memory.db
      muscle-mem show 5c7a40f4 --observation 2
    """
    with open_existing(store) as source:
        stored = _get(source, id)
    trajectory = load_body(stored)
    rows = load_rows(trajectory)
    if number is not None and number > len(rows):
        raise NotDoneError(f"{stored.sealed.id} has {count(len(rows), 'observation')}; there is no number {number}.")
    if as_json:
        print_json(detail(trajectory, rows, number))
    else:
        _print(trajectory, rows, number or 1)
    if trajectory.body is None:
        raise NotDoneError(f"{stored.sealed.id} is damaged: {trajectory.error}; see `muscle-mem doctor`.")


def _get(source: Store, id: str) -> Stored:
    stored = source.get(full_id(source, id))
    if stored is None:
        raise NotDoneError(f"There is no trajectory {id!r} any more.")
    return stored


def _print(trajectory: LoadedBody, rows: list[LoadedRow], number: int) -> None:
    out = console()
    seen = rows[number - 1] if rows else None
    print_pairs(out, _header(trajectory, rows, seen, number))
    if trajectory.body is None:
        return
    out.print()
    fits = seen.row if seen is not None and not seen.error else None
    for line, style in script(trajectory.body, fits):
        out.print(text(line, style), soft_wrap=True)


def _header(
    trajectory: LoadedBody, rows: list[LoadedRow], seen: LoadedRow | None, number: int
) -> Iterator[tuple[str, str]]:
    stored = trajectory.stored
    sealed, standing = stored.sealed, stored.standing
    held = ", until it is reported good" if standing.held else ""
    yield "id", printable(sealed.id)
    yield "task", printable(sealed.task)
    yield "tags/scope", labels(stored) or "none"
    yield "key", sealed.key.hex()
    yield "state", printable(standing.state + (f": {standing.reason}" if standing.reason else "") + held)
    hit = f", the last {local(standing.last_hit)}" if standing.last_hit else ""
    yield "hits", f"{standing.hits}{hit}; {count(standing.failures, 'failure')}, {standing.strikes} in a row"
    if standing.agreed or standing.disagreed:
        yield "shadow runs", f"{standing.agreed} agreed, {standing.disagreed} did not"
    yield "recorded", f"{local(recorded_at(stored))}, first {local(sealed.created)}; sequence number {stored.seq}"
    yield from _params(trajectory)
    yield "observation", _observation(rows, seen, number)


def _params(trajectory: LoadedBody) -> Iterator[tuple[str, str]]:
    body = trajectory.body
    if body is None:
        return
    fixed = {name for name, _ in body.fixed}
    told = [
        printable(name) + (" (fixed: only for the recorded value)" if name in fixed else "") for name in body.params
    ]
    yield "params", ", ".join(told) or "none"
    for group in body.equal:
        yield "equal", f"{', '.join(map(printable, group))} had equal values: replayed only while they are equal"


def _observation(rows: list[LoadedRow], seen: LoadedRow | None, number: int) -> str:
    if seen is None:
        return "none"
    kind = "snapshots kept after a hit" if seen.observation.refresh else "recorded"
    which = f"{number} of {len(rows)}, {kind} {local(seen.observation.created)}"
    if seen.row is None or seen.error:
        return f"{which}; damaged: {printable(seen.error)}"
    tokens = f", {seen.row.tokens} tokens" if seen.row.tokens else ""
    took = f"the run took {duration(seen.row.run_seconds)}, {duration(seen.row.agent_seconds)} of it outside of tools"
    return f"{which}; {took}{tokens}"
