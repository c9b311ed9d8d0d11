"""Contract of the methods that read: find, get, scan, version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..store.base import Found, Note, Standing, Stored
from .records import KEY, OTHER_KEY, a_trajectory, an_observation, confirm, ids
from .subject import StoreUnderTest


class ReadingContract(StoreUnderTest):
    """Contract of `find`, `get`, `scan` and `version`."""

    def test_an_unknown_key_finds_nothing(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            assert store.find(KEY) == Found()

    def test_find_returns_exactly_what_was_sealed(self, tmp_path: Path) -> None:
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

    def test_find_returns_one_key_only(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory("a", KEY), an_observation())
            store.seal(a_trajectory("b", OTHER_KEY), an_observation())
            assert ids(store.find(KEY)) == ["a"]
            assert ids(store.find(OTHER_KEY)) == ["b"]

    def test_find_returns_the_newest_first(self, tmp_path: Path) -> None:
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

    def test_get_finds_one_trajectory_by_its_id(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory("a"), an_observation())
            store.seal(a_trajectory("b"), an_observation())
            assert store.get("a") == store.find(KEY).stored[1]
            assert store.get("c") is None

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

    def test_version_changes_only_with_each_change(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            changes: list[Callable[[], object]] = [
                lambda: store.seal(a_trajectory(), an_observation()),
                lambda: store.seal(a_trajectory(), an_observation("o2")),
                lambda: store.seal(a_trajectory(), an_observation("r", refresh=True)),
                lambda: store.seal(a_trajectory(), an_observation()),
                lambda: store.note((Note(id="t1", state="trusted"),)),
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

    def test_version_changes_after_writes_of_others(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            other = self.reopen(tmp_path)
            if other is None:
                return
            try:
                before = store.version(KEY)
                other.seal(a_trajectory(), an_observation())
                confirm(store)
                assert store.version(KEY) != before
                assert ids(store.find(KEY)) == ["t1"]
            finally:
                other.close()
