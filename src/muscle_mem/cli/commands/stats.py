"""`muscle-mem stats`: runs, hit rate, reasons and savings of a store."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import click
import msgspec

from ..._core.model.learned import is_flows_body
from ..._core.model.records import Row
from ..._reading.loading import holds_flows, newest_row
from ..._reading.text import count, duration, printable, size
from ...store import STATES, Store, Stored
from ...store.naming import is_postgres
from ...store.paging import pages
from ...store.pruning import summaries
from ..amounts import AGES, SECONDS, Amount
from ..completion import complete_scopes
from ..history import UNSIGNED, History, history_json, history_of, pairs, reason_rows, task_rows
from ..opening import file_of, json_option, open_existing, required_store, store_option
from ..output import console, is_terminal, print_json, print_pairs, print_table
from ..progress import watched

SAVED = "hits times the agent's time outside tools in the newest recording"
TOKENS = "hits times the tokens of the newest recording"


class TaskCount(msgspec.Struct):
    """Counts of one task in one scope."""

    task: str
    scope: str
    trajectories: int = 0
    hits: int = 0
    seconds: float = 0.0


class Totals(msgspec.Struct):
    """Counts of a store. `seconds` and `tokens` are those that hits saved.

    Flows of recordings are counted in `flows` alone. Their hits are worth what the newest recording of their key took.
    """

    states: Counter[str] = msgspec.field(default_factory=Counter)
    keys: set[bytes] = msgspec.field(default_factory=set)
    observations: int = 0
    hits: int = 0
    failures: int = 0
    seconds: float = 0.0
    tokens: int = 0
    flows: int = 0
    is_full: bool = True
    unreadable: int = 0
    damaged: int = 0
    tasks: dict[tuple[str, str], TaskCount] = msgspec.field(default_factory=dict)
    newest: dict[bytes, Row | None] = msgspec.field(default_factory=dict)
    waiting: list[Stored] = msgspec.field(default_factory=list)

    def add(self, stored: Stored) -> None:
        """Count one trajectory. Trajectories come newest first."""
        if holds_flows(stored):
            self.flows += 1
            self.waiting.append(stored)
            return
        sealed, row = stored.sealed, newest_row(stored)
        self.states[stored.standing.state] += 1
        self.keys.add(sealed.key)
        self.observations += len(stored.observations)
        self.unreadable += row is None
        self.newest.setdefault(sealed.key, row)
        self._add_hits(stored, row).trajectories += 1

    def add_flows(self) -> None:
        """Count the hits of flows, after all recordings."""
        for stored in self.waiting:
            self._add_hits(stored, self.newest.get(stored.sealed.key))
        self.waiting.clear()

    def _add_hits(self, stored: Stored, row: Row | None) -> TaskCount:
        sealed, standing = stored.sealed, stored.standing
        self.hits += standing.hits
        self.failures += standing.failures
        seconds = standing.hits * row.agent_seconds if row is not None else 0.0
        is_known = seconds - seconds == 0  # False for infinity and NaN.
        if row is not None and is_known:
            self.seconds += seconds
            self.tokens += standing.hits * row.tokens
        task = self.tasks.setdefault((sealed.scope, sealed.task), TaskCount(sealed.task, sealed.scope))
        task.hits += standing.hits
        task.seconds += seconds if is_known else 0.0
        return task

    def top(self, number: int) -> list[TaskCount]:
        """Return the tasks with most hits, without those that have none."""
        ordered = sorted(self.tasks.values(), key=lambda one: (-one.hits, -one.seconds, one.scope, one.task))
        return [task for task in ordered[:number] if task.hits]

    def survey(self, source: Store) -> None:
        """Count the trajectories of a store without reading their contents."""
        for one in summaries(source):
            if is_flows_body(one.head):
                self.flows += 1
            else:
                self.states[one.state] += 1
                self.keys.add(one.key)
            self.hits += one.hits

    def read(self, source: Store) -> None:
        """Count everything in a store, which takes long for a large one."""
        for stored, damaged in pages(source):
            self.damaged += len(damaged)
            for trajectory in stored:
                self.add(trajectory)
        self.add_flows()


@click.command(short_help="Show hit rate, reasons and savings.")
@click.option(
    "--top",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="N",
    help="List the N tasks with most runs.",
)
@click.option(
    "--scope",
    metavar="SCOPE",
    shell_complete=complete_scopes,
    help="Count the runs of this exact scope; '' selects those without one.",
)
@click.option(
    "--since",
    "age",
    metavar="AGE",
    type=Amount("age", SECONDS, AGES),
    help="Count the runs of the last AGE, such as 7d.",
)
@click.option("--full", is_flag=True, help="Read every recording too, which takes long for a large store.")
@json_option
@store_option
def stats(top: int, scope: str | None, age: float | None, full: bool, as_json: bool, store: str | None) -> None:
    """Show how often tasks were replayed, why not, and what hits saved.

    The figures come from the history that engines write: all runs, by reason and by task. Saved is the time of the
    agent in the recordings that were replayed. The line shows for how many hits this time is known. Engines write their
    latest runs with a delay of up to ten seconds.

    Without a history, or with --full, every recording is read: observations, failures and damaged rows are counted,
    and savings are estimated as the hits of each trajectory times the figures of its newest recording.

    \b
    Example:
      muscle-mem stats --since 7d --store memory.db
      muscle-mem stats --json --top 3
    """
    totals = Totals()
    with open_existing(store) as source:
        held = _bytes_on_disk(required_store(store))
        url = source.url
        history = history_of(source, scope=scope, age=age)
        totals.is_full = full or history is None
        with watched("reading", source) as seen:
            if totals.is_full:
                totals.read(seen)
            else:
                totals.survey(seen)
    if as_json:
        print_json(_as_json(totals, history, url, held, top))
    else:
        _print(totals, history, url, held, top)


def _bytes_on_disk(name: str) -> int | None:
    """Return the size of the store's files in bytes; None for a server."""
    if is_postgres(name):
        return None
    path = os.path.realpath(file_of(name) or "")
    found = 0
    if os.path.isdir(path):
        with os.scandir(path) as entries:
            return sum(entry.stat().st_size for entry in entries if entry.name.endswith(".json"))
    for part in (path, path + "-wal"):
        try:
            found += os.stat(part).st_size
        except OSError:
            pass
    return found


def _storage_of(url: str) -> str:
    return "its files" if url.startswith("folder:") else "the file and its write-ahead log"


def _by_state(totals: Totals) -> dict[str, int]:
    return {state: totals.states[state] for state in (*STATES, *sorted(set(totals.states) - set(STATES)))}


def _as_json(totals: Totals, history: History | None, url: str, held: int | None, top: int) -> dict[str, Any]:
    shown = {
        "store": url,
        "trajectories": sum(totals.states.values()),
        "states": _by_state(totals),
        "flows": totals.flows,
        "keys": len(totals.keys),
        "hits": totals.hits,
        "bytes_on_disk": held,
        "history": history_json(history, top),
    }
    return shown | (_read_json(totals, top) if totals.is_full else {})


def _read_json(totals: Totals, top: int) -> dict[str, Any]:
    """Return what only a full reading shows."""
    return {
        "observations": totals.observations,
        "failures": totals.failures,
        "agent_seconds_saved": totals.seconds,
        "tokens_saved": totals.tokens,
        "damaged": totals.damaged,
        "unreadable": totals.unreadable,
        "top_tasks": [
            {
                "task": task.task,
                "scope": task.scope,
                "trajectories": task.trajectories,
                "hits": task.hits,
                "agent_seconds_saved": task.seconds,
            }
            for task in totals.top(top)
        ],
    }


def _quick_pairs(totals: Totals, history: History, url: str, held: int | None) -> list[tuple[str, str]]:
    states = ", ".join(f"{number} {printable(state)}" for state, number in _by_state(totals).items() if number)
    shown = f"{sum(totals.states.values())}" + (f" ({states})" if states else "")
    return [
        ("store", printable(url)),
        ("trajectories", f"{shown} of {count(len(totals.keys), 'task')}"),
        *([("flows", f"{totals.flows} of several recordings")] if totals.flows else []),
        *pairs(history),
        *([] if held is None else [("on disk", f"{size(held)} ({_storage_of(url)})")]),
    ]


def _print_history(history: History, top: int) -> None:
    out = console()
    if history.reasons:
        out.print()
        columns = ("runs", "share", "status", "reason", "last")
        print_table(out, columns, reason_rows(history), right=("runs", "share"))
    rows = task_rows(history, top, None if not is_terminal() else max(20, out.width - 36))
    if rows:
        out.print()
        columns = ("runs", "hits", "rate", "saved", "task")
        print_table(out, columns, rows, right=("runs", "hits", "rate", "saved"), fold=("task",))
    click.echo(f"\n{UNSIGNED}")


def _pairs(totals: Totals, url: str, held: int | None) -> list[tuple[str, str]]:
    states = ", ".join(f"{number} {printable(state)}" for state, number in _by_state(totals).items() if number)
    trajectories = sum(totals.states.values())
    pairs = [
        ("store", printable(url)),
        ("trajectories", f"{trajectories}" + (f" ({states})" if states else "")),
        ("observations", str(totals.observations)),
        ("keys", str(len(totals.keys))),
        ("hits", str(totals.hits)),
        ("failures", str(totals.failures)),
        ("agent time saved", f"{duration(totals.seconds)}: {SAVED}"),
        *([] if held is None else [("on disk", f"{size(held)} ({_storage_of(url)})")]),
        ("damaged rows", f"{totals.damaged}" + (". Run `muscle-mem doctor`" if totals.damaged else "")),
    ]
    if totals.flows:
        pairs.insert(3, ("flows", f"{totals.flows} of several recordings"))
    if totals.tokens:
        pairs.insert(7 + bool(totals.flows), ("tokens saved", f"{totals.tokens}: {TOKENS}"))
    if totals.unreadable:
        pairs.append(
            ("unreadable", f"{count(totals.unreadable, 'trajectory', 'trajectories')} without a decodable recording")
        )
    return pairs


def _print(totals: Totals, history: History | None, url: str, held: int | None, top: int) -> None:
    out = console()
    if history is not None and not totals.is_full:
        print_pairs(out, _quick_pairs(totals, history, url, held))
    else:
        print_pairs(out, _pairs(totals, url, held))
    if history is not None:
        if totals.is_full:
            out.print()
            print_pairs(out, pairs(history))
        _print_history(history, top)
        return
    tasks = totals.top(top)
    if tasks:
        rows = [
            (
                (str(task.hits), ""),
                (printable(task.task), ""),
                (printable(task.scope), ""),
                (duration(task.seconds), ""),
            )
            for task in tasks
        ]
        out.print()
        print_table(out, ("hits", "task", "scope", "saved"), rows, right=("hits", "saved"), fold=("task",))
