"""Short blocks taken in turns, and what their times say: medians, spreads, ratios within a round."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Block = Callable[[int], int]  # does its work n times; nanoseconds
WARM_UPS = 3


@dataclass(frozen=True)
class Effort:
    """How long a race takes: rounds, seconds a block should last, seconds that one racer may take in all."""

    rounds: int
    block: float
    budget: float


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie, between neighbours in proportion. ValueError for no values."""
    if not values:
        raise ValueError("there are no values to take a quantile of")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@dataclass(frozen=True)
class Spread:
    """What a series comes to. `of` is how many values it has."""

    median: float
    p10: float
    p90: float
    of: int

    @classmethod
    def over(cls, values: Sequence[float]) -> Spread:
        return cls(quantile(values, 0.5), quantile(values, 0.1), quantile(values, 0.9), len(values))


@dataclass
class Race:
    """Nanoseconds a call, by racer, one value a round; a racer that was out of budget has fewer."""

    times: dict[str, list[float]] = field(default_factory=dict)

    def spread(self, name: str, scale: float = 1e-3) -> Spread:
        """Of the times a call; in microseconds unless scaled otherwise."""
        return Spread.over([time * scale for time in self.times[name]])

    def ratio(self, name: str, base: str) -> Spread:
        """Of the ratios to `base`, each within its round."""
        pairs = zip(self.times[name], self.times[base], strict=False)
        return Spread.over([mine / other for mine, other in pairs])

    def beyond(self, name: str, base: str, each: float = 1.0, scale: float = 1e-3) -> Spread:
        """Of what was taken beyond `base`, each within its round, divided by `each`; microseconds."""
        pairs = zip(self.times[name], self.times[base], strict=False)
        return Spread.over([(mine - other) * scale / each for mine, other in pairs])


def run_race(blocks: Mapping[str, Block], effort: Effort) -> Race:
    """Warm each racer up, size its blocks, then let them take turns.

    The cyclic garbage collector stays on, as in a user's program; one full collection comes before the first round.
    """
    sizes = {name: _size(block, effort.block) for name, block in blocks.items()}
    race = Race({name: [] for name in blocks})
    spent = dict.fromkeys(blocks, 0.0)
    gc.collect()
    for _ in range(effort.rounds):
        for name, block in blocks.items():
            if not race.times[name] or spent[name] < effort.budget:
                began = time.perf_counter()
                race.times[name].append(block(sizes[name]) / sizes[name])
                spent[name] += time.perf_counter() - began
    return race


def _size(block: Block, seconds: float) -> int:
    """Calls that fill a block, after the warm-up."""
    once = block(1)
    if once > seconds * 1e9:
        return 1
    once = min(block(1) for _ in range(WARM_UPS))
    return max(1, min(100_000, round(seconds * 1e9 / max(once, 1))))
