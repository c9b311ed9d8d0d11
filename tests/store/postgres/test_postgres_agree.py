"""Memory and PostgreSQL in lock-step: whatever is done to them, they answer alike."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import HealthCheck, settings

from dense_numbers import DenseNumbers
from postgres_server import HOW, drop_schema, new_schema, raw, url_of
from store_lockstep import TORTURE, LockStep

pytest.importorskip("psycopg", reason=HOW)

from muscle_mem.store import Store
from muscle_mem.store.postgres import PostgresStore


class PostgresLockStep(LockStep):
    """The same rules; what is opened, also anew, is a schema."""

    schema = ""
    numbers: list[int]

    def open(self) -> Store:
        self.schema = self.schema or new_schema()
        self.numbers = getattr(self, "numbers", [])
        return cast(Store, DenseNumbers(PostgresStore(url_of(self.schema)), self.numbers))

    def blobs(self) -> int:
        with raw(self.schema) as connection:
            return int(connection.execute("SELECT count(*) FROM blob").fetchone()[0])

    def teardown(self) -> None:
        super().teardown()
        drop_schema(self.schema)


PostgresLockStep.TestCase.settings = settings(
    max_examples=10 * TORTURE,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.usefixtures("database")
class TestPostgresAgrees(PostgresLockStep.TestCase):
    pass
