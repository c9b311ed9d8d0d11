"""What other processes write in a PostgreSQL store is seen without asking; an engine on it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from postgres_server import HOW, place_of, through, until, url_of

pytest.importorskip("psycopg", reason=HOW)

from muscle_mem.errors import StoreError
from muscle_mem.store import Confirming, Leading, Note, Store, Surveying
from muscle_mem.store.postgres import PostgresStore, listener, opening
from muscle_mem.store.postgres.connections import PooledConnection
from muscle_mem.store.postgres.listener import KeyVersions
from muscle_mem.store.postgres.writer import Changes
from muscle_mem.testing import KEY, OTHER_KEY, a_trajectory, an_observation, raised_by
from paths import SUPPORT
from paying_engine import an_engine
from postgres_proxies import CuttingProxy


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every wait for the server by this thread."""
    found: list[object] = []
    me = threading.get_ident()
    real = PooledConnection.wait

    def wait(self: PooledConnection, *args: object, **options: object) -> object:
        if threading.get_ident() == me:
            found.append(self)
        return real(self, *args, **options)

    monkeypatch.setattr(PooledConnection, "wait", wait)
    return found


def test_it_can_all_that_a_store_can(pair: tuple[PostgresStore, PostgresStore]) -> None:
    assert isinstance(pair[0], Store)
    assert isinstance(pair[0], Leading)
    assert isinstance(pair[0], Surveying)
    assert isinstance(pair[0], Confirming)


# version


def test_a_server_that_nothing_stands_before_is_not_taken_for_a_pooling_proxy(
    pair: tuple[PostgresStore, PostgresStore], caplog: pytest.LogCaptureFixture
) -> None:
    one, other = pair
    before = one.version(KEY)
    until(lambda: one._listener.polls >= 3)  # at opening, before listening, and after
    other.seal(a_trajectory(), an_observation())
    until(lambda: one.version(KEY) != before)
    with one._pool.borrow(time.monotonic() + 60) as connection:
        assert not opening.loses_sessions(one._pool, connection)
    assert caplog.records == []


def test_what_another_store_writes_is_seen_without_asking(
    pair: tuple[PostgresStore, PostgresStore], asked: list[object]
) -> None:
    one, other = pair
    changes: list[Callable[[], object]] = [
        lambda: other.seal(a_trajectory(), an_observation()),
        lambda: other.note((Note(id="t1", state="quarantined", held=True),)),
        lambda: other.drop(("t1",)),
        lambda: other.seal(a_trajectory(), an_observation()),
        lambda: other.forget(("t1",)),
        lambda: other.forget(),
    ]
    for change in changes:
        before = one.version(KEY)
        change()
        asked.clear()
        until(lambda before=before: one.version(KEY) != before)
        assert asked == []


def test_a_change_is_told_at_once_and_not_only_found_by_polling(
    pair: tuple[PostgresStore, PostgresStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "POLL_INTERVAL", 600.0)
    one, other = pair
    before = one.version(KEY)
    until(lambda: one._listener.polls >= 3)  # at opening, before listening, and after
    other.seal(a_trajectory(), an_observation())
    until(lambda: one.version(KEY) != before)


def test_a_quarantine_by_another_process_is_seen_after_one_round_trip(
    pair: tuple[PostgresStore, PostgresStore], asked: list[object]
) -> None:
    one, other = pair
    one.seal(a_trajectory(), an_observation())
    before = one.version(KEY)
    one._listener.stop()  # whatever the thread does
    other.note((Note(id="t1", state="quarantined", held=True, by_person=True),))
    asked.clear()
    one.confirm(KEY)
    assert len(asked) == 1
    assert one.version(KEY) != before
    assert len(asked) == 1


def test_counters_and_other_keys_change_nothing(pair: tuple[PostgresStore, PostgresStore]) -> None:
    one, other = pair
    other.seal(a_trajectory("a", KEY), an_observation())
    other.seal(a_trajectory("b", OTHER_KEY), an_observation())
    one.confirm(KEY)
    mine, others = one.version(KEY), one.version(OTHER_KEY)
    other.note((Note(id="a", hits=5, failures=1, agreed=1, last_hit=3.0), Note(id="a", strikes=0)))
    other.seal(a_trajectory("b", OTHER_KEY), an_observation("o2"))
    one.confirm(KEY)
    assert one.version(KEY) == mine
    assert one.version(OTHER_KEY) != others


def test_many_versions_make_no_round_trip(pair: tuple[PostgresStore, PostgresStore], asked: list[object]) -> None:
    one, _ = pair
    one.version(KEY)
    asked.clear()
    for n in range(5_000):
        one.version(bytes([n % 256]) * 32)
    assert asked == []


def test_after_a_cut_connection_everything_is_suspect_and_then_followed_again(schema: str, database: str) -> None:
    proxy = CuttingProxy(place_of(database))
    with closing(PostgresStore(url_of(schema, at=through(database, proxy.port)))) as one:
        before = one.version(KEY)
        until(lambda: one._listener.polls >= 2)
        proxy.arm(lambda piece, said: "before" if b"everything" in said else None)  # the next poll
        until(lambda: one.version(KEY) != before)
        with closing(PostgresStore(url_of(schema))) as other:
            now = one.version(KEY)
            other.seal(a_trajectory(), an_observation())
            until(lambda: one.version(KEY) != now)
    proxy.close()


def test_a_version_that_cannot_be_known_is_an_error_and_costs_nothing(
    schema: str, database: str, monkeypatch: pytest.MonkeyPatch, asked: list[object]
) -> None:
    monkeypatch.setattr(listener, "MAX_AGE", 0.1)
    proxy = CuttingProxy(place_of(database))
    with closing(PostgresStore(url_of(schema, at=through(database, proxy.port)))) as one:
        one.version(KEY)
        proxy.target = ("127.0.0.1", 9)
        proxy.arm(lambda piece, said: "before")
        until(lambda: isinstance(raised_by(lambda: one.version(KEY)), StoreError))
        asked.clear()
        for _ in range(50):
            assert isinstance(raised_by(lambda: one.version(KEY)), StoreError)
        assert asked == []
    proxy.close()


def test_a_store_that_nobody_asks_leaves_the_server_alone_and_catches_up(
    pair: tuple[PostgresStore, PostgresStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "IDLE_TIMEOUT", 0.0)
    monkeypatch.setattr(listener, "MAX_AGE", 0.2)
    one, other = pair
    before = one.version(KEY)
    time.sleep(0.3)
    beats = one._listener.polls
    other.seal(a_trajectory(), an_observation())
    time.sleep(0.3)
    assert one._listener.polls == beats
    assert one.version(KEY) != before  # asked, for what was known is too old
    assert one._listener.polls > beats


def test_numbers_that_went_back_are_those_of_another_store() -> None:
    known = KeyVersions()
    known.note_changes(known.seen, [(7, 2, None, None, 1)])
    first = known.version(KEY)
    known.note_changes(7, [(7, 2, None, None, 1)])
    assert known.version(KEY) == first
    known.note_changes(7, [(3, 1, None, None, 1)])  # restored from a back-up
    second = known.version(KEY)
    assert second != first
    known.note_changes(3, [(4, 1, KEY, 4, 1)])
    assert known.version(KEY) != second


def test_an_answer_that_comes_late_takes_nothing_back() -> None:
    known = KeyVersions()
    known.note_changes(known.seen, [(5, 0, None, None, 1)])
    known.version(KEY)
    known.note_own_changes(Changes({KEY}, 8))
    known.note_changes(5, [(8, 0, KEY, 8, 1)])
    newest = known.version(KEY)
    known.note_changes(5, [(6, 0, OTHER_KEY, 6, 1)])
    assert known.version(KEY) == newest
    known.note_changes(8, [(8, 0, None, None, 1)])
    assert known.version(KEY) == newest


# an engine

OTHER_PROCESS = """
import sys
sys.path.insert(0, sys.argv[2])
from paying_engine import an_engine
engine = an_engine(sys.argv[1])
print(engine("pay the bill").status)
engine.close()
"""


def test_what_one_engine_learned_another_process_replays_and_a_hit_asks_the_server_nothing(
    schema: str, database: str, asked: list[object]
) -> None:
    url = url_of(schema)
    command = [sys.executable, "-c", OTHER_PROCESS, url, str(SUPPORT)]
    shown = [subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout for _ in range(2)]
    assert [one.strip() for one in shown] == ["miss", "hit"]
    engine = an_engine(url)
    assert engine("pay the bill")  # found in the store
    asked.clear()
    for _ in range(100):
        assert engine("pay the bill")
    assert asked == []
    engine.close()


def test_an_engine_whose_server_went_away_still_does_the_task(schema: str, database: str) -> None:
    proxy = CuttingProxy(place_of(database))
    engine = an_engine(url_of(schema, at=through(database, proxy.port)))
    proxy.target = ("127.0.0.1", 9)
    proxy.arm(lambda piece, said: "before")
    outcome = engine("pay the bill")
    assert (outcome.status, outcome.value) == ("miss", 7)
    engine.close()
    proxy.close()
