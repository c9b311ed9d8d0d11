"""What the tests of the commands share: a recorded store, and an environment that names none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cli_cases import no_store_in_the_environment, record_orders
from known_classes import no_class_is_left_behind
from muscle_mem._core.codec.registry import restore, snapshot

__all__ = ["no_class_is_left_behind", "no_store_in_the_environment"]


@pytest.fixture(scope="session")
def recorded_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A store by a real engine; what it made known of the user's classes is unknown again afterwards."""
    path = tmp_path_factory.mktemp("recorded") / "shop.db"
    saved = snapshot()
    ids = record_orders(path, scope="tenant")
    restore(saved)
    return path, ids


@pytest.fixture
def shop(recorded_once: tuple[Path, list[str]], tmp_path: Path) -> tuple[str, list[str]]:
    """A copy of that store, and its ids."""
    path, ids = recorded_once
    return str(shutil.copy(path, tmp_path / "shop.db")), list(ids)
