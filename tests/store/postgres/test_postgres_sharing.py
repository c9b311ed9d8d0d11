"""S18: one pool and one watcher for all stores of a URL in a process, and fewer connections where there are fewer."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from postgres_server import HOW, drop_schema, place_of, raw, until, url_of

pytest.importorskip("psycopg", reason=HOW)

from psycopg import sql

from muscle_mem.errors import StoreError
from muscle_mem.store import Note
from muscle_mem.store.postgres import PostgresStore, connections, sharing
from muscle_mem.store.postgres.breaker import WriteBreakers
from muscle_mem.store.postgres.errors import NotNowError
from muscle_mem.store.postgres.schema import number_for
from muscle_mem.testing import KEY, a_trajectory, an_observation, ids, raised_by, standing_of

OTHER = b"\1" * 32


def sessions(name: str) -> int:
    """How many connections of this application the server has."""
    with raw("public") as connection:
        found = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", (name,))
        return int(found.fetchone()[0])


def test_s18_all_stores_of_a_url_share_two_connections(schema: str, database: str) -> None:
    url = url_of(schema, application_name=schema)
    stores = [PostgresStore(url) for _ in range(10)]
    stores[0].seal(a_trajectory(), an_observation())
    threads = [threading.Thread(target=lambda one=one: (one.version(KEY), one.find(KEY))) for one in stores * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: stores[0]._listener.polls > 3)
    assert 1 <= sessions(schema) <= 2
    assert len({id(one._listener) for one in stores}) == 1
    for one in stores[1:]:
        one.close()
        assert "is closed" in str(raised_by(lambda one=one: one.find(KEY)))
    assert ids(stores[0].find(KEY)) == ["t1"]  # The others are not affected.
    stores[0].close()
    until(lambda: sessions(schema) == 0)


def test_s18_stores_of_other_urls_share_nothing(schema: str, database: str) -> None:
    with closing(PostgresStore(url_of(schema))) as one, closing(PostgresStore(url_of(schema))) as other:
        assert one._pool is not other._pool


def test_s18_a_store_that_is_dropped_gives_its_share_back(schema: str, database: str) -> None:
    url = url_of(schema)
    shared = sharing.acquire(PostgresStore(url)._options)
    gc.collect()
    assert shared.users == 1
    sharing.release(shared)
    assert shared.pool.closed


def test_s18_one_connection_is_enough(schema: str, database: str) -> None:
    with closing(PostgresStore(url_of(schema, application_name=schema, mm_connections=1))) as store:
        store.seal(a_trajectory(), an_observation())
        store.version(KEY)
        until(lambda: store._listener.polls > 4)
        with closing(PostgresStore(url_of(schema))) as other:
            other.seal(a_trajectory("t2"), an_observation())
        before = store.version(KEY)
        until(lambda: store.version(KEY) != before or ids(store.find(KEY)) == ["t2", "t1"])
        assert sessions(schema) == 1


@pytest.fixture
def limited(schema: str, database: str) -> Iterator[str]:
    """The URL of a store whose role gets one connection and no more."""
    name = f"limited {schema[-6:]}"
    host, port = place_of(database)
    with raw("public") as connection:
        role = sql.Identifier(name)
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'hush' CONNECTION LIMIT 1").format(role))
        connection.execute(sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(sql.Identifier(schema), role))
    yield url_of(schema, at=f"postgresql://{name.replace(' ', '%20')}:hush@{host}:{port}/postgres")
    drop_schema(schema)
    with raw("public") as connection:
        connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))


def test_s18_a_refused_second_connection_leaves_the_first(limited: str) -> None:
    with closing(PostgresStore(f"{limited}&mm_connections=8")) as store:
        store.seal(a_trajectory(), an_observation())
        healthy = list(store._pool._all)
        assert len(healthy) == 1
        store.version(KEY)  # The watcher gets none of its own.
        failures: list[BaseException | None] = []

        def work() -> None:
            note = (Note(id="t1", hits=1, strikes=1),)
            failures.extend(raised_by(lambda: store.note(note)) for _ in range(10))

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [one for one in failures if one is not None] == []
        assert standing_of(store).hits == 60
        assert not healthy[0].closed
        polls = store._listener.polls
        until(lambda: store._listener.polls > polls)
        assert not store._pool.breaker.open


def test_s18_idle_connections_end(schema: str, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.3)
    with closing(PostgresStore(url_of(schema, application_name=schema))) as store:
        store.seal(a_trajectory(), an_observation())
        assert sessions(schema) == 1
        until(lambda: sessions(schema) == 0)
        store.seal(a_trajectory("t2"), an_observation())  # A new one is made when it is needed.
        assert sessions(schema) == 1
        until(lambda: sessions(schema) == 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_s18_a_forked_child_has_connections_of_its_own(schema: str, database: str) -> None:
    url = url_of(schema)
    with closing(PostgresStore(url)) as one, closing(PostgresStore(url)) as two:
        one.seal(a_trajectory(), an_observation())
        two.version(KEY)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                two.seal(a_trajectory("t2"), an_observation())
                third = PostgresStore(url)
                code = 0 if ids(third.find(KEY)) == ids(one.find(KEY)) == ["t2", "t1"] else 2
                for store in (one, two, third):
                    store.close()
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        for store in (one, two):
            assert sorted(ids(store.find(KEY))) == ["t1", "t2"]
            store.seal(a_trajectory(), an_observation())


def test_s11_a_lock_that_is_held_costs_one_wait_and_then_nothing(database: str, schema: str) -> None:
    import psycopg

    with closing(PostgresStore(url_of(schema, mm_timeout=1))) as store, psycopg.connect(database) as other:
        store.seal(a_trajectory(), an_observation())
        name = number_for(b"seal", schema.encode(), KEY)
        other.execute("SELECT pg_advisory_xact_lock(%s)", (name,))
        with pytest.raises(StoreError, match="held its lock"):
            store.seal(a_trajectory("t2"), an_observation())
        store.seal(a_trajectory("t3", OTHER), an_observation())  # Another key is not affected.
        began = time.monotonic()
        refused = 0
        while time.monotonic() - began < 0.4:
            with pytest.raises(StoreError, match="is asked again in"):
                store.seal(a_trajectory("t2"), an_observation())
            refused += 1
        assert refused > 10
        assert ids(store.find(KEY)) == ["t1"]
        other.rollback()
        until(lambda: raised_by(lambda: store.seal(a_trajectory("t2"), an_observation())) is None)
        assert ids(store.find(KEY)) == ["t2", "t1"]


def test_s11_writes_of_several_keys_that_wait_in_vain_stop_all_writes() -> None:
    breakers = WriteBreakers("cannot write to the store x")
    breakers.admit(b"a")
    breakers.failed(b"a", "held")
    with pytest.raises(NotNowError, match="cannot write to the store x"):
        breakers.admit(b"a")
    breakers.admit(b"b")
    breakers.failed(b"b", "held")
    for key in (b"a", b"b", b"c"):
        with pytest.raises(NotNowError):
            breakers.admit(key)
    breakers.worked(b"b")
    breakers.admit(b"b")
    breakers.admit(b"c")
    with pytest.raises(NotNowError):
        breakers.admit(b"a")
