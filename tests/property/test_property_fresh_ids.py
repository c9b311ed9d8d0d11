"""L1: with fresh ids, a run does what the agent alone would have done in that world, and nothing twice."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from tests.support.fresh_id_worlds import Alone, Played, Story, World, writes

from muscle_mem import Diverged, Missed

CASES = int(os.environ.get("MUSCLE_MEM_CASES", "64"))
CHUNKS = 8
RUNS = 10


def played(seed: int, **options: bool) -> Counter[str]:
    """Play a story beside the agent alone; return how its runs ended."""
    story, ends = Story(seed), Counter[str]()
    if not options.get("learn_flows", True):
        story.ids = "constant"
    engine = Played(story, **options)
    for run in range(RUNS):
        mode, outcome, error = engine.play(run)
        done, wanted = writes(engine.world), writes(Alone(story, run).world)
        if isinstance(error, Missed | Diverged):  # The replay stopped, and no agent went on.
            assert not done - wanted, f"story {seed}, run {run} ({mode}): {error}"
        else:
            assert done == wanted, f"story {seed}, run {run} ({mode}): {outcome or error!r}"
        ends[type(error).__name__ if outcome is None else outcome.status] += 1
    return ends


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_l1_a_run_writes_what_the_agent_alone_would_have_written(chunk: int) -> None:
    ends = Counter[str]()
    for seed in range(chunk, CASES, CHUNKS):
        ends += played(seed)
    assert ends["hit"]
    assert ends["diverged"]


@pytest.mark.parametrize("seed", range(4))
def test_l1_what_is_played_follows_from_the_seed(seed: int) -> None:
    story = Story(seed)
    assert [World(story, run).create("chair") for run in range(5)] == [
        World(Story(seed), run).create("chair") for run in range(5)
    ]
    assert played(seed) == played(seed)


@pytest.mark.parametrize("seed", range(0, 24, 8))
def test_l1_without_learning_the_same_tasks_with_one_id_are_as_safe(seed: int) -> None:
    ends = Counter[str]()
    for each in range(seed, seed + 8):
        ends += played(each, learn_flows=False)
    assert ends["hit"]
