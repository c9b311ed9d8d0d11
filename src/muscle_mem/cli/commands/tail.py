"""`muscle-mem tail`: the latest runs of a store, followed as they are written."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import click
import msgspec

from ..._reading.text import clipped, count, display_name, iso, local, printable
from ...store import DayCount, KeepsHistory, PastRun, keeps_history
from ..completion import complete_scopes
from ..opening import NotDoneError, json_option, open_existing, store_option
from ..output import print_json_line

EVERY = 1.0
PAGE = 1000
SEEN = 60


class Hits(msgspec.Struct):
    """Hits of one task that were written since the last look."""

    runs: int
    task: str
    scope: str
    at: float


@click.command(short_help="Follow runs as they are written.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="N",
    help="Begin with the last N.",
)
@click.option("--follow/--no-follow", default=True, help="Wait for more runs, or exit.")
@click.option("--reason", metavar="REASON", help="Show only runs with this reason, such as check_refused.")
@click.option(
    "--scope",
    metavar="SCOPE",
    shell_complete=complete_scopes,
    help="Show only the runs of this exact scope; '' selects those without one.",
)
@json_option
@store_option
def tail(lines: int, follow: bool, reason: str | None, scope: str | None, as_json: bool, store: str | None) -> None:
    """Show the latest runs other than plain hits, and follow what is added.

    Each run is one line with the time, the status, the reason, the step with what it saw and expected, and the task.
    Hits are only counted: while the command follows, a line shows how many hits of a task were added. Engines write
    their runs a second after they end, and hits after up to ten seconds. With --json, each line is a JSON object. Press
    Ctrl-C to stop.

    \b
    Example:
      muscle-mem tail --store memory.db
      muscle-mem tail -n 100 --no-follow --json
    """
    with open_existing(store) as source:
        if not keeps_history(source):
            raise NotDoneError(f"cannot follow {source.url}: this kind of store keeps no history. Use another store.")
        followed = Followed(source, reason, scope)
        try:
            for one in followed.latest(lines):
                _show(one, as_json)
            while follow:
                time.sleep(EVERY)
                for new in followed.news():
                    _show(new, as_json)
        except KeyboardInterrupt:
            click.echo(err=True)


class Followed:
    """The runs of a store, from the last one that was shown."""

    def __init__(self, source: KeepsHistory, reason: str | None, scope: str | None) -> None:
        self._source = source
        self._reason = reason
        self._scope = scope
        self._last = 0
        self._hits: dict[tuple[str, bytes, int], int] = {}

    def latest(self, number: int) -> list[PastRun]:
        """Return the last runs, oldest first, and begin to follow after them."""
        newest = self._source.history_runs(limit=1)
        self._last = newest[0].seq if newest else 0
        self._hits = {_name(one): one.runs for one in self._hit_counts()}
        found = self._source.history_runs(reason=self._reason, scope=self._scope, limit=number) if number else ()
        return [one for one in reversed(found) if one.seq <= self._last]

    def news(self) -> Iterator[PastRun | Hits]:
        """Yield what was added since the last look, oldest first."""
        found = self._source.history_runs(reason=self._reason, scope=self._scope, newer_than=self._last, limit=PAGE)
        for run in reversed(found):
            self._last = max(self._last, run.seq)
            yield run
        for one in self._hit_counts() if self._reason is None else ():
            before = self._hits.get(_name(one), 0)
            self._hits[_name(one)] = one.runs
            if one.runs > before:
                yield Hits(one.runs - before, one.task, one.scope, one.last)

    def _hit_counts(self) -> list[DayCount]:
        """Return the hits of today and yesterday, which may be written after midnight."""
        counts = self._source.history_counts(scope=self._scope, since=time.time() - 86_400)
        return [one for one in counts if one.status == "hit"]


def _name(one: DayCount) -> tuple[str, bytes, int]:
    return one.scope, one.key, one.day


def _show(one: PastRun | Hits, as_json: bool) -> None:
    if as_json:
        print_json_line(run_json(one) if isinstance(one, PastRun) else _hits_json(one))
    else:
        click.echo(run_line(one) if isinstance(one, PastRun) else _hits_line(one))


def run_line(run: PastRun) -> str:
    """Return a run as one line of text."""
    parts = [local(run.at), run.status, printable(run.reason)]
    if run.step >= 0:
        parts.append(f"step {run.step}" + (f" ({display_name(printable(run.tool))})" if run.tool else ""))
    if run.seen or run.expected:
        parts.append(f"saw {_short(run.seen)}, expected {_short(run.expected)}")
    elif run.status == "raised":
        parts.append(_short(run.message))
    if run.calls:
        parts.append(count(len(run.calls), "call"))
    parts.append(printable(run.task) + (f" @{printable(run.scope)}" if run.scope else ""))
    return "  ".join(parts)


def _short(text: str) -> str:
    return clipped(printable(text), SEEN) or "nothing"


def _hits_line(hits: Hits) -> str:
    scope = f" @{printable(hits.scope)}" if hits.scope else ""
    return f"{local(hits.at)}  hit  {count(hits.runs, 'run')}  {printable(hits.task)}{scope}"


def _hits_json(hits: Hits) -> dict[str, Any]:
    return {"status": "hit", "runs": hits.runs, "task": hits.task, "scope": hits.scope, "at": iso(hits.at)}


def run_json(run: PastRun) -> dict[str, Any]:
    """Return a run as JSON, without its encoded values."""
    return {
        "seq": run.seq,
        "run_id": run.id,
        "at": iso(run.at),
        "status": run.status,
        "reason": run.reason,
        "message": run.message,
        "task": run.task,
        "scope": run.scope,
        "key": run.key.hex(),
        "step": run.step if run.step >= 0 else None,
        "tool": run.tool or None,
        "seen": run.seen,
        "expected": run.expected,
        "seen_picture": run.seen_picture or None,
        "expected_picture": run.expected_picture or None,
        "trajectory_id": run.trajectory_id or None,
        "calls": list(run.calls),
        "seconds": run.seconds,
        "agent_seconds": run.agent_seconds,
        "learned": run.learned,
        "not_learned": run.not_learned or None,
    }
