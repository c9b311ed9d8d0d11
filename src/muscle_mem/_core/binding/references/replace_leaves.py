"""Literal pieces of a recorded call replaced by what they are read from (L3)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec

from ... import codec
from ...codec.writer import MAX_DEPTH
from ...model.flow import Get
from ...model.records import Expr, Lit, Node, StepRecord, Tpl
from ..texts.pieces import expression_pieces


def replace_leaves(record: StepRecord, found: Mapping[int, Get | Lit]) -> StepRecord:
    """Return a call in which literal pieces are replaced.

    `found` is by the number of the piece, as in `literal_pieces`.
    """
    numbers = itertools.count()
    arguments = tuple((name, _replaced(name, expr, numbers, found)) for name, expr in record.arguments)
    return msgspec.structs.replace(record, arguments=arguments)


def _replaced(name: str, expr: Expr, numbers: Iterator[int], found: Mapping[int, Get | Lit]) -> Expr:
    if isinstance(expr, Lit):
        count = sum(1 for _ in expression_pieces(name, expr))
        own = list(itertools.islice(numbers, count))
        if not any(number in found for number in own):
            return expr
        return _literal(codec.decode(expr.data, lenient=True), iter(own), found, 0)
    if isinstance(expr, Tpl):
        for part in expr.parts[::2]:
            if part:
                next(numbers)
        return expr
    if isinstance(expr, Node):
        return Node(expr.kind, tuple([_replaced(name, item, numbers, found) for item in expr.items]))
    return expr


def _literal(value: Any, numbers: Iterator[int], found: Mapping[int, Get | Lit], depth: int) -> Expr:
    unfolded = codec.unfold(value) if depth <= MAX_DEPTH else None
    if unfolded is None:
        known = found.get(next(numbers))
        return Lit(codec.canonical(value)) if known is None else cast(Expr, known)
    kind, children = unfolded
    return Node(kind, tuple([_literal(child, numbers, found, depth + 1) for child in children]))


def bound_leaves(expr: Any) -> Iterator[Get]:
    """Yield the leaves of an expression that are read from sources."""
    if isinstance(expr, Get):
        yield expr
    elif isinstance(expr, Node):
        for item in expr.items:
            yield from bound_leaves(item)


def values_at_bound(expr: Any, value: Any) -> Iterator[Any]:
    """Yield the parts of a value that an expression reads from sources.

    Raises LookupError if the value has another form.
    """
    if isinstance(expr, Get):
        yield value
    elif isinstance(expr, Node) and any(True for _ in bound_leaves(expr)):
        kind, children = codec.unfold(value) or ("", ())
        if kind != expr.kind or len(children) != len(expr.items):
            raise LookupError("the value has another form than the expression")
        for item, child in zip(expr.items, children, strict=True):
            yield from values_at_bound(item, child)


def with_literals(record: StepRecord, values: Iterator[bytes]) -> StepRecord:
    """Return a call with the values of this run in place of what it reads.

    `values` are the canonical bytes of the leaves, in their order.
    """
    arguments = tuple((name, _filled(expr, values)) for name, expr in record.arguments)
    return msgspec.structs.replace(record, arguments=arguments)


def _filled(expr: Any, values: Iterator[bytes]) -> Expr:
    if isinstance(expr, Get):
        return Lit(next(values))
    if not isinstance(expr, Node):
        return cast(Expr, expr)
    items = tuple([_filled(item, values) for item in expr.items])
    if items == expr.items or not all(isinstance(item, Lit) for item in items):
        return Node(expr.kind, items)
    parts = tuple(codec.decode(cast(Lit, item).data, lenient=True) for item in items)
    return Lit(codec.canonical(codec.fold(expr.kind, parts)))
