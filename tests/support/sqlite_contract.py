"""The contract of every store, to be kept by a SQLite store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from muscle_mem.store import SqliteStore, Store
from muscle_mem.testing import StoreContract
from store_cases import raw


class SqliteContract(StoreContract):
    def make_store(self, tmp_path: Path) -> Store:
        tmp_path.mkdir(exist_ok=True)
        return SqliteStore(tmp_path / "store.db")

    def reopen(self, tmp_path: Path) -> Store:
        return SqliteStore(tmp_path / "store.db")

    def damage(self, tmp_path: Path, what: str, id: str) -> bool:
        spoil = {
            "trajectory": "UPDATE trajectory SET body = body || x'00' WHERE id = ?",
            "standing": "UPDATE standing SET hits = hits + 1 WHERE n = (SELECT n FROM trajectory WHERE id = ?)",
            "observation": "UPDATE observation SET body = x'00' WHERE id = ?",
            "blob": "UPDATE blob SET body = body || x'00' "
            "WHERE hash = (SELECT substr(blobs, 1, 32) FROM observation WHERE id = ?)",
        }
        with raw(tmp_path / "store.db") as connection:
            connection.execute(spoil[what], (id,))
        return True

    def saved(self, tmp_path: Path) -> Callable[[], object]:
        with closing(self.reopen(tmp_path)) as store:
            assert isinstance(store, SqliteStore)
            store.backup(tmp_path / "saved.db")

        def restore() -> None:
            for left in ("store.db-wal", "store.db-shm"):
                (tmp_path / left).unlink(missing_ok=True)
            (tmp_path / "saved.db").replace(tmp_path / "store.db")

        return restore

    def blobs_kept(self, tmp_path: Path) -> int | None:
        with raw(tmp_path / "store.db") as connection:
            return int(connection.execute("SELECT count(*) FROM blob").fetchone()[0])
