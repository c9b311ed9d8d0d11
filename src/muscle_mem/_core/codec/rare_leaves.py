"""The leaf types of modules that few programs import, such as paths."""

from __future__ import annotations

import fractions
import ipaddress
import pathlib
import re
import zoneinfo
from typing import Any, Final

from ...errors import UnknownTypeError
from .leaves import FRACTION, IP, PATH, ZONE, Leaf, require
from .refusal import Refusal

# A key may only name a file of the time zone database.
_ZONE_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,39}(/[A-Za-z0-9][A-Za-z0-9_+-]{0,39}){0,2}", re.ASCII)
_FRACTION_BITS: Final = 2**16  # reducing a fraction takes quadratic time
_HAS_POSIX: Final = not isinstance(pathlib.Path(), pathlib.WindowsPath)
_IPS: Final = {
    cls.__name__: cls
    for cls in (
        ipaddress.IPv4Address,
        ipaddress.IPv6Address,
        ipaddress.IPv4Network,
        ipaddress.IPv6Network,
        ipaddress.IPv4Interface,
        ipaddress.IPv6Interface,
    )
}
_PATHS: Final = {
    cls.__name__: cls
    for cls in (pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.PosixPath, pathlib.WindowsPath)
}


def _split_fraction(value: fractions.Fraction) -> tuple[Any, ...]:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _FRACTION_BITS:
        raise Refusal(f"is storable with up to {_FRACTION_BITS} bits")
    return value.numerator, value.denominator


def _build_fraction(numerator: int, denominator: int) -> fractions.Fraction:
    require(type(numerator) is int and type(denominator) is int, "Fraction")
    require(max(numerator.bit_length(), denominator.bit_length()) <= _FRACTION_BITS, "Fraction that is too large")
    return fractions.Fraction(numerator, denominator)


def _split_path(value: pathlib.PurePath) -> tuple[Any, ...]:
    return type(value).__name__, str(value)


def _build_path(kind: str, text: str) -> pathlib.PurePath:
    require(type(kind) is str and kind in _PATHS and type(text) is str, "path")
    if kind == ("WindowsPath" if _HAS_POSIX else "PosixPath"):
        kind = "Pure" + kind  # A path of another operating system has no I/O here.
    return _PATHS[kind](text)


def _split_ip(value: Any) -> tuple[Any, ...]:
    return type(value).__name__, str(value)


def _build_ip(kind: str, text: str) -> Any:
    require(type(kind) is str and kind in _IPS and type(text) is str, "IP address")
    return _IPS[kind](text)


def _split_zone(value: zoneinfo.ZoneInfo) -> tuple[Any, ...]:
    if type(value.key) is not str or not _ZONE_KEY.fullmatch(value.key):
        raise Refusal("has no key of the time zone database")
    return (value.key,)


def _build_zone(key: str) -> zoneinfo.ZoneInfo:
    # Only here may decoding read a file; the key can only name one of the time zone database.
    require(type(key) is str and _ZONE_KEY.fullmatch(key), "key of a time zone")
    try:
        return zoneinfo.ZoneInfo(key)
    except (KeyError, OSError, ValueError):
        raise UnknownTypeError(
            f"cannot decode the time zone {key!r}: this machine does not know it. Install the package tzdata",
            f"zoneinfo:{key}",
        ) from None


RARE_LEAVES: Final[dict[type, Leaf]] = {
    fractions.Fraction: Leaf(FRACTION, _split_fraction, _build_fraction),
    zoneinfo.ZoneInfo: Leaf(ZONE, _split_zone, _build_zone),
    **{cls: Leaf(PATH, _split_path, _build_path) for cls in _PATHS.values()},
    **{cls: Leaf(IP, _split_ip, _build_ip) for cls in _IPS.values()},
}
BY_RARE_TAG: Final[dict[int, Leaf]] = {leaf.tag: leaf for leaf in RARE_LEAVES.values()}
