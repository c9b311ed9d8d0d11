"""A hit does what the agent would have done: random programs over outputs of fifteen shapes (E6, E10, E12).

Programs choose records, compute, format, count, skip and page; between runs ids, prices, names, states and the order of
the records change. Choices that the rules do not promise to see are counted by `tests/support/count_hits.py` only.
"""

from __future__ import annotations

import pytest

from count_hits import of_programs
from random_stories import cases

CHUNKS = 8
SEEDS = range(cases(160))


def wrong_hits(chunk: int, promised: tuple[str, ...], generalize: str) -> tuple[int, list[str]]:
    """Return how many hits of these classes the programs of a chunk had, and the wrong ones."""
    found = [hit for seed in SEEDS[chunk::CHUNKS] for hit in of_programs(seed, generalize) if hit[0] in promised]
    return len(found), [fault for _, fault in found if fault]


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_e6_a_program_hits_only_where_it_would_make_the_same_calls(chunk: int) -> None:
    hits, wrong = wrong_hits(chunk, ("seen",), "computed")
    assert wrong == []
    assert hits


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_e8_a_program_that_looks_up_by_a_param_hits_rightly_once_its_values_are_confirmed(chunk: int) -> None:
    hits, wrong = wrong_hits(chunk, ("seen", "param"), "confirmed")
    assert wrong == []
    assert hits
