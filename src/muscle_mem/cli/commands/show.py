"""`muscle-mem show`: one trajectory as a script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from ..._reading.detail import answer_text, detail, evidence_text, loops_of
from ..._reading.flows import Learned, flow_lines, flows_of, learned_json, optional_json, optional_of
from ..._reading.loading import LoadedBody, LoadedRow, load_body, load_rows
from ..._reading.script import param_conditions, script
from ..._reading.text import count, display_name, duration, local, printable
from ...store import PastRun, keeps_history
from ...store.history import RUNS_PER_TASK
from ...store.pruning import recorded_at
from ..completion import complete_ids
from ..finding import get_stored
from ..opening import NotDoneError, json_option, open_existing, store_option
from ..output import console, id_text, print_json, print_pairs, text
from .ls import FLOWS, labels
from .tail import run_json

ANSWER_LENGTH = 500
SHOWN = 500


@click.command(short_help="Show one trajectory as a script.")
@click.argument("id", metavar="ID", shell_complete=complete_ids)
@click.option(
    "--observation",
    "number",
    type=click.IntRange(min=1),
    metavar="N",
    help="Show the N-th newest recording; 1 is the newest.",
)
@json_option
@store_option
def show(id: str, number: int | None, as_json: bool, store: str | None) -> None:
    """Show the state of a trajectory and its steps as a script.

    ID may be shortened to four or more characters if it stays unique. Steps are numbered from 0. Each line shows the
    call, its effect, its checks and its duration. The lines below it show the source of each argument that is not a
    literal, and what the newest recording captured. Then follow the last run in which a step stopped its replay, the
    steps that other recordings lack, and the flows of the task (see `muscle-mem flows`). With --json, all recordings
    are printed, or the one selected by --observation.

    \b
    Example:
      muscle-mem show 5c7a40f4 --store memory.db
      muscle-mem show 5c7a40f4 --observation 2
    """
    with open_existing(store) as source:
        stored = get_stored(source, id)
        learned = flows_of(source, stored)
        lacked = optional_of(source, stored)
        failure = last_failure(source, stored.sealed.id)
    trajectory = load_body(stored)
    rows = load_rows(trajectory)
    if number is not None and number > len(rows):
        raise NotDoneError(
            f"--observation: expected 1 to {len(rows)} for {stored.sealed.id}, got {number}. Pass a lower number."
        )
    if as_json:
        shown = {
            **detail(trajectory, rows, number),
            "flows": [learned_json(one) for one in learned],
            "optional": [optional_json(one) for one in lacked],
            "last_failure": None if failure is None else run_json(failure),
        }
        print_json(shown)
    else:
        _print(trajectory, rows, number or 1)
        for one in lacked:
            console().print(text(f"  {printable(one)}", "" if one.missing else "green"), soft_wrap=True)
        _print_failure(failure)
        _print_flows(learned)
    if trajectory.error:
        raise NotDoneError(f"{stored.sealed.id} is damaged: {trajectory.error}. Run `muscle-mem doctor`.")


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


def last_failure(source: object, id: str) -> PastRun | None:
    """Return the last run in which a step of a trajectory stopped its replay, or None."""
    if not keeps_history(source):
        return None
    runs = source.history_runs(trajectory_id=id, limit=RUNS_PER_TASK)
    return next((run for run in runs if run.step >= 0), None)


def _print_failure(run: PastRun | None) -> None:
    if run is None:
        return
    out = console()
    out.print()
    tool = f" ({display_name(printable(run.tool))})" if run.tool else ""
    pairs = [("last failure", f"{local(run.at)}, {run.status}: {printable(run.reason)} at step {run.step}{tool}")]
    if run.seen or run.expected:
        pairs += [("saw", printable(run.seen, SHOWN)), ("expected", printable(run.expected, SHOWN))]
    else:
        pairs += [("message", printable(run.message, SHOWN))]
    if run.calls:
        pairs.append(("agent then", display_name(printable("; ".join(run.calls), SHOWN))))
    print_pairs(out, pairs)


def _print_flows(learned: Iterable[Learned]) -> None:
    out = console()
    for one in learned:
        out.print()
        recordings = count(len(one.flows.parents), "recording")
        out.print(text(f"flows {id_text(one.id)} ({printable(one.state)}), of {recordings}", "bold"), soft_wrap=True)
        for line, style in flow_lines(one.shown()):
            out.print(text(line, style), soft_wrap=True)


def _header(
    trajectory: LoadedBody, rows: list[LoadedRow], seen: LoadedRow | None, number: int
) -> Iterator[tuple[str, str]]:
    stored = trajectory.stored
    sealed, standing = stored.sealed, stored.standing
    held = " until `muscle-mem report-good`" if standing.held else ""
    yield "id", printable(sealed.id)
    yield "task", printable(sealed.task)
    yield "tags/scope", labels(stored) or "none"
    yield "key", sealed.key.hex()
    yield "state", printable(standing.state + (f": {standing.reason}" if standing.reason else "") + held)
    if trajectory.flows is not None:
        yield "holds", f"{FLOWS}, of {' and '.join(map(printable, dict.fromkeys(trajectory.flows.tools)))}"
    hit = f", last {local(standing.last_hit)}" if standing.last_hit else ""
    yield "hits", f"{standing.hits}{hit}; {count(standing.failures, 'failure')}, {standing.strikes} consecutive"
    if standing.agreed or standing.disagreed:
        yield "shadow runs", f"{standing.agreed} agreed, {standing.disagreed} disagreed"
    yield "recorded", f"{local(recorded_at(stored))}, first {local(sealed.created)}; sequence number {stored.seq}"
    if trajectory.body is not None:
        yield from param_conditions(trajectory.body)
    if trajectory.flows is not None:
        yield "evidence", evidence_text(rows)
    else:
        yield "observation", _observation(rows, seen, number)
        fits = seen.row if seen is not None and not seen.error else None
        for loop in loops_of(trajectory.body, fits) if trajectory.body is not None else []:
            yield "loop", f"steps {loop['first']} to {loop['last']}, for each of {printable(loop['list'])}"
        if seen is not None and seen.row is not None and seen.row.final is not None:
            yield "answer", answer_text(seen.row, ANSWER_LENGTH)


def _observation(rows: list[LoadedRow], seen: LoadedRow | None, number: int) -> str:
    if seen is None:
        return "none"
    kind = "snapshots of a hit, stored" if seen.observation.refresh else "recorded"
    which = f"{number} of {len(rows)}, {kind} {local(seen.observation.created)}"
    if seen.row is None or seen.error:
        return f"{which}; damaged: {printable(seen.error)}"
    tokens = f", {seen.row.tokens} tokens" if seen.row.tokens else ""
    took = f"the run took {duration(seen.row.run_seconds)}, of which {duration(seen.row.agent_seconds)} outside tools"
    return f"{which}; {took}{tokens}"
