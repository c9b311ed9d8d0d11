"""Records of flows in PostgreSQL: surveyed, pruned with their recordings, and copied."""

from __future__ import annotations

from contextlib import closing

import pytest

from flows_records import entries_of, flows_of, record_flows, recordings_of
from muscle_mem.store import MemoryStore, copy_store
from muscle_mem.store.pruning import Limits, prune
from postgres_server import HOW

pytest.importorskip("psycopg", reason=HOW)

from muscle_mem.store.postgres import PostgresStore


def test_flows_are_surveyed_copied_and_pruned(pair: tuple[PostgresStore, PostgresStore]) -> None:
    store, other = pair
    record_flows(store)
    known = flows_of(other)
    heads = {one.id: one.head for one in other.survey()}
    assert heads.pop(known.sealed.id) == known.sealed.body[:2]
    assert [head[1] for head in heads.values()] == [1, 1]
    with closing(MemoryStore()) as copied:
        copy_store(store, copied)
        assert (flows_of(copied).sealed, entries_of(flows_of(copied))) == (known.sealed, entries_of(known))
    newest = recordings_of(store)[0].sealed.id
    assert prune(store, Limits(max_items=1), 1e10).dropped == 1
    assert [one.sealed.id for one in recordings_of(store)] == [newest]
    store.forget((newest,))
    record_flows(store, 1, task="another")
    prune(store, Limits(max_items=1), 1e10)
    assert [one.sealed.task for one in store.scan().stored] == ["another"]
