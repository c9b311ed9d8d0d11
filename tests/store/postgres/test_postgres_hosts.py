"""S19 and S20: standbys that are promoted, several hosts in any order, and servers whose history is another one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from postgres_server import HOW, until

pytest.importorskip("psycopg", reason=HOW)

from muscle_mem import Engine
from muscle_mem.errors import StoreError
from muscle_mem.store import Note
from muscle_mem.store.postgres import PostgresStore
from muscle_mem.testing import KEY, a_trajectory, an_observation, ids, raised_by
from postgres_cluster import Cluster, missing


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    if missing():
        pytest.skip(missing())
    made = Cluster()
    yield made
    made.remove()


def record(store: PostgresStore, id: str) -> None:
    store.seal(a_trajectory(id), an_observation(id))


def recorded_within(store: PostgresStore, id: str) -> float:
    """The seconds until a store that is asked again and again has recorded."""
    began = time.monotonic()
    while True:
        try:
            record(store, id)
            return time.monotonic() - began
        except StoreError:
            assert time.monotonic() - began < 30
            time.sleep(0.02)


def test_s19_a_store_opened_on_a_standby_reads_there_and_records_after_its_promotion(cluster: Cluster) -> None:
    with closing(PostgresStore(cluster.url(cluster.primary))) as one:
        record(one, "t1")
    cluster.standby.await_copy(cluster.primary)
    with closing(PostgresStore(cluster.url(cluster.standby))) as store:
        assert ids(store.find(KEY)) == ["t1"]
        error = raised_by(lambda: record(store, "t2"))
        assert isinstance(error, StoreError)
        assert "standby" in str(error)
        assert ids(store.find(KEY)) == ["t1"]  # what cannot be written can be read
        lead = store.lead(KEY)  # among the threads of this process
        assert lead is not None
        assert store.lead(KEY) is None
        lead.release()
        cluster.fail_over()
        recorded_within(store, "t2")
        assert ids(store.find(KEY)) == ["t2", "t1"]


def test_s19_a_store_without_a_schema_is_made_once_a_standby_is_promoted(cluster: Cluster) -> None:
    with closing(PostgresStore(cluster.url(cluster.standby))) as store:
        assert "standby" in str(raised_by(lambda: store.find(KEY)))
        cluster.fail_over()
        recorded_within(store, "t1")


def test_s20_of_several_hosts_the_one_that_takes_writes_is_used_in_any_order(cluster: Cluster) -> None:
    for order in ((cluster.standby, cluster.primary), (cluster.primary, cluster.standby)):
        with closing(PostgresStore(cluster.url(*order))) as store:
            record(store, str(order[0].port))
            assert store._pool.incarnation == 0
    cluster.fail_over()
    for order in ((cluster.standby, cluster.primary), (cluster.primary, cluster.standby)):
        with closing(PostgresStore(cluster.url(*order))) as store:
            record(store, f"again {order[0].port}")


def test_s20_a_returned_standby_is_not_stuck_to(cluster: Cluster) -> None:
    order = (cluster.primary, cluster.standby)
    with closing(PostgresStore(cluster.url(*order))) as store:
        record(store, "t1")
        store.version(KEY)
        cluster.fail_over()
        recorded_within(store, "t2")
        cluster.bring_back()
        store._pool.drop_idle()
        record(store, "t3")
    with closing(PostgresStore(cluster.url(*order))) as fresh:
        record(fresh, "t4")
        assert ids(fresh.find(KEY)) == ["t4", "t3", "t2", "t1"]


def test_s20_a_watcher_leaves_a_standby_when_the_primary_is_there(cluster: Cluster) -> None:
    with closing(PostgresStore(cluster.url(cluster.primary))) as one:
        record(one, "t1")
        cluster.standby.await_copy(cluster.primary)
        cluster.primary.stop()
        with closing(PostgresStore(cluster.url(cluster.primary, cluster.standby))) as store:
            store.version(KEY)
            assert ids(store.find(KEY)) == ["t1"]
            assert all(line.standby for line in store._pool._all if not line.closed)
            cluster.primary.start()

            def on_primary() -> bool:
                store.version(KEY)
                lines = [line for line in store._pool._all if not line.closed]
                return bool(lines) and not any(line.standby for line in lines)

            until(on_primary)
            record(store, "t2")


@pytest.mark.parametrize("state", ["25006", "0A000"])
def test_s20_a_server_that_turns_out_to_take_no_writes_is_understood(cluster: Cluster, state: str) -> None:
    with closing(PostgresStore(cluster.url(cluster.primary))) as one:
        record(one, "t1")
    cluster.standby.await_copy(cluster.primary)
    with closing(PostgresStore(cluster.url(cluster.standby, cluster.primary))) as store:
        with closing(PostgresStore(cluster.url(cluster.standby))) as other:
            line = other._pool._idle.pop()
        if state == "25006":  # as of a role that reads only, and not at BEGIN
            line.run("SET default_transaction_read_only = on")
        line.standby = False  # what it was when it was last asked
        store._pool.drop_idle()
        store._pool._all.add(line)
        store._pool._idle.append(line)
        record(store, "t2")
        assert ids(store.find(KEY)) == ["t2", "t1"]


def test_s20_another_timeline_or_cluster_makes_what_is_in_memory_suspect(cluster: Cluster) -> None:
    with closing(PostgresStore(cluster.url(cluster.standby, cluster.primary))) as store:
        record(store, "t1")
        untouched = b"\1" * 32
        before = store.version(untouched)
        cluster.fail_over()
        recorded_within(store, "t2")
        assert store.incarnation == 1
        assert store.version(untouched) != before


def test_s20_a_store_that_went_back_in_time_revives_no_quarantine(cluster: Cluster) -> None:
    """The standby did not get the quarantine, and then got as many other changes as were lost."""
    url = cluster.url(cluster.primary, cluster.standby)
    runs = []
    with closing(Engine(url)) as engine, closing(Engine(f"{url}&application_name=b")) as other:
        for one in (engine, other):
            tool = one.tool(effect="read")(_look)
            one.set_agent(lambda task, tool=tool: (runs.append(task), tool("x")))
        outcome = engine("a task")
        assert engine("a task")
        assert other("a task")
        cluster.standby.await_copy(cluster.primary)
        cluster.standby.stop()
        assert outcome.trajectory_id is not None
        engine.report_bad(outcome.trajectory_id)
        until(lambda: not engine("a task") and not other("a task"))  # Both know.
        cluster.primary.stop("immediate")
        cluster.standby.start()
        cluster.standby.promote()
        give_up = time.monotonic() + 5
        while time.monotonic() < give_up:
            assert not engine("a task")
            assert not other("a task")
            time.sleep(0.05)
        with closing(PostgresStore(cluster.url(cluster.standby))) as store:
            assert {one.standing.state for one in store.scan().stored} == {"quarantined"}  # It was told again.


def _look(what: str) -> str:
    return what


def test_s20_a_note_after_a_failover_is_written_once(cluster: Cluster) -> None:
    with closing(PostgresStore(cluster.url(cluster.primary, cluster.standby))) as store:
        record(store, "t1")
        cluster.fail_over()
        recorded_within(store, "t2")
        store.note((Note(id="t1", hits=1),))
        assert {one.sealed.id: one.standing.hits for one in store.scan().stored} == {"t1": 1, "t2": 0}
