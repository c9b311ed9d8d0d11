"""Small real file systems: full, out of inodes, read-only, and a limit on the size of files.

They are made in a user namespace of a child's own (Linux), so that no rights are needed and nothing outlives it.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from muscle_mem.errors import StoreError
from muscle_mem.store import SqliteStore

from .children import in_child, scratch
from .engines import Desk, judge_world
from .figures import Figures, Proof, Size
from .history import Log, dump_file, judge, read_log
from .work import KEYS, SHARED, fits, patiently
from .writing import STORE

NEW_USER, NEW_MOUNTS = 0x10000000, 0x00020000
READ_ONLY, REMOUNT = 1, 32
MISSING = "needs Linux with user namespaces to mount a small file system in"


def mount(folder: Path, options: str) -> bool:
    """In a child: a file system in memory at a folder, for this process alone. False where that is not allowed."""
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if library.unshare(NEW_USER | NEW_MOUNTS) != 0:
        return False
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    except OSError:
        return False
    return bool(library.mount(b"none", os.fsencode(folder), b"tmpfs", 0, options.encode()) == 0)


def remount(folder: Path, *, read_only: bool) -> None:
    """In the same child."""
    flags = REMOUNT | (READ_ONLY if read_only else 0)
    if ctypes.CDLL(None).mount(b"none", os.fsencode(folder), b"tmpfs", flags, b"") != 0:
        raise OSError(f"{folder} could not be mounted anew")


def run(seed: int, size: int, control: str) -> Figures:
    """Each kind of trouble, with file systems of another size for each seed; `size` deeds are tried in it."""
    figures = Figures()
    for trouble in (_full, _no_inodes, _read_only, _limited):
        with scratch() as folder:
            code, said = in_child(lambda: trouble(folder, seed, size, control).as_dict())  # noqa: B023 - called at once
        if code != 0 or said is None:
            figures.fault("broken", f"{trouble.__name__[1:]}: the process ended with {code}")
            continue
        found = Figures.of(said)
        if found.failed:
            found.notes.insert(0, trouble.__name__[1:])
        figures.add(found)
    return figures


def _full(folder: Path, seed: int, size: int, control: str) -> Figures:
    disk = folder / "disk"
    disk.mkdir()
    if not mount(disk, f"size={200 + 36 * (seed % 20)}k"):
        return Figures(skipped=MISSING)
    filler = disk / "filler"
    filler.write_bytes(bytes(60_000))
    return _story(folder, disk, size, control, spoil=lambda: None, mend=filler.unlink)


def _no_inodes(folder: Path, seed: int, size: int, control: str) -> Figures:
    disk = folder / "disk"
    disk.mkdir()
    if not mount(disk, f"nr_inodes={2 + seed % 5}"):
        return Figures(skipped=MISSING)
    return _story(folder, disk, size, control, spoil=lambda: None, mend=lambda: None)


def _read_only(folder: Path, seed: int, size: int, control: str) -> Figures:
    disk = folder / "disk"
    disk.mkdir()
    if not mount(disk, "size=4m"):
        return Figures(skipped=MISSING)
    return _story(
        folder,
        disk,
        size,
        control,
        spoil=lambda: remount(disk, read_only=True),
        mend=lambda: remount(disk, read_only=False),
    )


def _limited(folder: Path, seed: int, size: int, control: str) -> Figures:
    """A limit on the size of a file, as quotas have it."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]

    def spoil() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (80_000 + 40_000 * (seed % 20), hard))

    def mend() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    return _story(folder, folder, size, control, spoil, mend)


def _story(
    folder: Path, disk: Path, size: int, control: str, spoil: Callable[[], None], mend: Callable[[], None]
) -> Figures:
    """Write until it is full and beyond, do tasks all the same, make room, and look at what is there."""
    figures = Figures()
    log = Log(folder / "w.log", sync=False)
    calls = {f"task{n}": 2 for n in range(6)}
    try:
        with closing(SqliteStore(disk / STORE, busy_timeout=0.5)) as store:
            patiently(store, log, "before", 0, 3)
        spoil()
        with closing(SqliteStore(disk / STORE, busy_timeout=0.5)) as store:
            refused = patiently(store, log, "w", 0, size)
            if control == "errors reported":
                for n in range(size):
                    log.done("seal", f"w-{n}")
        figures.counted["refused"] += len(refused)
        figures.counted["tasks learned in trouble"] += _tasks(folder, disk, calls, figures)
    except StoreError as error:  # there is no room even for an empty store, and whoever makes it is told
        figures.counted["refused immediately"] += 1
        figures.notes.append(str(error)[:90])
        return figures
    mend()
    _afterwards(folder, disk, figures)
    return figures


def _tasks(folder: Path, disk: Path, calls: dict[str, int], figures: Figures) -> int:
    desk = Desk(folder, disk / STORE)
    outcomes: list[Any] = [desk.do(task) for task in calls for _ in range(calls[task])]
    desk.close()
    judge_world(folder, calls, figures)
    return sum(bool(outcome.learned) for outcome in outcomes)


def _afterwards(folder: Path, disk: Path, figures: Figures) -> None:
    """All that was acknowledged, and no part of what was not; tasks of engines are no items of the log."""
    made = dump_file(disk / STORE, KEYS)
    for task in [task for task in made.stored if "task" in task]:
        rows = made.stored.pop(task)
        if any((row.sealed.steps, len(row.observations)) != (3, 1) for row in rows):
            figures.fault("partial", f"{task} is there in part")
    figures.add(judge(read_log(folder / "w.log"), made, fits, SHARED))


PROOF = Proof(
    run,
    promise="A disk that is full, read-only or limited costs recordings and nothing else. The task is done, "
    "and the existing recordings remain.",
    blind="Real disks and their quotas. The file systems of this proof are small ones in memory.",
    unit="writes tried",
    small=Size(2, 40),
    large=Size(40, 200),
    controls={"errors reported": ("lost", Size(1, 40))},
)
