"""S21: parts on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from postgres_server import HOW, drop_schema, new_schema, raw, url_of

pytest.importorskip("psycopg", reason=HOW)

from muscle_mem import Engine
from muscle_mem.store import Promises
from muscle_mem.store.parted import PartedStore


@pytest.fixture
def schemas(schema: str) -> Iterator[list[str]]:
    other = new_schema()
    yield [schema, other]
    drop_schema(other)


def test_s21_tasks_are_spread_over_servers_and_seen_by_other_workers(schemas: list[str]) -> None:
    def worker() -> Engine:
        engine = Engine(PartedStore([url_of(one) for one in schemas]))

        @engine.tool(effect="read")
        def look(what: str) -> str:
            return what

        return engine.set_agent(lambda task: look(task))

    with worker() as here, worker() as there:
        assert [here(f"task {n}").status for n in range(8)] == ["miss"] * 8
        assert [there(f"task {n}").status for n in range(8)] == ["hit"] * 8
        there.report_bad(there("task 3").trajectory_id, "wrong")
        assert there("task 3").status == "miss"
    counts = []
    for one in schemas:
        with raw(one) as connection:
            counts.append(connection.execute("SELECT count(*) FROM trajectory").fetchone()[0])
    assert sum(counts) == 8
    assert all(counts)


def test_s21_parts_on_servers_wait_on_a_network_and_promise_an_order_of_keys(schemas: list[str]) -> None:
    with closing(PartedStore([url_of(one) for one in schemas])) as store:
        assert store.waits_on_network
        assert isinstance(store.promises, Promises)
        assert (store.promises.order, store.promises.watch) == ("key", 0.5)
        assert store.incarnation == 0
