"""kill -9 at every write, sync, truncation and renaming in turn: before it, and in the middle of each write."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from .children import ended, fork, scratch
from .faults import CHANGING, KILL, TORN, WRITE, Shim, under_shim
from .figures import Figures, Proof, Size
from .writing import Writer, verdict

DEEDS = 18  # enough for a forgetting, for shared rows, and for large and small ones


def run(seed: int, size: int, control: str) -> Figures:
    return under_shim("kill_points", seed, size, control)


def armed(seed: int, size: int, control: str) -> Figures:
    """At most `size` points of one story; seeds take turns at the others, and checkpoint after another number."""
    shim, figures = Shim(), Figures()
    settings = (f"PRAGMA wal_autocheckpoint={(1, 4, 1000)[seed % 3]}",)

    def story(folder: Path, action: int, at: int) -> int:
        writer = Writer(folder, "w", control, settings)
        writer.be_born()

        def live() -> None:
            shim.arm(folder, WRITE if action == TORN else CHANGING, action, at)
            writer.live(DEEDS)

        code = ended(fork(live))
        writer.be_born()  # the next life does again what was not acknowledged
        if ended(fork(lambda: writer.live(DEEDS))) != 0:
            figures.fault("refused", f"after a kill at operation {at} the next could not write")
        return code

    for action in (KILL, TORN):
        total = _count(shim, writer_settings=settings, control=control, kinds=WRITE if action == TORN else CHANGING)
        step = max(1, total * 2 // size)
        for at in range(1 + seed // 3 % step, total + 1, step):
            with scratch(fast=True) as folder:
                if story(folder, action, at) != -9:
                    figures.counted["not reached"] += 1
                figures.counted["kills"] += 1
                found = verdict(folder)
                if found.failed:
                    found.notes.insert(0, f"killed {'amid' if action == TORN else 'before'} operation {at}")
                figures.add(found)
        figures.most("operations of the story", total)
    return figures


def _count(shim: Shim, writer_settings: tuple[str, ...], control: str, kinds: int) -> int:
    """How many operations of these kinds the story has."""
    with scratch(fast=True) as folder:
        writer = Writer(folder, "w", control, writer_settings)
        writer.be_born()
        return counted_in_child(shim, folder, kinds, lambda: writer.live(DEEDS))


def counted_in_child(shim: Shim, folder: Path, kinds: int, work: Callable[[], None]) -> int:
    """How many operations under a folder some work has, done in a child."""
    read, write = os.pipe()

    def count() -> None:
        shim.arm(folder, kinds)
        work()
        os.write(write, b"%d" % shim.counted())

    ended(fork(count))
    os.close(write)
    text = os.read(read, 100)
    os.close(read)
    return int(text)


PROOF = Proof(
    run,
    promise="A kill before any single write to the disk, or in the middle of one, loses nothing acknowledged. "
    "What is tried again afterwards is there once.",
    blind="More than one writer at a time, and a kill within an operation of the system itself.",
    unit="kill points",
    small=Size(1, 32),
    large=Size(6, 10_000),
    controls={"one transaction": ("partial", Size(1, 20)), "own ids": ("duplicates", Size(1, 30))},
)
