"""Searches over the outputs of a run find what a plain search finds, and visit no more than they may."""

from __future__ import annotations

import random
from typing import Any

import pytest

from muscle_mem._core.binding.outputs import answers
from muscle_mem._core.binding.outputs.answer_skeletons import skeleton
from muscle_mem._core.binding.outputs.index import indexed
from muscle_mem._core.binding.texts.leaf_texts import occurrences

PIECES = ["ann", "Ann", "lee", "12", "120", "x9", "-", " ", ", ", "_", "²", "é", "北京", "no. ", "/", "a1b2"]


@pytest.mark.parametrize("seed", range(20))
def test_texts_in_a_literal_are_those_that_a_plain_search_finds(seed: int) -> None:
    rng = random.Random(seed)
    made = lambda count: "".join(rng.choice(PIECES) for _ in range(rng.randrange(1, count)))
    texts = sorted({made(4) for _ in range(60)})
    index = indexed([(texts, False)])
    for _ in range(60):
        literal = made(9)
        found = [place.leaf for place in index.places_inside(literal, 3)]
        wanted = [
            text
            for text in texts
            if len(text) >= 3 and text != literal and text in literal and any(True for _ in occurrences(literal, text))
        ]
        assert sorted(found) == sorted(wanted), literal


def test_answers_of_a_result_that_contains_itself_are_looked_for_in_bounded_visits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    visits: list[int] = []
    read = answers.read

    def counted(*given: Any, **named: Any) -> Any:
        visits.append(1)
        return read(*given, **named)

    monkeypatch.setattr(answers, "read", counted)
    loop: list[Any] = [True]
    loop += [loop, loop]
    assert skeleton(loop) is None
    assert len(visits) < 200_000  # Without a bound there are over a million.
