"""L2: parents in every kind of store, copied or signed, prove the same."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from tests.support.fresh_ids import Desk, numbers

from muscle_mem import Reason
from muscle_mem.store import open_store
from muscle_mem.store.copying import copy_store

KINDS = {"sqlite": "store.db", "folder": "store/"}


def place(kind: str, folder: Path) -> str:
    return f"{folder}/{KINDS[kind]}"


@pytest.mark.parametrize("kind", KINDS)
def test_l2_each_run_in_a_process_of_its_own_ends_as_in_one(kind: str, tmp_path: Path) -> None:
    ids, found = numbers(), ""
    for _ in range(4):
        desk = Desk(ids, place(kind, tmp_path))
        found += desk.run().status[0]
        assert desk.agreed
        desk.engine.close()
    assert found == "mdhh"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_l2_a_copy_of_the_store_proves_as_much(kind: str, other: str, tmp_path: Path) -> None:
    ids, copied = numbers(), tmp_path / "copy"
    copied.mkdir()
    desk = Desk(ids, place(kind, tmp_path))
    desk.runs(3)
    desk.engine.close()
    with closing(open_store(place(kind, tmp_path))) as one, closing(open_store(place(other, copied))) as two:
        copy_store(one, two)
    desk = Desk(ids, place(other, copied))
    assert desk.runs(2) == "hh"
    assert desk.agreed
    assert len(desk.stored()) == 2
    desk.engine.close()


def test_l2_a_signed_store_proves_as_much_and_another_key_nothing(tmp_path: Path) -> None:
    ids, url = numbers(), place("sqlite", tmp_path)
    for wanted in ("m", "d", "h"):
        desk = Desk(ids, url, signing_key=b"k" * 32)
        assert desk.run().status[0] == wanted
        desk.engine.close()
    with pytest.raises(Exception, match="sign"):
        Desk(ids, url, signing_key=b"o" * 32)


@pytest.mark.parametrize("kind", KINDS)
def test_l10_a_verdict_on_a_hit_holds_in_the_next_process(kind: str, tmp_path: Path) -> None:
    ids = numbers()
    desk = Desk(ids, place(kind, tmp_path))
    desk.runs(2)
    hit = desk.run()
    assert hit
    hit.report_bad("the wrong order was paid")
    desk.engine.close()
    desk = Desk(ids, place(kind, tmp_path))
    assert desk.run().reason is Reason.STALE_OUTPUT
    desk.engine.report_good(hit.trajectory_id or "")
    assert desk.run()
    desk.engine.close()
