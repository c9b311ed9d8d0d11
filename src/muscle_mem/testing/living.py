"""Contract of the life of a store: closing, reopening, threads, damage."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from ..errors import DamagedStoreError, StoreError
from ..store.base import Note, is_store
from .records import KEY, a_trajectory, an_observation, ids, observed, raised_by, standing_of
from .subject import StoreUnderTest


class LivingContract(StoreUnderTest):
    """Contract of all methods."""

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

    def test_data_survives_closing_and_reopening(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        store.seal(a_trajectory(), an_observation(), Note(id="t1", hits=1))
        before = store.scan()
        store.close()
        again = self.reopen(tmp_path)
        if again is not None:
            assert again.scan() == before
            again.close()

    def test_it_is_a_store_with_a_url(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            assert is_store(store)
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
