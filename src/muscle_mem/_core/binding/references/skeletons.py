"""What the calls of two parents have in common (L2).

In the parents of one generalized trajectory, the skeletons of all calls are equal.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from ....errors import NotStorableError
from ... import codec
from ...codec.mappings import is_mapping_kind
from ...codec.writer import MAX_DEPTH
from ...model.records import Expr, Lit, Node, StepRecord, Tpl
from ..outputs.paths import SCALARS

_LEAF = "."
HOLE = object()
"""Stands in an argument's value for a part that is not a literal."""


def skeleton(record: StepRecord) -> Hashable:
    """Return a call without the values of its literal leaves.

    Calls with equal skeletons have the same tool, checks and argument names, containers of the same types and lengths,
    equal keys of dicts and equal expressions elsewhere. So their literal pieces correspond by number.
    """
    return (
        record.tool,
        record.fingerprint,
        record.method,
        record.pre,
        record.post,
        record.instance,
        record.group,
        record.late,
        argument_shapes(record),
    )


def argument_shapes(record: StepRecord) -> tuple[tuple[str, Hashable], ...]:
    """Return the arguments of a call without the values of their literal leaves."""
    return tuple((name, _shape(expr)) for name, expr in record.arguments)


def _shape(expr: Expr) -> Hashable:
    if isinstance(expr, Lit):
        return _value_shape(codec.decode(expr.data, lenient=True), 0)
    if isinstance(expr, Tpl):
        return "template", tuple(bool(part) if at % 2 == 0 else part for at, part in enumerate(expr.parts))
    if isinstance(expr, Node):
        has_keys = is_mapping_kind(expr.kind)
        items = tuple(_key(item) if has_keys and at % 2 == 0 else _shape(item) for at, item in enumerate(expr.items))
        return "container", expr.kind, items
    return expr


def _key(expr: Expr) -> Hashable:
    return ("key", expr.data) if isinstance(expr, Lit) else _shape(expr)


def _value_shape(value: Any, depth: int) -> Hashable:
    if type(value) in SCALARS:
        return _LEAF
    unfolded = codec.unfold(value) if depth <= MAX_DEPTH else None
    if unfolded is None:
        return _LEAF
    kind, children = unfolded
    has_keys = is_mapping_kind(kind)
    parts = [
        ("key", _bytes(child)) if has_keys and at % 2 == 0 else _value_shape(child, depth + 1)
        for at, child in enumerate(children)
    ]
    return "container", kind, tuple(parts)


def _bytes(value: Any) -> bytes:
    try:
        return codec.encode(value)
    except NotStorableError:
        return b""


def key_flags(record: StepRecord) -> list[bool]:
    """Return for each literal piece of a call whether it is a part of a dict's key."""
    return [flag for _, expr in record.arguments for flag in _expression_flags(expr, False)]


def _expression_flags(expr: Expr, is_key: bool) -> Iterator[bool]:
    if isinstance(expr, Lit):
        yield from _value_flags(codec.decode(expr.data, lenient=True), is_key, 0)
    elif isinstance(expr, Tpl):
        yield from (is_key for part in expr.parts[::2] if part)
    elif isinstance(expr, Node):
        has_keys = is_mapping_kind(expr.kind)
        for at, item in enumerate(expr.items):
            yield from _expression_flags(item, is_key or (has_keys and at % 2 == 0))


def _value_flags(value: Any, is_key: bool, depth: int) -> Iterator[bool]:
    unfolded = codec.unfold(value) if depth <= MAX_DEPTH else None
    if unfolded is None:
        yield is_key
        return
    has_keys = is_mapping_kind(unfolded[0])
    for at, child in enumerate(unfolded[1]):
        yield from _value_flags(child, is_key or (has_keys and at % 2 == 0), depth + 1)
