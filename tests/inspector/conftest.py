"""What the tests of the inspector share: a store as after some weeks of work, and a server of a copy of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("jinja2")
pytest.importorskip("PIL")

from inspector_server import Client, served
from inspector_store import make_store
from muscle_mem.store import SqliteStore


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of a few tasks, made once."""
    path = tmp_path_factory.mktemp("recorded") / "work.db"
    make_store(path, tasks=16, runs=300)
    return path


@pytest.fixture
def path(recorded: Path, tmp_path: Path) -> Path:
    """A copy of that store."""
    return Path(shutil.copy(recorded, tmp_path / "work.db"))


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as opened:
        yield opened


@pytest.fixture
def client(store: SqliteStore) -> Iterator[Client]:
    with served(store) as entered:
        yield entered
