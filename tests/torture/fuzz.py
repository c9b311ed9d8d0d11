"""Damaged files, opened in children that may crash: what comes out is right, or a named error."""

from __future__ import annotations

import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path

from muscle_mem.errors import StoreError
from muscle_mem.store import SqliteStore, Stored
from muscle_mem.store.sqlite import opening

from .children import in_child, scratch
from .figures import Figures, Proof, Size
from .history import Log
from .tampering import unchecked_digests
from .work import write_on

BATCH = 25
ITEMS = 30


def run(seed: int, size: int, control: str) -> Figures:
    """Spoil a store `size` times; seeds are of other stores, and damage them elsewhere."""
    figures = Figures()
    key = "a key of sixteen bytes" if seed % 2 else None
    with scratch(fast=True) as folder:
        original = folder / "original.db"
        with closing(SqliteStore(original, signing_key=key)) as store:
            write_on(store, Log(folder / "w.log", sync=False), f"w{seed}", 0, ITEMS)
            truth = {one.sealed.id: one for one in store.scan(limit=1000).stored}
        cases = range(0, size, BATCH)
        for start in cases:
            batch = range(start, min(start + BATCH, size))
            code, said = in_child(lambda batch=batch: _try_all(original, truth, seed, batch, key, control))
            if code == 0:
                figures.counted.update(said)
            else:
                _narrow(original, truth, seed, batch, (key, control), figures)
    figures.counted["files"] += size
    for kind in ("altered", "other errors"):
        times = figures.counted.pop(kind, 0)
        figures.wrong[kind] += times
        if times:
            figures.notes.append(f"{kind}: {times} of seed {seed}, see the lines on stderr")
    figures.wrong.setdefault("crashes", 0)
    return figures


def _narrow(
    original: Path, truth: dict[str, Stored], seed: int, batch: range, how: tuple[str | None, str], figures: Figures
) -> None:
    """Which file of a batch its child did not survive."""
    for case in batch:
        one = range(case, case + 1)
        code, said = in_child(lambda one=one: _try_all(original, truth, seed, one, *how))
        if code == 0:
            figures.counted.update(said)
        else:
            figures.fault("crashes", f"seed {seed}, case {case}: the process ended with {code}")


def _try_all(
    original: Path, truth: dict[str, Stored], seed: int, batch: range, key: str | None, control: str
) -> dict[str, int]:
    """In a child: spoil and use each of these copies."""
    opening.RETRY_SECONDS = 0  # nobody is writing: a header that looks broken is broken
    tally: Counter[str] = Counter()
    for case in batch:
        path = original.with_name(f"{case}.db")
        shutil.copy(original, path)
        spoil(path, random.Random(seed * 1_000_003 + case))
        try:
            with unchecked_digests() if control == "digests" else nullcontext():
                _use(path, truth, tally, key)
        except Exception as error:  # whatever is no StoreError
            tally["other errors"] += 1
            print(f"seed {seed}, case {case}: {type(error).__name__}: {error}", file=sys.stderr)
        for left in path.parent.glob(path.name + "*"):
            left.unlink()
    return tally


def spoil(path: Path, chance: random.Random) -> None:
    """Change some bytes, clear some, write noise, cut the end off, or exchange pages."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        kind = chance.randrange(5)
        for _ in range(chance.choice((1, 1, 4, 30))):
            file.seek(chance.randrange(100 if chance.random() < 0.3 else 0, size))
            if kind == 0:
                file.write(bytes([chance.randrange(256)]))
            elif kind == 1:
                file.write(bytes(chance.randrange(1, 600)))
            elif kind == 2:
                file.write(chance.randbytes(chance.randrange(1, 64)))
        if kind == 3:
            file.truncate(chance.randrange(size))
        if kind == 4:
            one, two = (4096 * chance.randrange(size // 4096) for _ in range(2))
            file.seek(one)
            page = file.read(4096)
            file.seek(two)
            file.write(page)


def _use(path: Path, truth: dict[str, Stored], tally: Counter[str], key: str | None) -> None:
    try:
        store = SqliteStore(path, signing_key=key)
    except StoreError:
        tally["refused"] += 1
        return
    with closing(store):
        for ask in _questions(store, truth):
            try:
                found = ask()
            except StoreError:
                tally["reported"] += 1
                continue
            for one in found:
                tally["offered"] += 1
                if not _is_right(one, truth):
                    tally["altered"] += 1
                    print(f"{path.name}: {one.sealed.id} altered", file=sys.stderr)
        for change in (lambda: write_on(store, _NoLog(), "new", 0, 4), store.forget):
            try:
                change()
            except StoreError:
                tally["reported"] += 1


def _is_right(one: Stored, truth: dict[str, Stored]) -> bool:
    """What a row says is what was sealed. Rows of observations that are damaged are left out, and reported."""
    right = truth.get(one.sealed.id)
    if right is None or (one.sealed, one.seq, one.standing) != (right.sealed, right.seq, right.standing):
        return False
    return all(each in right.observations for each in one.observations)


def _questions(store: SqliteStore, truth: dict[str, Stored]) -> Iterator[Callable[[], list[Stored]]]:
    yield lambda: list(store.scan(limit=1000).stored)
    for key in {one.sealed.key for one in truth.values()}:
        yield lambda key=key: list(store.find(key).stored)
    for id in truth:
        yield lambda id=id: [one for one in [store.get(id)] if one]


class _NoLog(Log):
    """Nobody will ask what was acknowledged by a damaged store."""

    def __init__(self) -> None:
        pass

    def _write(self, line: str) -> None:
        pass

    def done(self, verb: str, item: str) -> None:
        pass


PROOF = Proof(
    run,
    promise="A damaged file never crashes the program, and never returns an altered recording. The result is "
    "what was sealed, or a named error.",
    blind="A forger who recomputes the digests, which only a signing key detects. Damage during a run.",
    unit="damaged files",
    small=Size(2, 60),
    large=Size(40, 500),
    controls={"digests": ("altered", Size(1, 150))},
)
