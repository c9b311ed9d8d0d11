"""The PostgreSQL store keeps the contract; and what only it promises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from postgres_server import HOW, database_fixture, dsn, schema_fixture, url_of  # noqa: F401 - fixtures

psycopg = pytest.importorskip("psycopg", reason=HOW)

from psycopg import sql  # noqa: E402

from muscle_mem.store import Store  # noqa: E402
from muscle_mem.store.postgres import PostgresStore  # noqa: E402
from muscle_mem.testing import StoreContract  # noqa: E402


@contextmanager
def raw(schema: str) -> Iterator[Any]:
    """A plain connection, for a look and for mischief."""
    with closing(psycopg.connect(dsn(), autocommit=True)) as connection:
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(schema)))
        yield connection


@pytest.mark.usefixtures("database")
class TestPostgresStore(StoreContract):
    def make_store(self, tmp_path: Path) -> Store:
        self.schema = f"mm {tmp_path.parent.name} {tmp_path.name}"[-63:]
        return PostgresStore(url_of(self.schema))

    def reopen(self, tmp_path: Path) -> Store | None:
        return PostgresStore(url_of(self.schema))

    def damage(self, tmp_path: Path, what: str, id: str) -> bool:
        spoil = {
            "trajectory": "UPDATE trajectory SET body = body || '\\x00' WHERE id = %s",
            "standing": "UPDATE standing SET hits = hits + 1 WHERE n = (SELECT n FROM trajectory WHERE id = %s)",
            "observation": "UPDATE observation SET body = '\\x00' WHERE id = %s",
        }
        with raw(self.schema) as connection:
            connection.execute(spoil[what], (id.encode(),))
        return True

    @pytest.fixture(autouse=True)
    def _clean(self) -> Iterator[None]:
        yield
        with raw("public") as connection:
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(self.schema)))
