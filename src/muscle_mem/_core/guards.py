"""Data flow: a literal that was read out of an earlier output is replayed only while that output still holds it.

Ids change from run to run; a number or a text that an agent copied from what a tool told it must not be replayed
stale. Inferring the flow from one recording would be a guess, so the literal stays, guarded by where it was seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

from . import codec
from .model import Guard, StepRecord
from .params import SHORT_TEXT, SMALL_INT, holds_token, literal_leaves

_WORD = re.compile(r"\w+")
MAX_GUARDS_A_LEAF = 64
MAX_WORDS = 5_000


def telling(leaf: Any) -> bool:
    """Whether a leaf says enough to be recognised: not a bool, None, an enum member, or a short or small value."""
    if leaf is None or isinstance(leaf, bool | Enum):
        return False
    if isinstance(leaf, str | bytes):
        return len(leaf) >= SHORT_TEXT
    if isinstance(leaf, int):
        return abs(leaf) >= SMALL_INT
    if isinstance(leaf, float):
        return not leaf.is_integer() or abs(leaf) >= SMALL_INT
    return codec.immutable(leaf)


class Seen:
    """An index over the leaves of the outputs so far: by value, and by the words of texts."""

    __slots__ = ("_by_value", "_by_word")

    def __init__(self) -> None:
        self._by_value: dict[bytes, list[Guard]] = {}
        self._by_word: dict[str, list[tuple[int, tuple[int, ...], Any]]] = {}

    def add(self, step: int, output: Any) -> None:
        """Index the output of a step."""
        for path, leaf in _walk(output, ()):
            if not telling(leaf):
                continue
            data = codec.canonical(leaf)
            self._by_value.setdefault(data, []).append(Guard(step, path, data))
            text = _text(leaf)
            if text is not None:
                for word in set(_WORD.findall(text)[:MAX_WORDS]):
                    self._by_word.setdefault(word, []).append((step, path, leaf))

    def guards_of(self, leaf: Any) -> Iterable[Guard]:
        """The places where a literal leaf was seen: as a whole, within a longer text, or with one within itself."""
        if not telling(leaf) or not self._by_value:
            return
        data = codec.canonical(leaf)
        yield from self._by_value.get(data, ())
        text = _text(leaf)
        if text is None:
            return
        met: set[tuple[int, tuple[int, ...]]] = set()
        for word in dict.fromkeys(_WORD.findall(text)[:MAX_WORDS]):
            for step, path, seen in self._by_word.get(word, ()):
                if (step, path) in met:
                    continue
                other = _text(seen)
                if other is None or (type(seen) is type(leaf) and other == text):
                    continue
                if isinstance(seen, str) and holds_token(other, text):
                    met.add((step, path))
                    yield Guard(step, path, data)
                elif isinstance(leaf, str) and holds_token(text, other):
                    met.add((step, path))
                    yield Guard(step, path, codec.canonical(seen))


def infer(steps: Sequence[StepRecord], outputs: Sequence[Any], *, start: int = 0) -> list[tuple[Guard, ...]]:
    """The guards of each step from `start` on, given every step's output (`MISSING` where it was opaque)."""
    seen = Seen()
    found: list[tuple[Guard, ...]] = []
    last = -1  # the last step with a literal to look for: nobody asks what comes out of it and of later ones
    for index in range(start, len(steps)):
        if any(telling(leaf) for _, expr in steps[index].arguments for leaf in literal_leaves(expr)):
            last = index
    for index, step in enumerate(steps):
        if index >= start:
            guards: dict[Guard, None] = {}
            for _, expr in step.arguments:
                for leaf in literal_leaves(expr):
                    for count, guard in enumerate(seen.guards_of(leaf)):
                        if count >= MAX_GUARDS_A_LEAF:
                            break
                        guards[guard] = None
            found.append(tuple(guards))
        if index < last and index < len(outputs) and outputs[index] is not MISSING:
            seen.add(index, outputs[index])
    return found


MISSING: Any = object()


def stale(guard: Guard, results: Sequence[Any]) -> str | None:
    """None if this run's output still holds the guarded value at its place, else what is there, for people."""
    wanted = codec.decode(guard.data)
    try:
        value = results[guard.step]
        for index in guard.path:
            unfolded = codec.unfold(value)
            if unfolded is None or index >= len(unfolded[1]):
                return "nothing at that place"
            value = unfolded[1][index]
        if codec.canonical(value) == guard.data:
            return None
        if isinstance(value, str):
            text = _text(wanted)
            if text is not None and holds_token(value, text):
                return None
        return repr(value)
    except Exception as error:  # an output that cannot be looked into does not hold the value
        return f"an output that cannot be read ({error})"


def _text(leaf: Any) -> str | None:
    if isinstance(leaf, str):
        return leaf
    if isinstance(leaf, int) and not isinstance(leaf, bool | Enum):
        return str(leaf)
    return None


def _walk(value: Any, path: tuple[int, ...]) -> Iterable[tuple[tuple[int, ...], Any]]:
    unfolded = codec.unfold(value)
    if unfolded is None:
        yield path, value
        return
    for index, child in enumerate(unfolded[1]):
        yield from _walk(child, (*path, index))
