"""Fixtures for whoever needs a real PostgreSQL server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from postgres_server import GIVEN, HOW, Server, binaries, drop_schema, dsn, has_driver, new_schema, shared, url_of

if TYPE_CHECKING:
    from muscle_mem.store.postgres import PostgresStore


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """The URL of a database for tests, whose server is stopped at the end if it was started here."""
    found = dsn()
    if found is None:
        pytest.skip(HOW)
    yield found
    server = shared() if not os.environ.get(GIVEN) else None
    if server is not None:
        server.remove()
    shared.cache_clear()
    dsn.cache_clear()


@pytest.fixture
def schema(database: str) -> Iterator[str]:
    """The name of a schema that is not there yet, and is dropped afterwards."""
    name = new_schema()
    yield name
    drop_schema(name)


@pytest.fixture
def pair(schema: str) -> Iterator[tuple[PostgresStore, PostgresStore]]:
    """Two stores on the same schema, as in two processes."""
    from muscle_mem.store.postgres import PostgresStore

    with closing(PostgresStore(url_of(schema))) as one, closing(PostgresStore(url_of(schema))) as other:
        yield one, other


@pytest.fixture(scope="session")
def own_server() -> Iterator[Server]:
    """A server of one's own, to stop and freeze; what it says is on disk is on disk."""
    place = binaries()
    if place is None or not has_driver():
        pytest.skip(HOW)
    server = Server(place, fsync=True)
    yield server
    server.remove()
