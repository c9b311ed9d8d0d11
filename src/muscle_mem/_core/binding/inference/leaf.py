"""A literal leaf of a recorded call, and what explains it (L2, L4)."""

from __future__ import annotations

from typing import NamedTuple

from ...model.flow import Source
from .levels import Facts

CONSTANT, READ, VARIES = "constant", "read", "varies"


class Leaf(NamedTuple):
    """One literal piece of a call, and what explains it.

    `leaf` counts the literal pieces of the step's arguments, `path` is that of the piece. `values` are the canonical
    bytes of its different values, in the order of the parents. `sources` are those that no parent contradicts. `state`
    is `constant`, `read` (from the sources) or `varies`.
    """

    step: int
    leaf: int
    argument: str
    path: tuple[int, ...]
    values: tuple[bytes, ...]
    sources: tuple[Source, ...]
    state: str
    facts: Facts
