"""An engine with tools that log, for the tests of rules C."""

from __future__ import annotations

import pytest

from recording_cases import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()
