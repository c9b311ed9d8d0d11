"""kill -9 at random instants, one to sixteen writers at once: what was acknowledged is there, and whole."""

from __future__ import annotations

import random
import time

from .children import fork, kill, scratch
from .figures import Figures, Proof, Size
from .writing import Writer, verdict


def run(seed: int, size: int, control: str) -> Figures:
    """Kill so many writers at a time of chance; a new life of the same writer takes each one's place."""
    chance = random.Random(seed)
    figures = Figures()
    with scratch() as folder:
        settings = ("PRAGMA wal_autocheckpoint=20",) if seed % 2 else ()
        writers = [Writer(folder, f"w{n}", control, settings) for n in range(1 + seed % 16)]
        pids: dict[int, Writer] = {}

        def start(writer: Writer) -> None:
            writer.be_born()
            pids[fork(writer.live)] = writer

        for writer in writers:
            start(writer)
        while figures.counted["kills"] < size:
            pid = chance.choice(list(pids))
            writer = pids.pop(pid)
            if chance.random() < 0.6:  # else it may still be opening the store
                writer.await_deed(5.0)
            time.sleep(chance.random() ** 2 * 0.03)
            _kill(pid, figures)
            start(writer)
        for pid in pids:
            _kill(pid, figures)
        figures.add(verdict(folder))
    figures.most("writers", len(writers))
    return figures


def _kill(pid: int, figures: Figures) -> None:
    code = kill(pid)
    figures.counted["kills"] += 1
    if code != -9:
        figures.fault("refused", f"a writer ended by itself, with {code}")


PROOF = Proof(
    run,
    promise="A process that is killed at any moment loses no acknowledged recording, and leaves none half "
    "written. Other processes continue.",
    blind="A power cut. The system still writes what a killed process had passed to it.",
    unit="kills",
    small=Size(2, 30),
    large=Size(100, 100),
    controls={"one transaction": ("partial", Size(2, 20))},
)
