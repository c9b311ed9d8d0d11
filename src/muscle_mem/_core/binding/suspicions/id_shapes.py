"""Values that look like ids: which a run must have got from somewhere."""

from __future__ import annotations

from typing import Any

from ..texts.figures import figures_in
from .literals import random_parts

_SHORTEST = 6
_DIGITS = 3
_SMALLEST = 10_000
_ROUND = 1_000


def has_id_shape(value: Any) -> bool:
    """Return whether a value looks like an id.

    Ids are tokens with three digits, large numbers that are not round, and UUIDs.
    """
    if type(value) is int:
        return abs(value) >= _SMALLEST and value % _ROUND != 0
    if type(value) is not str:
        return False
    if any(True for _ in random_parts(value)):
        return True
    if len(value) < _SHORTEST or any(map(str.isspace, value)) or sum(map(str.isdigit, value)) < _DIGITS:
        return False
    return not any(figure.kind != "number" for figure in figures_in(value))
