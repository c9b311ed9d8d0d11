"""The scalars of pandas: Timestamp, Timedelta and NaT.

This module does not import pandas.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from ...errors import UnknownTypeError
from .leaves import are_same_parts, require, stored_zone, zone_of
from .refusal import Refusal

NAMES: Final = ("kind", "number", "unit", "tz")
_UNITS: Final = ("s", "ms", "us", "ns")


def split_pandas(value: Any) -> tuple[Any, ...] | None:
    """Return the parts of a scalar of pandas, or None for any other value.

    They are the kind, the number of units since the epoch, the unit and the time zone. Raises Refusal.
    """
    kind = type(value)
    home = kind.__module__ if isinstance(kind.__module__, str) else ""
    pandas = sys.modules.get("pandas") if home.partition(".")[0] == "pandas" else None
    if pandas is None:
        return None
    if kind is type(getattr(pandas, "NaT", None)):
        return "NaT", 0, "", None
    if kind is getattr(pandas, "Timestamp", None):
        return "Timestamp", _number(value), _unit(value), _zone(value)
    if kind is getattr(pandas, "Timedelta", None):
        return "Timedelta", _number(value), _unit(value), None
    return None


def is_pandas_scalar(value: Any) -> bool:
    """Return whether a value is a scalar of pandas that is storable by type.

    Such scalars are immutable.
    """
    try:
        return split_pandas(value) is not None
    except Refusal:
        return True


def build_pandas(kind: Any, number: Any, unit: Any, zone: Any) -> Any:
    """Return the scalar of these parts.

    Raises UnknownTypeError if pandas is not imported, and DecodeError for invalid parts.
    """
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    if pandas is None or numpy is None:
        raise UnknownTypeError(
            f"cannot decode a pandas {kind}: pandas is not imported in this process. Import it first", f"pandas:{kind}"
        )
    if kind == "NaT":
        made: Any = pandas.NaT
    else:
        require(kind in ("Timestamp", "Timedelta") and type(number) is int and unit in _UNITS, "value of pandas")
        made = getattr(pandas, kind)(
            getattr(numpy, "datetime64" if kind == "Timestamp" else "timedelta64")(number, unit)
        )
        if zone is not None and kind == "Timestamp":
            made = made.tz_localize("UTC").tz_convert(zone_of(zone))
    require(are_same_parts((kind, number, unit, zone), split_pandas(made) or ()), "value of pandas")
    return made


def _number(value: Any) -> int:
    return int(value.asm8.view("i8"))


def _unit(value: Any) -> str:
    return str(getattr(value, "unit", "ns"))


def _zone(value: Any) -> Any:
    zone = value.tzinfo
    if zone is None:
        return None
    key = getattr(zone, "zone", None)  # A zone of pytz, which pandas treats like the one of zoneinfo.
    if type(key) is str and type(zone).__module__.partition(".")[0] == "pytz" and key != "UTC":
        import zoneinfo

        try:
            return zoneinfo.ZoneInfo(key)
        except (KeyError, OSError, ValueError):
            raise Refusal(f"has the time zone {key!r}, which this machine does not know") from None
    return stored_zone(zone)
