"""Checks that compare many recordings at once: asked once a place, with the verdicts of one by one."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Check, Engine, checks

Many = Callable[[Any, list[Any]], Any]


class World:
    """A number that a step's check looks at, one before and one after it, and what was compared with what."""

    def __init__(self) -> None:
        self.before = 0
        self.after = 0
        self.one_by_one: list[tuple[int, int]] = []
        self.at_once: list[tuple[int, list[int]]] = []

    def compare(self, current: int, candidate: int) -> float:
        self.one_by_one.append((current, candidate))
        return 1.0 - abs(current - candidate) / 10

    def compare_many(self, current: int, candidates: list[int]) -> list[float]:
        self.at_once.append((current, candidates))
        return [1.0 - abs(current - candidate) / 10 for candidate in candidates]

    def check(self, name: str, many: Many | None) -> Check:
        look = (lambda: self.before) if name == "before" else (lambda: self.after)
        return Check(look, self.compare, compare_many=many, threshold=0.95, version=name)


def engine_of(world: World, many: Many | None, seen: list[Any]) -> Engine:
    engine = Engine(observers=seen.append)
    first = engine.tool(name="first", pre_check=world.check("before", many))(lambda: None)
    second = engine.tool(name="second", pre_check=world.check("before", many), post_check=world.check("after", many))(
        lambda: None
    )
    engine.set_agent(lambda task: (first(), second()))
    return engine


def taught(world: World, many: Many | None, rows: list[tuple[int, int]], seen: list[Any]) -> Engine:
    """An engine that has seen the task in several worlds."""
    engine = engine_of(world, many, seen)
    for world.before, world.after in rows:
        assert engine("a task", mode="record").learned
    world.one_by_one.clear()
    world.at_once.clear()
    return engine


def test_where_several_recordings_wait_they_are_compared_at_once() -> None:
    world = World()
    seen: list[Any] = []
    engine = taught(world, world.compare_many, [(100 * n, 0) for n in range(20)], seen)
    world.before = 40
    assert engine("a task").status == "miss"
    assert len(world.one_by_one) == 1, "the preferred one is asked alone"
    assert [len(candidates) for _, candidates in world.at_once] == [19]


def test_the_one_that_passes_is_found_by_the_answers() -> None:
    world = World()
    engine = taught(world, world.compare_many, [(100 * n, n) for n in range(20)], [])
    world.before, world.after = 300, 3
    assert engine("a task").status == "hit"
    world.at_once.clear()
    world.after = 9
    outcome = engine("a task", mode="frozen")
    assert (outcome.status, outcome.reason) == ("diverged", "post_check_refused")


def test_a_single_recording_is_compared_by_itself() -> None:
    world = World()
    engine = taught(world, world.compare_many, [(0, 0)], [])
    assert engine("a task")
    assert world.at_once == []


@pytest.mark.parametrize("seed", range(40))
def test_the_outcome_is_that_of_one_by_one(seed: int) -> None:
    spread = random.Random(seed)
    rows = [(spread.randrange(0, 6), spread.randrange(0, 4)) for _ in range(spread.randrange(1, 12))]
    now = [(spread.randrange(0, 7), spread.randrange(0, 5)) for _ in range(6)]
    found = []
    for batched in (True, False):
        world = World()
        engine = taught(world, world.compare_many if batched else None, rows, [])
        outcomes = []
        for world.before, world.after in now:
            outcome = engine("a task", mode="frozen")
            outcomes.append((outcome.status, outcome.reason, outcome.steps, outcome.trajectory_id, outcome.message))
        found.append(outcomes)
    assert found[0] == found[1]


@pytest.mark.parametrize("answers", [lambda now, then: [True], lambda now, then: 1 / 0, lambda now, then: None])
def test_one_that_answers_wrongly_is_told_and_left_out(answers: Many) -> None:
    world = World()
    seen: list[Any] = []
    engine = taught(world, answers, [(100 * n, 0) for n in range(5)], seen)
    world.before, world.after = 202, 0
    assert engine("a task").status == "miss"
    world.before = 200
    assert engine("a task", mode="frozen").status == "hit"
    assert len(world.one_by_one) >= 6
    (notice,) = [event for event in seen if getattr(event, "code", "") == "compare_many"]
    assert "compared one by one" in notice.message


def test_an_answer_that_is_no_verdict_stops_only_its_own_recording() -> None:
    world = World()

    def many(current: int, candidates: list[int]) -> list[Any]:
        return [None if candidate == 100 else abs(current - candidate) < 1 for candidate in candidates]

    engine = taught(world, many, [(0, 0), (100, 0), (200, 0), (300, 0)], [])
    world.before = 0
    world.after = 0
    assert engine("a task").status == "hit"


def test_embeddings_of_many_recordings_are_compared_in_one_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    from muscle_mem.checks import vectors

    asked: list[int] = []
    plain = vectors.cosines

    def counted(current: bytes, candidates: Any) -> list[float]:
        asked.append(len(candidates))
        return plain(current, candidates)

    monkeypatch.setattr(vectors, "cosines", counted)
    at = [0]
    engine = Engine()
    look = checks.vector_similar(lambda: [float(at[0] == n) for n in range(8)] + [0.5], threshold=0.99)
    tool = engine.tool(name="act", pre_check=look)(lambda: None)
    engine.set_agent(lambda task: tool())
    for at[0] in range(7):
        assert engine("a task", mode="record").learned
    asked.clear()
    at[0] = 7
    assert not engine("a task", mode="frozen")
    assert asked[:1] == [1], "the preferred one is asked alone"
    assert [many for many in asked if many > 1] == [6]


@pytest.mark.parametrize("how", ["without a compare", "an async one", "no function", "with an async compare"])
def test_what_cannot_be_compared_at_once_is_refused(how: str) -> None:
    async def later(*args: Any) -> Any: ...

    def compare(current: Any, candidate: Any) -> bool:
        return True

    given: dict[str, Any] = {
        "without a compare": {"compare": None, "compare_many": lambda now, then: []},
        "an async one": {"compare": compare, "compare_many": later},
        "no function": {"compare": compare, "compare_many": 3},
        "with an async compare": {"compare": later, "compare_many": lambda now, then: []},
    }[how]
    with pytest.raises(TypeError, match="compare_many"):
        Check(lambda: 1, **given)


def test_it_counts_in_the_fingerprint() -> None:
    def compare(current: Any, candidate: Any) -> bool:
        return True

    def name(many: Any) -> str:
        import inspect

        return Check(len, compare, compare_many=many).identify(lambda fn: inspect.getsource(fn))

    assert len({name(None), name(lambda now, then: [True]), name(lambda now, then: [False])}) == 3
