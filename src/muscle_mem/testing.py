"""For tests of users: what proves that a store of their own keeps the promises of muscle_mem's.

class TestMyStore(muscle_mem.testing.StoreContract):
    def make_store(self, tmp_path):
        return MyStore(tmp_path / "store")
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ._scripted import FakeClock as FakeClock
from ._scripted import ScriptedAgent as ScriptedAgent
from .errors import DamagedStoreError, StoreError
from .store.base import Found, Note, Observation, Sealed, Standing, Store, Stored

KEY = bytes(range(32))
OTHER_KEY = bytes(reversed(range(32)))


def a_trajectory(id: str = "t1", key: bytes = KEY, **changes: Any) -> Sealed:
    """A trajectory with something in each field."""
    fields: dict[str, Any] = {
        "body": f"body of {id!a}".encode() + bytes(range(256)),
        "steps": 3,
        "task": "pay the bill",
        "scope": "tenant-42",
        "tags": ("home", "Büro"),
        "created": 1_700_000_000.25,
        "state": "fresh",
        "reason": "",
    }
    return Sealed(id=id, key=key, **(fields | changes))


def an_observation(id: str = "o1", body: bytes = b"\x00snapshots", **changes: Any) -> Observation:
    """One recording of a trajectory."""
    return Observation(id=id, body=body, **({"created": 1_700_000_001.5} | changes))


class StoreContract:
    """The promises of `muscle_mem.store.base.Store` as tests for pytest: subclass it and give `make_store`.

    A store that outlives its object should also give `reopen`; one whose rows a test can spoil, `damage`.
    """

    def make_store(self, tmp_path: Path) -> Store:
        """A new, empty store. Called once a test."""
        raise NotImplementedError("Give make_store(self, tmp_path), which makes the store to be tested.")

    def reopen(self, tmp_path: Path) -> Store | None:  # noqa: ARG002 - a hook
        """Another object on what `make_store` made; None for a store that lives in its object."""
        return None

    def damage(self, tmp_path: Path, what: str, id: str) -> bool:  # noqa: ARG002 - a hook
        """Alter the stored "trajectory", "standing" or "observation" of this id; False if that cannot be."""
        return False

    @contextmanager
    def opened(self, tmp_path: Path) -> Iterator[Store]:
        store = self.make_store(tmp_path)
        try:
            yield store
        finally:
            store.close()

    # find

    def test_an_unknown_key_finds_nothing(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            assert store.find(KEY) == Found()

    def test_find_gives_back_exactly_what_was_sealed(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            seq = store.seal(a_trajectory(), an_observation())
            found = store.find(KEY)
            assert found == Found(
                stored=(
                    Stored(
                        sealed=a_trajectory(),
                        seq=seq,
                        standing=Standing(),
                        observations=((seq, an_observation()),),
                    ),
                )
            )

    def test_find_answers_for_one_key_only(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory("a", KEY), an_observation())
            store.seal(a_trajectory("b", OTHER_KEY), an_observation())
            assert ids(store.find(KEY)) == ["a"]
            assert ids(store.find(OTHER_KEY)) == ["b"]

    def test_find_gives_the_newest_first(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            for id in ("a", "b", "c"):
                store.seal(a_trajectory(id), an_observation())
            store.seal(a_trajectory("a"), an_observation("o2"))
            assert ids(store.find(KEY)) == ["a", "c", "b"]

    def test_odd_values_come_back_as_they_were(self, tmp_path: Path) -> None:
        odd = [
            a_trajectory("empty", task="", scope="", tags=(), body=b"", created=0.0, steps=0, key=b""),
            a_trajectory("nul", task="a\0b", scope="\0", tags=("\0", "")),
            a_trajectory("surrogate \ud800", task="\udfff", tags=("\ud83d" + "\ude00",)),
            a_trajectory("wide", task="\U0001f600" * 1000, tags=tuple("äöü")),
            a_trajectory("sql'; DROP TABLE trajectory; --", task="%_'\"", created=-0.0),
            a_trajectory("big", body=bytes(range(256)) * 8192, steps=2**40, created=2.0**60),
            a_trajectory("whole seconds", created=1_700_000_000.0),
        ]
        with self.opened(tmp_path) as store:
            for one in odd:
                store.seal(one, an_observation("o " + one.id, body=one.body, created=one.created))
            for one in odd:
                stored = store.get(one.id)
                assert stored is not None
                assert stored.sealed == one
                assert stored.observations[0][1].body == one.body
                assert stored.observations[0][1].id == "o " + one.id

    # get

    def test_get_finds_one_trajectory_by_its_id(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory("a"), an_observation())
            store.seal(a_trajectory("b"), an_observation())
            assert store.get("a") == store.find(KEY).stored[1]
            assert store.get("c") is None

    # seal

    def test_sequence_numbers_only_grow(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            seqs = [store.seal(a_trajectory(id), an_observation(f"o{n}")) for n, id in enumerate("abacab")]
            assert seqs == sorted(set(seqs))
            store.forget()
            assert store.seal(a_trajectory("a"), an_observation()) > seqs[-1]

    def test_a_trajectory_that_is_there_keeps_body_and_standing(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory(), an_observation(), Note(id="t1", hits=2, state="trusted"))
            changed = a_trajectory(body=b"other", task="other", state="quarantined", reason="other")
            seq = store.seal(changed, an_observation("o2"))
            stored = store.get("t1")
            assert stored is not None
            assert stored.sealed == a_trajectory()
            assert stored.standing == Standing(state="trusted", hits=2)
            assert stored.seq == seq

    def test_a_new_trajectory_starts_with_its_state_and_reason(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory(state="quarantined", reason="failed_write"), an_observation())
            assert standing_of(store) == Standing(state="quarantined", reason="failed_write")

    def test_observations_pile_up_newest_first(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            first = store.seal(a_trajectory(), an_observation("o1"))
            second = store.seal(a_trajectory(), an_observation("o2"))
            assert observed(store) == [(second, "o2"), (first, "o1")]

    def test_an_observation_that_is_there_is_not_written_again_but_moves_up(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory(), an_observation("o1", created=1.0))
            second = store.seal(a_trajectory(), an_observation("o2"))
            third = store.seal(a_trajectory(), an_observation("o1", created=9.0))
            assert observed(store) == [(third, "o1"), (second, "o2")]
            stored = store.get("t1")
            assert stored is not None
            assert stored.observations[0][1].created == 1.0

    def test_equal_observation_ids_of_two_trajectories_are_two(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory("a"), an_observation("o", b"of a"))
            store.seal(a_trajectory("b"), an_observation("o", b"of b"))
            for id in "ab":
                stored = store.get(id)
                assert stored is not None
                assert [one.body for _, one in stored.observations] == [b"of " + id.encode()]

    def test_a_refresh_orders_nothing_anew(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            first = store.seal(a_trajectory("a"), an_observation("o1"))
            store.seal(a_trajectory("b"), an_observation("o1"))
            assert store.seal(a_trajectory("a"), an_observation("r", refresh=True)) == first
            assert ids(store.find(KEY)) == ["b", "a"]
            assert observed(store, "a") == [(first, "o1"), (first, "r")]

    def test_there_is_one_refresh_the_newest(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory(), an_observation("o1"))
            for id in ("r1", "r2", "r2"):
                store.seal(a_trajectory(), an_observation(id, refresh=True))
            assert [id for _, id in observed(store)] == ["o1", "r2"]
            store.seal(a_trajectory(), an_observation("o1", refresh=True))
            stored = store.get("t1")
            assert stored is not None
            assert [one for _, one in stored.observations] == [an_observation("o1")]

    def test_a_recording_equal_to_the_refresh_takes_its_place_for_good(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            first = store.seal(a_trajectory(), an_observation("o1"))
            store.seal(a_trajectory(), an_observation("same", refresh=True))
            last = store.seal(a_trajectory(), an_observation("same"))
            store.seal(a_trajectory(), an_observation("r", refresh=True))
            assert observed(store) == [(last, "same"), (last, "r"), (first, "o1")]

    def test_a_refresh_of_a_forgotten_trajectory_writes_it_whole(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            seq = store.seal(a_trajectory(), an_observation(refresh=True))
            assert observed(store) == [(seq, "o1")]

    def test_seal_applies_the_note_in_the_same_step(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory("a"), an_observation())
            store.seal(a_trajectory("b"), an_observation(), Note(id="a", state="retired", reason="by b"))
            assert standing_of(store, "a") == Standing(state="retired", reason="by b")
            assert standing_of(store, "b") == Standing()

    # note

    def test_notes_add_counters_and_set_the_rest(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory(), an_observation())
            store.note((Note(id="t1", hits=3, failures=1, last_hit=5.5, strikes=1),))
            store.note((Note(id="t1", hits=4, state="trusted", reason="good"),))
            assert standing_of(store) == Standing(
                state="trusted", reason="good", strikes=1, hits=7, failures=1, last_hit=5.5
            )

    def test_what_a_note_sets_may_be_nothing(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory(), an_observation())
            store.note((Note(id="t1", strikes=2, last_hit=7.0, reason="bad", held=True),))
            store.note((Note(id="t1", strikes=0, last_hit=0.0, reason="", held=False, by_person=True),))
            assert standing_of(store) == Standing()

    def test_notes_are_applied_in_order(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory(), an_observation())
            store.note((Note(id="t1", state="trusted"), Note(id="t1", state="retired")))
            assert standing_of(store).state == "retired"

    def test_notes_on_unknown_ids_are_dropped(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory(), an_observation())
            store.note((Note(id="?", hits=1), Note(id="t1", hits=1)))
            store.note(())
            assert standing_of(store).hits == 1
            assert store.get("?") is None

    def test_only_a_person_lifts_a_hold(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory(), an_observation())
            store.note((Note(id="t1", state="quarantined", reason="bad", held=True, by_person=True),))
            meant = Note(id="t1", hits=1, failures=1, strikes=4, state="trusted", reason="x", held=False)
            store.note((meant,))
            held = Standing(state="quarantined", reason="bad", held=True, hits=1, failures=1, strikes=4)
            assert standing_of(store) == held
            store.note((Note(id="t1", state="fresh", reason="", held=False, strikes=0, by_person=True),))
            assert standing_of(store) == Standing(hits=1, failures=1)

    # forget

    def test_forget_deletes_with_all_that_it_owns_and_counts(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            for id in "abc":
                store.seal(a_trajectory(id), an_observation(), Note(id=id, hits=1))
            assert store.forget(("a", "c", "a", "?")) == 2
            assert ids(store.find(KEY)) == ["b"]
            assert store.forget(()) == 0
            seq = store.seal(a_trajectory("a"), an_observation("new"))
            assert observed(store, "a") == [(seq, "new")]
            assert standing_of(store, "a") == Standing()

    def test_forget_without_ids_deletes_all(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            for n in range(5):
                store.seal(a_trajectory(str(n), bytes([n]) * 32), an_observation())
            assert store.forget() == 5
            assert store.scan() == Found()
            assert store.forget() == 0

    # scan

    def test_scan_pages_through_all_newest_first(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            for n in range(7):
                store.seal(a_trajectory(str(n), bytes([n % 2]) * 32), an_observation())
            store.seal(a_trajectory("2", bytes(32)), an_observation())
            seen: list[str] = []
            after = None
            while (page := store.scan(after=after, limit=3)).stored:
                assert len(page.stored) <= 3
                seen += ids(page)
                after = page.stored[-1].seq
            assert seen == ["2", "6", "5", "4", "3", "1", "0"]
            assert store.scan(limit=0) == Found()
            assert store.scan().stored[0] == store.get("2")

    # version

    def test_version_changes_with_every_change_and_only_then(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            changes: list[Callable[[], object]] = [
                lambda: store.seal(a_trajectory(), an_observation()),
                lambda: store.seal(a_trajectory(), an_observation("o2")),
                lambda: store.seal(a_trajectory(), an_observation("r", refresh=True)),
                lambda: store.seal(a_trajectory(), an_observation()),
                lambda: store.note((Note(id="t1", hits=1),)),
                lambda: store.forget(("t1",)),
                lambda: store.seal(a_trajectory(), an_observation()),
                lambda: store.forget(),
            ]
            seen = [store.version(KEY)]
            for change in changes:
                change()
                seen.append(store.version(KEY))
                store.find(KEY)
                store.scan()
                assert store.version(KEY) == seen[-1]
            assert len(set(seen)) == len(seen)

    def test_version_tells_of_what_others_wrote(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            other = self.reopen(tmp_path)
            if other is None:
                return
            try:
                before = store.version(KEY)
                other.seal(a_trajectory(), an_observation())
                assert store.version(KEY) != before
                assert ids(store.find(KEY)) == ["t1"]
            finally:
                other.close()

    # close, and life as a whole

    def test_after_close_every_call_but_close_raises(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        store.seal(a_trajectory(), an_observation())
        store.close()
        store.close()
        calls: list[Callable[[], object]] = [
            lambda: store.find(KEY),
            lambda: store.get("t1"),
            lambda: store.seal(a_trajectory(), an_observation()),
            lambda: store.note((Note(id="t1", hits=1),)),
            lambda: store.note(()),
            lambda: store.forget(()),
            lambda: store.forget(),
            lambda: store.scan(),
            lambda: store.version(KEY),
        ]
        for call in calls:
            assert isinstance(raised_by(call), StoreError)

    def test_what_was_written_outlives_the_object(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        store.seal(a_trajectory(), an_observation(), Note(id="t1", hits=1))
        before = store.scan()
        store.close()
        again = self.reopen(tmp_path)
        if again is not None:
            assert again.scan() == before
            again.close()

    def test_it_has_a_name_and_is_a_store(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            assert isinstance(store, Store)
            assert isinstance(store.url, str)
            assert store.url

    def test_many_threads_lose_nothing(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            seqs: list[int] = []
            errors: list[BaseException] = []

            def work(name: int) -> None:
                try:
                    for n in range(8):
                        seqs.append(store.seal(a_trajectory(f"{name} {n}"), an_observation()))
                        seqs.append(store.seal(a_trajectory("shared"), an_observation(f"{name} {n}")))
                        store.note((Note(id="shared", hits=1),))
                        assert store.get(f"{name} {n}") is not None
                        store.find(KEY)
                        store.version(KEY)
                except BaseException as error:
                    errors.append(error)

            threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert not errors
            assert len(set(seqs)) == len(seqs) == 64
            assert len(store.find(KEY).stored) == 33
            assert standing_of(store, "shared").hits == 32
            assert len(observed(store, "shared")) == 32

    # damage

    def test_a_damaged_trajectory_is_reported_never_offered_never_overwritten(self, tmp_path: Path) -> None:
        for what in ("trajectory", "standing"):
            with self.opened(tmp_path / what) as store:
                store.seal(a_trajectory("bad"), an_observation())
                store.seal(a_trajectory("good"), an_observation())
                if not self.damage(tmp_path / what, what, "bad"):
                    return
                for found in (store.find(KEY), store.scan()):
                    assert ids(found) == ["good"]
                    assert [one.id for one in found.damaged] == ["bad"]
                    assert what in found.damaged[0].what
                assert store.find(KEY).damaged[0].key == KEY
                assert isinstance(raised_by(lambda: store.get("bad")), DamagedStoreError)
                again = raised_by(lambda: store.seal(a_trajectory("bad"), an_observation("o2")))
                assert isinstance(again, DamagedStoreError)
                store.note((Note(id="bad", hits=1, state="trusted"), Note(id="good", hits=1)))
                assert [one.id for one in store.find(KEY).damaged] == ["bad"]
                assert standing_of(store, "good").hits == 1
                assert store.forget(("bad",)) == 1
                assert store.find(KEY).damaged == ()
                store.seal(a_trajectory("bad"), an_observation())
                assert ids(store.find(KEY)) == ["bad", "good"]

    def test_a_damaged_observation_is_left_out_and_reported(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory(), an_observation("bad"))
            store.seal(a_trajectory(), an_observation("good"))
            if not self.damage(tmp_path, "observation", "bad"):
                return
            found = store.find(KEY)
            assert [one.id for _, one in found.stored[0].observations] == ["good"]
            assert [(one.id, one.key) for one in found.damaged] == [("t1", KEY)]
            assert "bad" in found.damaged[0].what
            again = raised_by(lambda: store.seal(a_trajectory(), an_observation("bad")))
            assert isinstance(again, DamagedStoreError)
            store.seal(a_trajectory(), an_observation("r", refresh=True))
            assert {id for _, id in observed(store)} == {"good", "r"}
            assert len(store.find(KEY).damaged) == 1


def ids(found: Found) -> list[str]:
    """The ids of an answer, in its order."""
    return [one.sealed.id for one in found.stored]


def observed(store: Store, id: str = "t1") -> list[tuple[int, str]]:
    """Sequence numbers and ids of a trajectory's observations, in the store's order."""
    stored = store.get(id)
    assert stored is not None
    return [(seq, one.id) for seq, one in stored.observations]


def standing_of(store: Store, id: str = "t1") -> Standing:
    """The standing of a trajectory that is there."""
    stored = store.get(id)
    assert stored is not None
    return stored.standing


def raised_by(call: Callable[[], object]) -> BaseException | None:
    """What a call raises, or None."""
    try:
        call()
    except BaseException as error:
        return error
    return None
