"""Stores that were written down once: each is opened by the code of now, and says what it always said."""

from __future__ import annotations

import hashlib
import hmac
import shutil
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest

from golden.stores import KEYS, SIGNING_KEY, a_trajectory
from muscle_mem.store import Damaged, Observation, SqliteStore, Standing, Tally
from muscle_mem.store.sqlite import schema
from muscle_mem.testing import an_observation, ids
from paths import GOLDEN

BIG = bytes(range(256)) * 30
TRUSTED = Standing(state="trusted", strikes=1, hits=41, failures=2, agreed=5, disagreed=1, last_hit=9.25)
HELD = Standing(state="quarantined", reason="bad: \udfff", held=True)


def a_copy(name: str, tmp_path: Path) -> Path:
    shutil.copy(GOLDEN / name, tmp_path / name)
    (tmp_path / name).chmod(0o600)
    return tmp_path / name


def test_version_1_is_brought_up_to_date_and_says_what_it_said(tmp_path: Path) -> None:
    path = a_copy("store-v1.db", tmp_path)
    before = digests(path)
    with closing(SqliteStore(path)) as store:
        found = store.find(KEYS[0]).stored
        assert [(one.sealed, one.seq, one.standing) for one in found] == [
            (a_trajectory("one", KEYS[0]), 4, TRUSTED),
            (
                a_trajectory("two", KEYS[0], state="quarantined", reason="failed_write"),
                2,
                Standing(state="quarantined", reason="failed_write"),
            ),
        ]
        assert found[0].observations == (
            (4, Observation(id="o2", body=b"second", created=2.5)),
            (4, Observation(id="r", body=b"refreshed", created=3.5, refresh=True)),
            (1, Observation(id="o1", body=b"first", created=1.5)),
        )
        big = store.get("big")
        assert big is not None
        assert (big.sealed.body, big.standing) == (bytes(range(256)) * 40, HELD)
        assert [row.body for _, row in big.observations] == [b"second" * 2000]
        spoilt = Damaged(id="spoilt", what="the standing fails its digest", key=KEYS[1])
        assert store.find(KEYS[1]).damaged == (spoilt,)
        assert digests(path) == before
        store.seal(a_trajectory("one", KEYS[0]), an_observation("new", blobs=(BIG,)))
        assert ids(store.find(KEYS[0])) == ["one", "two"]
        assert [one.kind for one in store.verify().troubles] == ["damaged"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (schema.LATEST,)


@pytest.mark.parametrize(("name", "key"), [("store-v2.db", None), ("store-v2-signed.db", SIGNING_KEY)])
def test_version_2_says_what_it_said(name: str, key: str | None, tmp_path: Path) -> None:
    path = a_copy(name, tmp_path)
    before = digests(path)
    with closing(SqliteStore(path, signing_key=key)) as store:
        one, two = sorted(store.find(KEYS[0]).stored, key=lambda one: one.sealed.id)
        assert (one.sealed, one.seq) == (a_trajectory("one", KEYS[0]), 6)
        assert one.standing.checks == (Tally("click pre", 3, 1), Tally("Büro \ud800 post", 0, 2))
        assert one.standing.hits == 41
        rows = {row.id: row for _, row in one.observations}
        assert rows["b1"] == Observation(id="b1", body=b"with blobs", created=4.5, blobs=(b"", BIG, b"\0", BIG))
        assert rows["o1"] == Observation(id="o1", body=b"first", created=1.5)
        assert (two.seq, two.observations[0][1].blobs) == (7, (BIG,))
        assert [(one.id, one.key) for one in store.find(KEYS[1]).damaged] == [("spoilt", KEYS[1])]
        assert digests(path) == before


def digests(path: Path) -> list[tuple[object, ...]]:
    """Every digest in a store, by table and row."""
    with closing(sqlite3.connect(path)) as connection:
        found: list[tuple[object, ...]] = []
        for table in ("trajectory", "standing", "observation"):
            found += [(table, *row) for row in connection.execute(f"SELECT n, digest FROM {table} ORDER BY n")]
        return found + list(connection.execute("SELECT last, digest FROM sequence"))


def canonical(kind: bytes, *values: bytes | float) -> bytes:
    """The bytes under a digest, as docs/reference/store-format.md tells them."""
    said = kind
    for value in values:
        if isinstance(value, bytes):
            said += b";b" + str(len(value)).encode() + b":" + value
        elif isinstance(value, float):
            said += b";f" + struct.pack(">d", value)
        else:
            said += b";i" + str(value).encode()
    return said


@pytest.mark.parametrize(("name", "key"), [("store-v2.db", ""), ("store-v2-signed.db", SIGNING_KEY)])
def test_the_digests_are_as_the_format_says(name: str, key: str, tmp_path: Path) -> None:
    def sign(data: bytes) -> bytes:
        if not key:
            return hashlib.sha256(data).digest()
        return hmac.new(key.encode(), data, "sha256").digest()

    with closing(sqlite3.connect(a_copy(name, tmp_path))) as connection:
        connection.text_factory = bytes
        trajectory = connection.execute(
            "SELECT digest, id, key, steps, task, scope, tags, created, first_state, first_reason, body "
            "FROM trajectory WHERE id = 'one'"
        ).fetchone()
        assert trajectory[0] == sign(canonical(b"trajectory", *trajectory[1:]))
        standings = connection.execute(
            "SELECT s.digest, t.id, seq, state, reason, held, strikes, hits, failures, agreed, disagreed, last_hit, "
            "checks FROM standing s JOIN trajectory t ON t.n = s.n WHERE t.id IN ('one', 'big')"
        ).fetchall()
        observations = connection.execute(
            "SELECT o.digest, t.id, o.id, o.seq, o.created, o.refresh, o.body, o.blobs "
            "FROM observation o JOIN trajectory t ON t.n = o.trajectory"
        ).fetchall()
        for kind, rows in ((b"standing", standings), (b"observation", observations)):
            assert {bool(row[-1]) for row in rows} == {True, False}
            for row in rows:
                assert row[0] == sign(canonical(kind, *(row[1:] if row[-1] else row[1:-1])))
        last, digest = connection.execute("SELECT last, digest FROM sequence").fetchone()
        assert digest == sign(canonical(b"sequence", last))
        for name, body in connection.execute("SELECT hash, body FROM blob"):
            assert name == hashlib.sha256(body).digest()
        note = connection.execute("SELECT value FROM meta WHERE name = 'signed'").fetchone()
        assert note == ((sign(b"key check"),) if key else None)
