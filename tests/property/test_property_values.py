"""A hit does what the agent would have done: random agents that compute, take, split, choose and branch (E1 to E12).

The kinds of agents whose sources nobody can see in their calls, lookups by a text and branches on a param, are held to
it under generalize="confirmed" only.
"""

from __future__ import annotations

import pytest

from random_agents import KINDS, Trial
from random_stories import cases

TURNS = 6
UNSEEN = ("lookup", "threshold")
SEEN = [kind for kind in KINDS if kind not in UNSEEN]
CASES = cases(160)
CHUNKS = 8


def wrong_hits(kind: str, chunk: int, **options: str) -> tuple[int, list[str]]:
    """How many hits random agents of a kind had, and the wrong ones."""
    hits, wrong = 0, []
    for number in range(chunk, CASES, CHUNKS):
        trial = Trial(number * 1_000 + 7, kind, **options)
        for turn in range(TURNS):
            outcome, did, would = trial.run(turn)
            hits += bool(outcome)
            if outcome and did != would:
                wrong.append(f"{kind} {number} turn {turn}: did {did}, the agent would do {would}")
        trial.engine.close()
    return hits, wrong


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_e_a_hit_does_what_the_agent_would_have_done(chunk: int) -> None:
    total = 0
    for kind in SEEN:
        hits, wrong = wrong_hits(kind, chunk)
        print(f"{kind}: {hits} hits")
        assert wrong == []
        total += hits
    assert total


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_e8_what_no_call_shows_is_right_once_every_new_value_of_a_param_is_confirmed(chunk: int) -> None:
    for kind in UNSEEN:
        hits, wrong = wrong_hits(kind, chunk)
        print(f"{kind}: {hits} hits, {len(wrong)} of them wrong under the default")
        hits, wrong = wrong_hits(kind, chunk, generalize="confirmed")
        assert wrong == []
