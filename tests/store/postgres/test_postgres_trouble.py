"""Cut connections, servers that are gone or do not answer: nothing lost, nothing twice, and one deadline at most."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest

from postgres_server import HOW, Server, place_of, raw, through, until, url_of

pytest.importorskip("psycopg", reason=HOW)

from muscle_mem.errors import StoreError
from muscle_mem.store import Note
from muscle_mem.store.postgres import PostgresStore
from muscle_mem.store.postgres.breaker import FIRST_PAUSE, LONGEST_PAUSE, Breaker
from muscle_mem.testing import KEY, a_trajectory, an_observation, ids, raised_by, standing_of
from postgres_proofs import at_piece, cut_connections, stop_at_once
from postgres_proxies import CuttingProxy


@pytest.fixture
def proxy(database: str) -> Iterator[CuttingProxy]:
    one = CuttingProxy(place_of(database))
    yield one
    one.close()


def give(store: PostgresStore, seconds: float) -> None:
    """Another deadline for an open store."""
    store._pool.options = store._transactions._options = msgspec.structs.replace(store._options, timeout=seconds)


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_connection_cut_at_each_stage_of_a_seal_loses_nothing_and_writes_nothing_twice(
    how: str, database: str, schema: str, proxy: CuttingProxy
) -> None:
    with closing(PostgresStore(url_of(schema, at=through(database, proxy.port)))) as store:
        stage = last = 0
        while True:
            cuts = proxy.cuts
            proxy.arm(at_piece(stage, how))
            seq = store.seal(a_trajectory(), an_observation(str(stage)), Note(id="t1", hits=1, strikes=stage))
            proxy.arm(lambda piece, said: None)
            stage += 1
            stored = store.get("t1")
            assert stored is not None
            assert (stored.seq, stored.standing.hits, len(stored.observations)) == (seq, stage, stage)
            assert seq > last
            last = seq
            if proxy.cuts == cuts:  # there is no such stage
                break
    assert stage == 3  # two round trips, and the seal that was not cut


def test_random_operations_cut_at_random_are_as_if_nothing_had_been(database: str) -> None:
    figures = cut_connections(database, seed=7, size=50)
    assert figures["different"] == 0
    assert figures["cuts"] > 25


def test_a_commit_of_which_nobody_hears_is_told_as_not_known(database: str, schema: str, proxy: CuttingProxy) -> None:
    with closing(PostgresStore(url_of(schema, at=through(database, proxy.port)))) as store:
        store.seal(a_trajectory(), an_observation())

        def cut_for_good(piece: int, said: bytes) -> str | None:
            if b"; COMMIT" not in said:
                return None
            proxy.target = ("127.0.0.1", 9)  # nothing listens there
            return "after"

        proxy.arm(cut_for_good)
        with pytest.raises(StoreError, match="not known whether"):
            store.note((Note(id="t1", hits=1, strikes=1),))


def test_a_server_stopped_at_once_in_a_loop_loses_nothing_acknowledged(own_server: Server) -> None:
    figures = stop_at_once(own_server, seed=3, size=3)
    assert (figures["lost"], figures["partial"], figures["twice"]) == (0, 0, 0), figures
    assert figures["acknowledged"] >= 3


def test_a_server_that_is_gone_costs_one_try_and_then_none(own_server: Server) -> None:
    with closing(PostgresStore(url_of(at=own_server.dsn))) as store:
        store.seal(a_trajectory(), an_observation())
        own_server.stop("immediate")
        try:
            assert isinstance(raised_by(lambda: store.find(KEY)), StoreError)
            tried = store._pool.made_count
            for _ in range(50):
                with pytest.raises(StoreError, match="is asked again in"):
                    store.find(KEY)
                with pytest.raises(StoreError, match="is asked again in"):
                    store.seal(a_trajectory(), an_observation())
            assert store._pool.made_count == tried
        finally:
            own_server.start()
        store._pool.breaker._clock = lambda: time.monotonic() + FIRST_PAUSE
        assert ids(store.find(KEY)) == ["t1"]
        store._pool.breaker._clock = time.monotonic
        assert ids(store.find(KEY)) == ["t1"]


def test_a_server_that_does_not_answer_costs_one_deadline_and_then_nothing(own_server: Server) -> None:
    with closing(PostgresStore(url_of(at=own_server.dsn))) as store:
        store.seal(a_trajectory(), an_observation())
        give(store, 0.3)
        tried = store._pool.made_count
        own_server.freeze()
        try:
            with pytest.raises(StoreError, match="no answer in time"):
                store.find(KEY)
            for _ in range(50):
                with pytest.raises(StoreError, match="is asked again in"):
                    store.find(KEY)
            assert store._pool.made_count == tried
        finally:
            own_server.thaw()


def test_a_store_opened_while_the_server_is_away_works_once_it_is_there(
    own_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    own_server.stop()
    try:
        store = PostgresStore(url_of(at=own_server.dsn))
        assert "opened by the first call that finds the server" in caplog.text
        assert own_server.password not in caplog.text
        for call in (lambda: store.find(KEY), lambda: store.version(KEY)):
            assert isinstance(raised_by(call), StoreError)
    finally:
        own_server.start()
    store._pool.breaker._clock = lambda: time.monotonic() + FIRST_PAUSE
    with closing(store):
        store.seal(a_trajectory(), an_observation())
        assert ids(store.find(KEY)) == ["t1"]


def test_a_lock_held_too_long_is_told_and_bounded(database: str, schema: str) -> None:
    import psycopg
    from psycopg import sql

    with closing(PostgresStore(url_of(schema))) as store, psycopg.connect(database) as other:
        store.seal(a_trajectory(), an_observation())
        give(store, 3.0)
        other.execute(sql.SQL("LOCK TABLE {}.observation IN SHARE MODE").format(sql.Identifier(schema)))
        error = raised_by(lambda: store.seal(a_trajectory("t2"), an_observation()))
        assert isinstance(error, StoreError)
        assert "mm_timeout" in str(error)
        assert ids(store.find(KEY)) == ["t1"]  # the server is there
        other.rollback()


def test_a_commit_that_the_synchronous_standby_lacks_is_not_acknowledged(own_server: Server) -> None:
    def wait_for(names: str) -> None:
        with raw("public", own_server.dsn) as connection:
            connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
            connection.execute("SELECT pg_reload_conf()")
            until(lambda: connection.execute("SHOW synchronous_standby_names").fetchone() == (names,))

    with closing(PostgresStore(url_of(at=own_server.dsn))) as store:
        store.seal(a_trajectory(), an_observation())
        wait_for("nobody")
        try:
            give(store, 1.0)
            with pytest.raises(StoreError, match="not known whether"):
                store.seal(a_trajectory("t2"), an_observation())
        finally:
            wait_for("")


def test_all_connections_in_use_is_told(schema: str, database: str) -> None:
    with closing(PostgresStore(url_of(schema, mm_connections=1))) as store:
        store.seal(a_trajectory(), an_observation())
        give(store, 0.3)
        with store._pool.borrow(time.monotonic() + 5), pytest.raises(StoreError, match="mm_connections"):
            store.find(KEY)
        give(store, 60.0)
        assert ids(store.find(KEY)) == ["t1"]


def test_an_interrupt_in_a_transaction_leaves_nothing(
    schema: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from muscle_mem.store.postgres.sealing import Sealing

    def interrupted(self: Sealing, *args: object) -> None:
        raise KeyboardInterrupt

    with closing(PostgresStore(url_of(schema))) as store:
        with monkeypatch.context() as patched:
            patched.setattr(Sealing, "_store_observation", interrupted)
            assert isinstance(raised_by(lambda: store.seal(a_trajectory(), an_observation())), KeyboardInterrupt)
        assert store.scan().stored == ()
        assert store.seal(a_trajectory(), an_observation()) >= 1


def test_values_that_do_not_fit_leave_nothing(schema: str, database: str) -> None:
    with closing(PostgresStore(url_of(schema))) as store:
        for sealed, observation in (
            (a_trajectory(steps=2**70), an_observation()),
            (a_trajectory(steps=2**63), an_observation()),
            (a_trajectory(), an_observation(created=float("nan"))),
        ):
            with pytest.raises(StoreError):
                store.seal(sealed, observation)
        assert store.scan().stored == ()
        assert store.seal(a_trajectory(), an_observation()) >= 1


# the breaker, with a clock that stands still


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_breaker_refuses_at_once_lets_one_probe_through_and_closes_on_success() -> None:
    clock = Clock()
    breaker = Breaker("postgresql://db/x", clock)
    breaker.admit()
    breaker.failed("refused")
    breaker.failed("refused")  # by another thread that was under way
    for _ in range(3):
        with pytest.raises(StoreError, match=r"db/x.*\(refused\).*again in (1\.0|0\.\d) seconds"):
            breaker.admit()
    clock.now += FIRST_PAUSE
    breaker.admit()
    with pytest.raises(StoreError):
        breaker.admit()  # one is enough
    breaker.failed("refused")
    clock.now += FIRST_PAUSE
    with pytest.raises(StoreError):
        breaker.admit()  # the pause has grown
    clock.now += FIRST_PAUSE
    breaker.admit()
    breaker.worked()
    for _ in range(3):
        breaker.admit()


def test_the_pauses_of_the_breaker_are_bounded_and_a_probe_that_never_ends_does_not_close_the_way() -> None:
    clock = Clock()
    breaker = Breaker("x", clock)
    breaker.failed("gone")
    for _ in range(12):
        clock.now += LONGEST_PAUSE
        breaker.admit()
        breaker.failed("gone")
    clock.now += LONGEST_PAUSE
    breaker.admit()
    clock.now += LONGEST_PAUSE
    breaker.admit()


def test_threads_share_few_connections_and_lose_nothing(schema: str, database: str) -> None:
    with closing(PostgresStore(url_of(schema, mm_connections=2, mm_timeout=60))) as store:
        store.seal(a_trajectory(), an_observation())

        def work() -> None:
            for _ in range(5):
                store.note((Note(id="t1", hits=1),))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert standing_of(store).hits == 40
        assert store._pool.made_count == 2
