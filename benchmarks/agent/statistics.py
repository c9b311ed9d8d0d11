"""Intervals: of a mean over seeds, and of a share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

# Student's t for 95 %, two-sided, by degrees of freedom from 1 on; beyond them the normal distribution's 1.96 is close.
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_Z = 1.96


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval. The bounds are None if there are too few values for one."""

    mean: float
    low: float | None
    high: float | None


def over_seeds(values: Sequence[float]) -> Interval:
    """The mean of one value a seed. Raises ValueError if there are no values."""
    if not values:
        raise ValueError("no values")
    mean = fmean(values)
    if len(values) == 1:
        return Interval(mean, None, None)
    t = _T[len(values) - 2] if len(values) - 2 < len(_T) else _Z
    half = t * stdev(values) / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


def share(count: int, total: int) -> Interval:
    """A share of events. For none of `total` the upper bound is 3 / total, else both are those of Wilson's interval."""
    if total <= 0:
        return Interval(0.0, None, None)
    if count == 0:
        return Interval(0.0, 0.0, min(1.0, 3 / total))
    p, square = count / total, _Z * _Z
    middle = (p + square / (2 * total)) / (1 + square / total)
    half = _Z * math.sqrt(p * (1 - p) / total + square / (4 * total * total)) / (1 + square / total)
    return Interval(p, middle - half, 1.0 if count == total else middle + half)
