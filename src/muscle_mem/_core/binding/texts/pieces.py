"""The literal pieces of a recorded call, and where in the arguments they stand.

A literal piece is a leaf that is stored as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ... import codec
from ...codec.mappings import is_mapping_kind
from ...codec.writer import MAX_DEPTH
from ...model.records import Expr, Lit, Node, StepRecord, Tpl


class Piece(NamedTuple):
    """One literal leaf of an argument, or one literal part of a template in it.

    `path` counts children, as `codec.unfold` does; behind that of a template stands the number of the part. `is_key`
    says that it is the key of a dict, or in one.
    """

    argument: str
    path: tuple[int, ...]
    value: Any
    is_part: bool = False
    is_key: bool = False


def literal_pieces(record: StepRecord) -> list[Piece]:
    """Return the literal pieces of a call, in stored order.

    A piece's number in this list is its `leaf`.
    """
    return [piece for name, expr in record.arguments for piece in expression_pieces(name, expr)]


class PieceMemo:
    """The literal pieces of calls, worked out once for each call."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, list[Piece]]] = {}

    def of(self, record: StepRecord) -> list[Piece]:
        """Return the literal pieces of a call, as `literal_pieces` does."""
        arguments = record.arguments  # They stay the same object when guards are added to the record.
        found = self._known.get(id(arguments))
        if found is None:
            found = self._known[id(arguments)] = arguments, literal_pieces(record)
        return found[1]


def expression_pieces(argument: str, expr: Expr, path: tuple[int, ...] = (), is_key: bool = False) -> Iterator[Piece]:
    """Yield the literal pieces of one expression."""
    if isinstance(expr, Lit):
        yield from _leaves(argument, codec.decode(expr.data, lenient=True), path, 0, is_key)
    elif isinstance(expr, Tpl):
        for number, part in enumerate(expr.parts[::2]):
            if part:
                yield Piece(argument, (*path, number), part, True, is_key)
    elif isinstance(expr, Node):
        has_keys = is_mapping_kind(expr.kind)
        for index, item in enumerate(expr.items):
            yield from expression_pieces(argument, item, (*path, index), is_key or (has_keys and index % 2 == 0))


def _leaves(argument: str, value: Any, path: tuple[int, ...], depth: int, is_key: bool) -> Iterator[Piece]:
    unfolded = codec.unfold(value) if depth <= MAX_DEPTH else None
    if unfolded is None:
        yield Piece(argument, path, value, False, is_key)
        return
    has_keys = is_mapping_kind(unfolded[0])
    for index, child in enumerate(unfolded[1]):
        yield from _leaves(argument, child, (*path, index), depth + 1, is_key or (has_keys and index % 2 == 0))
