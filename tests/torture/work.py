"""The work that writers do on a store: what each item must look like is known from its name alone."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable

from muscle_mem.errors import StoreError
from muscle_mem.store import Note, Observation, Sealed, Store, Stored

from .history import Log

HITS = 7  # what the note of an item adds, in the transaction that seals it
SHARED = "shared"
KEYS = tuple(bytes([n]) * 32 for n in range(5))


def body_of(item: str) -> bytes:
    """Up to 24 KB that look like nothing else, the same whenever asked."""
    chance = random.Random(zlib.crc32(item.encode()))
    return chance.randbytes(chance.choice((0, 40, 400, 4_000, 24_000)))


def key_of(item: str) -> bytes:
    return KEYS[zlib.crc32(item.encode()) % len(KEYS)]


def sealed_of(item: str, id: str = "") -> Sealed:
    """The trajectory of an item. `id` in place of its own is what a client does that makes a new one each time."""
    body = body_of(item)
    return Sealed(id=id or item, key=key_of(item), body=body, steps=len(item), task=item, tags=(item,), created=1.5)


def observation_of(item: str) -> Observation:
    """The recording of an item, a third of it in parts of its own, as large recordings are."""
    body = body_of(item + " seen")
    blobs = (body, b"in many items" * 200) if item[-1] in "147" else ()
    return Observation(id=item, body=body[:99] if blobs else body, created=2.5, blobs=blobs)


def note_of(item: str) -> Note:
    return Note(id=item, hits=HITS)


def plan(name: str, n: int) -> tuple[str, str]:
    """What a writer's n-th deed is: (verb, item). Most seal; some share a trajectory; a few forget."""
    if n % 16 == 15:
        return "forget", f"{name}-{n - 1}"
    if n % 5 == 4:
        return "share", f"{name}-{n}"
    return "seal", f"{name}-{n}"


def fits(item: str, row: Stored) -> str:
    """What is wrong with the row of an item, as `history.judge` asks it: "" if nothing is."""
    if row.sealed != sealed_of(item, row.sealed.id):
        return "altered: its trajectory is not what was sealed"
    seen = [one for _, one in row.observations]
    if seen != [observation_of(item)]:
        return "partial: its recording is missing" if not seen else "altered: its recording is not what was sealed"
    if row.standing.hits < HITS or row.standing.hits % HITS:  # a deed done again counts again
        return f"partial: its note is missing ({row.standing.hits} hits)"
    return ""


IdMaker = Callable[[str], str]


def own_id(item: str) -> str:
    """The id that the client makes out of the item: the same at every try."""
    return item


def fresh_id(item: str) -> str:
    """An id that is another at every try: what S6 forbids."""
    return f"{item}/{random.SystemRandom().randrange(2**32)}"


def do(store: Store, log: Log, verb: str, item: str, make_id: IdMaker = own_id) -> int:
    """One deed: told to the log before, and again when the store has acknowledged it. Its sequence number, or 0."""
    log.begin(verb, item)
    seq = 0
    if verb == "seal":
        id = make_id(item)
        seq = store.seal(sealed_of(item, id), observation_of(item), Note(id=id, hits=HITS))
    elif verb == "share":
        seq = store.seal(sealed_of(SHARED), observation_of(item), Note(id=SHARED, hits=1))
    else:
        store.forget((item,))
    log.done(verb, item)
    return seq


def write_on(store: Store, log: Log, name: str, start: int, end: int, make_id: IdMaker = own_id) -> None:
    """The deeds of a writer from one number to another. StoreErrors pass."""
    for n in range(start, end):
        do(store, log, *plan(name, n), make_id)


def patiently(store: Store, log: Log, name: str, start: int, end: int) -> list[StoreError]:
    """As `write_on`, but a refused deed is only told of, as an engine does."""
    refused = []
    for n in range(start, end):
        try:
            do(store, log, *plan(name, n))
        except StoreError as error:
            refused.append(error)
    return refused
