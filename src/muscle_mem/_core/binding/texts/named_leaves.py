"""The literal leaves of arguments, with the names that lead to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ... import codec
from ...codec.writer import MAX_DEPTH
from ...model.records import Expr, Lit, Node, Tpl


class NamedLeaf(NamedTuple):
    """A literal leaf of an argument, with its parameter and names.

    The names lead to the leaf. `is_part` says that it is a literal part of a template.
    """

    argument: str
    names: tuple[str, ...]
    value: Any
    is_part: bool = False


def named_leaves(argument: str, expr: Expr, names: tuple[str, ...] = ()) -> Iterator[NamedLeaf]:
    """Yield the literal leaves of an argument, with the names that lead to each.

    The argument's own name is the first.
    """
    above = names or (argument,)
    if isinstance(expr, Lit):
        yield from _value_leaves(argument, codec.decode(expr.data, lenient=True), above, 0)
    elif isinstance(expr, Tpl):
        yield from (NamedLeaf(argument, above, part, True) for part in expr.parts[::2] if part)
    elif isinstance(expr, Node):
        for number, item in enumerate(expr.items):
            own = _item_name(expr, number)
            yield from named_leaves(argument, item, (above[0], own) if own else above)


def _item_name(expr: Node, number: int) -> str:
    if expr.kind == "dict":
        key = expr.items[number - 1] if number % 2 else None
        value = codec.decode(key.data, lenient=True) if isinstance(key, Lit) else None
        return value if isinstance(value, str) else ""
    if "\0" in expr.kind:
        return codec.child_path(expr.kind, number, expr.items).removeprefix(".")
    return ""


def _value_leaves(argument: str, value: Any, names: tuple[str, ...], depth: int) -> Iterator[NamedLeaf]:
    unfolded = codec.unfold(value) if depth <= MAX_DEPTH else None
    if unfolded is None:
        yield NamedLeaf(argument, names, value)
        return
    kind, children = unfolded
    for number, child in enumerate(children):
        own = ""
        if kind == "dict":
            key = children[number - 1] if number % 2 else None
            own = key if isinstance(key, str) else ""
        elif "\0" in kind:
            own = codec.child_path(kind, number, children).removeprefix(".")
        yield from _value_leaves(argument, child, (names[0], own) if own else names, depth + 1)
