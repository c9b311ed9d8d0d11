"""Bytes to values: each byte is checked before a value is built, and no code runs."""

from __future__ import annotations

import enum
from collections.abc import Callable
from itertools import chain
from operator import ne
from struct import pack as pack_struct
from types import SimpleNamespace
from typing import Any, Final

import msgspec

from ...errors import DecodeError, UnknownTypeError
from . import leaves as tags
from .arrays import build_array
from .leaves import (
    BY_TAG,
    LEAVES,
    NAN_BYTES,
    ODD,
    RARE_TAGS,
    are_same_parts,
    leaf_of_tag,
    may_hold_nan,
    rare_leaf,
    require,
)
from .mappings import attributes_of, build
from .pandas_values import NAMES as PANDAS_NAMES
from .pandas_values import build_pandas
from .parts import build_model, build_object, build_row, incompatible_class
from .registry import ENUM, MODEL, OBJECT, ROW, Shape, known_class, registration
from .unknown import Record
from .writer import FEW, MAX_DEPTH, ONLY_DICT, ONLY_STR, PLAIN, PLAIN_OR_FLOAT, pack

# This skips a whole message without building values, and so verifies the lengths in it. msgspec allocates a list
# before it reads the items, so it must not read unverified lengths.
_measure: Final = msgspec.msgpack.Decoder(msgspec.Raw).decode
_unpack: Final = msgspec.msgpack.Decoder().decode


def read_tree(body: bytes) -> Any:
    """Return the tree of a message; raise DecodeError if it is not its only form."""
    _measure(body)
    tree = _unpack(body)
    require(pack(tree) == body, "tree in another form")
    return tree


class Reader:
    """One walk over one tree.

    A `lenient` reader returns Records for classes that this process does not know. With `is_own`, it trusts that
    the bytes are what the writer of this process returned.
    """

    __slots__ = ("is_own", "lenient", "may_hold_nan")

    def __init__(self, lenient: bool, may_hold_nan: bool = True, is_own: bool = False) -> None:
        self.lenient = lenient
        self.may_hold_nan = may_hold_nan
        self.is_own = is_own

    def get(self, tree: Any, depth: int) -> Any:
        """Return the value of a tree that is inside `depth` containers."""
        kind = type(tree)
        if kind is list:
            # The exact type of the tag matters, because True and 1.0 would find the entry of 1.
            if not tree or type(tree[0]) is not int or tree[0] not in _READERS:
                raise DecodeError("cannot decode the data: invalid list without a tag")
            require(
                depth < MAX_DEPTH or (depth < MAX_DEPTH + 2 and tree[0] in _SCALAR_TAGS),
                "container that is nested too deep",
            )
            return _READERS[tree[0]](self, tree, depth)
        if kind is dict:
            require(depth < MAX_DEPTH, "container that is nested too deep")
            return self.get_map(tree, depth)
        if kind is float:
            require(tree == tree or pack_struct(">d", tree) == NAN_BYTES, "NaN with a payload")
            return tree
        require(kind in PLAIN, "extension type of msgpack")
        return tree

    def get_map(self, tree: Any, depth: int) -> dict[str, Any]:
        """Return the dict of a map, whose keys are plain strings."""
        require(
            self.is_own or (type(tree) is dict and (not tree or set(map(type, tree)) == ONLY_STR)),
            "map with keys that are not strings",
        )
        if self.all_plain(tree.values()):
            return tree  # type: ignore[no-any-return] # msgpack gives Any
        get, depth = self.get, depth + 1
        return {key: get(item, depth) for key, item in tree.items()}

    def get_items(self, tree: list[Any], depth: int) -> list[Any]:
        """Return the items after a tag."""
        items = tree[1:]
        if self.all_plain(items):
            return items
        get, depth = self.get, depth + 1
        if len(items) >= FEW and depth < MAX_DEPTH and ONLY_DICT.issuperset(map(type, items)):
            values = list(chain.from_iterable(map(dict.values, items)))
            if self._has_text_keys(items) and self.all_plain(values):
                return items
        return [get(item, depth) for item in items]

    def _has_text_keys(self, items: list[dict[Any, Any]]) -> bool:
        return self.is_own or ONLY_STR.issuperset(map(type, chain.from_iterable(items)))

    def all_plain(self, items: Any) -> bool:
        """Return whether all items are values as they are."""
        kinds = set(map(type, items))
        if not kinds <= PLAIN_OR_FLOAT:
            return False
        return not (self.may_hold_nan and float in kinds and any(map(ne, items, items)))

    def record(self, error: UnknownTypeError, tree: list[Any], name: str, parts: list[Any], shown: Any) -> Record:
        """Return a Record for an unknown instance; a strict reader raises the error."""
        if not self.lenient:
            raise error
        return Record(tree[0], name, tuple(parts), shown)


def _get_list(reader: Reader, tree: list[Any], depth: int) -> list[Any]:
    return reader.get_items(tree, depth)


def _get_tuple(reader: Reader, tree: list[Any], depth: int) -> tuple[Any, ...]:
    return tuple(reader.get_items(tree, depth))


def _get_dict(reader: Reader, tree: list[Any], depth: int) -> dict[Any, Any]:
    items = reader.get_items(tree, depth)
    keys = items[::2]
    require(len(items) % 2 == 0 and any(type(key) is not str for key in tree[1::2]), "dict in another form")
    made = dict(zip(keys, items[1::2], strict=True))
    require(len(made) == len(keys), "dict with equal keys")
    return made


def _get_set(reader: Reader, tree: list[Any], depth: int) -> set[Any] | frozenset[Any]:
    order = [pack(item) for item in tree[1:]]
    require(order == sorted(order), "set out of order")
    items = reader.get_items(tree, depth)
    made: set[Any] | frozenset[Any] = set(items) if tree[0] == tags.SET else frozenset(items)
    require(len(made) == len(items), "set with equal items")
    return made


def _get_leaf(reader: Reader, tree: list[Any], depth: int) -> Any:
    leaf = leaf_of_tag(tree[0])
    parts = tuple([reader.get(part, depth + 1) for part in tree[1:]])
    zone = parts[-1] if parts else None
    if type(zone) is Record and tree[0] in (tags.TIME, tags.DATETIME):
        error = UnknownTypeError("cannot decode a time: this machine does not know its time zone", "datetime")
        return reader.record(error, tree, "datetime", list(parts), {"isoformat": parts[0], "tzinfo": zone})
    try:
        value = leaf.build(*parts)
    except UnknownTypeError as error:
        return reader.record(error, tree, error.type_name, list(parts), {"key": parts[0]})
    again = (LEAVES.get(type(value)) or rare_leaf(type(value)) or ODD[type(value)]).split(value)
    if tree[0] == tags.PATH:
        parts, again = parts[1:], again[1:]  # A path of another operating system is decoded as a pure path.
    require(are_same_parts(parts, again), "value in another form")
    return value


def _get_array(reader: Reader, tree: list[Any], depth: int) -> Any:
    parts = [reader.get(part, depth + 1) for part in tree[1:]]
    try:
        return build_array(tree[0], *parts)
    except UnknownTypeError as error:
        names = ("dtype", "shape", "data")
        return reader.record(error, tree, error.type_name, parts, dict(zip(names, parts, strict=True)))


def _get_mapping(reader: Reader, tree: list[Any], depth: int) -> Any:
    items = reader.get_items(tree, depth)
    factory = items.pop(0) if tree[0] == tags.DEFAULT_DICT and items else None
    return build(tree[0], factory, items)


def _get_namespace(reader: Reader, tree: list[Any], depth: int) -> SimpleNamespace:
    _, held = tree
    fields = reader.get(held, depth + 1)
    require(type(fields) is dict, "namespace")
    made = SimpleNamespace()
    made.__dict__.update(fields)
    require(len(attributes_of(made)) == len(fields), "namespace")
    return made


def _get_pandas(reader: Reader, tree: list[Any], depth: int) -> Any:
    parts = [reader.get(part, depth + 1) for part in tree[1:]]
    require(len(parts) == len(PANDAS_NAMES), "value of pandas")
    try:
        return build_pandas(*parts)
    except UnknownTypeError as error:
        return reader.record(error, tree, error.type_name, parts, dict(zip(PANDAS_NAMES, parts, strict=True)))


def _get_object(reader: Reader, tree: list[Any], depth: int) -> Any:
    _, name, fields = tree
    require(type(name) is str, "class name")
    values = reader.get_map(fields, depth)
    kind, build = (OBJECT, build_object) if tree[0] == tags.OBJECT else (ROW, build_row)
    try:
        return build(_expect(name, kind), values)
    except UnknownTypeError as error:
        return reader.record(error, tree, name, [values], values)


def _get_model(reader: Reader, tree: list[Any], depth: int) -> Any:
    _, name, fields, *rest = tree
    require(type(name) is str, "class name")
    values = reader.get_map(fields, depth)
    extra, private, chosen = (reader.get(part, depth + 1) for part in rest)
    require(all(part is None or type(part) is dict for part in (extra, private)), "model")
    require(chosen is None or (type(chosen) is frozenset and all(type(one) is str for one in chosen)), "model")
    require(chosen is None or chosen != values.keys() | (extra or {}).keys(), "model")
    try:
        return build_model(_expect(name, MODEL), values, extra, private, chosen)
    except UnknownTypeError as error:
        shown = {**(private or {}), **(extra or {}), **values}
        return reader.record(error, tree, name, [values, extra, private, chosen], shown)


def _get_member(reader: Reader, tree: list[Any], depth: int) -> Any:
    _, name, which = tree
    require(type(name) is str and type(which) is str and depth <= MAX_DEPTH, "member of an Enum")
    try:
        shape = _expect(name, ENUM)
        member = shape.cls._member_map_.get(which)  # type: ignore[attr-defined] # an Enum
        if member is None:
            raise incompatible_class(shape, f"no member {which!r}")
        return member
    except UnknownTypeError as error:
        return reader.record(error, tree, name, [which], {"name": which})


def _get_flag(reader: Reader, tree: list[Any], depth: int) -> Any:
    _, name, number = tree
    number = reader.get(number, depth + 1)
    require(type(name) is str and type(number) is int, "Flag")
    try:
        shape = _expect(name, ENUM)
        if not issubclass(shape.cls, enum.Flag):
            raise incompatible_class(shape, "expected a Flag")
        try:
            value = shape.cls(number)
        except ValueError as error:
            raise incompatible_class(shape, str(error)) from None
        require(value._value_ == number and value._name_ not in shape.cls._member_map_, "Flag")
        return value
    except UnknownTypeError as error:
        return reader.record(error, tree, name, [number], {"value": number})


def _get_registered(reader: Reader, tree: list[Any], depth: int) -> Any:
    _, name, stand_in = tree
    require(type(name) is str, "class name")
    stand_in = reader.get(stand_in, depth + 1)
    shape = registration(name)
    if shape is None or shape.decode is None:
        return reader.record(_unknown(name), tree, name, [stand_in], {"value": stand_in})
    return shape.decode(stand_in)


def _expect(name: str, kind: str) -> Shape:
    shape = known_class(name)
    if shape is None:
        raise _unknown(name)
    if shape.kind != kind:
        raise incompatible_class(shape, f"expected the kind {kind}, got {shape.kind}")
    return shape


def _unknown(name: str) -> UnknownTypeError:
    return UnknownTypeError(
        f"cannot decode an instance of {name!r}: the class is not known in this process. "
        "Annotate a tool with it, or call muscle_mem.register",
        name,
    )


_SCALAR_TAGS: Final = frozenset((tags.BIG_INT, tags.ODD_STR, tags.MEMBER, tags.FLAG))
_READERS: Final[dict[int, Callable[[Reader, list[Any], int], Any]]] = {
    tags.LIST: _get_list,
    tags.TUPLE: _get_tuple,
    tags.DICT: _get_dict,
    tags.SET: _get_set,
    tags.FROZENSET: _get_set,
    **dict.fromkeys(BY_TAG.keys() | RARE_TAGS, _get_leaf),
    **dict.fromkeys((tags.ARRAY, tags.SCALAR, tags.TENSOR), _get_array),
    **dict.fromkeys((tags.ORDERED_DICT, tags.DEFAULT_DICT, tags.COUNTER), _get_mapping),
    tags.NAMESPACE: _get_namespace,
    tags.PANDAS: _get_pandas,
    tags.OBJECT: _get_object,
    tags.ROW: _get_object,
    tags.MODEL: _get_model,
    tags.MEMBER: _get_member,
    tags.FLAG: _get_flag,
    tags.REGISTERED: _get_registered,
}


def read(body: bytes, lenient: bool) -> Any:
    """Return the value of a message without its version byte.

    Raises no exception other than DecodeError.
    """
    try:
        tree = read_tree(body)
        return tree if type(tree) in PLAIN else Reader(lenient, may_hold_nan(body)).get(tree, 0)
    except DecodeError:
        raise
    except Exception as error:
        raise _unreadable(error) from error


def read_own(body: bytes) -> Any:
    """Return the value of a message that the writer of this process returned.

    Raises DecodeError as `read` does.
    """
    try:
        tree = _unpack(body)
        return tree if type(tree) in PLAIN else Reader(True, False, True).get(tree, 0)
    except DecodeError:
        raise
    except Exception as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> DecodeError:
    return DecodeError(f"cannot decode the data: {type(error).__name__}: {error}")
