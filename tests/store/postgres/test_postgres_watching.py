"""What other processes write in a PostgreSQL store is seen without asking; an engine on it."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from postgres_server import HOW, place_of, raw, through, until, url_of

pytest.importorskip("psycopg", reason=HOW)

from muscle_mem.errors import StoreError
from muscle_mem.store import Confirming, Leading, Note, Store, Surveying
from muscle_mem.store.postgres import PostgresStore, listener, opening, transactions
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


@pytest.mark.parametrize("notify", ["on", "off"])
def test_with_the_option_a_change_is_told_at_once_and_not_only_found_by_polling(
    schema: str, database: str, notify: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "POLL_INTERVAL", 600.0)
    urls = [url_of(schema, mm_notify=notify) for _ in range(2)]
    with closing(PostgresStore(urls[0])) as one, closing(PostgresStore(urls[1])) as other:
        before = one.version(KEY)
        until(lambda: one._listener.polls >= 4)  # at opening, before listening, after, and when woken
        other.seal(a_trajectory(), an_observation())
        if notify == "on":
            until(lambda: one.version(KEY) != before)
        else:
            time.sleep(0.2)
            assert one.version(KEY) == before


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
        proxy.arm(lambda piece, said: "before" if b"horizon" in said else None)  # the next poll
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
        proxy.cut_all()
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


def snapshot(xmin: int, xmax: int, *rows: tuple[int, bytes | None], server: str = "one", pruned: int = 0) -> list[Any]:
    """An answer to a poll, with rows of changes."""
    return [(f"{xmin}:{xmax}:", False, server, pruned, 1, *row) for row in rows or ((None, None),)]


def followed() -> KeyVersions:
    known = KeyVersions()
    known.note_changes(known.horizon, snapshot(7, 9))
    return known


@pytest.mark.parametrize(
    ("answer", "suspect"),
    [
        (snapshot(7, 9), False),
        (snapshot(8, 20), False),
        (snapshot(3, 20), True),  # restored from a back-up
        (snapshot(8, 20, server="two"), True),  # a standby that was promoted
        (snapshot(8, 20, pruned=7), False),
        (snapshot(8, 20, pruned=8), True),  # too long without a poll
        (snapshot(8, 20, pruned=99), False),  # of the server that the tables were copied from
    ],
)
def test_what_cannot_follow_from_the_last_poll_makes_everything_suspect(answer: list[Any], suspect: bool) -> None:
    known = followed()
    first = known.version(KEY)
    known.note_changes(known.horizon, answer)
    assert (known.version(KEY) != first) == suspect


def test_a_change_is_taken_once_however_often_it_is_read() -> None:
    known = followed()
    first = known.version(KEY)
    since = known.horizon
    assert known.note_changes(since, snapshot(7, 12, (5, KEY)))
    second = known.version(KEY)
    assert second != first
    assert not known.note_changes(since, snapshot(7, 12, (5, KEY)))  # a poll that was under way
    assert known.note_changes(known.horizon, snapshot(7, 14, (5, KEY), (6, OTHER_KEY)))  # of the other key only
    assert known.version(KEY) == second


def test_what_this_process_wrote_is_not_news_to_it() -> None:
    known = followed()
    known.version(KEY)
    known.note_own_changes(Changes({KEY}, rows=(8,)))
    newest = known.version(KEY)
    assert not known.note_changes(known.horizon, snapshot(9, 12, (8, KEY)))
    assert known.version(KEY) == newest
    known.note_own_changes(Changes(set(), everything=True, rows=(9,)))
    assert known.version(KEY) != newest


def test_old_changes_are_deleted_without_losing_a_watcher(
    pair: tuple[PostgresStore, PostgresStore], schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "PRUNE_EVERY", 0.0)
    writing, _ = pair
    numbers, seen = itertools.count(), set[int]()

    def seal() -> None:
        writing.seal(a_trajectory(str(next(numbers)), OTHER_KEY), an_observation())

    def prune() -> None:
        with raw(schema) as connection:
            connection.execute("UPDATE horizon SET at = now() - interval '1 hour'")
        seal()

    poll = listener.poll_of(schema)
    watching, away = KeyVersions(), KeyVersions()
    with raw(schema) as connection:

        def look(known: KeyVersions) -> int:
            since = known.horizon
            values = (since.xmin, since.xmax, list(since.running))
            rows = connection.execute(poll, values).fetchall()
            seen.update(row[5] for row in rows)
            known.note_changes(since, rows)
            return known.version(KEY)

        seal()
        prune()  # takes note only
        first, before = look(watching), look(away)
        for _ in range(2):
            seal()
            prune()  # leaves what this watcher has not seen
            seen.clear()
            assert look(watching) == first
            assert len(seen) == 2
        left = connection.execute("SELECT count(*) FROM change").fetchone()
        assert left is not None
        assert left[0] <= 4  # of six
        assert look(away) != before  # it may have missed what was deleted


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
