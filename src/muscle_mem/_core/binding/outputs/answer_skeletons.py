"""Plain data that answers as an output does (E12)."""

from __future__ import annotations

from typing import Any

from ... import codec
from . import answers
from .answer_rows import made_of, rows_of

MAX_SKELETON_VISITS = 120_000
"""Nodes of a result that are visited for its answers."""


def skeleton(value: Any, nodes: int = 400) -> Any:
    """Return plain data with the same answers at the same places.

    Equal elements of a list are kept once. None is returned beyond so many nodes.
    """
    left = [nodes, MAX_SKELETON_VISITS]
    made = _skeleton(value, "", True, left, 0)
    return made if left[0] >= 0 else None


def _skeleton(value: Any, name: str, words: bool, left: list[int], depth: int) -> Any:
    left[0] -= 1
    left[1] -= 1  # Equal elements give their nodes back, but not what it took to visit them.
    if left[1] < 0:
        left[0] = -1
    if left[0] < 0 or depth > codec.MAX_DEPTH // 2:
        return None
    found = answers.read(value, name, words=words)
    if found.fields is not None:
        return {key: _skeleton(child, key, words, left, depth + 1) for key, child in found.fields.items()}
    if found.items is None:
        return answers.sample_of(found.category)
    made = _rows(found.items, left, depth)
    if made is not None:
        return made
    kept: dict[str, Any] = {}
    for item in found.items:
        before = left[0]
        part = _skeleton(item, "", False, left, depth + 1)
        if left[0] < 0:
            break
        if repr(part) in kept:
            left[0] = before
        kept[repr(part)] = part
    return list(kept.values())


def _rows(items: Any, left: list[int], depth: int) -> list[Any] | None:
    """Return the different records of a list; None if it has other elements."""
    rows = rows_of(items, codec.MAX_DEPTH // 2 - depth - 1)
    if rows is None:
        return None
    kept = list(dict.fromkeys(rows.keys))
    again = rows.keys.index(kept[-1]) < len(items) - 1  # An element that is not kept is visited, too.
    left[1] -= rows.size * len(items)
    if left[1] < 0 or rows.size * (len(kept) + again) > left[0]:
        left[0] = -1
        return []
    left[0] -= rows.size * len(kept)
    return [made_of(rows.fields, key) for key in kept]
