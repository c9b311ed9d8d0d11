"""Guards: a literal that also appears in an earlier output is tied to that output.

Ids change from run to run. A number or a text that an agent copied from a tool's output must not be replayed when the
output has changed. Inferring the data flow from one recording would be a guess. So the literal is stored, with a guard:
the step is replayed only while the output still contains the value at the same path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Any

from ...errors import NotStorableError
from .. import codec
from ..model.records import Guard, StepRecord
from ..redaction.traces import SHORT_TEXT, decimal_text
from .params import literal_leaves
from .paths import LeafPath, OutputLeaves, get_at, is_distinctive, walk_leaves

MAX_GUARDS_PER_LEAF = 64
_PIECE = re.compile(r"\d+|[^\W\d_]+")
_WORD = re.compile(r"\w+")

__all__ = ["OutputLeaves", "infer_guards", "is_distinctive", "stale_value", "walk_leaves"]


class OutputIndex:
    """An index over the leaves of the outputs so far.

    It finds a leaf by its value, and by the words and numbers in its text.
    """

    __slots__ = ("_by_id", "_by_longest", "_by_piece", "_by_value")

    def __init__(self) -> None:
        self._by_value: dict[bytes, list[Guard]] = {}
        self._by_piece: dict[str, list[tuple[int, LeafPath, str, bytes | None]]] = {}
        self._by_longest: dict[str, list[tuple[str, Guard]]] = {}
        self._by_id: dict[str, list[tuple[int, LeafPath, str]]] = {}

    def add(self, step: int, leaves: OutputLeaves) -> None:
        """Index the leaves of a step's output."""
        for leaf_path, leaf in leaves:
            if not is_distinctive(leaf):
                continue
            data = _bytes_of(leaf)
            if data is not None:
                self._by_value.setdefault(data, []).append(_make_guard(step, leaf_path, data))
            text = _text(leaf)
            pieces = set(_PIECE.findall(text)) if text is not None else ()
            if text is None or not pieces:
                continue
            for piece in pieces:
                self._by_piece.setdefault(piece, []).append((step, leaf_path, text, data))
            for part in _id_like_parts(text, pieces):
                self._by_id.setdefault(part, []).append((step, leaf_path, text))
            if data is not None:
                longest = max(pieces, key=lambda piece: (len(piece), piece))
                self._by_longest.setdefault(longest, []).append((text, _make_guard(step, leaf_path, data)))

    def guards_for(self, leaf: Any) -> Iterable[Guard]:
        """Yield a guard for each place in the outputs where a literal leaf was seen.

        The place may hold the leaf as a whole, a longer text that contains it, or a text that it contains.
        """
        if not is_distinctive(leaf) or not (self._by_value or self._by_piece):
            return
        data = codec.canonical(leaf)
        yield from self._by_value.get(data, ())
        text = _text(leaf)
        pieces = set(_PIECE.findall(text)) if text is not None else ()
        if text is None or not pieces:
            return
        rarest = min(sorted(pieces), key=lambda piece: len(self._by_piece.get(piece, ())))
        for step, leaf_path, seen, whole in self._by_piece.get(rarest, ()):
            if seen == text:
                if whole is not None:
                    yield _make_guard(step, leaf_path, whole)
            else:
                around = next(occurrences(seen, text), None)
                if around is not None:
                    yield _make_guard(step, leaf_path, data, around)
        for part in _id_like_parts(text, pieces):
            for step, leaf_path, seen in self._by_id.get(part, ()):
                around = next(occurrences(seen, part), None)
                if around is not None and part not in (seen, text):
                    yield _make_guard(step, leaf_path, codec.canonical(part), around)
        if issubclass(type(leaf), str | bytes):
            for piece in sorted(pieces):
                for seen, guard in self._by_longest.get(piece, ()):
                    if seen != text and any(True for _ in occurrences(text, seen)):
                        yield guard


def _id_like_parts(text: str, pieces: Iterable[str]) -> list[str]:
    """Return the parts of a text that look like ids: numbers, and words with digits."""
    found = {piece for piece in pieces if piece[0].isdigit()} | set(_WORD.findall(text))
    return sorted(part for part in found if len(part) >= SHORT_TEXT and any(map(str.isdigit, part)))


def _make_guard(step: int, leaf_path: LeafPath, data: bytes, around: tuple[str, ...] = ()) -> Guard:
    path, keys = leaf_path
    return Guard(step, path, data, keys, around)


def occurrences(text: str, part: str) -> Iterator[tuple[str, str]]:
    """Yield the characters before and after each occurrence of `part` in `text`.

    An occurrence inside a longer word or a longer number is skipped.
    """
    at = text.find(part) if part else -1
    while at >= 0:
        end = at + len(part)
        before, after = text[max(at - 1, 0) : at], text[end : end + 1]
        if not (before and _is_joined(before, part[0])) and not (after and _is_joined(part[-1], after)):
            yield _encodable(before), _encodable(after)
        at = text.find(part, at + 1)


def _encodable(char: str) -> str:
    return char.encode("utf-8", "replace").decode()


def _is_joined(one: str, two: str) -> bool:
    return (one.isdigit() and two.isdigit()) or (one.isalpha() and two.isalpha())


def infer_guards(
    steps: Sequence[StepRecord],
    outputs: Sequence[OutputLeaves],
    *,
    start: int,
    events: Iterable[int],
    names: Sequence[Sequence[str]] = (),
) -> list[tuple[Guard, ...]]:
    """Return the guards of each step from `start` on, given the leaves of all outputs.

    `events` lists the index of each of these steps twice: at its begin and at its end. A step that has not ended has no
    output yet. `names` holds for each step the names of those arguments whose names are data, like their values.
    """
    output_index = OutputIndex()
    found: dict[int, tuple[Guard, ...]] = {}
    for index in range(start):
        output_index.add(index, outputs[index])
    for index in events:
        if index in found:
            output_index.add(index, outputs[index])
            continue
        guards: dict[Guard, None] = {}
        given = [leaf for _, expr in steps[index].arguments for leaf in literal_leaves(expr)]
        for leaf in (*given, *(names[index] if names else ())):
            for count, guard in enumerate(output_index.guards_for(leaf)):
                if count >= MAX_GUARDS_PER_LEAF:
                    break
                guards[guard] = None
        found[index] = tuple(guards)
    return list(found.values())


def stale_value(guard: Guard, results: Sequence[Any]) -> str | None:
    """Return None if this run's output still contains the guarded value.

    Otherwise return a text for messages that describes what is at the guarded path.
    """
    try:
        value = get_at(results[guard.step], guard.path, guard.keys)
        if _bytes_of(value) == guard.data:
            return None
        here, wanted = _text(value), _text(codec.decode(guard.data, lenient=True))
        if guard.around and here is not None and wanted is not None and guard.around in set(occurrences(here, wanted)):
            return None
        return repr(value)
    except LookupError:
        return "no value at that path"
    except Exception as error:  # An unreadable output cannot confirm the value.
        return f"an unreadable output ({error})"


def value_at(guard: Guard, results: Sequence[Any]) -> Any:
    """Return what this run's output has at the guarded path; an object without an encoding if it has nothing there."""
    try:
        return get_at(results[guard.step], guard.path, guard.keys)
    except Exception:  # An unreadable output has nothing there either.
        return object()


def _bytes_of(value: Any) -> bytes | None:
    try:
        return codec.canonical(value)
    except NotStorableError:
        return None


def _text(leaf: Any) -> str | None:
    if issubclass(type(leaf), str):
        text: str = leaf
        return text
    if issubclass(type(leaf), bytes | bytearray):
        return str(leaf.decode("utf-8", "replace"))
    if leaf is None or issubclass(type(leaf), bool | Enum):
        return None
    if issubclass(type(leaf), int):
        return decimal_text(leaf)
    return str(leaf) if codec.unfold(leaf) is None and codec.is_immutable(leaf) else None
