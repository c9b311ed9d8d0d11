"""A fixture for tests by which the codec gets to know classes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from muscle_mem._core.codec.registry import restore, snapshot


@pytest.fixture(autouse=True)
def no_class_is_left_behind() -> Iterator[None]:
    saved = snapshot()
    yield
    restore(saved)
