"""Support for tests: a contract for stores, a scripted agent, a fake clock.

class TestMyStore(muscle_mem.testing.StoreContract):
    def make_store(self, tmp_path):
        return MyStore(tmp_path / "store")
"""

from __future__ import annotations

from .contract import StoreContract
from .doubles import FakeClock, ScriptedAgent
from .records import (
    KEY,
    OTHER_KEY,
    a_trajectory,
    an_observation,
    confirm,
    ids,
    observed,
    raised_by,
    standing_of,
)

__all__ = [
    "KEY",
    "OTHER_KEY",
    "FakeClock",
    "ScriptedAgent",
    "StoreContract",
    "a_trajectory",
    "an_observation",
    "confirm",
    "ids",
    "observed",
    "raised_by",
    "standing_of",
]
