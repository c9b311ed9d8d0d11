"""S22: what a PostgreSQL store promises follows from the settings of its server."""

from __future__ import annotations

from contextlib import closing

import pytest

from postgres_server import HOW, raw, url_of

pytest.importorskip("psycopg", reason=HOW)

from muscle_mem.store.postgres import PostgresStore
from muscle_mem.store.postgres.promises import promised


@pytest.mark.parametrize(
    ("fsync", "commit", "standbys", "acknowledged"),
    [
        ("on", "on", "", "machine"),
        ("on", "on", "  ", "machine"),
        ("on", "off", "", "machine"),  # the store turns it on
        ("on", "on", "ANY 1 (a, b)", "quorum"),
        ("on", "remote_apply", "*", "quorum"),
        ("on", "off", "*", "quorum"),
        ("on", "local", "*", "machine"),
        ("on", "remote_write", "*", "machine"),
        ("off", "on", "*", "cache"),
    ],
)
def test_s22_the_settings_decide(fsync: str, commit: str, standbys: str, acknowledged: str) -> None:
    promises = promised(("off", fsync, commit, standbys))
    assert promises.acknowledged == acknowledged
    assert (promises.order, promises.lasts) == ("key", True)


def test_s22_they_are_read_when_the_store_is_opened_and_after_a_failover(schema: str) -> None:
    with closing(PostgresStore(url_of(schema))) as store, raw(schema) as connection:
        expected = {"on": "machine", "off": "cache"}[connection.execute("SHOW fsync").fetchone()[0]]
        assert store.promises.acknowledged == expected
        store._promised = None
        assert store.promises.acknowledged == expected


def test_s22_a_store_that_is_not_open_yet_promises_what_its_methods_do() -> None:
    with closing(PostgresStore("postgresql://127.0.0.1:1/nothing?mm_timeout=0.2")) as store:
        assert store.promises.acknowledged == "machine"
