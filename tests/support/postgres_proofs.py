"""Proofs that take a seed and a size: what a PostgreSQL store acknowledged is there, whole, and once.

Each returns its figures; `lost`, `partial` and `twice` must be 0.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, cast

from dense_numbers import DenseNumbers
from muscle_mem.errors import StoreError
from muscle_mem.store import MemoryStore, Note, Store
from muscle_mem.store.postgres import PostgresStore
from muscle_mem.testing import a_trajectory, an_observation
from postgres_proxies import CuttingProxy
from postgres_server import Server, new_schema, place_of, through, url_of

KEYS = tuple(bytes([n]) * 32 for n in range(3))


def cut_connections(base: str, seed: int, size: int) -> dict[str, Any]:
    """Cut a connection at a random piece of each of `size` random operations; memory does the same uncut."""
    chance = random.Random(seed)
    proxy = CuttingProxy(place_of(base))
    schema = new_schema()
    memory = MemoryStore()
    figures: dict[str, Any] = {"proof": "cut_connections", "seed": seed, "size": size, "cuts": 0, "different": 0}
    with closing(PostgresStore(url_of(schema, at=through(base, proxy.port)))) as cut:
        store = cast(Store, DenseNumbers(cut, []))
        try:
            for n in range(size):
                at, how = chance.randrange(3), chance.choice(["before", "after"])
                proxy.arm(at_piece(at, how))
                answers = [_operation(one, random.Random(f"{seed} {n}"), n) for one in (store, memory)]
                figures["different"] += answers[0] != answers[1]
            figures["cuts"] = proxy.cuts
            proxy.arm(lambda piece, _: None)
            figures["different"] += store.scan(limit=10_000) != memory.scan(limit=10_000)
        finally:
            proxy.close()
    return figures


def at_piece(at: int, how: str) -> Callable[[int, bytes], str | None]:
    """Cut at this piece of what a client says once it is logged in, or at the next one."""
    return lambda piece, said: how if piece >= at and said[:1] in b"QP" else None


def _operation(store: Store, chance: random.Random, n: int) -> object:
    id = str(chance.randrange(6))
    kind = chance.randrange(10)
    if kind < 5:
        blobs = tuple(bytes([chance.randrange(3)]) * 100 for _ in range(chance.randrange(3)))
        observation = an_observation(str(chance.randrange(4)), created=float(n), blobs=blobs)
        return store.seal(a_trajectory(id, KEYS[int(id) % 3]), observation, Note(id=id, hits=1, agreed=n))
    if kind < 8:
        return store.note((Note(id=id, hits=1), Note(id=id, failures=1, last_hit=float(n))))
    if kind < 9:
        return store.find(KEYS[int(id) % 3])
    return store.forget((id,))


def stop_at_once(server: Server, seed: int, size: int, *, writers: int = 3) -> dict[str, Any]:
    """Stop the server as a crash does while threads write, `size` times; look at what is there each time."""
    chance = random.Random(seed)
    schema = new_schema()
    url = url_of(schema, at=server.dsn, mm_timeout=30)
    acknowledged: dict[str, int] = {}
    doubtful = 0
    figures = {"proof": "stop_at_once", "seed": seed, "size": size, "lost": 0, "partial": 0, "twice": 0}
    with closing(PostgresStore(url)) as store:
        store.seal(a_trajectory("shared"), an_observation())
    for turn in range(size):
        told: list[tuple[str, int] | None] = []
        with closing(PostgresStore(url)) as store:
            threads = [threading.Thread(target=_write, args=(store, f"{turn}.{n}", told)) for n in range(writers)]
            for thread in threads:
                thread.start()
            while not told:  # at least one is through
                time.sleep(0.001)
            time.sleep(chance.random() * 0.2)
            server.stop("immediate")
            for thread in threads:
                thread.join(60)
                assert not thread.is_alive()
        server.start()
        acknowledged |= dict(one for one in told if one is not None)
        doubtful += sum(one is None for one in told)
        with closing(PostgresStore(url)) as store:
            found = store.scan(limit=1_000_000)
        whole = {one.sealed.id: one for one in found.stored}
        shared = whole.pop("shared", None)
        hits = shared.standing.hits if shared is not None else 0
        figures["lost"] = sum(id not in whole or whole[id].seq != seq for id, seq in acknowledged.items())
        figures["lost"] += max(0, len(acknowledged) - hits)
        figures["partial"] = len(found.damaged) + sum(
            (one.standing.hits, len(one.observations)) != (7, 1) for one in whole.values()
        )
        figures["twice"] = (
            max(0, hits - len(acknowledged) - doubtful) + len(whole) - len({one.seq for one in whole.values()})
        )
        if figures["lost"] or figures["partial"] or figures["twice"]:
            break
    return {**figures, "acknowledged": len(acknowledged), "doubtful": doubtful}


def _write(store: Store, name: str, told: list[tuple[str, int] | None]) -> None:
    for n in range(100_000):
        id = f"{name}.{n}"
        try:
            seq = store.seal(a_trajectory(id, KEYS[n % 3]), an_observation(id), Note(id=id, hits=7))
        except StoreError:
            return
        try:
            store.note((Note(id="shared", hits=1, state="fresh"),))  # one that waits for the disk
        except StoreError:
            told.append(None)
            return
        told.append((id, seq))
