"""Where things are: the repository, its tests, what they share, and what was written down once."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
ROOT = TESTS.parent
SUPPORT = TESTS / "support"
GOLDEN = TESTS / "golden"
