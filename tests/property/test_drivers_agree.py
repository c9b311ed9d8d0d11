"""The plain call and acall are one engine: the same stories, with plain and with async tools, come out the same."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Diverged, Missed, Outcome
from muscle_mem._core.plan.stored_trajectory import StoredTrajectory
from random_stories import Case, atell, cases, tell
from random_worlds import ASYNC, MIXED, PLAIN

CASES = cases(400)
CHUNKS = 8


def nameless(text: str) -> str:
    """A message without the ids of trajectories, which differ as the tools do."""
    return re.sub(r"\b[0-9a-f]{32}\b", "<id>", text)


def of_outcome(outcome: Outcome | None) -> Any:
    """What a caller sees of an outcome, without ids and times."""
    if outcome is None:
        return None
    where = outcome.divergence
    return (
        (
            outcome.status,
            outcome.reason.value,
            nameless(outcome.message),
            outcome.steps,
            outcome.value,
            outcome.value_source,
        ),
        (outcome.learned, outcome.not_learned, outcome.trajectory_id is None, outcome.saved_tokens),
        None
        if where is None
        else (where.step, where.reason, where.tool, where.seen, where.expected, repr(where.error)),
    )


class Transcript:
    """All that can be seen of a story from outside."""

    def __init__(self) -> None:
        self.lines: list[Any] = []
        self.counts: Counter[str] = Counter()

    def praised(self, id: str) -> None:
        self.lines.append("praised")

    def before(self, case: Case, call: Any, mode: str, again: bool) -> None:
        self.lines.append((call, mode, again))

    def after(
        self, case: Case, call: Any, mode: str, again: bool, outcome: Outcome | None, error: BaseException | None
    ) -> None:
        self.counts["raised" if outcome is None else outcome.status] += 1
        world = case.world
        ended = (type(error), nameless(str(error)) if isinstance(error, Missed | Diverged) else error is world.raised)
        self.lines.append(of_outcome(outcome))
        self.lines.append(ended if error is not None else None)
        self.lines.append((world.calls, world.effects, world.requests, dict(world.state), world.starts))
        self.lines.append(case.engine.cache_info())
        standings = [(s.standing.state, s.sealed.steps, len(s.observations)) for s in case.store.scan().stored]
        self.lines.append(standings)


def told(seed: int, folder: Path, style: str) -> tuple[Transcript, Case]:
    """A story and its transcript in one style."""
    case = Case(seed, folder, style)
    transcript = Transcript()
    if style == PLAIN:
        tell(case, transcript)
    else:
        asyncio.run(atell(case, transcript))
    return transcript, case


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_calls_made_at_once_and_calls_that_are_yielded_make_the_same_story(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_at_once = StoredTrajectory.join
    yielded = 0

    def joined_to_yield(trajectory: StoredTrajectory, registry: Any, **options: Any) -> Any:
        nonlocal yielded
        ready = made_at_once(trajectory, registry, **options)
        for step in ready.steps:
            yielded += step.is_sync
            step.is_sync = step.is_inline = False
        return ready

    for number in range(chunk, CASES // 2, CHUNKS):
        seed = zlib.crc32(f"directly {number}".encode())
        (tmp_path / "at once").mkdir(exist_ok=True)
        (tmp_path / "yielded").mkdir(exist_ok=True)
        plain, case = told(seed, tmp_path / "at once", PLAIN)
        with monkeypatch.context() as patched:
            patched.setattr(StoredTrajectory, "join", joined_to_yield)
            other, _ = told(seed, tmp_path / "yielded", PLAIN)
        for at, (line, theirs) in enumerate(zip(plain.lines, other.lines, strict=True)):
            assert line == theirs, f"seed {seed}, line {at}: {case.world.specs} {case.plan}"
    assert yielded > 10


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_plain_and_async_tools_make_the_same_story(chunk: int, tmp_path: Path) -> None:
    totals: Counter[str] = Counter()
    for number in range(chunk, CASES, CHUNKS):
        seed = zlib.crc32(f"drivers {number}".encode())
        plain, case = told(seed, tmp_path, PLAIN)
        totals += plain.counts
        for style in (ASYNC, MIXED):
            other, _ = told(seed, tmp_path, style)
            for at, (line, theirs) in enumerate(zip(plain.lines, other.lines, strict=True)):
                assert line == theirs, f"seed {seed}, {style}, line {at}: {case.world.specs} {case.plan}"
    for status in ("hit", "miss", "diverged", "raised"):
        assert totals[status] >= CASES // CHUNKS // 10, f"hardly any {status} in {totals}"
