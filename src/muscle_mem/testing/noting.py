"""Contract of notes and of forgetting."""

from __future__ import annotations

from pathlib import Path

from ..store.base import Found, Note, Standing, Tally
from .records import KEY, a_trajectory, an_observation, ids, observed, standing_of
from .subject import StoreUnderTest


class NotingContract(StoreUnderTest):
    """Contract of `note` and `forget`."""

    def test_notes_add_counters_and_set_the_rest(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory(), an_observation())
            store.note((Note(id="t1", hits=3, failures=1, last_hit=5.5, strikes=1),))
            store.note((Note(id="t1", hits=4, state="trusted", reason="good"),))
            assert standing_of(store) == Standing(
                state="trusted", reason="good", strikes=1, hits=7, failures=1, last_hit=5.5
            )

    def test_a_note_sets_empty_values(self, tmp_path: Path) -> None:
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

    def test_results_of_checks_are_added_up_in_the_order_of_their_first_use(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.seal(a_trajectory(), an_observation(), Note(id="t1", checks=(Tally("click pre", 1, 0),)))
            store.note((Note(id="t1", checks=(Tally("click post", 0, 2), Tally("click pre", 2, 1))),))
            store.note((Note(id="t1", hits=1),))
            odd = Tally("\ud800 \0 'quoted' \"too\"", 2**40, 0)
            store.note((Note(id="t1", checks=(odd,)),))
            assert standing_of(store).checks == (Tally("click pre", 3, 1), Tally("click post", 0, 2), odd)

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
