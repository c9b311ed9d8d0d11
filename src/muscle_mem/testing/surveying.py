"""Contract of surveying and dropping, for stores that support them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ..store.base import Found, Note, Summary, Surveying
from .records import KEY, OTHER_KEY, a_trajectory, an_observation, ids
from .subject import StoreUnderTest


class SurveyingContract(StoreUnderTest):
    """Contract of `muscle_mem.store.base.Surveying`, skipped for other stores."""

    def test_a_survey_returns_summaries_without_contents(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            if not isinstance(store, Surveying):
                return
            body = b"b" * 1000
            store.seal(a_trajectory("a", body=body), an_observation("o1", b"x" * 10, created=5.0, blobs=(b"B" * 7000,)))
            note = Note(id="a", hits=3, last_hit=99.5, state="trusted")
            both = (b"C" * 50, b"B" * 7000)
            last = store.seal(a_trajectory("a"), an_observation("o2", b"x" * 20, created=7.0, blobs=both), note)
            store.seal(a_trajectory("a"), an_observation("r", b"x" * 3, created=9.0, refresh=True))
            other = store.seal(a_trajectory("b", OTHER_KEY, body=b""), an_observation("o1", b"", created=1.0))
            surveyed = store.survey()
            assert surveyed[0].head == b""
            assert surveyed[1].head in (b"", b"bb")  # A store may leave it out.
            assert tuple(msgspec.structs.replace(one, head=b"") for one in surveyed) == (
                Summary(id="b", key=OTHER_KEY, seq=other, created=1_700_000_000.25, recorded=1.0),
                Summary(
                    id="a",
                    key=KEY,
                    seq=last,
                    state="trusted",
                    created=1_700_000_000.25,
                    recorded=7.0,
                    hits=3,
                    last_hit=99.5,
                    size=1000 + 10 + 20 + 3 + 7000 + 50,
                ),
            )

    def test_a_survey_pages_as_a_scan_does(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            if not isinstance(store, Surveying):
                return
            assert store.survey() == ()
            for n in range(7):
                store.seal(a_trajectory(str(n), bytes([n % 2]) * 32), an_observation())
            store.seal(a_trajectory("2", bytes(32)), an_observation())
            seen: list[str] = []
            after = None
            while page := store.survey(after=after, limit=3):
                assert len(page) <= 3
                seen += [one.id for one in page]
                after = page[-1].seq
            assert seen == ids(store.scan())
            assert store.survey(limit=0) == ()

    def test_drop_deletes_with_all_that_it_owns_and_counts(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            if not isinstance(store, Surveying):
                return
            for id in "abc":
                store.seal(a_trajectory(id), an_observation(blobs=(b"shared", id.encode())), Note(id=id, hits=1))
            before = store.version(KEY)
            assert store.drop(("a", "c", "a", "?")) == 2
            assert store.version(KEY) != before
            assert ids(store.find(KEY)) == ["b"]
            assert self.blobs_kept(tmp_path) in (None, 2)
            assert store.drop(()) == 0
            assert store.drop(("b",)) == 1
            assert store.scan() == Found()
            assert store.survey() == ()
            assert self.blobs_kept(tmp_path) in (None, 0)
