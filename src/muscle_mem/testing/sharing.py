"""Contract of several users of one store: writers, leaders, restored backups."""

from __future__ import annotations

import threading
from pathlib import Path

from ..store.base import Store, is_leading
from .records import KEY, OTHER_KEY, a_trajectory, an_observation, confirm, ids
from .subject import StoreUnderTest

PATIENCE = 60.0  # Seconds in which anything of these tests ends.


class SharingContract(StoreUnderTest):
    """Contract of `seal`, `version` and `lead` with two objects on one store."""

    def test_two_writers_of_one_key_lose_nothing_and_share_an_order(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            other = self.reopen(tmp_path)
            stores = [store, store if other is None else other]
            seqs: list[list[int]] = [[], []]
            before = store.version(KEY)

            def write(at: int) -> None:
                for n in range(6):
                    seqs[at].append(stores[at].seal(a_trajectory(f"{at} {n}"), an_observation()))

            threads = [threading.Thread(target=write, args=(at,)) for at in (0, 1)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE)
            assert seqs == [sorted(seqs[0]), sorted(seqs[1])]
            names = {seq: f"{at} {n}" for at in (0, 1) for n, seq in enumerate(seqs[at])}
            assert len(names) == 12
            assert ids(store.find(KEY)) == [names[seq] for seq in sorted(names, reverse=True)]
            confirm(store)
            assert store.version(KEY) != before
            if other is not None:
                other.close()

    def test_a_writer_that_pauses_before_its_commit_is_seen_later(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            reached, go = threading.Event(), threading.Event()

            def pause() -> None:
                if threading.current_thread() is paused:
                    reached.set()
                    go.wait(PATIENCE)

            paused = threading.Thread(target=lambda: store.seal(a_trajectory("late"), an_observation()))
            other = self.reopen(tmp_path)
            if other is None or not self.pause_commits(pause):
                return
            paused.start()
            try:
                assert reached.wait(PATIENCE)
                other.seal(a_trajectory("early", OTHER_KEY), an_observation())
                confirm(other)
                before = other.version(KEY)
                assert ids(other.find(KEY)) == []
            finally:
                go.set()
                paused.join(PATIENCE)
            confirm(other)
            assert other.version(KEY) != before
            assert ids(other.find(KEY)) == ["late"]
            other.close()

    def test_a_store_that_went_back_in_time_goes_on_from_there(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        store.seal(a_trajectory("kept"), an_observation())
        restore = self.saved(tmp_path)
        if restore is None:
            store.close()
            return
        for id in ("lost", "kept", "lost too"):
            store.seal(a_trajectory(id), an_observation("o2"))
        store.close()
        restore()
        again = self.reopen(tmp_path)
        assert again is not None
        assert ids(again.find(KEY)) == ["kept"]
        again.seal(a_trajectory("new"), an_observation())
        assert ids(again.find(KEY)) == ids(again.scan()) == ["new", "kept"]
        again.close()

    def test_one_of_two_leads_a_key_and_its_fence_grows(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            other = self.reopen(tmp_path)
            if other is None:
                return
            used: Store = other
            if is_leading(store) and is_leading(other):
                fences: list[int] = []
                for one, two in ((store, other), (other, store), (store, other)):
                    lead = one.lead(KEY)
                    assert lead is not None
                    assert two.lead(KEY) is None
                    another = two.lead(OTHER_KEY)
                    assert another is not None
                    fences.append(getattr(lead, "fence", len(fences)))
                    another.release()
                    lead.release()
                    lead.release()
                assert fences == sorted(set(fences))
            used.close()
