"""Contract of sealing: trajectories, observations and their order."""

from __future__ import annotations

from pathlib import Path

from ..store.base import Note, Standing
from .records import KEY, a_trajectory, an_observation, ids, observed, standing_of
from .subject import StoreUnderTest


class SealingContract(StoreUnderTest):
    """Contract of `seal`."""

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

    def test_observations_are_kept_newest_first(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            first = store.seal(a_trajectory(), an_observation("o1"))
            second = store.seal(a_trajectory(), an_observation("o2"))
            assert observed(store) == [(second, "o2"), (first, "o1")]

    def test_an_existing_observation_moves_up_with_a_new_time(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory(), an_observation("o1", b"first", created=1.0))
            second = store.seal(a_trajectory(), an_observation("o2"))
            third = store.seal(a_trajectory(), an_observation("o1", b"again", created=9.0))
            assert observed(store) == [(third, "o1"), (second, "o2")]
            stored = store.get("t1")
            assert stored is not None
            assert stored.observations[0][1] == an_observation("o1", b"first", created=9.0)

    def test_equal_observation_ids_of_two_trajectories_are_distinct(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory("a"), an_observation("o", b"of a"))
            store.seal(a_trajectory("b"), an_observation("o", b"of b"))
            for id in "ab":
                stored = store.get(id)
                assert stored is not None
                assert [one.body for _, one in stored.observations] == [b"of " + id.encode()]

    def test_a_refresh_does_not_change_the_order(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            first = store.seal(a_trajectory("a"), an_observation("o1"))
            store.seal(a_trajectory("b"), an_observation("o1"))
            assert store.seal(a_trajectory("a"), an_observation("r", refresh=True)) == first
            assert ids(store.find(KEY)) == ["b", "a"]
            assert observed(store, "a") == [(first, "o1"), (first, "r")]

    def test_only_the_newest_refresh_is_kept(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory(), an_observation("o1"))
            for id in ("r1", "r2", "r2"):
                store.seal(a_trajectory(), an_observation(id, refresh=True))
            assert [id for _, id in observed(store)] == ["o1", "r2"]
            store.seal(a_trajectory(), an_observation("o1", refresh=True))
            stored = store.get("t1")
            assert stored is not None
            assert [one for _, one in stored.observations] == [an_observation("o1")]

    def test_a_recording_equal_to_the_refresh_replaces_it_permanently(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            first = store.seal(a_trajectory(), an_observation("o1"))
            store.seal(a_trajectory(), an_observation("same", refresh=True))
            last = store.seal(a_trajectory(), an_observation("same"))
            store.seal(a_trajectory(), an_observation("r", refresh=True))
            assert observed(store) == [(last, "same"), (last, "r"), (first, "o1")]

    def test_a_refresh_of_an_unknown_trajectory_is_dropped(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory("b"), an_observation())
            note = Note(id="b", hits=1)
            assert store.seal(a_trajectory(), an_observation(refresh=True), note) == 0
            assert store.get("t1") is None
            assert ids(store.scan()) == ["b"]
            assert standing_of(store, "b").hits == 0

    def test_seal_applies_the_note(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory("a"), an_observation())
            store.seal(a_trajectory("b"), an_observation(), Note(id="a", state="retired", reason="by b"))
            assert standing_of(store, "a") == Standing(state="retired", reason="by b")
            assert standing_of(store, "b") == Standing()
