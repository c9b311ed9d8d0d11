"""The history of a folder: a SQLite file beside the documents.

Version control leaves it out. It is open during an operation only, under the lock of the folder.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import TypeVar

from ...errors import StoreError
from ..history import HistoryTables
from ..history_tables import MIGRATION, SqlHistory
from ..memory_history import MemoryHistory

T = TypeVar("T")
NAME = ".history.db"
VERSION = 1


class FolderHistory:
    """The history in a folder.

    The caller holds the lock of the folder while it writes.
    """

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, NAME)

    def read(self, work: Callable[[HistoryTables], T]) -> T:
        """Return the result of `work` on the history, which may be empty.

        Raises StoreError.
        """
        if not os.path.exists(self._path):
            return work(MemoryHistory())
        return self._use(work)

    def write(self, work: Callable[[HistoryTables], T]) -> T:
        """Return the result of `work` in one transaction. Raises StoreError."""
        if not os.path.exists(self._path):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        return self._use(work)

    def forget(self, ids: Iterable[str] | None, keys: Iterable[bytes], *, rewrite: bool) -> None:
        """Delete what refers to trajectories (None: everything), and all history of tasks.

        `rewrite` leaves no deleted byte in the file.
        """
        if not os.path.exists(self._path):
            return
        if ids is None:
            os.unlink(self._path)
            return
        gone, tasks = list(ids), list(keys)
        self._use(lambda tables: tables.forget(gone, tasks), rewrite=rewrite)

    def _use(self, work: Callable[[SqlHistory], T], *, rewrite: bool = False) -> T:
        try:
            with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
                connection.text_factory = bytes
                connection.execute("PRAGMA secure_delete=ON")
                connection.execute("PRAGMA trusted_schema=OFF")
                connection.execute("BEGIN IMMEDIATE")
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                if version == 0:
                    for statement in MIGRATION:
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {VERSION}")
                elif version != VERSION:
                    raise StoreError(f"the history {self._path!r} was written by a newer release. Upgrade muscle-mem.")
                answer = work(SqlHistory(connection))
                connection.execute("COMMIT")
                if rewrite:
                    connection.execute("VACUUM")
                return answer
        except sqlite3.Error as error:
            raise StoreError(
                f"the history {self._path!r} cannot be used ({error}). Recordings are not affected; delete the file to "
                "begin a new history."
            ) from error
