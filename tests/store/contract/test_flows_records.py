"""Records of flows in all stores: kept, carried and pruned beside the recordings that they were derived from."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from flows_records import STORES, TASK, flows_of, make_store, paying, record_flows, recordings_of
from muscle_mem._core.model.learned import CONFIRMED, REJECTED, evidence_bytes, read_entries, verdict_entry
from muscle_mem._core.plan.identity import evidence_id
from muscle_mem.errors import InvalidValueError
from muscle_mem.store import MemoryStore, Note, Observation, SqliteStore, Store, copy_store
from muscle_mem.store.document import from_document, to_document
from muscle_mem.store.pruning import Limits, prune, summaries

LEAF = b"l" * 16


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store of two recordings and what they have in common."""
    with closing(make_store(request.param, tmp_path)) as made:
        record_flows(made)
        yield made


def add_verdict(store: Store, kind: bytes, now: float) -> None:
    """Store a verdict on a leaf, as a person's command does."""
    known = flows_of(store)
    body = evidence_bytes([verdict_entry(kind, LEAF, (), now)])
    store.seal(known.sealed, Observation(id=evidence_id(known.sealed.id, body), body=body, created=now))


def test_a_survey_says_which_are_flows(store: Store) -> None:
    heads = {one.id: one.head for one in summaries(store)}
    known = flows_of(store)
    assert heads.pop(known.sealed.id) == known.sealed.body[:2]
    assert all(head[1:] == b"\x01" for head in heads.values())
    assert len(heads) == 2


def test_a_document_holds_flows_readable_and_whole(store: Store) -> None:
    add_verdict(store, REJECTED, 7.0)
    known = flows_of(store)
    document = to_document(known)
    assert document["flows"]["tools"] == ["create_order", "pay"]
    kinds = {entry[0] for one in document["observations"] for entry in one["evidence"]}
    assert kinds >= {"agreed", "rejected"}
    again = from_document(json.loads(json.dumps(document)))
    assert (again.sealed, again.observations) == (known.sealed, known.observations)
    del document["raw"]
    for one in document["observations"]:
        del one["raw"]
    assert from_document(document) == again


def test_a_copy_takes_flows_along_once(store: Store, tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "copy.db")) as target:
        done = copy_store(store, target)
        assert (done.trajectories, done.damaged) == (3, ())
        assert flows_of(target).sealed == flows_of(store).sealed
        before = target.scan()
        assert copy_store(store, target).observations == 0
        assert target.scan() == before
        add_verdict(target, CONFIRMED, 1.0)
        add_verdict(store, REJECTED, 2.0)
        assert copy_store(store, target).observations == 1
        entries = {entry for _, row in flows_of(target).observations for entry in read_entries(row.body)}
        assert {entry[:1] for entry in entries} >= {CONFIRMED, REJECTED}


def test_flows_stay_as_long_as_a_recording_of_their_key(store: Store) -> None:
    now = max(one.sealed.created for one in recordings_of(store)) + 10_000.0
    engine = paying(store, itertools.count(100))
    for task in ("one", "two", "three"):
        engine(task)
    known, parents = flows_of(store), [one.sealed.id for one in recordings_of(store) if one.sealed.task == TASK]
    store.note(tuple(Note(id=id, last_hit=now - 1000) for id in parents))
    done = prune(store, Limits(max_items=3), now)
    assert (done.dropped, done.kept) == (2, 3)  # Flows are not counted beside their recordings.
    assert done.kept_bytes == sum(one.size for one in summaries(store))
    assert prune(store, Limits(max_bytes=done.kept_bytes - 1), now, dry_run=True).dropped == 1
    assert prune(store, Limits(max_items=1), now).dropped == 2
    assert [one.sealed.id for one in recordings_of(store)] == parents[:1]
    assert flows_of(store).sealed == known.sealed
    assert prune(store, Limits(max_items=1), now).dropped == 0
    assert prune(store, Limits(max_items=0), now).dropped == 1
    assert flows_of(store).sealed == known.sealed
    assert prune(store, Limits(max_items=0), now).dropped == 1
    assert not store.scan().stored


def test_flows_without_recordings_go_first(store: Store) -> None:
    known = flows_of(store)
    assert store.forget(tuple(one.sealed.id for one in recordings_of(store))) == 2
    assert prune(store, Limits(max_items=1), 1e10).dropped == 0
    paying(store, itertools.count(100))("another task")
    store.note((Note(id=known.sealed.id, last_hit=1e10),))
    assert prune(store, Limits(max_items=1), 1e10, dry_run=True).dropped == 1
    prune(store, Limits(max_items=1), 1e10)
    assert [one.sealed.task for one in store.scan().stored] == ["another task"]


def test_flows_expire_with_their_last_recording(store: Store) -> None:
    known, (newest, oldest) = flows_of(store), recordings_of(store)
    engine_time = max(row.created for _, row in newest.observations)
    store.seal(newest.sealed, msgspec.structs.replace(newest.observations[0][1], created=engine_time + 1000.0))
    assert prune(store, Limits(ttl=500.0), engine_time + 1200.0).expired == 1
    assert {one.sealed.id for one in store.scan().stored} == {known.sealed.id, newest.sealed.id}
    assert prune(store, Limits(ttl=500.0), engine_time + 9000.0).expired == 2
    assert not store.scan().stored
    assert oldest.sealed.id != newest.sealed.id


def test_flows_without_recordings_that_a_person_quarantined_go_last(store: Store) -> None:
    known = flows_of(store)
    store.note((Note(id=known.sealed.id, state="quarantined", held=True, by_person=True),))
    store.forget(tuple(one.sealed.id for one in recordings_of(store)))
    paying(store, itertools.count(100))("another task")
    assert prune(store, Limits(max_items=1), 1e10).dropped == 1
    assert [one.sealed.id for one in store.scan().stored] == [known.sealed.id]


def test_an_engine_does_not_count_flows_as_loaded(store: Store) -> None:
    engine = paying(store, itertools.count(9000))
    assert engine(TASK).status == "hit"
    assert engine.cache_info().loaded == 2


def test_a_record_of_a_later_form_is_reported_and_not_used(store: Store) -> None:
    known = flows_of(store)
    body = b"\x94\x03" + known.sealed.body[2:]
    store.seal(
        msgspec.structs.replace(known.sealed, id="later", body=b"\x98" + body[1:]),
        Observation(id="row", body=known.observations[0][1].body),
    )
    engine = paying(store, itertools.count(9000))
    assert engine(TASK).status == "hit"
    assert engine.explain(TASK)


def spoil(document: dict[str, object], **changes: object) -> dict[str, object]:
    return {**document, **changes}


def test_a_document_of_flows_is_validated() -> None:
    store = MemoryStore()
    record_flows(store)
    document = to_document(flows_of(store))
    flows, observation = document["flows"], document["observations"][0]
    struck = ["struck", "ab" * 16]
    for changes, words in (
        ({"flows": {**flows, "tools": ["other"]}}, "raw and flows differ"),
        ({"flows": {"tools": []}}, "skeleton: expected a digest"),
        ({"flows": []}, "flows: expected an object"),
        ({"id": "another"}, "they were changed since they were written as another"),
        (
            {"observations": [{**observation, "evidence": [struck]}]},
            "raw and observations.0..evidence differ",
        ),
        ({"observations": [{**observation, "evidence": [["seen"]]}]}, "expected one of agreed"),
        ({"observations": [{**observation, "evidence": [["agreed", "xy"]]}]}, "expected digests as hex"),
        ({"observations": [{**observation, "evidence": [["struck", "00"]]}]}, "expected 17 bytes"),
        ({"observations": [{**observation, "evidence": {}}]}, "expected an array"),
        ({"observations": [{**observation, "id": "o"}]}, "its snapshots have the id"),
    ):
        with pytest.raises(InvalidValueError, match=words):
            from_document(spoil(document, **changes))
