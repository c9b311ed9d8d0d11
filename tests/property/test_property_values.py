"""A hit does what the agent would have done: random agents that compute, take, split, choose and branch (E1 to E11).

The kinds of agents whose sources nobody can see in their calls, lookups by a text and branches on a param, are held to
it under generalize="confirmed" only.
"""

from __future__ import annotations

import pytest

from random_agents import KINDS, Trial
from random_stories import cases

TURNS = 6
UNSEEN = ("lookup", "threshold")
PENDING = ("ids", "record", "each", "page", "branch", "answer", "computed", "person")
CASES = cases(400)


def wrong_hits(kind: str, count: int, **options: str) -> tuple[int, list[str]]:
    """How many hits random agents of a kind had, and the wrong ones."""
    hits, wrong = 0, []
    for number in range(count):
        trial = Trial(number * 1_000 + 7, kind, **options)
        for turn in range(TURNS):
            outcome, did, would = trial.run(turn)
            hits += bool(outcome)
            if outcome and did != would:
                wrong.append(f"{kind} {number} turn {turn}: did {did}, the agent would do {would}")
        trial.engine.close()
    return hits, wrong


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in UNSEEN and kind not in PENDING])
def test_e_a_hit_does_what_the_agent_would_have_done(kind: str) -> None:
    hits, wrong = wrong_hits(kind, CASES)
    print(f"{kind}: {hits} hits in {CASES * TURNS} runs")
    assert wrong == []
    assert hits


@pytest.mark.parametrize("kind", UNSEEN)
def test_e8_what_no_call_shows_is_right_once_every_new_value_of_a_param_is_confirmed(kind: str) -> None:
    hits, wrong = wrong_hits(kind, CASES)
    print(f"{kind}: {hits} hits in {CASES * TURNS} runs, {len(wrong)} of them wrong under the default")
    hits, wrong = wrong_hits(kind, CASES, generalize="confirmed")
    assert wrong == []
    assert hits
