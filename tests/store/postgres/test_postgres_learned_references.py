"""L2: parents in a PostgreSQL store, stored by two engines in turn."""

from __future__ import annotations

from contextlib import closing

import pytest

from postgres_server import HOW, url_of

pytest.importorskip("psycopg", reason=HOW)

from tests.support.fresh_ids import Desk, numbers

from muscle_mem.store.postgres import PostgresStore


def test_l2_two_engines_of_one_database_prove_together(schema: str) -> None:
    ids = numbers()
    with closing(PostgresStore(url_of(schema))) as one, closing(PostgresStore(url_of(schema))) as two:
        desks = [Desk(ids, one), Desk(ids, two)]
        statuses = "".join(desk.run().status[0] for _ in range(3) for desk in desks)
        assert statuses.startswith("m")
        assert statuses.endswith("hhh")
        assert all(desk.agreed for desk in desks)


def test_l10_a_bad_report_holds_in_the_other_engine(schema: str) -> None:
    ids = numbers()
    with closing(PostgresStore(url_of(schema))) as one, closing(PostgresStore(url_of(schema))) as two:
        desk, other = Desk(ids, one), Desk(ids, two)
        desk.runs(2)
        hit = desk.run()
        assert hit
        hit.report_bad("the wrong order was paid")
        assert not any(other.run() for _ in range(3))
        assert desk.agreed
        assert other.agreed
