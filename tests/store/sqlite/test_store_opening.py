"""Opening a SQLite store: what may lie at its path, older and newer ones, rights."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from muscle_mem.errors import ForeignStoreError, NewerStoreError, StoreError
from muscle_mem.store import SqliteStore
from muscle_mem.store.sqlite import opening, schema
from muscle_mem.store.sqlite import store as sqlite
from muscle_mem.testing import KEY, a_trajectory, an_observation, ids
from other_user import shared_place
from store_cases import (
    a_database_without_name,
    a_device,
    a_folder,
    a_foreign_database,
    a_future_store_that_does_not_say,
    a_store_of_the_future,
    a_store_with_a_trigger,
    a_store_without_a_table,
    a_text,
    python,
    raw,
    what_is_left_of_a_store,
)


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch(0o644)
    with closing(SqliteStore(path)) as one:
        one.seal(a_trajectory(), an_observation())
    with closing(SqliteStore(path)) as one:
        assert ids(one.scan()) == ["t1"]


def test_files_are_for_their_owner_only_whatever_the_umask(path: Path) -> None:
    script = (
        "import os, sys; os.umask(0)\n"
        "from muscle_mem.store import SqliteStore\n"
        "from muscle_mem.testing import a_trajectory, an_observation\n"
        "store = SqliteStore(sys.argv[1]); store.seal(a_trajectory(), an_observation())\n"
        "folder = os.path.dirname(sys.argv[1])\n"
        "print({n: oct(os.stat(os.path.join(folder, n)).st_mode & 0o777) for n in sorted(os.listdir(folder))})\n"
    )
    shown = python(script, str(path))
    assert shown.strip() == str({path.name + end: "0o600" for end in ("", "-shm", "-wal", ".lock")})


@pytest.mark.parametrize(
    ("made", "error", "words"),
    [
        (a_folder, StoreError, "is a folder"),
        (a_device, StoreError, "not a regular file"),
        (a_text, ForeignStoreError, "not a SQLite database"),
        (a_foreign_database, ForeignStoreError, "application_id is 7"),
        (a_database_without_name, ForeignStoreError, "application_id is 0"),
        (a_store_of_the_future, NewerStoreError, "version 99"),
        (a_future_store_that_does_not_say, NewerStoreError, "version 99"),
        (a_store_with_a_trigger, ForeignStoreError, "trigger named 'evil'"),
        (a_store_without_a_table, ForeignStoreError, "'observation' is missing"),
        (what_is_left_of_a_store, StoreError, "-wal"),
    ],
)
def test_what_is_not_ours_is_refused_and_untouched(
    made: Callable[[Path], None], error: type[Exception], words: str, path: Path
) -> None:
    made(path)
    for lock in path.parent.glob("*.lock"):
        lock.unlink()
    before = contents(path.parent)
    with pytest.raises(error) as caught:
        SqliteStore(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    after = contents(path.parent)
    after.pop(path.name + ".lock", None)
    assert after == before


def contents(folder: Path) -> dict[str, bytes | None]:
    return {one.name: one.read_bytes() if one.is_file() else None for one in folder.iterdir()}


def test_a_store_whose_checkpoint_was_cut_off_is_opened(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with closing(SqliteStore(path)) as one:
        one.seal(a_trajectory(body=bytes(500_000)), an_observation())
        log = path.with_name(path.name + "-wal").read_bytes()
        with raw(path) as connection:
            connection.execute("PRAGMA wal_checkpoint")
        whole = path.read_bytes()
    copy.with_name(copy.name + "-wal").write_bytes(log)
    copy.write_bytes(whole[: len(whole) // 2])  # the header is new, the end not yet there
    with closing(SqliteStore(copy)) as one:
        assert ids(one.scan()) == ["t1"]


def test_a_missing_folder_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"folder .*nowhere.* does not exist"):
        SqliteStore(tmp_path / "nowhere" / "store.db")
    assert list(tmp_path.iterdir()) == []


def test_a_newer_store_that_lets_this_release_read_is_opened(path: Path) -> None:
    SqliteStore(path).close()
    with raw(path) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("ALTER TABLE trajectory ADD COLUMN later TEXT")
    with closing(SqliteStore(path)) as one:
        one.seal(a_trajectory(), an_observation())
        assert ids(one.scan()) == ["t1"]


def test_extra_tables_and_indexes_of_a_person_do_no_harm(path: Path) -> None:
    SqliteStore(path).close()
    with raw(path) as connection:
        connection.execute("CREATE INDEX by_task ON trajectory(task)")
        connection.execute("CREATE TABLE notes_of_mine(x)")
        connection.execute("ANALYZE")
    with closing(SqliteStore(path)) as one:
        one.seal(a_trajectory(), an_observation())


def test_an_older_store_is_brought_up_step_by_step(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SqliteStore(path)) as one:
        one.seal(a_trajectory(), an_observation())
    steps = (*schema.MIGRATIONS, ("CREATE TABLE second(x)",), ("CREATE TABLE third(x)",))
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    latest = len(steps)
    monkeypatch.setattr(schema, "LATEST", latest)
    monkeypatch.setattr(schema, "MIN_READERS", (*schema.MIN_READERS, 1, latest))
    schema.expected_shape.cache_clear()
    try:
        with closing(SqliteStore(path)) as one:
            assert ids(one.scan()) == ["t1"]
        with raw(path) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (latest,)
            assert connection.execute("SELECT value FROM meta").fetchall() == [(latest,)]
            connection.execute("SELECT * FROM second, third")
    finally:
        schema.expected_shape.cache_clear()


def test_a_migration_that_fails_leaves_the_version_before_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SqliteStore(path).close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("CREATE TABLE half(x)", "NONSENSE")))
    known = schema.LATEST
    monkeypatch.setattr(schema, "LATEST", known + 1)
    monkeypatch.setattr(schema, "MIN_READERS", (*schema.MIN_READERS, 1))
    with pytest.raises(StoreError):
        SqliteStore(path)
    with raw(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (known,)
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)


READ_ONLY = """
import os, sys
from muscle_mem.errors import StoreError
from muscle_mem.store import SqliteStore, open_store  # all loaded while it may still be read
import muscle_mem.store.urls
from muscle_mem.testing import *
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
store = open_store(sys.argv[1])
before = store.version(KEY)
print(ids(store.find(KEY)), ids(store.scan()), store.get("t1").sealed.task, store.version(KEY) == before)
for call in (lambda: store.seal(a_trajectory(), an_observation()), lambda: store.forget(("t1",))):
    error = raised_by(call)
    print(type(error).__name__, "read-only" in str(error), sys.argv[1] in str(error))
store.close()
print(type(raised_by(lambda: store.find(KEY))).__name__)
"""


@pytest.mark.skipif(os.name != "posix", reason="rights of files are another matter on Windows")
@pytest.mark.parametrize("in_use", [False, True])
@pytest.mark.parametrize("folder_mode", [0o555, 0o777])
def test_a_read_only_store_is_read_and_not_written(in_use: bool, folder_mode: int) -> None:
    with tempfile.TemporaryDirectory(dir=shared_place()) as folder:
        path = Path(folder) / "store.db"
        writer = SqliteStore(path)
        writer.seal(a_trajectory(), an_observation())
        if not in_use:
            writer.close()
        for one in Path(folder).iterdir():
            one.chmod(0o444)
        os.chmod(folder, folder_mode)
        try:
            shown = python(READ_ONLY, str(path)).splitlines()
        finally:
            os.chmod(folder, 0o755)
            writer.close()
        assert shown == ["['t1'] ['t1'] pay the bill True", *["StoreError True True"] * 2, "StoreError"]


def test_a_read_only_store_sees_what_its_owner_writes_later(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SqliteStore(path)) as owner:
        owner.seal(a_trajectory(), an_observation())
    monkeypatch.setattr(sqlite, "prepare", lambda *args, **options: opening.Access.READ)
    with closing(SqliteStore(path)) as reader:
        monkeypatch.undo()
        assert {one.name for one in path.parent.iterdir()} == {path.name, path.name + ".lock"}
        before = reader.version(KEY)
        assert ids(reader.find(KEY)) == ["t1"]
        with closing(SqliteStore(path)) as owner:
            owner.seal(a_trajectory("t2"), an_observation())
            assert ids(reader.find(KEY)) == ["t2", "t1"]
        assert reader.version(KEY) != before
        assert ids(reader.find(KEY)) == ["t2", "t1"]
