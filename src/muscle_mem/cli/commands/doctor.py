"""`muscle-mem doctor`: check every row of a store and report problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from ..._reading.doctoring import Report
from ..._reading.examining import Finding
from ..._reading.text import count, printable
from ...errors import StoreError
from ...store import Store, Stored
from ...store.paging import pages
from ..opening import json_option, named_store, open_existing, store_errors, store_option
from ..output import Cell, console, id_text, print_json, print_pairs, print_table
from ..progress import watched

if TYPE_CHECKING:
    from ..._engine.engine import Engine


@click.command(short_help="Check every row of the store.")
@click.option("--app", metavar="MODULE:ENGINE", help="Compare with the tools of this Engine.")
@json_option
@store_option
@click.pass_context
def doctor(context: click.Context, app: str | None, as_json: bool, store: str | None) -> None:
    """Check the file of a store, and the digest and the contents of every row.

    Problems are damaged rows, bytes that cannot be decoded, and recordings that do not fit their trajectory. They are
    never replayed. Notices are reasons why an intact trajectory is not replayed: quarantines, writes with an unknown
    result (unresolved), and classes that only your own code defines. Notices also list checks that never failed in 50
    replays or never passed. The command does not change the store.

    With --app, the module is imported. Recordings whose tools or checks are missing or changed in its Engine are then
    problems too (stale). Without --store, the store of that Engine is checked.

    Exit codes: 0 no problems; 1 problems; 2 wrong usage, or the store cannot be opened.

    \b
    Example:
      muscle-mem doctor --store memory.db
      muscle-mem doctor --app shop.agent:engine
      muscle-mem doctor --json
    """
    engine = _engine(app)
    with store_errors(), _store(store, engine) as source, watched("checking", source) as seen:
        report = _look(seen, engine)
    if as_json:
        print_json(_as_json(report))
    else:
        _print(report)
    if report.problems:
        context.exit(1)


def _engine(app: str | None) -> Engine | None:
    if app is None:
        return None
    from ..app import engine_of  # Only --app needs the engine, which is slow to import.

    return engine_of(app)


def _store(given: str | None, engine: Engine | None) -> AbstractContextManager[Store]:
    if engine is None or named_store(given) is not None:
        return open_existing(given)
    from ..stale import store_of

    return nullcontext(store_of(engine))


def _stale(engine: Engine | None, stored: Iterable[Stored]) -> Iterator[Finding]:
    if engine is not None:
        from ..stale import stale

        yield from (
            Finding("stale", recording.id, f"{recording.reason}: {recording.message}")
            for recording in stale(engine, stored)
        )


def _look(source: Store, engine: Engine | None) -> Report:
    report = Report(source.url)
    try:
        for stored, damaged in pages(source):
            report.add(_stale(engine, stored))
            report.add_page(stored, damaged)
    except StoreError as error:
        report.add([Finding("file", "", f"reading the rows failed: {error}")])
    report.add_storage(source)
    report.conclude()
    return report


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "store": report.url,
        "ok": not report.problems,
        "trajectories": report.trajectories,
        "observations": report.observations,
        "flows": report.flows,
        "damaged": report.damaged,
        "problems": [_finding(problem) for problem in report.problems],
        "notices": [_finding(notice) for notice in report.notices],
    }


def _finding(one: Finding) -> dict[str, Any]:
    return {"kind": one.kind, "id": one.id or None, "what": one.what}


def _print(report: Report) -> None:
    out = console()
    looked = f"{count(report.trajectories, 'trajectory', 'trajectories')}, {count(report.observations, 'observation')}"
    if report.flows:
        looked += f", {count(report.flows, 'record of flows', 'records of flows')}"
    verdict = count(len(report.problems), "problem") if report.problems else "no problems"
    print_pairs(out, [("store", printable(report.url)), ("checked", looked), ("verdict", verdict)])
    rows: list[tuple[Cell, ...]] = []
    for label, style, found in (("problem", "red", report.problems), ("notice", "yellow", report.notices)):
        rows += [
            ((label, style), (one.kind, ""), (id_text(one.id), "cyan"), (printable(one.what), "")) for one in found
        ]
    if rows:
        out.print()
        print_table(out, ("", "kind", "id", "what"), rows, fold=("what",))
    if any(problem.id for problem in report.problems):
        click.echo("\nRestore a backup, or run `muscle-mem forget ID`: the agent's next run records it again.")
