"""What was begun, what was acknowledged, what is there: one checker for every proof.

Each writer keeps a log of its own, append-only and synced line by line: a line before it asks the store for
something, and one after the store returned. When all is over the store is dumped and held against the logs.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from muscle_mem.store import Found, SqliteStore, Store, Stored

from .figures import Figures

BEGUN, DONE = "begun", "done"
Event = tuple[str, str, str]  # begun or done, verb, item


class Log:
    """A writer's own log. Nothing is buffered: a line is on disk when the call returns."""

    def __init__(self, path: Path, sync: bool = True) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._sync = sync

    def begin(self, verb: str, item: str) -> None:
        """Say what will be asked of the store. Not synced: only an acknowledgement binds."""
        self._write(f"{BEGUN} {verb} {item}\n")

    def done(self, verb: str, item: str) -> None:
        """Say that the store has acknowledged it."""
        self._write(f"{DONE} {verb} {item}\n")
        if self._sync:
            os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)

    def _write(self, line: str) -> None:
        os.write(self._file, line.encode())


def read_log(path: Path) -> list[Event]:
    """The whole lines of one log; a writer may have been killed in the last."""
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    events = []
    for line in lines:
        what, verb, item = line.split(" ")
        events.append((what, verb, item))
    return events


def read_logs(folder: Path) -> list[Event]:
    """All logs of a folder in the order of their names: those of one writer in the order of its lives."""
    return [event for path in sorted(folder.glob("*.log")) for event in read_log(path)]


@dataclass
class Dump:
    """All that a store gives away: rows that are whole by task, damaged rows, and what its parts disagree on."""

    stored: dict[str, list[Stored]] = field(default_factory=lambda: defaultdict(list))
    damaged: list[str] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)


def dump(store: Store, keys: Iterable[bytes] = ()) -> Dump:
    """Page through all of a store, and ask for every key as well, these included: both must tell the same."""
    made = Dump()
    after: int | None = None
    by_key: dict[bytes, list[Stored]] = defaultdict(list)
    while True:
        page: Found = store.scan(after=after, limit=500)
        made.damaged += [f"{one.id}: {one.what}" for one in page.damaged]
        for one in page.stored:
            made.stored[one.sealed.task].append(one)
            by_key[one.sealed.key].append(one)
        if not page.stored:
            break
        after = page.stored[-1].seq
    for key in by_key.keys() | set(keys):
        found = store.find(key)
        made.damaged += {f"{one.id}: {one.what}" for one in found.damaged} - set(made.damaged)
        if list(found.stored) != by_key[key]:
            made.disagreements.append(f"find and scan tell different rows of key {key[:2].hex()}")
    return made


def dump_file(path: Path, keys: Iterable[bytes] = ()) -> Dump:
    """The dump of a SQLite store that nobody has open, with SQLite's own word on the file."""
    with closing(SqliteStore(path)) as store:
        made = dump(store, keys)
    with closing(sqlite3.connect(path)) as connection:
        told = connection.execute("PRAGMA integrity_check").fetchone()[0]
    if told != "ok":
        made.disagreements.append(f"integrity_check: {told}")
    return made


Fits = Callable[[str, Stored], str]  # "" or what is wrong: "partial: ..." or "altered: ..."


@dataclass
class Fates:
    """What must, may and must not be there, by the logs alone."""

    there: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)


def fates(events: Iterable[Event]) -> dict[str, Fates]:
    """The fate of each item, apart for its own trajectory ("seal") and its row in the shared one ("share")."""
    found = {"seal": Fates(), "share": Fates()}
    for what, verb, item in events:
        fate = found["share" if verb == "share" else "seal"]
        if what == BEGUN and verb != "forget" and item in fate.there:
            continue  # sealing again what is there can only leave it there
        for each in (fate.there, fate.gone, fate.unknown):
            each.discard(item)
        if what == BEGUN:
            fate.unknown.add(item)
        elif verb == "forget":
            fate.gone.add(item)
        else:
            fate.there.add(item)
    return found


def judge(events: Iterable[Event], made: Dump, fits: Fits, shared: str = "") -> Figures:
    """Hold a dump against the logs. Counts what was acknowledged and unknown; wrong is whatever must not be."""
    figures = Figures(wrong=Counter(dict.fromkeys(("lost", "partial", "altered", "duplicates", "revived", "stray"), 0)))
    found = fates(events)
    own = found["seal"]
    figures.counted["acknowledged"] += len(own.there) + len(own.gone) + len(found["share"].there)
    figures.counted["unknown"] += len(own.unknown) + len(found["share"].unknown)
    for item in own.there - made.stored.keys():
        figures.fault("lost", f"{item} was acknowledged and is not there")
    for item in own.gone & made.stored.keys():
        figures.fault("revived", f"{item} was forgotten and is there")
    known = own.there | own.unknown | own.gone | {shared}
    for item, rows in made.stored.items():
        if item not in known:
            figures.fault("stray", f"nobody wrote {item!r}")
        if len(rows) > 1:
            figures.fault("duplicates", f"{item} is there {len(rows)} times")
        for row in rows:
            trouble = "" if item == shared else fits(item, row)
            if trouble:
                figures.fault(trouble.partition(":")[0], f"{item} {trouble}")
    for what in made.damaged:
        figures.fault("partial", f"damaged {what}")
    for what in made.disagreements:
        figures.fault("altered", what)
    if shared:
        _judge_shared(figures, found["share"], made.stored.get(shared, []))
    return figures


def _judge_shared(figures: Figures, fate: Fates, rows: list[Stored]) -> None:
    """Every acknowledged recording of the shared trajectory is in it once, and each was counted once."""
    ids = [one.id for row in rows for _, one in row.observations]
    for item in fate.there - set(ids):
        figures.fault("lost", f"the row {item} of the shared trajectory")
    for id, times in Counter(ids).items():
        if times > 1:
            figures.fault("duplicates", f"the row {id} of the shared trajectory, {times} times")
        if id not in fate.there | fate.unknown:
            figures.fault("stray", f"nobody wrote the row {id!r}")
    for row in rows:
        if row.standing.hits < len(row.observations):
            figures.fault("partial", f"{len(row.observations)} shared rows, and {row.standing.hits} counted with them")


def count_acts(path: Path) -> Mapping[str, int]:
    """A world's log: how often each act, a line written by a tool where it acts, was done."""
    return Counter(path.read_text().splitlines()) if path.exists() else {}
