"""The codec's bytes as readable values for JSON, and back to the same bytes.

The conversion uses the tree behind the bytes, so it needs no class and builds no instance. JSON values represent
themselves, and a JSON array represents a list. Any other value is an object with one name that begins with "$".
"""

from __future__ import annotations

import base64
import re
import struct
import uuid
from collections.abc import Callable
from typing import Any, Final

from ...errors import DecodeError, InvalidValueError
from .. import codec
from ..codec import leaves as tags
from ..codec.reader import read_tree
from ..codec.writer import pack

_SAFE_INT: Final = 2**53  # many readers of JSON round larger numbers
_MAX_DIGITS: Final = 4_000
_PAIR: Final = struct.Struct(">dd")
_ODD: Final = re.compile(r"\\(\\|u[0-9a-f]{4})")
_ITEMS: Final = {tags.TUPLE: "$tuple", tags.SET: "$set", tags.FROZENSET: "$frozenset"}
_LEAVES: Final = {
    tags.BYTEARRAY: "$bytearray",
    tags.ELLIPSIS: "$ellipsis",
    tags.RANGE: "$range",
    tags.SLICE: "$slice",
    tags.DECIMAL: "$decimal",
    tags.FRACTION: "$fraction",
    tags.PATH: "$path",
    tags.DATE: "$date",
    tags.TIMEDELTA: "$timedelta",
    tags.TIMEZONE: "$timezone",
    tags.ZONE: "$zone",
    tags.FLAG: "$flag",
    tags.MEMBER: "$enum",
    tags.ARRAY: "$array",
    tags.SCALAR: "$array_scalar",
    tags.TENSOR: "$tensor",
    tags.IP: "$ip",
    tags.PANDAS: "$pandas",
}
_ONE_PART: Final = frozenset({tags.BYTEARRAY, tags.DECIMAL, tags.DATE, tags.ZONE})
_TIMES: Final = {tags.TIME: "$time", tags.DATETIME: "$datetime"}
_MAPPINGS: Final = {tags.DICT: "$dict", tags.ORDERED_DICT: "$ordered_dict", tags.COUNTER: "$counter"}
_CLASSES: Final = {tags.OBJECT: "$object", tags.ROW: "$row"}


def to_json_value(data: bytes) -> Any:
    """Return the value in the codec's bytes as a value for JSON.

    Raises DecodeError for other bytes.
    """
    if not data or data[0] != codec.VERSION:
        raise DecodeError(f"cannot decode the data: expected version {codec.VERSION} of the codec, got {data[:1]!r}")
    codec.decode(data, lenient=True)  # It raises for a tree with a shape that `tree_to_json` does not expect.
    return tree_to_json(read_tree(data[1:]))


def from_json_value(value: Any, place: str) -> bytes:
    """Return the codec's bytes of a value for JSON.

    `place` leads to the value in messages. Raises InvalidValueError.
    """
    tree = _tree(value, place)
    try:
        data = bytes([codec.VERSION]) + pack(tree)
        codec.decode(data, lenient=True)
    except (DecodeError, UnicodeError, OverflowError, RecursionError) as error:
        raise InvalidValueError(f"{place}: expected a storable value ({error})") from error
    return data


# -- trees to values for JSON


def tree_to_json(tree: Any) -> Any:
    """Return a tree, as `read_tree` returns it, as a value for JSON."""
    kind = type(tree)
    if kind is list:
        return _tagged_to_json(tree[0], tree[1:])
    if kind is dict:
        if any(key.startswith("$") for key in tree):
            return {"$map": [[key, tree_to_json(item)] for key, item in tree.items()]}
        return {key: tree_to_json(item) for key, item in tree.items()}
    if kind is bytes:
        return {"$bytes": base64.b64encode(tree).decode("ascii")}
    if kind is float:
        return float_to_json(tree)
    if kind is int and abs(tree) > _SAFE_INT:
        return {"$int": _digits(tree)}
    return tree


def float_to_json(value: float) -> Any:
    """Return a float for JSON, which has neither NaN nor infinities."""
    return value if value - value == 0 else {"$float": repr(value)}


def text_to_json(value: str) -> Any:
    """Return a string for JSON, which does not reliably support lone surrogates."""
    return value if tags.is_plain_str(value) else {"$text": _escaped(value)}


def _escaped(value: str) -> str:
    parts = [f"\\u{ord(char):04x}" if "\ud800" <= char <= "\udfff" else char for char in value.replace("\\", "\\\\")]
    return "".join(parts)


def _digits(value: int) -> str:
    return str(value) if value.bit_length() < 3 * _MAX_DIGITS else hex(value)


def _tagged_to_json(tag: int, parts: list[Any]) -> Any:
    if tag == tags.LIST:
        return [tree_to_json(part) for part in parts]
    if tag in _ITEMS:
        return {_ITEMS[tag]: [tree_to_json(part) for part in parts]}
    if tag in _MAPPINGS:
        return {_MAPPINGS[tag]: _pairs_to_json(parts)}
    if tag == tags.DEFAULT_DICT:
        return {"$defaultdict": _pairs_to_json(parts[1:]), "factory": parts[0]}
    if tag == tags.NAMESPACE:
        return {"$namespace": tree_to_json(parts[0])}
    if tag in _CLASSES:
        return {_CLASSES[tag]: parts[0], "fields": tree_to_json(parts[1])}
    if tag == tags.MODEL:
        names = ("fields", "extra", "private", "given")
        return {"$model": parts[0], **{name: tree_to_json(part) for name, part in zip(names, parts[1:], strict=True)}}
    if tag == tags.REGISTERED:
        return {"$registered": parts[0], "value": tree_to_json(parts[1])}
    if tag in _TIMES:
        return {_TIMES[tag]: _time_to_json(*parts)}
    if tag in _TAGGED_TO_JSON:
        return _TAGGED_TO_JSON[tag](parts[0])
    return {_LEAVES[tag]: tree_to_json(parts[0]) if tag in _ONE_PART else [tree_to_json(part) for part in parts]}


def _pairs_to_json(parts: list[Any]) -> list[list[Any]]:
    shown = [tree_to_json(part) for part in parts]
    return [list(pair) for pair in zip(shown[::2], shown[1::2], strict=True)]


def _time_to_json(iso: str, fold: int, zone: Any) -> Any:
    if fold == 0 and (zone is None or (type(zone) is int and zone == 0)):
        return iso if zone is None else f"{iso}Z"
    return [iso, fold, tree_to_json(zone)]


_TAGGED_TO_JSON: Final[dict[int, Callable[[Any], Any]]] = {
    tags.BIG_INT: lambda data: {"$int": _digits(int.from_bytes(data, "big", signed=True))},
    tags.ODD_STR: lambda data: {"$text": _escaped(data.decode("utf-8", "surrogatepass"))},
    tags.UUID: lambda data: {"$uuid": str(uuid.UUID(bytes=data))},
    tags.COMPLEX: lambda data: {"$complex": [float_to_json(part) for part in _PAIR.unpack(data)]},
}


# -- values for JSON to trees


def _tree(value: Any, place: str) -> Any:
    kind = type(value)
    if kind is list:
        return [tags.LIST, *_trees(value, place)]
    if kind is dict:
        name = next((key for key in value if key.startswith("$")), None)
        if name is None:
            return {key: _tree(item, f"{place}.{key}") for key, item in value.items()}
        read = _READ.get(name)
        if read is None:
            known = ", ".join(sorted(_READ))
            raise InvalidValueError(
                f"{place}: expected one of {known}, got {name!r}. Write an object that has such a key as "
                '{"$map": [[key, value], ...]}'
            )
        try:
            return read(value, place)
        except InvalidValueError:
            raise
        except Exception as error:  # An edited file may contain anything.
            raise InvalidValueError(f"{place}: expected a valid {name} ({type(error).__name__}: {error})") from error
    if kind is int:
        return _int_tree(value)
    if kind is str and not tags.is_plain_str(value):
        return [tags.ODD_STR, value.encode("utf-8", "surrogatepass")]
    if kind in (str, bool, float, type(None)):
        return value
    raise InvalidValueError(f"{place}: expected a value of JSON, got {kind.__name__}")


def _trees(values: Any, place: str) -> list[Any]:
    if type(values) is not list:
        raise InvalidValueError(f"{place}: expected an array, got {values!r:.60}")
    return [_tree(item, f"{place}[{index}]") for index, item in enumerate(values)]


def _int_tree(value: int) -> Any:
    if -(2**63) <= value < 2**64:
        return value
    return [tags.BIG_INT, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)]


def only_members(value: dict[str, Any], *names: str) -> Any:
    """Return the first member of an object that has exactly these names.

    Raises KeyError for other names.
    """
    if set(value) != set(names):
        raise KeyError(f"expected the names {', '.join(names)}, got {', '.join(value)}")
    return value[names[0]]


def base64_bytes(value: Any, place: str) -> bytes:
    """Return the bytes of a base64 text. Raises InvalidValueError."""
    try:
        return base64.b64decode(value.encode("ascii"), validate=True)
    except (AttributeError, UnicodeError, ValueError) as error:
        raise InvalidValueError(f"{place}: expected base64 text, got {value!r:.60} ({error})") from error


def float_from_json(value: Any, place: str) -> float:
    """Return the float for `float_to_json`'s value. Raises InvalidValueError."""
    if type(value) is dict and set(value) == {"$float"}:
        value = _read_float(value, place)
    if type(value) not in (int, float):
        raise InvalidValueError(f"{place}: expected a number, got {value!r:.60}")
    try:
        return float(value)
    except OverflowError as error:
        raise InvalidValueError(f"{place}: {error}") from error


def text_from_json(value: Any, place: str) -> str:
    """Return the string for `text_to_json`'s value. Raises InvalidValueError."""
    if type(value) is dict and type(value.get("$text")) is str and len(value) == 1:
        return _unescaped(value["$text"])
    if type(value) is not str:
        raise InvalidValueError(f"{place}: expected a string, got {value!r:.60}")
    return value


def _unescaped(value: str) -> str:
    return _ODD.sub(lambda found: "\\" if found[1] == "\\" else chr(int(found[1][1:], 16)), value)


def _read_float(value: dict[str, Any], place: str) -> float:
    text = only_members(value, "$float")
    if text not in ("nan", "inf", "-inf"):
        raise InvalidValueError(f"{place}.$float: expected 'nan', 'inf' or '-inf', got {text!r:.60}")
    return float(text)


def _read_int(value: dict[str, Any], _: str) -> Any:
    return _int_tree(int(only_members(value, "$int"), 0))


def _read_text(value: dict[str, Any], place: str) -> Any:
    return _tree(_unescaped(only_members(value, "$text")), place)


def _read_pairs(value: dict[str, Any], place: str, name: str, *others: str) -> list[Any]:
    return [_trees(pair, f"{place}[{index}]") for index, pair in enumerate(only_members(value, name, *others))]


def _read_map(value: dict[str, Any], place: str) -> Any:
    pairs = _read_pairs(value, place, "$map")
    made = {key: item for key, item in pairs}  # noqa: C416 - a pair of another length must raise
    if len(made) != len(pairs):
        raise InvalidValueError(f"{place}.$map: expected different keys, got two equal ones")
    return made


def _read_defaultdict(value: dict[str, Any], place: str) -> Any:
    pairs = _read_pairs(value, place, "$defaultdict", "factory")
    return [tags.DEFAULT_DICT, value["factory"], *[part for key, item in pairs for part in (key, item)]]


def _mapping_reader(tag: int, name: str) -> Callable[[dict[str, Any], str], Any]:
    def read(value: dict[str, Any], place: str) -> Any:
        return [tag, *[part for key, item in _read_pairs(value, place, name) for part in (key, item)]]

    return read


def _read_complex(value: dict[str, Any], place: str) -> Any:
    real, imaginary = only_members(value, "$complex")
    return [tags.COMPLEX, _PAIR.pack(float_from_json(real, place), float_from_json(imaginary, place))]


def _items_reader(tag: int, name: str) -> Callable[[dict[str, Any], str], Any]:
    def read(value: dict[str, Any], place: str) -> Any:
        items = _trees(only_members(value, name), place)
        return [tag, *(sorted(items, key=pack) if tag in (tags.SET, tags.FROZENSET) else items)]

    return read


def _leaf_reader(tag: int, name: str) -> Callable[[dict[str, Any], str], Any]:
    def read(value: dict[str, Any], place: str) -> Any:
        held = only_members(value, name)
        return [tag, *([_tree(held, place)] if tag in _ONE_PART else _trees(held, place))]

    return read


def _time_reader(tag: int, name: str) -> Callable[[dict[str, Any], str], Any]:
    def read(value: dict[str, Any], place: str) -> Any:
        held = only_members(value, name)
        if type(held) is str:
            return [tag, held.removesuffix("Z"), 0, 0 if held.endswith("Z") else None]
        return [tag, *_trees(held, place)]

    return read


def _class_reader(tag: int, name: str, *names: str) -> Callable[[dict[str, Any], str], Any]:
    def read(value: dict[str, Any], place: str) -> Any:
        only_members(value, name, *names)
        return [tag, value[name], *[_tree(value[one], f"{place}.{one}") for one in names]]

    return read


_READ: Final[dict[str, Callable[[dict[str, Any], str], Any]]] = {
    "$bytes": lambda value, place: base64_bytes(only_members(value, "$bytes"), place),
    "$float": _read_float,
    "$int": _read_int,
    "$text": _read_text,
    "$map": _read_map,
    "$defaultdict": _read_defaultdict,
    "$namespace": lambda value, place: [tags.NAMESPACE, _tree(only_members(value, "$namespace"), place)],
    "$complex": _read_complex,
    "$uuid": lambda value, _: [tags.UUID, uuid.UUID(only_members(value, "$uuid")).bytes],
    "$model": _class_reader(tags.MODEL, "$model", "fields", "extra", "private", "given"),
    "$registered": _class_reader(tags.REGISTERED, "$registered", "value"),
    **{name: _mapping_reader(tag, name) for tag, name in _MAPPINGS.items()},
    **{name: _items_reader(tag, name) for tag, name in _ITEMS.items()},
    **{name: _class_reader(tag, name, "fields") for tag, name in _CLASSES.items()},
    **{name: _time_reader(tag, name) for tag, name in _TIMES.items()},
    **{name: _leaf_reader(tag, name) for tag, name in _LEAVES.items()},
}
