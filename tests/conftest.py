"""Which tests go to which worker; fixtures for whoever needs a real PostgreSQL server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from postgres_server import GIVEN, HOW, Server, binaries, drop_schema, dsn, has_driver, new_schema, shared, url_of

if TYPE_CHECKING:
    from muscle_mem.store.postgres import PostgresStore

# Files of long tests that share nothing costly: their tests go one by one to whichever worker is free.
SPREAD = """
test_codec_properties test_docs test_drivers_agree test_postgres_opening test_property_middle test_property_params
test_property_worlds test_torture
""".split()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile` a file goes to one worker, so that what its tests share is made once; but for `SPREAD`."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return nodeid if Path(file).stem in SPREAD else file

    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


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
