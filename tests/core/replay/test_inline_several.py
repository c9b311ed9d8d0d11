"""Inline checks of a run with several candidates: who is followed, and how an error or a score ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Check, Engine, Reason
from muscle_mem.events import NoticeEvent

Compare = Callable[[Any, Any], Any]


class Shop:
    """A tool with a pre-check and a post-check of one value, and an agent that calls it twice."""

    def __init__(self, compare: Compare) -> None:
        self.value: Any = 0
        self.notices: list[Any] = []
        self.engine = Engine(observers=self.note)
        check = Check(self.look, compare)

        @self.engine.tool(check, post_check=check)
        def buy(item: str) -> str:
            return item

        self.engine.set_agent(lambda task: [buy("a"), buy("b")])

    def look(self, item: str) -> Any:
        if self.value is None:
            raise LookupError(item)
        return self.value

    def note(self, event: Any) -> None:
        if isinstance(event, NoticeEvent):
            self.notices.append(event)

    def learn(self, *values: Any) -> None:
        for value in values:
            outcome = self.run(value)
            assert outcome.learned, outcome.not_learned_message

    def run(self, value: Any, **options: Any) -> Any:
        self.value = value
        return self.engine("shop", **options)


@pytest.mark.parametrize("values", [(0, 1, 2), ([0], [1], [2])])
def test_each_of_several_observations_is_found_by_what_it_captured(values: tuple[Any, ...]) -> None:
    shop = Shop(lambda seen, snapshot: seen == snapshot)
    shop.learn(*values)
    assert [shop.run(value).status for value in (*values, *values[::-1])] == ["hit"] * 6


def test_a_score_without_a_threshold_passes_among_several_and_is_noted_once() -> None:
    shop = Shop(lambda seen, snapshot: 1.0 if seen == snapshot else 0.0)
    shop.learn(0, 1)
    assert [shop.run(value).status for value in (0, 1, 0)] == ["hit"] * 3
    assert [notice.code for notice in shop.notices if notice.code != "no_value"] == ["threshold"]


def test_a_capture_that_raises_among_several_is_a_miss() -> None:
    shop = Shop(lambda seen, snapshot: seen == snapshot)
    shop.learn(0, 1)
    outcome = shop.run(None, mode="frozen")
    assert outcome.reason is Reason.FIRST_CHECK_REFUSED
    assert "capture raised LookupError" in outcome.message


def test_a_compare_that_raises_for_the_guess_lets_another_candidate_pass() -> None:
    broken: list[Any] = []

    def compare(seen: Any, snapshot: Any) -> bool:
        if snapshot in broken:
            raise LookupError(snapshot)
        return bool(seen == snapshot or broken)

    shop = Shop(compare)
    shop.learn(0, 1)
    broken.append(0)
    assert shop.run(0).status == "hit"
    broken.append(1)
    outcome = shop.run(0, mode="frozen")
    assert outcome.reason is Reason.FIRST_CHECK_REFUSED
    assert "compare raised LookupError" in outcome.message
