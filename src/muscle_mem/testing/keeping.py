"""Contract of blobs: stored once, returned in order, freed with their last user."""

from __future__ import annotations

from pathlib import Path

from ..errors import DamagedStoreError
from ..store.base import Observation, Store
from .records import KEY, a_trajectory, an_observation, ids, observed, raised_by
from .subject import StoreUnderTest

ONE = b"one" * 5000
TWO = bytes(range(256)) * 40
EMPTY = b""


class KeepingContract(StoreUnderTest):
    """Contract of `Observation.blobs`."""

    def test_blobs_come_back_in_order(self, tmp_path: Path) -> None:
        many = (TWO, ONE, EMPTY, TWO, b"\0" * 3)
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory(), an_observation(blobs=many))
            store.seal(a_trajectory("t2"), an_observation())
            assert blobs_of(store) == {"o1": many}
            assert blobs_of(store, "t2") == {"o1": ()}
            assert store.find(KEY).stored[1].observations[0][1] == an_observation(blobs=many)

    def test_equal_blobs_are_stored_once(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory("a"), an_observation("o1", blobs=(ONE, TWO, ONE)))
            store.seal(a_trajectory("a"), an_observation("o2", blobs=(TWO,)))
            store.seal(a_trajectory("b"), an_observation("o1", blobs=(ONE,)))
            assert self.blobs_kept(tmp_path) in (None, 2)
            assert blobs_of(store, "a") == {"o1": (ONE, TWO, ONE), "o2": (TWO,)}
            assert blobs_of(store, "b") == {"o1": (ONE,)}

    def test_blobs_are_freed_with_their_last_user(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory("a"), an_observation("o1", blobs=(ONE, TWO)))
            store.seal(a_trajectory("b"), an_observation("o1", blobs=(ONE,)))
            assert store.forget(("a",)) == 1
            assert blobs_of(store, "b") == {"o1": (ONE,)}
            assert self.blobs_kept(tmp_path) in (None, 1)
            assert store.forget(("b",)) == 1
            assert self.blobs_kept(tmp_path) in (None, 0)
            store.seal(a_trajectory("a"), an_observation("o1", blobs=(ONE, TWO)))
            store.forget()
            assert self.blobs_kept(tmp_path) in (None, 0)

    def test_a_replaced_refresh_frees_its_blobs(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory(), an_observation("o1", blobs=(ONE,)))
            store.seal(a_trajectory(), an_observation("r1", refresh=True, blobs=(ONE, TWO)))
            store.seal(a_trajectory(), an_observation("r2", refresh=True, blobs=(EMPTY,)))
            assert blobs_of(store) == {"o1": (ONE,), "r2": (EMPTY,)}
            assert self.blobs_kept(tmp_path) in (None, 2)

    def test_a_recording_that_replaces_a_refresh_replaces_its_blobs(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory(), an_observation("same", refresh=True, blobs=(ONE, TWO)))
            store.seal(a_trajectory(), an_observation("same", blobs=(TWO, EMPTY)))
            assert blobs_of(store) == {"same": (TWO, EMPTY)}
            assert self.blobs_kept(tmp_path) in (None, 2)

    def test_an_observation_that_moves_up_keeps_its_blobs(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory(), an_observation("o1", blobs=(ONE,)))
            store.seal(a_trajectory(), an_observation("o2", blobs=(TWO,)))
            third = store.seal(a_trajectory(), an_observation("o1", blobs=(EMPTY,)))
            assert blobs_of(store) == {"o1": (ONE,), "o2": (TWO,)}
            assert observed(store)[0] == (third, "o1")
            assert self.blobs_kept(tmp_path) in (None, 2)

    def test_an_altered_blob_damages_only_its_users(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory("t1"), an_observation("uses", blobs=(ONE, TWO)))
            store.seal(a_trajectory("t1"), an_observation("uses not", blobs=(TWO,)))
            if not self.damage(tmp_path, "blob", "uses"):
                return
            found = store.find(KEY)
            assert ids(found) == ["t1"]
            assert [one.id for _, one in found.stored[0].observations] == ["uses not"]
            assert [(one.id, one.key) for one in found.damaged] == [("t1", KEY)]
            assert "uses" in found.damaged[0].what
            again = raised_by(lambda: store.seal(a_trajectory("t1"), an_observation("uses", blobs=(ONE, TWO))))
            assert isinstance(again, DamagedStoreError)
            other = raised_by(lambda: store.seal(a_trajectory("t2"), an_observation("new", blobs=(ONE,))))
            assert isinstance(other, DamagedStoreError)
            assert store.get("t2") is None
            store.forget(("t1",))
            store.seal(a_trajectory("t2"), an_observation("new", blobs=(ONE,)))
            assert blobs_of(store, "t2") == {"new": (ONE,)}


def blobs_of(store: Store, id: str = "t1") -> dict[str, tuple[bytes, ...]]:
    """Return the blobs of each observation of an existing trajectory.

    Args:
        store: The store to read.
        id: The id of the trajectory.
    """
    stored = store.get(id)
    assert stored is not None
    found: list[Observation] = [one for _, one in stored.observations]
    return {one.id: one.blobs for one in found}
