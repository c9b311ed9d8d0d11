"""Finding a task: a miss among very many other recordings, and the derivation of a key."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from muscle_mem import Engine
from muscle_mem.store import MemoryStore

from .. import bulk
from ..inside import key_derivation, key_recall
from ..ours import engine_of, plain
from ..scenario import Bench, Row, Target, beyond_row, ratio_row, scenario
from ..workload import block_of


@scenario("keys")
def miss_among_others(bench: Bench) -> Iterator[Row]:
    """A task that is not known, with very many recordings under other keys, against an empty store."""
    for others in bench.pick((1_000,), (10_000, 100_000), (10_000, 100_000, 1_000_000)):
        mould = bulk.Mould(plain(), 1)
        shape, store = mould.shape(), MemoryStore()
        bulk.fill(store, (shape.cast(i.to_bytes(32, "big"), "other") for i in range(others)))
        yield ratio_row(
            bench,
            f"miss.{others}",
            f"a miss with {others:,} recordings under other keys, against none",
            block_of(_miss(store)),
            block_of(_miss(MemoryStore())),
            prototype=("miss", {"others": min(others, 100_000)}),
            target=Target(2),
            note="the loop's column is the miss in an empty store",
        )
        del store
        gc.collect()


def _miss(store: MemoryStore) -> Callable[[], None]:
    engine, _ = engine_of(plain(), 1, store)
    engine.set_agent(lambda task: None)

    def miss() -> None:
        if engine("task that nobody recorded").status != "miss":
            raise RuntimeError("no miss where one was expected")

    return miss


@scenario("keys")
def derivation(bench: Bench) -> Iterator[Row]:
    engine = Engine().set_agent(lambda task: None)
    text = "fill in the form for Jane and send it to the office"
    fresh = itertools.count()
    jane = {"name": "Jane"}
    cases: tuple[tuple[str, str, Callable[[], Callable[[], Any] | None], Target | None], ...] = (
        ("remembered", "of a text used before", lambda: key_recall(engine, text, None), Target(0.3)),
        ("params", "with params, both used before", lambda: key_recall(engine, text, jane), Target(3)),
        ("params.new", "with params that are new", lambda: key_derivation(engine, text, jane), None),
        ("new", "of a text that is new", lambda: _anew(engine, fresh), None),
    )
    for name, title, make, target in cases:
        derive = make()
        if derive is None:
            yield Row(f"key.{name}", f"key {title}", "us", target=target, note="the insides have moved: see inside.py")
            continue
        yield beyond_row(
            bench,
            f"key.{name}",
            f"key {title}",
            block_of(derive),
            block_of(lambda: text),
            target=target,
            prototype="has no keys, only tags",
        )


def _anew(engine: Engine, fresh: itertools.count[int]) -> Callable[[], bytes] | None:
    def derive() -> bytes:
        found = key_derivation(engine, f"task {next(fresh)}", None)
        assert found is not None
        return found()

    return None if key_derivation(engine, "task", None) is None else derive
