"""Declared flows: the user says from which output an argument comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ...errors import InvalidTypeError, InvalidValueError


class DeclaredFlow(msgspec.Struct, frozen=True, gc=False):
    """A declaration that an argument is read from the output of an earlier call.

    `ref` makes it.

    Attributes:
        tool: The name of the tool that made the output.
        path: The keys, fields and positions that lead to the value. Without any, the value is the whole output.
    """

    __module__ = "muscle_mem"

    tool: str
    path: tuple[str | int, ...] = ()

    def __repr__(self) -> str:
        return f"ref({', '.join(map(repr, (self.tool, *self.path)))})"


def ref(tool: str, *path: str | int) -> DeclaredFlow:
    """Return the declaration that an argument comes from an output of a tool.

    Use it in `engine.tool(flows={"order_id": ref("create_order", "order_id")})`.

    Args:
        tool: The stored name of the tool, or the last parts of it. The latest earlier call counts.
        path: What leads from the output to the value: a string is a key of a dict or a field of an object, a number is
            a position in a list, a negative one from the end. A text that is JSON is read as JSON.

    Raises:
        InvalidTypeError: The tool is not a string, or an item of the path is neither a string nor an int.
        InvalidValueError: A name is empty.
    """
    if not isinstance(tool, str):
        raise InvalidTypeError(
            f"invalid ref(): expected the name of a tool, got {tool!r:.60}. Pass it, as in ref('create_order', 'id')."
        )
    for item in path:
        if isinstance(item, bool) or not isinstance(item, str | int):
            raise InvalidTypeError(
                f"invalid ref({tool!r}, ...): expected strings and ints in the path, got {item!r:.60}. Pass keys, "
                "fields and positions, as in ref('list_orders', 0, 'id')."
            )
    if not tool or "" in path:
        what = "path" if tool else "name of a tool"
        raise InvalidValueError(f"invalid ref(): expected a {what} without empty names, got {(tool, *path)!r:.60}.")
    return DeclaredFlow(tool, path)


ref.__module__ = "muscle_mem"


class DeclaredEach(msgspec.Struct, frozen=True, gc=False):
    """A declaration that a tool is called for each element of a list.

    `each` makes it.

    Attributes:
        tool: The name of the tool that returns the list.
        path: The keys and fields that lead to the list, and from there to the value in the element.
        where: Pairs of a field and the value that it must have. Other elements are left out.
    """

    __module__ = "muscle_mem"

    tool: str
    path: tuple[str, ...] = ()
    where: tuple[tuple[str, object], ...] = ()

    def __repr__(self) -> str:
        where = f", where={dict(self.where)!r}" if self.where else ""
        return f"each({', '.join(map(repr, (self.tool, *self.path)))}{where})"


def each(tool: str, *path: str, where: Mapping[str, Any] | None = None) -> DeclaredEach:
    """Return the declaration that a tool is called for each element of a list.

    Use it in `engine.tool(flows={"order_id": each("list_orders", "orders", "id", where={"status": "pending"})})`.

    Args:
        tool: The stored name of the tool that returns the list, or the last parts of it. The latest earlier call
            counts.
        path: The keys and fields that lead from the output to the list, and from an element of it to the value. A text
            that is JSON is read as JSON.
        where: Fields of an element and the values that they must have. Other elements are left out.

    Raises:
        InvalidTypeError: The tool or an item of the path is not a string, or `where` is not a dict of constants.
        InvalidValueError: A name is empty.
    """
    if not isinstance(tool, str):
        raise InvalidTypeError(
            f"invalid each(): expected the name of a tool, got {tool!r:.60}. Pass it, as in each('list_orders', 'id')."
        )
    for item in path:
        if not isinstance(item, str):
            raise InvalidTypeError(
                f"invalid each({tool!r}, ...): expected strings in the path, got {item!r:.60}. Pass keys and fields; "
                "the list itself has no name in it."
            )
    if not tool or "" in path:
        what = "path" if tool else "name of a tool"
        raise InvalidValueError(f"invalid each(): expected a {what} without empty names, got {(tool, *path)!r:.60}.")
    if where is not None and not isinstance(where, Mapping):
        raise InvalidTypeError(
            f"invalid each({tool!r}, where=): expected a dict of fields, got {where!r:.60}. Pass for example "
            "where={'status': 'pending'}."
        )
    for name, value in (where or {}).items():
        if not isinstance(name, str) or not isinstance(value, str | int | float | bool | None):
            raise InvalidTypeError(
                f"invalid each({tool!r}, where=): expected fields and constants, got {name!r:.60}: {value!r:.60}. Pass "
                "for example where={'status': 'pending'}."
            )
    return DeclaredEach(tool, path, tuple((where or {}).items()))


each.__module__ = "muscle_mem"
