"""Who learns a key across processes; proxies that pool; forks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from postgres_server import HOW, place_of, raw, through, until, url_of

pytest.importorskip("psycopg", reason=HOW)

from muscle_mem.store import Note
from muscle_mem.store.postgres import PostgresStore, leading, listener
from muscle_mem.testing import KEY, OTHER_KEY, a_trajectory, an_observation, ids
from postgres_proxies import PoolingProxy
from threads_and_processes import one_of_eight_leads

# leading


def test_one_leads_a_key_across_stores_until_it_lets_go(pair: tuple[PostgresStore, PostgresStore]) -> None:
    one, other = pair
    lead = one.lead(KEY)
    assert lead is not None
    assert one.lead(KEY) is None
    assert other.lead(KEY) is None
    elsewhere = other.lead(OTHER_KEY)
    assert elsewhere is not None
    lead.release()
    lead.release()
    again = other.lead(KEY)
    assert again is not None
    assert one.lead(KEY) is None
    other.close()
    until(lambda: one.lead(KEY) is not None)


LEADER = """
import sys
from muscle_mem.store import open_store
from muscle_mem.testing import KEY
store = open_store(sys.argv[1])
print(store.lead(KEY) is not None, flush=True)
sys.stdin.read()
"""


def test_a_leader_that_is_killed_leads_no_more(schema: str, database: str) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", LEADER, url_of(schema)], stdin=pipe, stdout=pipe, text=True) as leader:
        try:
            assert leader.stdout is not None
            assert leader.stdout.readline() == "True\n"
            with closing(PostgresStore(url_of(schema))) as store:
                assert store.lead(KEY) is None
                leader.kill()
                until(lambda: store.lead(KEY) is not None)
        finally:
            leader.kill()


def test_a_lost_connection_costs_no_leadership(schema: str, database: str) -> None:
    with closing(PostgresStore(url_of(schema))) as store, closing(PostgresStore(url_of(schema))) as other:
        lead = store.lead(KEY)
        assert lead is not None
        with raw("public") as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                "AND application_name = 'muscle_mem'"
            )
        assert store.lead(OTHER_KEY) is not None
        assert other.lead(KEY) is None
        lead.release()
        assert other.lead(KEY) is not None


def test_each_version_of_the_code_has_its_own_leader(pair: tuple[PostgresStore, PostgresStore]) -> None:
    one, other = pair
    old, new = one.lead(KEY, b"old"), other.lead(KEY, b"new")
    assert old is not None
    assert new is not None
    assert one.lead(KEY, b"new") is None
    assert other.lead(KEY, b"old") is None


def test_a_lease_is_renewed_while_nothing_else_happens(
    pair: tuple[PostgresStore, PostgresStore], schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leading, "RENEW_INTERVAL", 0.0)
    monkeypatch.setattr(listener, "IDLE_TIMEOUT", 0.0)
    lead = pair[0].lead(KEY)
    assert lead is not None
    with raw(schema) as connection:
        look = "SELECT until FROM lease"
        before = connection.execute(look).fetchone()
        until(lambda: connection.execute(look).fetchone() != before)
    assert not lead.is_late


def test_what_a_late_leader_seals_is_kept_and_seen_as_late(
    pair: tuple[PostgresStore, PostgresStore], schema: str
) -> None:
    one, other = pair
    late = one.lead(KEY)
    assert late is not None
    one._listener.stop()  # as in a process that was frozen
    with raw(schema) as connection:
        connection.execute("UPDATE lease SET until = now() - interval '1 second'")
    lead = other.lead(KEY)
    assert lead is not None
    assert lead.fence > late.fence
    other.seal(a_trajectory("a"), an_observation())
    one.seal(a_trajectory("b"), an_observation())
    assert (lead.is_late, late.is_late) == (False, True)
    late.release()
    other._key_locks.lead(OTHER_KEY)
    assert one.lead(KEY) is None  # a late leader releases nothing
    assert ids(one.find(KEY)) == ["b", "a"]


def test_who_may_only_read_leads_among_its_threads(schema: str, database: str) -> None:
    PostgresStore(url_of(schema)).close()
    with closing(PostgresStore(url_of(schema, options="-c default_transaction_read_only=on"))) as store:
        with store._pool.borrow(time.monotonic() + 5) as connection:
            connection.run("SELECT 1")
        lead = store.lead(KEY)
        assert lead is not None
        assert store.lead(KEY) is None


# a proxy that pools


@pytest.fixture
def pooling(database: str) -> Iterator[PoolingProxy]:
    with raw("public") as connection:
        known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'pooled'").fetchone()
        if os.environ.get("MUSCLE_MEM_TEST_POSTGRES"):
            pytest.skip("needs a server of its own, where a role may log in without a password")
        if known is None:
            connection.execute("CREATE ROLE pooled SUPERUSER LOGIN")
    proxy = PoolingProxy(place_of(database))
    yield proxy
    proxy.close()


def test_behind_a_pooling_proxy_all_is_as_before_it(
    pooling: PoolingProxy, schema: str, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    url = url_of(schema, at=through(database, pooling.port))
    with closing(PostgresStore(url)) as one, closing(PostgresStore(f"{url}&application_name=b")) as other:
        lead = one.lead(KEY)
        assert lead is not None
        assert one.lead(KEY) is None
        assert other.lead(KEY) is None
        lead.release()
        until(lambda: other.lead(KEY) is not None)
        before = one.version(KEY)
        for n in range(6):
            other.seal(a_trajectory(str(n)), an_observation(), Note(id=str(n), hits=1))
        until(lambda: one.version(KEY) != before)
        assert [stored.standing.hits for stored in one.find(KEY).stored] == [1] * 6
        assert one.forget() == 6
    assert pooling.lent > 20
    assert caplog.records == []


def test_what_a_user_says_of_a_proxy_is_believed(pooling: PoolingProxy, schema: str, database: str) -> None:
    with closing(PostgresStore(url_of(schema, mm_notify="on", mm_pooling="transaction"))) as store:
        assert not store._sessions.are_kept
    with closing(PostgresStore(url_of(schema, mm_notify="on", mm_pooling="session"))) as store:
        assert store._sessions.are_kept
    with closing(PostgresStore(url_of(schema))) as store:
        assert store._sessions.are_kept


def test_a_proxy_that_keeps_no_sessions_is_told_to_who_wants_notifications(
    pooling: PoolingProxy, schema: str, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    base = through(database, pooling.port)
    with closing(PostgresStore(url_of(schema, at=base, mm_notify="on"))) as store:
        assert not store._sessions.are_kept
        assert caplog.text.count("mm_notify has no effect") == 1
        store.seal(a_trajectory(), an_observation())
    with closing(PostgresStore(url_of(schema, at=base, mm_notify="on", mm_pooling="session"))) as store:
        store.version(KEY)
        until(lambda: not store._sessions.are_kept)  # by the poll


# forks

FORK = """
import os, sys, time
from muscle_mem.store import open_store
from muscle_mem.testing import KEY, OTHER_KEY, a_trajectory, an_observation, ids
store = open_store(sys.argv[1])
store.seal(a_trajectory("before"), an_observation())
before = store.version(KEY)
lead = store.lead(KEY)
assert lead is not None
# A thread that connects holds locks of the C library, which no child gets back: at opening, connected, listening.
while store._listener.polls < 3:
    time.sleep(0.01)
ready, go = os.pipe(), os.pipe()
fork = os.fork
if sys.argv[2] == "wild":
    import ctypes
    fork = ctypes.PyDLL(None).fork  # past Python's back
child = fork()
if child == 0:
    lead.release()  # not the child's to let go
    assert store.lead(KEY) is None
    store.seal(a_trajectory("child 1"), an_observation())
    assert store.version(KEY) != before
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    store.seal(a_trajectory("child 2"), an_observation())
    assert ids(store.find(KEY)) == ["child 2", "parent", "child 1", "before"]
    store.close()
    os._exit(0)
os.read(ready[0], 1)
store.confirm(KEY)
assert store.version(KEY) != before
assert ids(store.find(KEY)) == ["child 1", "before"]
store.seal(a_trajectory("parent"), an_observation())
os.write(go[1], b"x")
assert os.waitpid(child, 0)[1] == 0
assert ids(store.find(KEY)) == ["child 2", "parent", "child 1", "before"]
assert store.lead(KEY) is None
lead.release()
assert store.lead(KEY) is not None
store.close()
print("fine")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks, also through the C library")
@pytest.mark.parametrize("kind", ["tame", "wild"])
def test_parent_and_child_of_a_fork_both_go_on(kind: str, schema: str, database: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", FORK, url_of(schema), kind],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "fine"), done.stderr


HELD_BY_CHILD = """
import os, sys, time
from muscle_mem.store import open_store
from muscle_mem.testing import KEY
store = open_store(sys.argv[1])
assert store.lead(KEY) is not None
child = os.fork()
if child == 0:
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    time.sleep(120)  # an inherited socket must not keep its parent's lock
    os._exit(0)
print(child, flush=True)
os._exit(1)
"""


@pytest.mark.skipif(os.name != "posix", reason="forks")
def test_a_child_does_not_keep_the_locks_of_a_parent_that_died(schema: str, database: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HELD_BY_CHILD, url_of(schema)], stdout=subprocess.PIPE, text=True
    )
    try:
        with closing(PostgresStore(url_of(schema))) as store:
            until(lambda: store.lead(KEY) is not None)
    finally:
        os.kill(int(shown.stdout), 9)


def test_of_eight_processes_one_asks_its_agent_and_a_killed_leader_costs_one_more(
    schema: str, database: str, tmp_path: Path
) -> None:
    one_of_eight_leads(url_of(schema), tmp_path / "runs")
