"""Large snapshots and outputs stand beside their row, once however many rows have them."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import pytest

from many_screens import many_screens
from muscle_mem import DecodeError, Engine
from muscle_mem._core import codec
from muscle_mem._core.model.blobs import BLOB_PREFIX, INLINE_BYTES, pack_row, unpack_row
from muscle_mem._core.model.records import FORM, Row
from muscle_mem._events import StoreEvent
from muscle_mem.store import MemoryStore, Observation, Sealed

BIG = codec.encode("x" * 5000)
OTHER = codec.encode(b"y" * 5000)


def test_what_is_large_leaves_the_row_and_comes_back() -> None:
    row = Row(FORM, pre=(BIG, None, b"\x01small"), post=(OTHER, BIG, None), outputs=(b"", BIG, OTHER), run_seconds=1.5)
    body, blobs = pack_row(row)
    assert blobs == (BIG, OTHER)
    assert len(body) < 400
    assert unpack_row(body, blobs) == row
    shared: dict[bytes, bytes] = {}
    first, second = (unpack_row(body, tuple(map(bytes, map(bytearray, blobs))), shared) for _ in range(2))
    assert first.pre[0] is second.pre[0] is second.outputs[1]


def test_a_small_row_is_stored_as_ever() -> None:
    row = Row(FORM, pre=(b"\x01" * INLINE_BYTES,), post=(None,), outputs=(b"",))
    assert pack_row(row) == (msgspec.msgpack.encode(row), ())
    assert unpack_row(msgspec.msgpack.encode(row), ()) == row


def test_a_blob_that_is_missing_or_altered_is_no_row() -> None:
    body, _ = pack_row(Row(FORM, pre=(BIG,), post=(None,)))
    for blobs in ((), (OTHER,), (BIG[:-1],)):
        with pytest.raises(DecodeError):
            unpack_row(body, blobs)


@pytest.mark.parametrize("spoilt", [b"", b"\xc1", b"\x91\x01", b"\x91" * 100_000])
def test_what_is_no_row_is_refused_with_our_own_error(spoilt: bytes) -> None:
    with pytest.raises(DecodeError):
        unpack_row(spoilt, ())


def test_a_row_under_a_good_digest_whose_text_is_not_utf_8_is_damaged_and_the_others_are_used() -> None:
    store = MemoryStore()
    told: list[Any] = []
    engine = Engine(store, observers=[told.append])
    tool = engine.tool(effect="write", name="stamp")(lambda what: None)
    engine.set_agent(tool)
    engine("task")
    (good,) = store.scan().stored
    forged = msgspec.structs.replace(good.sealed, id="forged", body=good.sealed.body.replace(b"stamp", b"st\xffmp"))
    assert forged.body != good.sealed.body
    store.seal(forged, good.observations[0][1])
    told.clear()
    outcome = engine("task")
    assert outcome
    assert [one.operation for one in told if isinstance(one, StoreEvent)] == ["damaged"]


def test_a_store_in_memory_holds_a_blob_for_as_long_as_an_observation_uses_it() -> None:
    blob = bytes(bytearray(5000))  # an object of its own, that nobody else refers to
    free = sys.getrefcount(blob)
    store = MemoryStore()
    for id in "ab":
        store.seal(
            Sealed(id=id, key=b"k" * 32, body=b"", steps=0), Observation(id="o", body=b"", blobs=(blob, bytes(4000)))
        )
    store.forget(("a",))
    ((_, left),) = store.scan().stored[0].observations
    assert left.blobs[0] is blob
    del left
    assert sys.getrefcount(blob) > free
    store.forget(("b",))
    assert store.scan().stored == ()
    assert sys.getrefcount(blob) == free


def test_no_value_looks_like_a_name() -> None:
    for value in (None, 0, "", b"", BLOB_PREFIX, BLOB_PREFIX + bytes(32), [BLOB_PREFIX]):
        assert codec.encode(value)[0] != BLOB_PREFIX[0]


def test_a_screen_in_fifty_observations_is_one_in_the_store_and_in_memory() -> None:
    store = MemoryStore()
    engine = many_screens(store, 50)
    (stored,) = store.scan().stored
    assert len(stored.observations) == 50
    assert sum(len(observation.body) for _, observation in stored.observations) < 50 * 600
    (entry,) = engine._runtime.library.entries()
    rows = [candidate.row for candidate in entry.trajectories[0].candidates]
    assert len({id(row.pre[0]) for row in rows}) == 1
