"""Stored values as readable Python source, without repr() of instances.

The conversion uses the tree behind the codec's bytes, and runs no code. A value without a literal form raises
`UnwritableError`.
"""

from __future__ import annotations

import datetime as dt
import decimal
import keyword
import math
import struct
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

from ...errors import DecodeError, InvalidValueError
from .. import codec
from ..codec import leaves as tags
from ..codec.mappings import is_mapping_kind
from ..codec.reader import read_tree
from .layout import Group, Pair, Source
from .trusted_names import UntrustedNameError, class_path, is_special

BUILTINS: Final = frozenset("bytearray complex float frozenset range set slice".split())
MODULES: Final = {
    "datetime": "import datetime",
    "Decimal": "from decimal import Decimal",
    "Fraction": "from fractions import Fraction",
    "UUID": "from uuid import UUID",
    "Path": "from pathlib import Path",
    "PurePosixPath": "from pathlib import PurePosixPath",
    "PureWindowsPath": "from pathlib import PureWindowsPath",
    "ZoneInfo": "from zoneinfo import ZoneInfo",
    **{name: f"from collections import {name}" for name in ("OrderedDict", "defaultdict", "Counter")},
    "SimpleNamespace": "from types import SimpleNamespace",
    **{
        f"{version}{what}": f"from ipaddress import {version}{what}"
        for version in ("IPv4", "IPv6")
        for what in ("Address", "Network", "Interface")
    },
}
RESERVED: Final = BUILTINS | MODULES.keys()
_MAX_DIGITS_BITS: Final = 13_000
_PAIR: Final = struct.Struct(">dd")
_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# These are invisible although their category is letter or mark. Two different texts could look the same.
_INVISIBLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


class UnwritableError(InvalidValueError):
    """A stored value has no literal form in Python."""


class UntrustedTypeError(UnwritableError):
    """The error for a stored value of a type that is not trusted.

    The type is neither known nor in a module that the user named.
    """


class Imports:
    """The imports that the generated source needs so far.

    Classes are imported if they are known, or in one of `modules`, which the user named.
    """

    def __init__(self, taken: Sequence[str] = (), modules: Sequence[str] = ()) -> None:
        self._modules = modules
        self.lines: set[str] = set()
        self.classes: list[str] = []
        self._taken = dict.fromkeys((*taken, *RESERVED, *keyword.kwlist), "")

    def plain(self, name: str) -> str:
        """Return a name of the standard library, and note its import."""
        self.lines.add(MODULES[name])
        return name

    def known(self, stored: str, member: str = "") -> str:
        """Return the name of a class in the source; it is stored as `module:qualname`.

        `member` is the member of an Enum that is read from the class. Raises UntrustedTypeError.
        """
        try:
            module, parts = class_path(stored, self._modules, member)
        except UntrustedNameError as error:
            raise UntrustedTypeError(f"cannot write a value of this type: {error}") from error
        name, count = parts[0], 1
        while self._taken.setdefault(name, f"{module}:{parts[0]}") != f"{module}:{parts[0]}":
            count += 1
            name = f"{parts[0]}_{count}"
        renamed = "" if name == parts[0] else f" as {name}"
        self.lines.add(f"from {module} import {parts[0]}{renamed}")
        self.classes.append(name)
        return ".".join([name, *parts[1:]])


def literal_source(data: bytes, imports: Imports) -> Source:
    """Return the source of the value in stored bytes. Raises UnwritableError."""
    try:
        codec.decode(data, lenient=True)
        return _tree_source(read_tree(data[1:]), imports)
    except DecodeError as error:
        raise UnwritableError(f"cannot decode the value: {error}") from error


def quoted(text: str, *, template: bool = False) -> str:
    """Return a string literal, with the quotes that need fewer escapes.

    `template` doubles the braces.
    """
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + escaped(text, quote, template=template) + quote


def escaped(text: str, quote: str, *, template: bool = False) -> str:
    """Return the inside of a string literal."""
    inside = "".join(_character_source(char, quote) for char in text)
    return inside.replace("{", "{{").replace("}", "}}") if template else inside


def _character_source(one: str, quote: str) -> str:
    if one == quote:
        return "\\" + one
    if one in _ESCAPES:
        return _ESCAPES[one]
    if one.isprintable() and one not in _INVISIBLE:
        return one
    number = ord(one)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _tree_source(tree: Any, imports: Imports) -> Source:
    kind = type(tree)
    if kind is list:
        return _tagged(tree[0], tree[1:], imports)
    if kind is dict:
        return Group("", "{}", [Pair(quoted(key), ": ", _tree_source(item, imports)) for key, item in tree.items()])
    if kind is str:
        return quoted(tree)
    if kind is bytes:
        return _bytes(tree)
    if kind is float:
        return repr(tree) if math.isfinite(tree) else f'float("{tree!r}")'
    return repr(tree)


def _bytes(data: bytes) -> str:
    quote = "'" if data.count(b'"') > data.count(b"'") else '"'
    text = "".join(_character_source(chr(one), quote) if one < 0x7F else f"\\x{one:02x}" for one in data)
    return f"b{quote}{text}{quote}"


def _int(value: int) -> str:
    return repr(value) if value.bit_length() < _MAX_DIGITS_BITS else hex(value)


def call(head: str, *parts: Source) -> Group:
    """Return the source of a call."""
    return Group(head, "()", parts)


def container(kind: str, parts: Sequence[Source], imports: Imports) -> Source:
    """Return the source of a container of a kind that `codec.unfold` returns.

    Raises UnwritableError.
    """
    label, _, rest = kind.partition("\0")
    if label == "list":
        return Group("", "[]", parts)
    if label == "tuple":
        return Group("", "()", parts, lone=len(parts) == 1)
    if is_mapping_kind(kind):
        pairs = Group("", "{}", [Pair(key, ": ", item) for key, item in zip(parts[::2], parts[1::2], strict=True)])
        return pairs if label == "dict" else _mapping(label, rest, pairs, imports)
    if label in ("set", "frozenset"):
        inner = [Group("", "{}", parts)] if parts else []
        return inner[0] if inner and label == "set" else call(label, *inner)
    name, *fields = rest.partition("\0\0")[0].split("\0")
    if len(fields) != len(parts):
        raise UnwritableError(f"cannot write an instance of {name!r}: it has more than its fields")
    return _instance(name, dict(zip(fields, parts, strict=True)), imports)


def _mapping(label: str, factory: str, pairs: Group, imports: Imports) -> Source:
    """Return the source of an OrderedDict, defaultdict or Counter."""
    if label != "defaultdict":
        return call(imports.plain(label), pairs)
    if factory in ("Counter", "OrderedDict"):
        imports.plain(factory)
    return call(imports.plain(label), factory or "None", pairs)


def _instance(name: str, fields: dict[str, Source], imports: Imports) -> Source:
    if not all(field.isidentifier() and not keyword.iskeyword(field) for field in fields):
        raise UnwritableError(f"cannot write an instance of {name!r}: it has fields that are not identifiers")
    head = imports.plain("SimpleNamespace") if name == "types:SimpleNamespace" else imports.known(name)
    return call(head, *[Pair(field, "=", value) for field, value in fields.items()])


def _tagged(tag: int, parts: list[Any], imports: Imports) -> Source:
    if tag in _SEQUENCES:
        return container(_SEQUENCES[tag], [_tree_source(part, imports) for part in parts], imports)
    if tag == tags.DEFAULT_DICT:
        return container(f"defaultdict\0{parts[0]}", [_tree_source(part, imports) for part in parts[1:]], imports)
    if tag == tags.NAMESPACE:
        return _namespace(parts[0], imports)
    if tag in (tags.OBJECT, tags.ROW):
        return _instance(parts[0], {name: _tree_source(item, imports) for name, item in parts[1].items()}, imports)
    if tag == tags.MODEL:
        if parts[3]:
            raise UnwritableError(f"cannot write an instance of {parts[0]!r}: it has private attributes")
        given = {**parts[1], **(parts[2] or {})}
        return _instance(parts[0], {name: _tree_source(item, imports) for name, item in given.items()}, imports)
    if tag == tags.MEMBER:
        if not parts[1].isidentifier() or is_special(parts[1]):
            raise UnwritableError(f"cannot write the member {parts[1]!r} of {parts[0]!r}: it is not an identifier")
        return f"{imports.known(parts[0], parts[1])}.{parts[1]}"
    if tag == tags.FLAG:
        return call(imports.known(parts[0]), _tree_source(parts[1], imports))
    write = _LEAVES.get(tag)
    if write is None:
        kinds = {tags.REGISTERED: f"a value of the registered type {parts[0]!r}", tags.PANDAS: f"a pandas {parts[0]}"}
        what = kinds.get(tag, "an array")
        raise UnwritableError(f"cannot write {what} as a literal. Pass it as a param or read it in a tool")
    return write(parts, imports)


def _namespace(held: Any, imports: Imports) -> Source:
    if type(held) is not dict:
        raise UnwritableError("cannot write a SimpleNamespace: it has attributes that are not identifiers")
    return _instance("types:SimpleNamespace", {name: _tree_source(one, imports) for name, one in held.items()}, imports)


def _datetime(parts: list[Any], imports: Imports) -> Source:
    value = dt.datetime.fromisoformat(parts[0])
    numbers = [value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond]
    while len(numbers) > 3 and not numbers[-1]:
        numbers.pop()
    return call(imports.plain("datetime") + ".datetime", *map(repr, numbers), *_zone_and_fold(parts, imports))


def _time(parts: list[Any], imports: Imports) -> Source:
    value = dt.time.fromisoformat(parts[0])
    numbers = [value.hour, value.minute, value.second, value.microsecond]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return call(imports.plain("datetime") + ".time", *map(repr, numbers), *_zone_and_fold(parts, imports))


def _zone_and_fold(parts: list[Any], imports: Imports) -> list[Source]:
    _, fold, zone = parts
    found: list[Source] = []
    if type(zone) is int:
        made = "datetime.UTC" if zone == 0 else _timezone([zone, None], imports)
        found.append(Pair("tzinfo", "=", made))
    elif zone is not None:
        found.append(Pair("tzinfo", "=", _tree_source(zone, imports)))
    return [*found, *([Pair("fold", "=", repr(fold))] if fold else [])]


def _timezone(parts: list[Any], imports: Imports) -> Source:
    offset, name = parts
    seconds, rest = divmod(offset, 1_000_000)
    amount: Source = Pair("seconds", "=", repr(seconds)) if not rest else Pair("microseconds", "=", repr(offset))
    if not rest and not seconds % 3600:
        amount = Pair("hours", "=", repr(seconds // 3600))
    return call(
        imports.plain("datetime") + ".timezone",
        call("datetime.timedelta", amount),
        *([] if name is None else [_tree_source(name, imports)]),
    )


def _date(parts: list[Any], imports: Imports) -> Source:
    value = dt.date.fromisoformat(parts[0])
    return call(imports.plain("datetime") + ".date", *map(repr, (value.year, value.month, value.day)))


def _timedelta(parts: list[Any], imports: Imports) -> Source:
    names = ("days", "seconds", "microseconds")
    given = [Pair(name, "=", repr(part)) for name, part in zip(names, parts, strict=True) if part]
    return call(imports.plain("datetime") + ".timedelta", *given)


def _decimal(parts: list[Any], imports: Imports) -> Source:
    decimal.Decimal(parts[0])
    return call(imports.plain("Decimal"), quoted(parts[0]))


def _path(parts: list[Any], imports: Imports) -> Source:
    name = "Path" if parts[0] in ("PosixPath", "WindowsPath") else parts[0]
    return call(imports.plain(name), quoted(parts[1]))


def _complex(parts: list[Any], imports: Imports) -> Source:
    return call("complex", *[_tree_source(part, imports) for part in _PAIR.unpack(parts[0])])


def _plain_call(head: str) -> Callable[[list[Any], Imports], Source]:
    return lambda parts, imports: call(head, *[_tree_source(part, imports) for part in parts])


_SEQUENCES: Final = {
    tags.LIST: "list",
    tags.TUPLE: "tuple",
    tags.DICT: "dict",
    tags.SET: "set",
    tags.FROZENSET: "frozenset",
    tags.ORDERED_DICT: "OrderedDict",
    tags.COUNTER: "Counter",
}
_LEAVES: Final[dict[int, Callable[[list[Any], Imports], Source]]] = {
    tags.BIG_INT: lambda parts, _: _int(int.from_bytes(parts[0], "big", signed=True)),
    tags.ODD_STR: lambda parts, _: quoted(parts[0].decode("utf-8", "surrogatepass")),
    tags.BYTEARRAY: _plain_call("bytearray"),
    tags.COMPLEX: _complex,
    tags.ELLIPSIS: lambda _, __: "...",
    tags.RANGE: _plain_call("range"),
    tags.SLICE: _plain_call("slice"),
    tags.DECIMAL: _decimal,
    tags.FRACTION: lambda parts, imports: call(
        imports.plain("Fraction"), *[_tree_source(part, imports) for part in parts]
    ),
    tags.UUID: lambda parts, imports: call(imports.plain("UUID"), quoted(str(uuid.UUID(bytes=parts[0])))),
    tags.PATH: _path,
    tags.IP: lambda parts, imports: call(imports.plain(parts[0]), quoted(parts[1])),
    tags.DATE: _date,
    tags.TIME: _time,
    tags.DATETIME: _datetime,
    tags.TIMEDELTA: _timedelta,
    tags.TIMEZONE: _timezone,
    tags.ZONE: lambda parts, imports: call(imports.plain("ZoneInfo"), quoted(parts[0])),
}
