"""From bytes back to values: each byte is checked before anything is made of it, and nothing is run."""

from __future__ import annotations

import enum
from collections.abc import Callable
from operator import ne
from struct import pack as pack_struct
from typing import Any, Final

import msgspec

from ...errors import DecodeError, UnknownTypeError
from . import leaves as tags
from .arrays import build_array
from .leaves import BY_TAG, LEAVES, NAN_BYTES, ODD, Leaf, are_same_parts, require
from .parts import build_model, build_object, build_row, incompatible_class
from .registry import ENUM, MODEL, OBJECT, ROW, Shape, known_class, registration
from .unknown import Record
from .writer import MAX_DEPTH, ONLY_STR, PLAIN, PLAIN_OR_FLOAT, pack

# Skips over a whole message without making anything. Only after that are the lengths it claims known to be
# true, and may msgspec, which makes room for a list before it reads the items, be let loose on it.
_measure: Final = msgspec.msgpack.Decoder(msgspec.Raw).decode
_unpack: Final = msgspec.msgpack.Decoder().decode


def read_tree(body: bytes) -> Any:
    """The tree of a message, if it is the one message that stands for this tree."""
    _measure(body)
    tree = _unpack(body)
    require(pack(tree) == body, "another spelling of the same tree")
    return tree


class Reader:
    """One walk over one tree. `lenient` makes Records of what this process does not know."""

    __slots__ = ("lenient",)

    def __init__(self, lenient: bool) -> None:
        self.lenient = lenient

    def get(self, tree: Any, depth: int) -> Any:
        """The value of a tree that stands inside `depth` containers."""
        kind = type(tree)
        if kind is list:
            # The tag's exact type, because True and 1.0 would find the entry of 1.
            if not tree or type(tree[0]) is not int or tree[0] not in _READERS:
                raise DecodeError("not what the codec writes: a list without a tag")
            require(depth < MAX_DEPTH or (depth < MAX_DEPTH + 2 and tree[0] in _SCALAR_TAGS), "too deep")
            return _READERS[tree[0]](self, tree, depth)
        if kind is dict:
            require(depth < MAX_DEPTH, "too deep")
            return self.get_map(tree, depth)
        if kind is float:
            require(tree == tree or pack_struct(">d", tree) == NAN_BYTES, "a NaN with a payload")
            return tree
        require(kind in PLAIN, "an extension of msgpack")
        return tree

    def get_map(self, tree: Any, depth: int) -> dict[str, Any]:
        """The dict of a map; its keys are plain strings."""
        require(
            type(tree) is dict and (not tree or set(map(type, tree)) == ONLY_STR),
            "a map with other keys than strings",
        )
        if _all_plain(tree.values()):
            return tree  # type: ignore[no-any-return] # msgpack gives Any
        get, depth = self.get, depth + 1
        return {key: get(item, depth) for key, item in tree.items()}

    def get_items(self, tree: list[Any], depth: int) -> list[Any]:
        """The items behind a tag."""
        items = tree[1:]
        if _all_plain(items):
            return items
        get, depth = self.get, depth + 1
        return [get(item, depth) for item in items]

    def record(self, error: UnknownTypeError, tree: list[Any], name: str, parts: list[Any], shown: Any) -> Record:
        """A Record in place of what is not known, or the error itself for a strict reader."""
        if not self.lenient:
            raise error
        return Record(tree[0], name, tuple(parts), shown)


def _all_plain(items: Any) -> bool:
    kinds = set(map(type, items))
    return kinds <= PLAIN_OR_FLOAT and not (float in kinds and any(map(ne, items, items)))


def _get_list(reader: Reader, tree: list[Any], depth: int) -> list[Any]:
    return reader.get_items(tree, depth)


def _get_tuple(reader: Reader, tree: list[Any], depth: int) -> tuple[Any, ...]:
    return tuple(reader.get_items(tree, depth))


def _get_dict(reader: Reader, tree: list[Any], depth: int) -> dict[Any, Any]:
    items = reader.get_items(tree, depth)
    keys = items[::2]
    require(len(items) % 2 == 0 and any(type(key) is not str for key in tree[1::2]), "a dict in another form")
    made = dict(zip(keys, items[1::2], strict=True))
    require(len(made) == len(keys), "a dict with equal keys")
    return made


def _get_set(reader: Reader, tree: list[Any], depth: int) -> set[Any] | frozenset[Any]:
    order = [pack(item) for item in tree[1:]]
    require(order == sorted(order), "a set out of order")
    items = reader.get_items(tree, depth)
    made: set[Any] | frozenset[Any] = set(items) if tree[0] == tags.SET else frozenset(items)
    require(len(made) == len(items), "a set with equal items")
    return made


def _get_leaf(reader: Reader, tree: list[Any], depth: int) -> Any:
    leaf: Leaf = BY_TAG[tree[0]]
    parts = tuple([reader.get(part, depth + 1) for part in tree[1:]])
    zone = parts[-1] if parts else None
    if type(zone) is Record and tree[0] in (
        tags.TIME,
        tags.DATETIME,
    ):  # its time zone is not known on this machine
        error = UnknownTypeError("a time in an unknown time zone", "datetime")
        return reader.record(error, tree, "datetime", list(parts), {"isoformat": parts[0], "tzinfo": zone})
    try:
        value = leaf.build(*parts)
    except UnknownTypeError as error:
        return reader.record(error, tree, error.type_name, list(parts), {"key": parts[0]})
    again = (LEAVES.get(type(value)) or ODD[type(value)]).split(value)
    if tree[0] == tags.PATH:
        parts, again = parts[1:], again[1:]  # a path of another system comes back as a pure one
    require(are_same_parts(parts, again), "another spelling of the same value")
    return value


def _get_array(reader: Reader, tree: list[Any], depth: int) -> Any:
    parts = [reader.get(part, depth + 1) for part in tree[1:]]
    try:
        return build_array(tree[0], *parts)
    except UnknownTypeError as error:
        names = ("dtype", "shape", "data")
        return reader.record(error, tree, error.type_name, parts, dict(zip(names, parts, strict=True)))


def _get_object(reader: Reader, tree: list[Any], depth: int) -> Any:
    _, name, fields = tree
    require(type(name) is str, "a class name")
    values = reader.get_map(fields, depth)
    kind, build = (OBJECT, build_object) if tree[0] == tags.OBJECT else (ROW, build_row)
    try:
        return build(_expect(name, kind), values)
    except UnknownTypeError as error:
        return reader.record(error, tree, name, [values], values)


def _get_model(reader: Reader, tree: list[Any], depth: int) -> Any:
    _, name, fields, *rest = tree
    require(type(name) is str, "a class name")
    values = reader.get_map(fields, depth)
    extra, private, chosen = (reader.get(part, depth + 1) for part in rest)
    require(all(part is None or type(part) is dict for part in (extra, private)), "a model")
    require(chosen is None or (type(chosen) is frozenset and all(type(one) is str for one in chosen)), "a model")
    require(chosen is None or chosen != values.keys() | (extra or {}).keys(), "a model")
    try:
        return build_model(_expect(name, MODEL), values, extra, private, chosen)
    except UnknownTypeError as error:
        shown = {**(private or {}), **(extra or {}), **values}
        return reader.record(error, tree, name, [values, extra, private, chosen], shown)


def _get_member(reader: Reader, tree: list[Any], depth: int) -> Any:
    _, name, which = tree
    require(type(name) is str and type(which) is str and depth <= MAX_DEPTH, "a member of an Enum")
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
    require(type(name) is str and type(number) is int, "a Flag")
    try:
        shape = _expect(name, ENUM)
        if not issubclass(shape.cls, enum.Flag):
            raise incompatible_class(shape, "it was a Flag")
        try:
            value = shape.cls(number)
        except ValueError as error:
            raise incompatible_class(shape, str(error)) from None
        require(value._value_ == number and value._name_ not in shape.cls._member_map_, "a Flag")
        return value
    except UnknownTypeError as error:
        return reader.record(error, tree, name, [number], {"value": number})


def _get_registered(reader: Reader, tree: list[Any], depth: int) -> Any:
    _, name, stand_in = tree
    require(type(name) is str, "a class name")
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
        raise incompatible_class(shape, f"it was a {kind} and is a {shape.kind}")
    return shape


def _unknown(name: str) -> UnknownTypeError:
    return UnknownTypeError(
        f"no class {name!r} is known in this process; annotate a tool with it, or muscle_mem.register it",
        name,
    )


_SCALAR_TAGS: Final = frozenset((tags.BIG_INT, tags.ODD_STR, tags.MEMBER, tags.FLAG))
_READERS: Final[dict[int, Callable[[Reader, list[Any], int], Any]]] = {
    tags.LIST: _get_list,
    tags.TUPLE: _get_tuple,
    tags.DICT: _get_dict,
    tags.SET: _get_set,
    tags.FROZENSET: _get_set,
    **dict.fromkeys(BY_TAG, _get_leaf),
    **dict.fromkeys((tags.ARRAY, tags.SCALAR, tags.TENSOR), _get_array),
    tags.OBJECT: _get_object,
    tags.ROW: _get_object,
    tags.MODEL: _get_model,
    tags.MEMBER: _get_member,
    tags.FLAG: _get_flag,
    tags.REGISTERED: _get_registered,
}


def read(body: bytes, lenient: bool) -> Any:
    """The value of a message without its version byte. Raises DecodeError and nothing else."""
    try:
        tree = read_tree(body)
        return tree if type(tree) in PLAIN else Reader(lenient).get(tree, 0)
    except DecodeError:
        raise
    except Exception as error:
        raise DecodeError(f"not what the codec writes: {type(error).__name__}: {error}") from error
