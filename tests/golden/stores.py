"""What is in the golden stores, and how they were made: `python tests/golden/stores.py FILE` with the code of their time.

They are never made anew: store-v1.db was written by the code that knew version 1 only.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from muscle_mem.store import Note, Observation, Sealed, SqliteStore, Store

KEYS = (bytes(range(32)), bytes(reversed(range(32))))


def a_trajectory(id: str, key: bytes, **changes: Any) -> Sealed:
    fields: dict[str, Any] = {
        "body": f"body of {id!a}".encode() + bytes(range(256)),
        "steps": 3,
        "task": "pay the bill \ud800",
        "scope": "tenant-42",
        "tags": ("home", "Büro", "\0"),
        "created": 1_700_000_000.25,
    }
    return Sealed(id=id, key=key, **(fields | changes))


def fill(store: Store) -> None:
    """What every version can hold."""
    one = a_trajectory("one", KEYS[0])
    store.seal(one, Observation(id="o1", body=b"first", created=1.5))
    store.seal(a_trajectory("two", KEYS[0], state="quarantined", reason="failed_write"), Observation(id="o1", body=b""))
    store.seal(a_trajectory("big", KEYS[1], body=bytes(range(256)) * 40), Observation(id="o2", body=b"second" * 2000))
    store.seal(one, Observation(id="o2", body=b"second", created=2.5))
    store.seal(one, Observation(id="r", body=b"refreshed", created=3.5, refresh=True))
    store.seal(a_trajectory("spoilt", KEYS[1]), Observation(id="o1", body=b"x"))
    store.note((Note(id="one", hits=41, failures=2, agreed=5, disagreed=1, last_hit=9.25, strikes=1, state="trusted"),))
    store.note((Note(id="big", state="quarantined", reason="bad: \udfff", held=True, by_person=True),))


def spoil(path: Path) -> None:
    """A row that fails its digest, which no release may bless."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE standing SET hits = 7 WHERE n = (SELECT n FROM trajectory WHERE id = 'spoilt')")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


if __name__ == "__main__":
    path = Path(sys.argv[1])
    with closing(SqliteStore(path)) as store:
        fill(store)
    spoil(path)
    path.with_name(path.name + ".lock").unlink()
