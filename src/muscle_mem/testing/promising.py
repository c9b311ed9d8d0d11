"""Contract of what a store promises."""

from __future__ import annotations

import time
from pathlib import Path

from ..store.base import Note
from ..store.promises import Promises, promises_of
from .records import KEY, OTHER_KEY, a_trajectory, an_observation, ids, standing_of
from .subject import StoreUnderTest

SLACK = 5.0
"""Seconds that a busy machine may add to what a store promises."""


class PromisingContract(StoreUnderTest):
    """Contract of the attribute `promises`; a store without it promises the most."""

    def test_promises_are_declared_and_do_not_change(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            before = promises_of(store)
            assert isinstance(before, Promises)
            store.seal(a_trajectory(), an_observation())
            assert promises_of(store) == before

    def test_what_was_acknowledged_is_there_for_others(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory(), an_observation())
            store.seal(a_trajectory("gone"), an_observation())
            store.note((Note(id="t1", state="quarantined", held=True),))
            store.forget(("gone",))
            other = self.reopen(tmp_path)
            promised = promises_of(store)
            assert (other is None) == (not promised.lasts)
            if other is not None:
                assert promises_of(other) == promised
                if promised.acknowledged != "cache":
                    assert ids(other.find(KEY)) == ["t1"]
                    assert standing_of(other).held
                other.close()

    def test_writes_of_others_show_in_the_promised_time(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            other = self.reopen(tmp_path)
            if other is None:
                return
            before = other.version(KEY)
            store.seal(a_trajectory(), an_observation())
            until = time.monotonic() + promises_of(store).watch + SLACK
            while other.version(KEY) == before and time.monotonic() < until:
                time.sleep(0.02)
            assert other.version(KEY) != before
            assert ids(other.find(KEY)) == ["t1"]
            other.close()

    def test_numbers_are_in_the_promised_order(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            other = self.reopen(tmp_path)
            stores = (store, store if other is None else other)
            keys = (KEY, OTHER_KEY) if promises_of(store).order == "store" else (KEY,)
            seqs = [
                one.seal(a_trajectory(f"{n} {at}", key), an_observation())
                for n, key in enumerate(keys * 3)
                for at, one in enumerate(stores)
            ]
            assert seqs == sorted(set(seqs))
            if other is not None:
                other.close()
