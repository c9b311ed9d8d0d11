"""Values to trees of plain data: null, numbers, text, bytes, lists and maps.

A map is a dict whose keys are all plain strings. A list always begins with a tag, so that user data cannot be mistaken
for a tag. A value has exactly one tree, and msgspec writes exactly one message for a tree.
"""

from __future__ import annotations

import enum
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Collection, Sequence
from itertools import chain, compress
from operator import itemgetter, ne
from types import SimpleNamespace
from typing import Any, Final

import msgspec

from ...errors import TooLargeError
from . import leaves as tags
from .arrays import split_array
from .leaves import LEAVES, NAN, ODD, is_plain_str, rare_leaf
from .mappings import SORTED, TAGS, attributes_of, factory_name, pairs_of
from .pandas_values import split_pandas
from .parts import model_parts, object_fields, row_items
from .refusal import Refusal
from .registry import ENUM, MODEL, OBJECT, ROW, Shape, reason_not_storable, shape_of
from .unknown import Record

MAX_DEPTH: Final = 64
PLAIN: Final = frozenset({type(None), bool, int, str, bytes})
PLAIN_OR_FLOAT: Final = PLAIN | {float}
ONLY_STR: Final = frozenset({str})
ONLY_DICT: Final = frozenset({dict})
_SIZED: Final = frozenset({str, bytes})
FEW: Final = 4
"""Dicts in a list for which it does not pay to look at all of them together."""

pack: Final = msgspec.msgpack.Encoder().encode


class Writer:
    """One walk over one value; `put` returns its tree or raises Refusal.

    With `allows_nan`, floats of plain containers are not compared with themselves to find NaN, and `has_floats` is set
    if there are any. `canonical` sorts the items of dicts. `checks_extremes` is set for a value that contains a string
    with lone surrogates or an int of more than 64 bits. A search for them in every value would be slow, so msgspec
    finds them first.
    """

    __slots__ = (
        "allows_nan",
        "bytes_left",
        "canonical",
        "checks_extremes",
        "has_floats",
        "max_bytes",
        "max_nodes",
        "nodes_left",
    )

    def __init__(
        self, canonical: bool, checks_extremes: bool, max_nodes: int, max_bytes: int, allows_nan: bool = False
    ) -> None:
        self.allows_nan = allows_nan
        self.has_floats = False
        self.canonical = canonical
        self.checks_extremes = checks_extremes
        self.max_nodes = self.nodes_left = max_nodes
        self.max_bytes = self.bytes_left = max_bytes

    def put(self, value: Any, depth: int) -> Any:
        """Return the tree of a value that is inside `depth` containers."""
        kind = type(value)
        if kind in PLAIN:
            if self.checks_extremes or kind is str or kind is bytes:
                return self.put_plain(value)
            return value
        if kind is float:
            return value if value == value else NAN
        try:
            write = _CONTAINERS.get(kind)
            if write is not None:
                return write(self, value, depth)
            leaf = LEAVES.get(kind) or rare_leaf(kind)
            if leaf is not None:
                return self.put_parts(leaf.tag, leaf.split(value), depth)
            return self.put_instance(kind, value, depth)
        except Refusal as refusal:
            refusal.trail.append(value)
            raise

    def put_plain(self, value: Any) -> Any:
        if type(value) is str or type(value) is bytes:
            self.count_bytes(len(value))
            if self.checks_extremes and type(value) is str and not is_plain_str(value):
                return [tags.ODD_STR, *ODD[str].split(value)]
        elif type(value) is int and not -(2**63) <= value < 2**64:
            self.count_bytes(value.bit_length() // 8)
            return [tags.BIG_INT, *ODD[int].split(value)]
        return value

    def put_parts(self, tag: int, parts: tuple[Any, ...], depth: int) -> list[Any]:
        self.count_nodes(1, depth)
        return [tag, *[self.put(part, depth + 1) for part in parts]]

    def put_instance(self, kind: type, value: Any, depth: int) -> Any:
        shape = shape_of(kind)
        if shape is not None:
            return self.put_shape(shape, value, depth)
        if kind is Record:
            return self.put_record(value, depth)
        taken = split_array(value, self.canonical)
        if taken is None:
            parts = split_pandas(value)
            if parts is None:
                raise Refusal(reason_not_storable(kind))
            taken = tags.PANDAS, parts
        return self.put_parts(taken[0], taken[1], depth)

    def put_shape(self, shape: Shape, value: Any, depth: int) -> list[Any]:
        if shape.kind == OBJECT:
            return [tags.OBJECT, shape.name, self.put_fields(object_fields(shape, value), depth)]
        if shape.kind == ROW:
            fields = dict(zip(shape.fields, row_items(shape, value), strict=True))
            return [tags.ROW, shape.name, self.put_fields(fields, depth)]
        if shape.kind == ENUM:
            return self.put_member(shape, value)
        if shape.kind == MODEL:
            return self.put_model(shape, value, depth)
        assert shape.encode is not None
        try:
            stand_in = shape.encode(value)
        except Exception as error:
            raise Refusal(f"cannot be encoded by its registered function: {type(error).__name__}: {error}") from error
        self.count_nodes(1, depth)
        return [tags.REGISTERED, shape.name, self.put(stand_in, depth + 1)]

    def put_record(self, value: Record, depth: int) -> list[Any]:
        tag, name, parts, _ = value.__record__
        if tag in (tags.OBJECT, tags.ROW, tags.MODEL):
            rest = [None if self.canonical and type(part) is frozenset else part for part in parts[1:]]
            return [
                tag,
                name,
                self.put_fields(parts[0], depth),
                *[self.put(part, depth + 1) for part in rest],
            ]
        if tag in (tags.MEMBER, tags.FLAG):
            return [tag, name, self.put_plain(parts[0])]
        return self.put_parts(tag, (name, *parts) if tag == tags.REGISTERED else parts, depth)

    def put_fields(self, fields: dict[str, Any], depth: int) -> dict[str, Any]:
        self.count_nodes(len(fields), depth)
        put, depth = self.put, depth + 1
        return {name: put(item, depth) for name, item in fields.items()}

    def put_model(self, shape: Shape, value: Any, depth: int) -> list[Any]:
        fields, extra, private, chosen = model_parts(shape, value)
        tree = [tags.MODEL, shape.name, self.put_fields(fields, depth)]
        for part in (extra, private):
            try:
                tree.append(self.put(part, depth + 1))
            except Refusal as refusal:
                refusal.trail.pop()  # In the path, these are attributes of the model, not items of a dict.
                raise
        # Which fields were set explicitly is not part of equality, so it is not part of the canonical form.
        tree.append(None if self.canonical else self.put(chosen, depth + 1))
        return tree

    def put_member(self, shape: Shape, value: Any) -> list[Any]:
        if shape.cls._member_map_.get(value._name_) is value:  # type: ignore[attr-defined] # an Enum
            return [tags.MEMBER, shape.name, value._name_]
        if isinstance(value, enum.Flag) and type(value._value_) is int:
            number = value._value_
            return [tags.FLAG, shape.name, self.put_plain(number)]
        raise Refusal("is not a named member of its Enum")

    def count_nodes(self, children: int, depth: int) -> None:
        """Count a container's children; refuse too deep or too many."""
        if depth >= MAX_DEPTH:
            raise Refusal(f"is more than {MAX_DEPTH} containers deep", TooLargeError)
        self.nodes_left -= children
        if self.nodes_left < 0:
            raise Refusal(f"has more than {self.max_nodes} values", TooLargeError)

    def count_bytes(self, size: int) -> None:
        """Count the size of text or bytes before they are copied; refuse too many."""
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise Refusal(f"is larger than {self.max_bytes} bytes", TooLargeError)

    def holds_nan(self, items: Collection[Any]) -> bool:
        """Return whether a NaN is among the items, which would have to be replaced."""
        self.has_floats = True
        return not self.allows_nan and any(map(ne, items, items))

    def all_plain(self, items: Collection[Any]) -> bool:
        """Return whether msgspec can write all items as they are.

        Two passes in C are faster than one in Python.
        """
        kinds = set(map(type, items))
        if self.checks_extremes or not kinds <= PLAIN_OR_FLOAT or (float in kinds and self.holds_nan(items)):
            return False
        if kinds == ONLY_STR:
            self.count_bytes(sum(map(len, items)))
        elif str in kinds or bytes in kinds:
            self.count_bytes(sum([len(item) for item in items if type(item) is str or type(item) is bytes]))
        return True

    def put_rows(self, rows: Sequence[dict[Any, Any]], depth: int) -> Sequence[Any] | None:
        """Return the trees of dicts of plain values that are inside `depth` containers.

        A few passes in C over all of them are faster than one in Python. Return None for other dicts, and for those
        that exceed a maximum.
        """
        count = sum(map(len, rows))
        if self.checks_extremes or depth >= MAX_DEPTH or count > self.nodes_left:
            return None
        keys = list(chain.from_iterable(rows))
        if not ONLY_STR.issuperset(map(type, keys)):
            return None
        names = list(rows[0])
        if len(names) <= len(rows) and set(map(len, rows)) == {len(names)} and keys == names * len(rows):
            columns = [list(map(itemgetter(name), rows)) for name in names]
        else:
            names, columns = [], [list(chain.from_iterable(map(dict.values, rows)))]
        size = sum(map(len, keys))
        for values in columns:
            found = set(map(type, values))
            if not found <= PLAIN_OR_FLOAT or (float in found and self.holds_nan(values)):
                return None
            if found <= _SIZED:
                size += sum(map(len, values))
            elif str in found or bytes in found:
                size += sum(map(len, compress(values, map(_SIZED.__contains__, map(type, values)))))
        if size > self.bytes_left:
            return None
        self.nodes_left -= count
        self.bytes_left -= size
        if not self.canonical:
            return rows
        if names and names == sorted(names, key=pack):
            return rows
        orders = {keys: tuple(sorted(keys, key=pack)) for keys in set(map(tuple, rows))}
        if all(keys == order for keys, order in orders.items()):
            return rows
        return [{key: row[key] for key in orders[tuple(row)]} for row in rows]


def _put_list(writer: Writer, value: list[Any], depth: int) -> list[Any]:
    writer.count_nodes(len(value), depth)
    if writer.all_plain(value):
        return [tags.LIST, *value]
    put, depth = writer.put, depth + 1
    rows = writer.put_rows(value, depth) if len(value) >= FEW and ONLY_DICT.issuperset(map(type, value)) else None
    if rows is not None:
        return [tags.LIST, *rows]
    return [tags.LIST, *[put(item, depth) for item in value]]


def _put_tuple(writer: Writer, value: tuple[Any, ...], depth: int) -> list[Any]:
    writer.count_nodes(len(value), depth)
    if writer.all_plain(value):
        return [tags.TUPLE, *value]
    put, depth = writer.put, depth + 1
    return [tags.TUPLE, *[put(item, depth) for item in value]]


def _put_dict(writer: Writer, value: dict[Any, Any], depth: int) -> Any:
    writer.count_nodes(len(value), depth)
    put, deeper = writer.put, depth + 1
    if value and (set(map(type, value)) != ONLY_STR or (writer.checks_extremes and not all(map(is_plain_str, value)))):
        writer.count_nodes(len(value), depth)
        pairs = [(put(key, deeper), put(item, deeper)) for key, item in value.items()]
        if writer.canonical:
            pairs.sort(key=pack)
        return [tags.DICT, *[part for pair in pairs for part in pair]]
    writer.count_bytes(sum(map(len, value)))
    tree = value if writer.all_plain(value.values()) else {key: put(item, deeper) for key, item in value.items()}
    if writer.canonical:
        return {key: tree[key] for key in sorted(tree, key=pack)}
    return tree


def _put_set(writer: Writer, value: set[Any] | frozenset[Any], depth: int) -> list[Any]:
    writer.count_nodes(len(value), depth)
    items = [writer.put(item, depth + 1) for item in value]
    items.sort(key=pack)
    return [tags.SET if type(value) is set else tags.FROZENSET, *items]


def _put_mapping(writer: Writer, value: Any, depth: int) -> list[Any]:
    held = pairs_of(value)
    writer.count_nodes(2 * len(held), depth)
    pairs = [(writer.put(key, depth + 1), writer.put(item, depth + 1)) for key, item in held]
    if writer.canonical and isinstance(value, SORTED):
        pairs.sort(key=pack)
    head = [factory_name(value)] if type(value) is defaultdict else []
    return [TAGS[type(value)], *head, *[part for pair in pairs for part in pair]]


def _put_namespace(writer: Writer, value: SimpleNamespace, depth: int) -> list[Any]:
    held = attributes_of(value)
    try:
        return [tags.NAMESPACE, writer.put(held, depth + 1)]
    except Refusal as refusal:
        refusal.trail.pop()  # In the path, these are attributes, not items of a dict.
        raise


_CONTAINERS: Final[dict[type, Callable[[Writer, Any, int], Any]]] = {
    list: _put_list,
    tuple: _put_tuple,
    dict: _put_dict,
    set: _put_set,
    frozenset: _put_set,
    OrderedDict: _put_mapping,
    defaultdict: _put_mapping,
    Counter: _put_mapping,
    SimpleNamespace: _put_namespace,
}
