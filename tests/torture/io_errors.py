"""Every single operation on the store's files fails in turn: an I/O error, a full disk, a short write."""

from __future__ import annotations

import errno
from contextlib import closing
from pathlib import Path
from typing import Any

from muscle_mem.errors import StoreError
from muscle_mem.store import SqliteStore

from .children import in_child, scratch
from .engines import Desk, judge_world
from .faults import EVERYTHING, FAIL, LOCK, SHORT, WRITE, Shim, under_shim
from .figures import Figures, Proof, Size
from .history import Log, dump_file
from .kill_points import counted_in_child
from .work import do, plan
from .writing import STORE, verdict

DEEDS = 17  # with a forgetting
TROUBLES = (
    ("I/O error", FAIL, errno.EIO, EVERYTHING),
    ("disk full", FAIL, errno.ENOSPC, EVERYTHING),
    ("short write", SHORT, 0, WRITE),
)


def run(seed: int, size: int, control: str) -> Figures:
    return under_shim("io_errors", seed, size, control)


def armed(seed: int, size: int, control: str) -> Figures:
    """At most `size` points: of writers and of engines, once and from then on, with each kind of trouble."""
    shim, figures = Shim(), Figures()
    stories: tuple[Any, ...] = (_write, _run_tasks)
    for story in stories:
        for number, (name, action, error, kinds_of) in enumerate(TROUBLES):
            for sticky in (False, True):
                # Locks that fail for good are left out: each child would wait a whole `busy_timeout` for them.
                kinds = kinds_of & ~LOCK if sticky else kinds_of
                total = _count(shim, story, kinds)
                step = max(1, total * len(stories) * len(TROUBLES) * 2 // size)
                for at in range(1 + (seed + number) % step, total + 1, step):
                    where = f"{story.__name__[1:]}, {name} at {at}{' and after' if sticky else ''}"
                    with scratch(fast=True) as folder:
                        found = _meet(shim, story, folder, (kinds, action, at, error, sticky), control)
                    if found.failed:
                        found.notes.insert(0, where)
                    figures.add(found)
                figures.most(f"operations of {story.__name__[1:]}", total)
    return figures


def _count(shim: Shim, story: Any, kinds: int) -> int:
    with scratch(fast=True) as folder:
        return counted_in_child(shim, folder, kinds, lambda: story(folder, ""))


def _meet(shim: Shim, story: Any, folder: Path, trouble: tuple[Any, ...], control: str) -> Figures:
    """One story with one trouble in it, and what came of it when the trouble was over."""
    figures = Figures()

    def child() -> dict[str, Any]:
        shim.arm(folder, *trouble)
        said: dict[str, Any] = story(folder, control)
        shim.disarm()
        return said

    code, said = in_child(child)
    figures.counted["points"] += 1
    if code != 0 or said is None:
        figures.fault("broken", f"the process ended with {code}: the task was not done, or no StoreError told of it")
        return figures
    figures.counted["refused"] += said["refused"]
    judge_world(folder, said["calls"], figures)
    figures.add(_afterwards(folder, said))
    return figures


def _afterwards(folder: Path, said: dict[str, Any]) -> Figures:
    """The next process finds the store usable, and in it what was acknowledged."""
    figures = Figures()
    try:
        with closing(SqliteStore(folder / STORE)) as store:
            if not said["calls"]:
                do(store, Log(folder / "z.log", sync=False), "seal", "later-1")
    except StoreError as error:
        figures.fault("refused afterwards", str(error))
        return figures
    if not said["calls"]:
        figures.add(verdict(folder))
        return figures
    made = dump_file(folder / STORE)
    for task in said["learned"]:
        if not any(task in one for one in made.stored):
            figures.fault("lost", f"task {task} was learned and is not there")
    for rows in made.stored.values():
        for row in rows:
            if (row.sealed.steps, len(row.observations)) != (3, 1):
                figures.fault("partial", f"{row.sealed.steps} steps, {len(row.observations)} observations")
    for what in made.damaged + made.disagreements:
        figures.fault("partial", what)
    return figures


def _write(folder: Path, control: str) -> dict[str, Any]:
    """A writer whose refused deeds are StoreErrors, and nothing else ever."""
    refused, log = 0, Log(folder / "w.log", sync=False)
    store: SqliteStore | None = None
    for n in range(DEEDS):
        try:
            if store is None:
                store = SqliteStore(folder / STORE, busy_timeout=0.2)
            do(store, log, *plan("w", n))
        except StoreError:
            refused += 1
            if control == "errors reported":  # as a store would that takes no notice
                log.done(*plan("w", n))
    if store is not None:
        store.close()
    log.close()
    return {"refused": refused, "calls": {}}


def _run_tasks(folder: Path, control: str) -> dict[str, Any]:
    """An engine whose tasks are done whatever becomes of the store."""
    learned = []
    try:
        desk = Desk(folder, folder / STORE)
    except StoreError:  # told at once to whoever makes an engine on a store that cannot be opened
        return {"refused": 1, "calls": {}}
    calls = dict.fromkeys(("one", "two", "three"), 2)
    for task in calls:
        for _ in range(calls[task]):
            outcome = desk.do(task)
            if outcome.learned or control == "errors reported":
                learned.append(task)
    desk.close()
    return {"refused": desk.told.count("StoreEvent"), "calls": calls, "learned": learned}


PROOF = Proof(
    run,
    promise="A disk that fails or is full costs a recording, never the task. The agent's work is done once, "
    "an event reports the failure, and nothing acknowledged is lost. When the disk works again, so "
    "does the store.",
    blind="A disk that fails and reports success. Pages that the system drops after a failed sync. Locks "
    "that fail permanently: a call then waits once for `busy_timeout`, and afterwards for a quarter "
    "of a second.",
    unit="points of failure",
    small=Size(1, 36),
    large=Size(4, 12_000),
    controls={"errors reported": ("lost", Size(1, 24))},
)
