"""The leaf types of the codec, each split into plain parts and rebuilt from them."""

from __future__ import annotations

import datetime as dt
import decimal
import struct
import uuid
from collections.abc import Callable
from typing import Any, Final

import msgspec

from ...errors import DecodeError
from ..model.pattern import compiled
from .refusal import Refusal

# These tags are stored, so their meaning must not change.
LIST, TUPLE, DICT, SET, FROZENSET = range(5)
BIG_INT, ODD_STR, BYTEARRAY, COMPLEX, ELLIPSIS, RANGE, SLICE, DECIMAL, FRACTION, UUID, PATH = range(5, 16)
DATE, TIME, DATETIME, TIMEDELTA, TIMEZONE, ZONE = range(16, 22)
OBJECT, ROW, MODEL, MEMBER, FLAG, REGISTERED = range(24, 30)
ARRAY, SCALAR, TENSOR = range(32, 35)
ORDERED_DICT, DEFAULT_DICT, COUNTER, NAMESPACE, IP, PANDAS = range(36, 42)

NAN: Final = float("nan")
NAN_BYTES: Final = struct.pack(">d", NAN)
_PAIR: Final = struct.Struct(">dd")
# The caller's context could write "1e+5" for "1E+5", or read invalid text as NaN.
_CONTEXT: Final = decimal.Context(capitals=1, traps=[decimal.InvalidOperation])
_MICROSECOND: Final = dt.timedelta(microseconds=1)
# A zone whose offset is equal at these times of several years has no summer time.
_PROBES: Final = tuple(dt.datetime(year, month, 15, 12) for year in (1975, 2000, 2025) for month in (1, 4, 7, 10))
_OFFSET_NAME: Final = r"(?a)(UTC|GMT|Z)?([+-]\d{1,2}(:?\d{2}){0,2}(\.\d+)?)?"


class Leaf(msgspec.Struct, frozen=True):
    """The codec of one leaf type.

    `split(value)` returns the parts, and `build(*parts)` returns the value. `build` may raise any exception for invalid
    parts.
    """

    tag: int
    split: Callable[[Any], tuple[Any, ...]]
    build: Callable[..., Any]


def require(condition: object, what: str) -> None:
    """Raise DecodeError unless `condition`; `what` names the invalid part."""
    if not condition:
        raise DecodeError(f"cannot decode the data: invalid {what}")


def may_hold_nan(data: bytes) -> bool:
    """Return whether a message may contain a float that is NaN.

    A search for the first two bytes of one is much faster than a comparison of each float with itself.
    """
    return b"\xcb\x7f" in data or b"\xcb\xff" in data


def _split_big_int(value: int) -> tuple[Any, ...]:
    return (value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True),)


def _build_big_int(data: bytes) -> int:
    value = int.from_bytes(data, "big", signed=True)
    require(not -(2**63) <= value < 2**64, "big number that is small")
    return value


def _split_odd_str(value: str) -> tuple[Any, ...]:
    return (value.encode("utf-8", "surrogatepass"),)


def _build_odd_str(data: bytes) -> str:
    value = data.decode("utf-8", "surrogatepass")
    require(not is_plain_str(value), "string with surrogates that has none")
    return value


def is_plain_str(value: str) -> bool:
    """Return whether a string is valid Unicode, without lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _build_bytearray(data: bytes) -> bytearray:
    require(type(data) is bytes, "bytearray")  # bytearray(n) would allocate n bytes.
    return bytearray(data)


def _split_complex(value: complex) -> tuple[Any, ...]:
    parts = (part if part == part else NAN for part in (value.real, value.imag))
    return (_PAIR.pack(*parts),)


def _split_range(value: range) -> tuple[Any, ...]:
    return value.start, value.stop, value.step


def _build_range(start: int, stop: int, step: int) -> range:
    require(type(start) is int and type(stop) is int and type(step) is int, "range")
    return range(start, stop, step)


def _split_slice(value: slice) -> tuple[Any, ...]:
    parts = (value.start, value.stop, value.step)
    if any(part is not None and type(part) is not int for part in parts):
        raise Refusal("is storable only with whole numbers")
    return parts


def _build_slice(start: int | None, stop: int | None, step: int | None) -> slice:
    require(all(part is None or type(part) is int for part in (start, stop, step)), "slice")
    return slice(start, stop, step)


def _split_decimal(value: decimal.Decimal) -> tuple[Any, ...]:
    return (_CONTEXT.to_sci_string(value),)


def _build_decimal(text: str) -> decimal.Decimal:
    require(type(text) is str, "Decimal")
    return decimal.Decimal(text, _CONTEXT)


def _split_uuid(value: uuid.UUID) -> tuple[Any, ...]:
    return (value.bytes,)


def _build_uuid(data: bytes) -> uuid.UUID:
    return uuid.UUID(bytes=data)


def _split_date(value: dt.date) -> tuple[Any, ...]:
    return (value.isoformat(),)


def _split_time(value: dt.time) -> tuple[Any, ...]:
    if value.tzinfo is None:
        return value.isoformat(), value.fold, None
    return value.replace(tzinfo=None).isoformat(), value.fold, stored_zone(value.tzinfo)


def _build_time(text: str, fold: int, zone: dt.tzinfo | int | None) -> dt.time:
    value = dt.time.fromisoformat(text)
    return value.replace(fold=fold, tzinfo=zone_of(zone)) if fold or zone is not None else value


def _split_datetime(value: dt.datetime) -> tuple[Any, ...]:
    if value.tzinfo is None:
        return value.isoformat(), value.fold, None
    return value.replace(tzinfo=None).isoformat(), value.fold, stored_zone(value.tzinfo)


def _build_datetime(text: str, fold: int, zone: dt.tzinfo | int | None) -> dt.datetime:
    value = dt.datetime.fromisoformat(text)
    return value.replace(fold=fold, tzinfo=zone_of(zone)) if fold or zone is not None else value


def stored_zone(zone: dt.tzinfo) -> dt.tzinfo | int:
    """Return the time zone of a time in its stored form. Raises Refusal.

    An offset without a name becomes a number of microseconds, which is short and fast. A zone of another class that is
    a fixed offset, such as those of pydantic, is stored as that offset.
    """
    if zone is dt.UTC:
        return 0
    if type(zone) is dt.timezone:
        offset, name = _split_timezone(zone)
        return offset if name is None else zone
    if rare_leaf(type(zone)) is None:
        return stored_zone(_fixed_offset(zone))
    return zone


def _fixed_offset(zone: dt.tzinfo) -> dt.timezone:
    """Return the fixed offset that a zone of any class is.

    Raises Refusal for a zone with several offsets.
    """
    try:
        offset, name = zone.utcoffset(None), zone.tzname(None)
        others = {probe.replace(tzinfo=zone).utcoffset() for probe in _PROBES}
        if type(offset) is dt.timedelta and others == {offset} and not zone.dst(None):
            has_name = type(name) is str and not compiled(_OFFSET_NAME).fullmatch(name)
            return dt.timezone(offset, str(name)) if has_name else dt.timezone(offset)
    except Exception:  # The zone may be a class of the user's.
        pass
    raise Refusal(f"has the tzinfo {type(zone).__qualname__}; use datetime.timezone or zoneinfo.ZoneInfo")


def zone_of(zone: dt.tzinfo | int | None) -> dt.tzinfo | None:
    """Return the time zone of a stored form."""
    if type(zone) is not int:
        return zone  # type: ignore[return-value] # an int is handled below
    return dt.UTC if zone == 0 else _build_timezone(zone, None)


def _split_timedelta(value: dt.timedelta) -> tuple[Any, ...]:
    return value.days, value.seconds, value.microseconds


def _build_timedelta(days: int, seconds: int, microseconds: int) -> dt.timedelta:
    return dt.timedelta(days, seconds, microseconds)


def _split_timezone(value: dt.timezone) -> tuple[Any, ...]:
    offset, *name = value.__getinitargs__()  # type: ignore[attr-defined] # not in typeshed
    return offset // _MICROSECOND, name[0] if name else None


def _build_timezone(offset: int, name: str | None) -> dt.timezone:
    delta = dt.timedelta(microseconds=offset)
    return dt.timezone(delta) if name is None else dt.timezone(delta, name)


LEAVES: Final[dict[type, Leaf]] = {
    bytearray: Leaf(BYTEARRAY, lambda value: (bytes(value),), _build_bytearray),
    complex: Leaf(COMPLEX, _split_complex, lambda data: complex(*_PAIR.unpack(data))),
    type(...): Leaf(ELLIPSIS, lambda value: (), lambda: ...),  # noqa: ARG005 - all leaves are called alike
    range: Leaf(RANGE, _split_range, _build_range),
    slice: Leaf(SLICE, _split_slice, _build_slice),
    decimal.Decimal: Leaf(DECIMAL, _split_decimal, _build_decimal),
    uuid.UUID: Leaf(UUID, _split_uuid, _build_uuid),
    dt.date: Leaf(DATE, _split_date, dt.date.fromisoformat),
    dt.time: Leaf(TIME, _split_time, _build_time),
    dt.datetime: Leaf(DATETIME, _split_datetime, _build_datetime),
    dt.timedelta: Leaf(TIMEDELTA, _split_timedelta, _build_timedelta),
    dt.timezone: Leaf(TIMEZONE, _split_timezone, _build_timezone),
}
ODD: Final = {
    int: Leaf(BIG_INT, _split_big_int, _build_big_int),
    str: Leaf(ODD_STR, _split_odd_str, _build_odd_str),
}
BY_TAG: Final[dict[int, Leaf]] = {leaf.tag: leaf for leaf in (*LEAVES.values(), *ODD.values())}

# Leaves of modules that few programs use are loaded with the first value of such a module.
RARE_TAGS: Final = frozenset({FRACTION, PATH, ZONE, IP})
_RARE_MODULES: Final = frozenset({"fractions", "ipaddress", "pathlib", "zoneinfo"})


def rare_leaf(kind: type) -> Leaf | None:
    """Return the codec of a leaf type that `LEAVES` does not hold."""
    module = kind.__module__
    if type(module) is not str or module.partition(".")[0] not in _RARE_MODULES:
        return None
    from .rare_leaves import RARE_LEAVES

    return RARE_LEAVES.get(kind)


def leaf_of_tag(tag: int) -> Leaf:
    """Return the codec of a stored tag."""
    if tag in RARE_TAGS:
        from .rare_leaves import BY_RARE_TAG

        return BY_RARE_TAG[tag]
    return BY_TAG[tag]


def are_same_parts(parts: tuple[Any, ...], rebuilt: tuple[Any, ...]) -> bool:
    """Return whether two tuples of parts are equal in type and value.

    Without the types, True would equal 1.
    """
    kinds = [*map(type, parts)]
    if parts != rebuilt or kinds != [*map(type, rebuilt)]:
        return False
    return tuple not in kinds or all(map(_is_same, parts, rebuilt))


def _is_same(one: Any, two: Any) -> bool:
    return type(one) is type(two) and (are_same_parts(one, two) if type(one) is tuple else one == two)
