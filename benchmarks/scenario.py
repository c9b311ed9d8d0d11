"""Scenarios: small functions that measure one thing and yield rows; and what they are given to work with."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from .prototype import Prototype
from .timing import Block, Effort, Race, Spread, run_race

Size = TypeVar("Size")


@dataclass(frozen=True)
class Target:
    """A figure that is to be reached."""

    limit: float
    how: str = "<="

    def met(self, value: float) -> bool:
        return {
            "<=": value <= self.limit,
            "<": value < self.limit,
            "==": value == self.limit,
            ">=": value >= self.limit,
        }[self.how]

    def __str__(self) -> str:
        return f"{self.how} {self.limit:g}"


@dataclass
class Row:
    """One line of a table. `ours`, `prototype` and the target are in `unit`; `loop` is in `loop_unit`.

    A prototype that is text says why there is no figure. `details` are further figures by name.
    """

    id: str
    title: str
    unit: str
    ours: float | None = None
    ours_spread: tuple[float, float] | None = None
    prototype: float | str | None = None
    prototype_spread: tuple[float, float] | None = None
    loop: float | None = None
    loop_unit: str = ""
    target: Target | None = None
    group: str = ""
    note: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        return None if self.target is None or self.ours is None else self.target.met(self.ours)


@dataclass
class Bench:
    """What a scenario is given: sizes, a seed, a scratch folder, and the prototype if it is there."""

    size: str  # quick, default or full
    scratch: Path
    prototype: Prototype
    seed: int = 20_240_601

    @property
    def quick(self) -> bool:
        return self.size == "quick"

    def pick(self, quick: Size, default: Size, full: Size | None = None) -> Size:
        """The one of these that belongs to the size of this run."""
        return quick if self.quick else full if full is not None and self.size == "full" else default

    def random(self) -> random.Random:
        return random.Random(self.seed)

    @property
    def effort(self) -> Effort:
        return self.pick(Effort(5, 0.0005, 0.25), Effort(40, 0.003, 5.0))

    def race(self, blocks: dict[str, Block], prototype: tuple[str, dict[str, Any]] | None = None) -> tuple[Race, str]:
        """Let the blocks take turns, with the prototype as one of them; and why it is not in the race, if so."""
        missing = ""
        if prototype is not None:
            missing = self.prototype.set_up(*prototype)
            if not missing:
                blocks = {**blocks, "prototype": self.prototype.block}
        return run_race(blocks, self.effort), missing


def ends(spread: Spread) -> tuple[float, float]:
    return spread.p10, spread.p90


def ratio_row(
    bench: Bench,
    id: str,
    title: str,
    ours: Block,
    loop: Block,
    *,
    prototype: tuple[str, dict[str, Any]] | str | None = None,
    target: Target | None = None,
    note: str = "",
) -> Row:
    """A race of ours and the prototype against a base, as ratios to it within each round."""
    race, missing = bench.race({"loop": loop, "ours": ours}, prototype if isinstance(prototype, tuple) else None)
    row = Row(id, title, "x", target=target, note=note, loop_unit="us", loop=race.spread("loop").median)
    found = race.ratio("ours", "loop")
    row.ours, row.ours_spread = found.median, ends(found)
    row.details = {"ours_us": race.spread("ours").median, "rounds": found.of}
    row.prototype = missing or (prototype if isinstance(prototype, str) else None)
    if race.times.get("prototype"):
        found = race.ratio("prototype", "loop")
        row.prototype, row.prototype_spread = found.median, ends(found)
        row.details.update(prototype_us=race.spread("prototype").median, prototype_rounds=found.of)
    return row


def beyond_row(
    bench: Bench,
    id: str,
    title: str,
    ours: Block,
    loop: Block,
    *,
    each: int = 1,
    prototype: tuple[str, dict[str, Any]] | str | None = None,
    target: Target | None = None,
    note: str = "",
) -> Row:
    """A race as microseconds beyond a base, divided by the `each` things that one call of a block does."""
    race, missing = bench.race({"loop": loop, "ours": ours}, prototype if isinstance(prototype, tuple) else None)
    row = Row(id, title, "us", target=target, note=note, loop_unit="us", loop=race.spread("loop").median / each)
    found = race.beyond("ours", "loop", each)
    row.ours, row.ours_spread = found.median, ends(found)
    row.details = {"rounds": found.of}
    row.prototype = missing or (prototype if isinstance(prototype, str) else None)
    if race.times.get("prototype"):
        found = race.beyond("prototype", "loop", each)
        row.prototype, row.prototype_spread = found.median, ends(found)
    return row


Measure = Callable[[Bench], Iterator[Row]]
SCENARIOS: list[tuple[str, str, Measure]] = []


def scenario(group: str) -> Callable[[Measure], Measure]:
    """Register a scenario under a group of tables."""

    def register(measure: Measure) -> Measure:
        SCENARIOS.append((group, measure.__name__, measure))
        return measure

    return register


def chosen(only: list[str]) -> list[tuple[str, str, Measure]]:
    """The scenarios whose `group.name` holds one of the words; all without words."""
    return [found for found in SCENARIOS if not only or any(word in f"{found[0]}.{found[1]}" for word in only)]


def measured(bench: Bench, group: str, measure: Measure) -> list[Row]:
    """The rows of one scenario."""
    rows = list(measure(bench))
    for row in rows:
        row.group = group
    return rows
