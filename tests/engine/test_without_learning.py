"""An engine that does not infer data flow does what it did before there was any such inference."""

from __future__ import annotations

import json

import pytest

from flow_programs import FAMILIES
from without_learning import PATH, SEEDS, story, switched_off

THEN = json.loads(PATH.read_text(encoding="utf-8"))


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_without_learning_each_run_ends_as_before(family: str) -> None:
    for seed in SEEDS:
        assert story(family, seed) == THEN[f"{family} {seed}"]


def test_every_story_that_was_written_down_is_still_compared() -> None:
    assert set(THEN) == {f"{family} {seed}" for family in FAMILIES for seed in SEEDS}


@pytest.mark.skipif(not switched_off(), reason="no engine infers data flow yet, so there is nothing to switch off")
def test_the_stories_differ_where_it_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("without_learning.switched_off", dict)
    assert any(story(family, 0) != THEN[f"{family} 0"] for family in ("create_then_use", "id_over_three_steps"))
