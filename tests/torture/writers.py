"""Thirty-two processes write at once: nobody is told "locked", nothing is lost, and the queue is fair."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from muscle_mem.errors import StoreError
from muscle_mem.store import SqliteStore

from .children import Child, StartLine, scratch
from .figures import Figures, Proof, Size
from .history import Log
from .tampering import switched_off
from .work import do
from .writing import STORE, verdict

WRITERS = 32
OVERTAKEN = 8 * WRITERS  # a fair queue lets everybody else pass once or twice while one waits


def run(seed: int, size: int, control: str) -> Figures:
    """Each writer writes `size` items as fast as it can, the opening of a store that is not there included."""
    figures, line = Figures(), StartLine()
    figures.wrong.update(dict.fromkeys(("locked", "overtaken"), 0))
    with scratch() as folder:
        if control:  # the making of a store has the gate's protection in any case
            SqliteStore(folder / STORE).close()
        children = [Child(lambda n=n: _write(folder, f"w{n}", size, control, line)) for n in range(WRITERS)]
        line.go()
        for child in children:
            code, said = child.result()
            if code != 0:
                figures.fault("broken", f"a writer ended with {code}")
                continue
            for told in said["refused"]:
                figures.fault("locked" if "locked" in told else "refused", told)
            figures.counted["writes"] += said["writes"]
            figures.most("longest write, seconds", said["longest"])
            figures.most("writes of others while one waited", said["overtaken"])
        figures.add(verdict(folder))
    if figures.worst.get("writes of others while one waited", 0) > OVERTAKEN:
        figures.fault("overtaken", f"a writer was passed {figures.worst} times")
    return figures


def _write(folder: Path, name: str, count: int, control: str, line: StartLine) -> dict[str, Any]:
    """In a child: what it wrote, what it was refused, and how long it took and how often it was passed at most."""
    refused: list[str] = []
    longest, overtaken, writes = 0.0, 0, 0
    with switched_off(control):
        log = Log(folder / f"{name}.log", sync=False)
        line.wait()
        store = SqliteStore(folder / STORE)
        for n in range(count):
            before = _newest(store)  # what others write while this one does not ask is no fault of the queue's
            began = time.monotonic()
            try:
                seq = do(store, log, "seal", f"{name}-{n}")
            except StoreError as error:
                refused.append(str(error))
                continue
            longest = max(longest, time.monotonic() - began)
            overtaken, writes = max(overtaken, seq - before - 1), writes + 1
        store.close()
    return {"refused": refused, "longest": longest, "overtaken": overtaken, "writes": writes}


def _newest(store: SqliteStore) -> int:
    found = store.scan(limit=1).stored
    return found[0].seq if found else 0


PROOF = Proof(
    run,
    promise="Many processes can share a store. No process gets a locking error, nothing is lost, and no "
    "process waits while others pass again and again.",
    blind="Machines with other schedulers and disks. The seconds are those of the named machine. If the "
    "kernel has no locks that belong to an open file (not Linux), the process that runs first may "
    "pass.",
    unit="writes of each of 32 processes",
    small=Size(1, 12),
    large=Size(5, 400),
    controls={"begin immediate": ("locked", Size(1, 6)), "gate": ("overtaken", Size(1, 40))},
)
