"""E12: an agent that goes one of several ways by answers, together or with a page, is never replayed otherwise."""

from __future__ import annotations

import pytest

from random_answers import hits_of
from random_stories import cases

CHUNKS = 8
SEEDS = range(cases(160))


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_e12_a_hit_goes_the_way_that_the_agent_would_go(chunk: int) -> None:
    found = [fault for seed in SEEDS[chunk::CHUNKS] for _, fault in hits_of(seed)]
    assert [fault for fault in found if fault] == []
    assert found
