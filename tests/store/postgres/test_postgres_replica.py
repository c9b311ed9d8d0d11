"""S21: cold finds from a replica, which never shows less than the last poll of the primary has seen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from postgres_server import HOW, Server, new_schema, until

pytest.importorskip("psycopg", reason=HOW)

from muscle_mem import Engine
from muscle_mem.errors import InvalidValueError
from muscle_mem.store import Note
from muscle_mem.store.postgres import PostgresStore, listener
from muscle_mem.store.postgres.options import parse
from muscle_mem.store.postgres.replica import REST_SECONDS, Mark, Marks, _problem
from muscle_mem.testing import KEY, a_trajectory, an_observation, ids, raised_by
from postgres_cluster import Cluster, missing


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if missing():
        pytest.skip(missing())
    made = Cluster()
    yield made
    made.remove()


@pytest.fixture
def schema(cluster: Cluster) -> Iterator[str]:
    """A schema with one recording, which is on both servers."""
    name = new_schema()
    with closing(PostgresStore(cluster.url(cluster.primary, schema=name))) as one:
        one.seal(a_trajectory("t1"), an_observation("t1"))
    cluster.standby.await_copy(cluster.primary)
    yield name
    cluster.standby.execute("SELECT pg_wal_replay_resume()")


def reading_url(cluster: Cluster, schema: str) -> str:
    return cluster.url(cluster.primary, schema=schema, mm_read=f"127.0.0.1:{cluster.standby.port}")


def asked_ports(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ports of the servers that each later find of a store asks."""
    ports: list[int] = []
    find = store._reader.find

    def noting(connection: Any, key: bytes) -> Any:
        ports.append(connection.info.port)
        return find(connection, key)

    monkeypatch.setattr(store._reader, "find", noting)
    return ports


def level(store: PostgresStore, cluster: Cluster) -> None:
    """Poll until the replica has everything that the last poll has seen."""
    assert store._replica is not None
    marks = store._replica.marks
    give_up = time.monotonic() + 30
    while True:
        store.confirm(KEY)
        mark = marks.current()
        assert mark is not None
        lsn = "SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::text"
        if int(cluster.standby.execute(lsn)) >= mark.lsn:
            return
        assert time.monotonic() < give_up
        # At the border of a page, a primary that does nothing is some bytes beyond what can be replayed.
        cluster.primary.execute("SELECT pg_logical_emit_message(true, 'test', 'x')")
        time.sleep(0.05)


def scans(server: Server, schema: str) -> int:
    found = server.execute(
        "SELECT coalesce(seq_scan, 0) + coalesce(idx_scan, 0) FROM pg_stat_all_tables WHERE schemaname = %s "
        "AND relname = 'trajectory'",
        schema,
    )
    return int(found or 0)


def test_s21_a_task_is_found_on_the_replica_once_and_then_on_the_primary(
    cluster: Cluster, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = scans(cluster.standby, schema)
    with closing(PostgresStore(reading_url(cluster, schema))) as store:
        ports = asked_ports(store, monkeypatch)
        level(store, cluster)
        assert ids(store.find(KEY)) == ["t1"]
        assert ports == [cluster.standby.port]
        assert ids(store.find(KEY)) == ["t1"]
        assert ports == [cluster.standby.port, cluster.primary.port]
    until(lambda: scans(cluster.standby, schema) > before)


def test_s21_without_the_option_nothing_asks_for_a_replica(cluster: Cluster, schema: str) -> None:
    before = scans(cluster.standby, schema)
    with closing(PostgresStore(cluster.url(cluster.primary, schema=schema))) as store:
        assert ids(store.find(KEY)) == ["t1"]
        assert store._replica is None
        assert "lsn" not in store._listener._poll
    assert scans(cluster.standby, schema) == before


def test_s21_what_the_replica_does_not_have_is_found_on_the_primary(
    cluster: Cluster, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(PostgresStore(reading_url(cluster, schema))) as store:
        ports = asked_ports(store, monkeypatch)
        with closing(PostgresStore(cluster.url(cluster.primary, schema=schema))) as other:
            level(store, cluster)
            cluster.standby.execute("SELECT pg_wal_replay_pause()")
            other.seal(a_trajectory("u1", key=b"u" * 32), an_observation("u1"))
            assert ids(store.find(b"u" * 32)) == ["u1"]
        assert ports == [cluster.standby.port, cluster.primary.port]


def test_s21_a_replica_that_is_behind_never_hides_a_quarantine(
    cluster: Cluster, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(PostgresStore(reading_url(cluster, schema))) as store:
        ports = asked_ports(store, monkeypatch)
        level(store, cluster)
        cluster.standby.execute("SELECT pg_wal_replay_pause()")
        with closing(PostgresStore(cluster.url(cluster.primary, schema=schema))) as other:
            other.note((Note(id="t1", state="quarantined"),))
        store.confirm(KEY)
        assert store.find(KEY).stored[0].standing.state == "quarantined"
        assert ports == [cluster.primary.port]


def test_s21_what_this_process_wrote_is_not_looked_for_on_the_replica(
    cluster: Cluster, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(PostgresStore(reading_url(cluster, schema))) as store:
        ports = asked_ports(store, monkeypatch)
        level(store, cluster)
        cluster.standby.execute("SELECT pg_wal_replay_pause()")
        store.note((Note(id="t1", state="quarantined"),))  # no poll reports it
        assert store.find(KEY).stored[0].standing.state == "quarantined"
        assert ports == [cluster.primary.port]


def test_s21_an_engine_replays_from_the_replica_but_not_what_is_quarantined_meanwhile(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema, runs = new_schema(), []

    def worker(store: PostgresStore) -> Any:
        engine = Engine(store)

        @engine.tool(effect="read")
        def balance(account: str) -> int:
            return 42

        def agent(task: str) -> int:
            runs.append(task)
            return balance("savings")

        return engine.set_agent(agent)

    with closing(PostgresStore(cluster.url(cluster.primary, schema=schema))) as one:
        assert not worker(one)("what?")
        with closing(PostgresStore(reading_url(cluster, schema))) as other:
            ports = asked_ports(other, monkeypatch)
            ask = worker(other)
            other.version(KEY)
            time.sleep(0.5)  # until the watcher's first polls have tidied the pages that they read
            level(other, cluster)
            assert ask("what?")
            assert ports == [cluster.standby.port]
        with closing(PostgresStore(reading_url(cluster, schema))) as late:
            ask = worker(late)
            level(late, cluster)
            cluster.standby.execute("SELECT pg_wal_replay_pause()")
            try:
                one.note(tuple(Note(id=found.id, state="quarantined") for found in one.survey()))
                late.confirm(KEY)
                assert not ask("what?")
            finally:
                cluster.standby.execute("SELECT pg_wal_replay_resume()")
    assert len(runs) == 2


@pytest.mark.parametrize("how", ["down", "frozen"])
def test_s21_a_replica_that_does_not_answer_costs_one_short_attempt(
    cluster: Cluster, schema: str, how: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(PostgresStore(reading_url(cluster, schema))) as store:
        ports = asked_ports(store, monkeypatch)
        level(store, cluster)
        cluster.standby.stop() if how == "down" else cluster.standby.freeze()
        try:
            began = time.monotonic()
            assert ids(store.find(KEY)) == ["t1"]
            assert time.monotonic() - began < 3
            assert store._replica is not None
            made = store._replica.pool.made_count
            store.confirm(KEY)
            assert not store.find(b"x" * 32).stored
            assert ports == [cluster.primary.port] * 2
            assert store._replica.pool.made_count == made == 1
            assert caplog.text.count("is not used, and the primary is asked") == 1
        finally:
            cluster.standby.start() if how == "down" else cluster.standby.thaw()
        if how == "down":
            until(lambda: time.monotonic() - began > REST_SECONDS + 0.1)
            level(store, cluster)
            store.find(b"y" * 32)
            assert cluster.standby.port in ports


def test_s21_a_replica_that_was_promoted_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if missing():
        pytest.skip(missing())
    own = Cluster()
    try:
        schema = new_schema()
        with closing(PostgresStore(reading_url(own, schema))) as store:
            store.seal(a_trajectory("t1"), an_observation("t1"))
            own.standby.await_copy(own.primary)
            level(store, own)
            own.standby.promote()
            ports = asked_ports(store, monkeypatch)
            store.confirm(KEY)
            assert ids(store.find(KEY)) == ["t1"]
            assert ports == [own.primary.port]
            assert "it is not a standby" in caplog.text
    finally:
        own.remove()


def test_s21_a_replica_of_the_timeline_after_a_failover_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    if missing():
        pytest.skip(missing())
    own = Cluster()
    try:
        schema = new_schema()
        with closing(PostgresStore(own.url(own.primary, schema=schema))) as one:
            one.seal(a_trajectory("t1"), an_observation("t1"))
        own.fail_over()
        own.bring_back()
        own.standby.await_copy(own.primary)
        url = own.url(own.primary, schema=schema, mm_pooling="transaction", mm_read=f"127.0.0.1:{own.standby.port}")
        with closing(PostgresStore(url)) as store:
            ports = asked_ports(store, monkeypatch)
            level(store, own)
            mark = store._replica.marks.current() if store._replica is not None else None
            assert mark is not None
            assert mark.history[1] == 2
            assert ids(store.find(KEY)) == ["t1"]
            assert ports == [own.standby.port]
    finally:
        own.remove()


def test_s21_a_replica_of_another_history_is_not_used() -> None:
    mark = Mark(("7", 2, "now"), 100, 0.0)
    assert _problem((True, "100", "7", 2, 2), mark) is None
    assert _problem((True, "99", "7", 2, 2), mark) == ""
    assert _problem((True, "900", "7", 1, 1), mark) == ""
    assert _problem((True, "900", "7", 2, 3), mark) == ""
    assert _problem((True, "900", "8", 2, 2), mark) == "it belongs to another cluster"
    assert _problem((False, "900", "7", 2, 2), mark) == "it is not a standby"


def test_s21_a_mark_covers_every_poll_and_every_write() -> None:
    marks = Marks()
    now = time.monotonic()
    marks.note(now, "7", "server", "00000002:20")
    marks.note(now - 0.1, "7", "server", "00000002:30")  # a poll that was overtaken
    assert marks.current() == Mark(("7", 2, "server"), 30, now)
    marks.note_write()
    assert marks.current() is None
    marks.note(time.monotonic(), "7", "server", "00000002:25")
    found = marks.current()
    assert found is not None
    assert found.lsn == 30
    marks.note(time.monotonic(), "7", "other", "00000003:5")
    found = marks.current()
    assert found is not None
    assert (found.history[1], found.lsn) == (3, 5)
    marks.note(time.monotonic() - 5, "7", "third", "00000003:5")
    assert marks.current() is None
    marks.note(time.monotonic(), "7", "server", None)  # a standby
    assert marks.current() is None
    marks.note(time.monotonic(), "", "server", "00000003:5")  # a cluster that is not known
    assert marks.current() is None


def test_s21_a_server_that_does_not_tell_how_far_it_is_is_asked_itself(
    cluster: Cluster, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "MARK", "muscle_mem_has_no_such_function()")
    with closing(PostgresStore(reading_url(cluster, schema))) as store:
        ports = asked_ports(store, monkeypatch)
        store.confirm(KEY)
        assert ids(store.find(KEY)) == ["t1"]
        assert ports == [cluster.primary.port]


@pytest.mark.parametrize(
    "text", ["", ":5432", "a:", "a:0", "a:70000", "a:b", "a,b", "a b", "u:secret@a:1", "::1", "a:1:2", "%00", "[::1"]
)
def test_s21_a_replica_that_cannot_be_is_refused(text: str) -> None:
    error = raised_by(lambda: parse(f"postgresql://u@h/d?mm_read={text.replace(' ', '%20')}"))
    assert isinstance(error, InvalidValueError)
    assert "secret" not in str(error)


def test_s21_a_replica_is_named_by_host_and_port() -> None:
    assert parse("postgresql://u@h/d").read == ("", 0)
    assert parse("postgresql://u@h:9/d?mm_read=replica.example").read == ("replica.example", 5432)
    assert parse("postgresql://u@h/d?mm_read=10.0.0.2:6000").read == ("10.0.0.2", 6000)
    assert parse("postgresql://u@h/d?mm_read=[::1]:6000").read == ("::1", 6000)
    assert parse("postgresql://u@h/d?mm_read=%2Frun%2Fpg").read == ("/run/pg", 5432)


def test_s21_what_a_poll_has_seen_is_on_a_replica_that_is_sometimes_behind(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema, keys = new_schema(), [bytes([index]) * 32 for index in range(1, 61)]
    with closing(PostgresStore(cluster.url(cluster.primary, schema=schema))) as other:
        for index, key in enumerate(keys):
            other.seal(a_trajectory(f"t{index}", key=key), an_observation(f"t{index}"))
        with closing(PostgresStore(reading_url(cluster, schema))) as store:
            assert store._replica is not None
            ports = asked_ports(store, monkeypatch)
            level(store, cluster)
            cluster.standby.execute("ALTER SYSTEM SET recovery_min_apply_delay = '15ms'")
            cluster.standby.execute("SELECT pg_reload_conf()")
            try:
                for index, key in enumerate(keys):
                    other.note((Note(id=f"t{index}", state="quarantined"),))
                    store.confirm(key)
                    store._replica._rests_until = 0.0
                    time.sleep(0.01 * (index % 4))
                    assert store.find(key).stored[0].standing.state == "quarantined"
            finally:
                cluster.standby.execute("ALTER SYSTEM RESET recovery_min_apply_delay")
                cluster.standby.execute("SELECT pg_reload_conf()")
    assert set(ports) == {cluster.standby.port, cluster.primary.port}
