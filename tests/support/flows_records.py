"""Stores with recordings of a task whose ids differ, and the record of what these have in common."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from muscle_mem import Check, Engine
from muscle_mem._core.model.learned import is_flows_body, read_entries
from muscle_mem.store import MemoryStore, SqliteStore, Store, Stored
from muscle_mem.store.folder import FolderStore
from muscle_mem.store.paging import each

TASK = "order a chair and pay"
STORES = ("memory", "sqlite", "folder")


def make_store(kind: str, path: Path) -> Store:
    """An empty store of a kind."""
    if kind == "memory":
        return MemoryStore()
    return SqliteStore(path / "flows.db") if kind == "sqlite" else FolderStore(path / "flows")


def paying(
    store: Store | str, ids: Iterator[Any], *, effect: Any = "write", is_checked: bool = False, **options: Any
) -> Engine:
    """An engine whose agent creates an order and pays it."""
    engine = Engine(store, **options)
    check = Check(lambda order_id: 1) if is_checked else None

    @engine.tool(name="create_order", effect=effect)
    def create_order(item: str) -> dict[str, Any]:
        return {"order_id": next(ids), "item": item}

    @engine.tool(name="pay", effect=effect, pre_check=check)
    def pay(order_id: Any) -> str:
        return "ok"

    def agent(task: str) -> None:
        pay(create_order("chair")["order_id"])

    engine.set_agent(agent)
    return engine


def record_flows(store: Store | str, runs: int = 2, first: int = 4711, task: str = TASK) -> list[Any]:
    """Run the task so often, each time with another id; the outcomes."""
    engine = paying(store, itertools.count(first, 17))
    outcomes = [engine(task) for _ in range(runs)]
    engine._runtime.library.flush()
    return outcomes


def random_ids() -> Iterator[str]:
    """Ids that no other run has."""
    return (str(uuid.uuid4()) for _ in itertools.count())


def flows_of(store: Store) -> Stored:
    """The only record of flows in a store."""
    (found,) = [stored for stored in each(store) if is_flows_body(stored.sealed.body)]
    return found


def recordings_of(store: Store) -> list[Stored]:
    """The recordings in a store, newest first."""
    return [stored for stored in each(store) if not is_flows_body(stored.sealed.body)]


def entries_of(stored: Stored) -> set[bytes]:
    """All pieces of evidence of a record."""
    return {entry for _, observation in stored.observations for entry in read_entries(observation.body)}
