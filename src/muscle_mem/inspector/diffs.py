"""Differences between two texts, side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

import msgspec

MOST_LINES = 400
MOST_TOKENS = 400
CONTEXT = 3
_TOKEN = re.compile(r"\w+|\s+|.", re.DOTALL)

Part = tuple[bool, str]
"""Whether a part differs, and its text."""


class Line(msgspec.Struct, frozen=True):
    """A line of a comparison: "same", "changed", "removed", "added" or "gap".

    A gap stands for `hidden` equal lines.
    """

    kind: str
    left: tuple[Part, ...] = ()
    right: tuple[Part, ...] = ()
    hidden: int = 0


def side_by_side(left: str, right: str) -> list[Line]:
    """Return two texts line by line, with the parts of lines that differ.

    At most MOST_LINES lines of each are compared.

    Args:
        left: The text that was expected.
        right: The text that was seen.
    """
    a, b = left.split("\n")[:MOST_LINES], right.split("\n")[:MOST_LINES]
    return list(_folded(list(_lines(a, b))))


def _lines(a: Sequence[str], b: Sequence[str]) -> Iterator[Line]:
    for kind, a1, a2, b1, b2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind == "equal":
            yield from (Line("same", ((False, line),), ((False, line),)) for line in a[a1:a2])
            continue
        paired = min(a2 - a1, b2 - b1)
        yield from (Line("changed", *_tokens(a[a1 + at], b[b1 + at])) for at in range(paired))
        yield from (Line("removed", left=((True, line),)) for line in a[a1 + paired : a2])
        yield from (Line("added", right=((True, line),)) for line in b[b1 + paired : b2])


def _tokens(one: str, other: str) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Return two lines in parts, word by word."""
    a, b = _TOKEN.findall(one), _TOKEN.findall(other)
    if max(len(a), len(b)) > MOST_TOKENS:
        return ((True, one),), ((True, other),)
    left: list[Part] = []
    right: list[Part] = []
    for kind, a1, a2, b1, b2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        differs = kind != "equal"
        if a2 > a1:
            left.append((differs, "".join(a[a1:a2])))
        if b2 > b1:
            right.append((differs, "".join(b[b1:b2])))
    return tuple(left), tuple(right)


def _folded(lines: Sequence[Line]) -> Iterator[Line]:
    """Yield the lines with long runs of equal ones as gaps."""
    near = {
        other for at, line in enumerate(lines) if line.kind != "same" for other in range(at - CONTEXT, at + CONTEXT + 1)
    }
    hidden = 0
    for at, line in enumerate(lines):
        if line.kind != "same" or at in near or not near:
            if hidden:
                yield Line("gap", hidden=hidden)
                hidden = 0
            yield line
        else:
            hidden += 1
    if hidden:
        yield Line("gap", hidden=hidden)
