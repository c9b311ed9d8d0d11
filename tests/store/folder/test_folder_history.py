"""The history of a folder: a file of its own, which no commit takes along."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from muscle_mem.errors import StoreError
from muscle_mem.store import HistoryBatch
from muscle_mem.store.folder import FolderStore
from muscle_mem.testing import KEY, a_trajectory, an_observation, ids
from muscle_mem.testing.history import a_count, a_run


def test_the_history_is_for_its_owner_only_and_ignored_by_git(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("# made by muscle_mem\n.lock\n*.tmp\n.leading/\n")  # As 0.3.0 made it.
    store = FolderStore(tmp_path)
    store.add_history(HistoryBatch(id="1", runs=(a_run(),)))
    assert stat.S_IMODE((tmp_path / ".history.db").stat().st_mode) == 0o600
    assert ".history.db*" in (tmp_path / ".gitignore").read_text().splitlines()


def test_a_folder_without_history_gets_none_by_reading(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "new")
    assert (store.history_runs(), store.history_counts(), store.picture("?")) == ((), (), None)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + bytes(200)])
def test_a_broken_history_costs_no_recording(content: bytes, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.seal(a_trajectory("a"), an_observation())
    (tmp_path / ".history.db").write_bytes(content)
    with pytest.raises(StoreError, match="Recordings are not affected"):
        store.add_history(HistoryBatch(id="1", counts=(a_count(),)))
    assert ids(store.find(KEY)) == ["a"]
    (tmp_path / ".history.db").unlink()
    store.add_history(HistoryBatch(id="1", counts=(a_count(),)))
    assert store.history_counts() == (a_count(),)


def test_a_history_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    import sqlite3

    store = FolderStore(tmp_path)
    store.add_history(HistoryBatch(id="1", counts=(a_count(),)))
    with sqlite3.connect(tmp_path / ".history.db") as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(StoreError, match="newer release"):
        store.history_counts()
