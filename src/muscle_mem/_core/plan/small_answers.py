"""Words and small numbers in outputs, which an agent may stop or go on for (L12)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..binding.outputs.answers import WORD, read
from .places import Names

SMALL = 20
"""Numbers up to this one count as answers."""

MAX_NAMES = 3
"""The number of fields that lead to such a value."""


def small_answers(value: Any, names: Names) -> Iterator[tuple[Names, Any]]:
    """Yield the words and small numbers in an output, by the names of fields."""
    if type(value) is int:
        if 0 < value <= SMALL:
            yield names, value
        return
    found = read(value, names[-1] if names else "")
    if found.category[0] == WORD:
        yield names, found.category
    for name, part in found.fields.items() if found.fields and len(names) < MAX_NAMES else ():
        yield from small_answers(part, (*names, name))
