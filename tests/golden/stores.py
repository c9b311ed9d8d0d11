"""What is in the golden stores, which `python tests/golden/stores.py FILE` made with the code of their time.

They are never made anew: store-v1.db was written by the code that knew version 1 only, and has no `fill_2` in it.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from muscle_mem.store import Note, Observation, Sealed, SqliteStore, Store, Tally

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


def fill_2(store: Store) -> None:
    """What came with version 2."""
    big = bytes(range(256)) * 30
    one = a_trajectory("one", KEYS[0])
    store.seal(one, Observation(id="b1", body=b"with blobs", created=4.5, blobs=(b"", big, b"\0", big)))
    store.seal(a_trajectory("two", KEYS[0]), Observation(id="b2", body=b"", created=5.5, blobs=(big,)))
    store.note((Note(id="one", checks=(Tally("click pre", 3, 1), Tally("Büro \ud800 post", 0, 2))),))


def spoil(path: Path) -> None:
    """A row that fails its digest, which no release may bless."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE standing SET hits = 7 WHERE n = (SELECT n FROM trajectory WHERE id = 'spoilt')")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


SIGNING_KEY = "golden key of sixteen bytes or more"

if __name__ == "__main__":
    path = Path(sys.argv[1])
    with closing(SqliteStore(path, signing_key=SIGNING_KEY if "signed" in path.name else None)) as store:
        fill(store)
        fill_2(store)
    spoil(path)
    path.with_name(path.name + ".lock").unlink()
