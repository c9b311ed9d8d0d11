"""Power cuts: of every moment of a story, disks as they could have been left; what was acknowledged is on them.

What a writer writes and syncs is recorded. After a cut a disk holds all that was synced, and of the rest any part:
all, none, the first so many, any sectors, the last one torn. Names of files last once their folder was synced.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from muscle_mem.errors import StoreError
from muscle_mem.store import SqliteStore

from .children import ended, fork, scratch
from .faults import Shim, under_shim
from .figures import Figures, Proof, Size
from .history import DONE, Dump, Event, Log, dump, judge
from .tampering import switched_off
from .work import KEYS, SHARED, fits, write_on
from .writing import STORE

SECTOR = 512
DEEDS = 34
HEAD = struct.Struct("=4q")


@dataclass
class Record:
    """One operation: its letter as in shim.c, the path, where, and the data."""

    kind: str
    path: str
    where: int
    data: bytes
    size: int


def read_record(path: Path) -> Iterator[Record]:
    """What shim.c wrote."""
    with path.open("rb") as file:
        while head := file.read(HEAD.size):
            kind, length, where, size = HEAD.unpack(head)
            name = os.fsdecode(file.read(length))
            yield Record(chr(kind), name, where, file.read(size) if chr(kind) in "WRL" else b"", size)


@dataclass
class Inode:
    """A file: what is surely on disk, and what was written since, in order."""

    synced: bytes = b""
    pending: list[Record] = field(default_factory=list)

    def sync(self) -> None:
        self.synced = written(self.synced, self.pending)
        self.pending = []


def written(content: bytes, records: list[Record]) -> bytes:
    """The content of a file after these writes and truncations."""
    data = bytearray(content)
    for one in records:
        if one.kind == "T":
            del data[one.where :]
            data.extend(bytes(max(0, one.where - len(data))))
        else:
            data.extend(bytes(max(0, one.where - len(data))))
            data[one.where : one.where + len(one.data)] = one.data
    return bytes(data)


Names = dict[str, Inode]


class Disk:
    """What is on it, operation by operation."""

    def __init__(self) -> None:
        self.now: Names = {}
        self.synced: Names = {}
        self.pending: list[Callable[[Names], None]] = []

    def apply(self, one: Record) -> None:
        if one.kind in "WT":
            self.now.setdefault(one.path, Inode()).pending.append(one)
        elif one.kind == "S":
            if one.path in self.now:
                self.now[one.path].sync()
        elif one.kind == "D":
            self.synced = dict(self.now)
            self.pending = []
        else:
            self._rename(one)

    def _rename(self, one: Record) -> None:
        """C, U, L, R: a name made, removed, added, moved. It is pending until the folder is synced."""
        name, old = one.path, os.fsdecode(one.data)
        inode = Inode() if one.kind == "C" else self.now.get(old)

        def change(names: Names) -> None:
            if one.kind == "U":
                names.pop(name, None)
            elif inode is not None:
                names[name] = inode
            if one.kind == "R":
                names.pop(old, None)

        change(self.now)
        self.pending.append(change)

    def image(self, chance: random.Random) -> dict[str, bytes]:
        """A disk as a cut at this moment could leave it."""
        names = dict(self.synced)
        for change in self.pending[: chance.randrange(len(self.pending) + 1)]:
            change(names)
        kind = chance.randrange(5)
        return {
            name: written(inode.synced, survived(inode.pending, kind, chance))
            for name, inode in names.items()
            if not name.endswith("-shm")  # SQLite makes it anew
        }


def survived(pending: list[Record], kind: int, chance: random.Random) -> list[Record]:
    """Which of the writes that were not synced came to the disk, and which parts of them."""
    if kind == 0:
        return []
    if kind == 1:
        return pending
    if kind == 2:
        kept = pending[: chance.randrange(len(pending) + 1)]
        return [*kept[:-1], torn(kept[-1], chance)] if kept else []
    if kind == 3:
        return [one for one in pending if chance.random() < 0.5]
    return [part for one in pending for part in sectors(one) if chance.random() < 0.7]


def torn(one: Record, chance: random.Random) -> Record:
    """The first bytes of a write."""
    return Record(one.kind, one.path, one.where, one.data[: chance.randrange(len(one.data) + 1)], 0)


def sectors(one: Record) -> list[Record]:
    """A write in the parts that a disk writes at once."""
    if one.kind == "T":
        return [one]
    starts = range(0, len(one.data), SECTOR)
    return [Record("W", one.path, one.where + at, one.data[at : at + SECTOR], 0) for at in starts]


class MarkLog(Log):
    """A log whose lines go into the record of the shim, among the writes."""

    def __init__(self, shim: Shim) -> None:
        self._shim = shim

    def _write(self, line: str) -> None:
        self._shim.mark(line.strip())

    def done(self, verb: str, item: str) -> None:
        self._write(f"{DONE} {verb} {item}")


def run(seed: int, size: int, control: str) -> Figures:
    return under_shim("power", seed, size, control)


def armed(seed: int, size: int, control: str) -> Figures:
    """`size` cuts at moments of chance, of one story."""
    chance, figures, shim = random.Random(seed), Figures(), Shim()
    with scratch(fast=True) as folder:
        real = folder / "real"
        real.mkdir()
        with (folder / "record").open("wb") as record:
            if ended(fork(lambda: _story(shim, real, record.fileno(), seed, control))) != 0:
                figures.fault("broken", "the story was not told")
                return figures
        records = list(read_record(folder / "record"))
        moments = sorted(chance.randrange(len(records) + 1) for _ in range(size))
        disk, events, at = Disk(), list[Event](), 0
        for number, moment in enumerate(moments):
            for one in records[at:moment]:
                if one.kind == "M":
                    what, verb, item = one.path.split(" ")
                    events.append((what, verb, item))
                else:
                    disk.apply(one)
            at = moment
            found = _open(folder / f"image{number}", disk.image(chance), events)
            figures.counted["cuts"] += 1
            if found.failed:
                found.notes.insert(0, f"seed {seed}, cut {number} at operation {moment}")
            figures.add(found)
        figures.most("operations of the story", len(records))
    return figures


def _story(shim: Shim, folder: Path, record: int, seed: int, control: str) -> None:
    settings = (f"PRAGMA wal_autocheckpoint={(1000, 3, 30)[seed % 3]}",)
    shim.arm(folder, 0)
    shim.log_to(record)
    with switched_off(control, settings):
        store = SqliteStore(folder / STORE)
        write_on(store, MarkLog(shim), "w", 0, DEEDS)
        store.close()


def _open(folder: Path, image: dict[str, bytes], events: list[Event]) -> Figures:
    """What the store on a disk after a cut owes to those who were told before it."""
    folder.mkdir()
    for name, content in image.items():
        (folder / os.path.basename(name)).write_bytes(content)
    made = Dump()
    promised = any(what == DONE for what, _, _ in events)
    try:
        if (folder / STORE).exists() or not promised:
            with closing(SqliteStore(folder / STORE)) as store:
                made = dump(store, KEYS)
    except StoreError as error:
        figures = Figures()
        figures.fault("refused", str(error))
        return figures
    figures = judge(events, made, fits, SHARED)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    return figures


PROOF = Proof(
    run,
    promise="A power cut at any moment loses nothing that was acknowledged, and leaves nothing half written.",
    blind="A disk that reports a sync that it has not made, and several concurrent writers. The images are "
    "made by a model of a disk, not by a disk.",
    unit="power cuts",
    small=Size(2, 40),
    large=Size(30, 1_000),
    controls={"synchronous": ("lost", Size(1, 20))},
)
