"""Stored values as text that is safe to print in a terminal."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from .._core import codec
from .._core.codec.unknown import Record
from ..errors import DecodeError

_SHORT_FORMS = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Letters and marks by category, but invisible: they could make different texts look equal.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
ID_WIDTH = 12
_LOCALS = re.compile(r"[\w.]*\.<locals>\.")


def printable(text: object, limit: int | None = None) -> str:
    """Return the text in one line, with unprintable characters escaped.

    Control characters, ANSI escapes, bidi overrides and lone surrogates become `\\x1b` or `\\u202e`. A text longer than
    `limit` characters is cut, and its last character is "…".
    """
    whole = str(text)
    if not whole.isprintable() or not _INVISIBLE.isdisjoint(whole):
        whole = "".join(map(_shown, whole))
    return whole if limit is None or len(whole) <= limit else whole[: limit - 1] + "…"


def display_name(text: str) -> str:
    """Return a text without the `f.<locals>.` of functions inside others."""
    return _LOCALS.sub("", text) if "<locals>" in text else text


def clipped(text: str, limit: int | None) -> str:
    """Return a text of at most so many characters, cut between words.

    A cut text ends with "…". A word that is longer than half of the limit is cut.
    """
    if limit is None or len(text) <= limit:
        return text
    cut = text[: max(1, limit - 1)]
    if not text[len(cut)].isspace():
        space = cut.rfind(" ")
        cut = cut[:space] if space >= limit // 2 else cut
    return cut.rstrip() + "…"


def _shown(character: str) -> str:
    if character.isprintable() and character not in _INVISIBLE:
        return character
    number = ord(character)
    if character in _SHORT_FORMS:
        return _SHORT_FORMS[character]
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def value_repr(value: object) -> str:
    """Return the repr of a stored value. Never raises."""
    try:
        return repr(value)
    except Exception as error:  # An int may have too many digits, a value too many levels.
        return f"<{type(value).__name__}, whose repr raised {type(error).__name__}: {error}>"


def decoded(data: bytes) -> tuple[Any, str]:
    """Return a stored value and "", or None and why its bytes cannot be decoded.

    Instances of unknown classes become Records.
    """
    try:
        return codec.decode(data, lenient=True), ""
    except DecodeError as error:
        return None, str(error)


def value_text(data: bytes) -> str:
    """Return the repr of a stored value, or a description of undecodable bytes."""
    value, error = decoded(data)
    return value_repr(value) if not error else undecodable(data)


def undecodable(data: bytes) -> str:
    """Return a description of bytes that the codec cannot decode."""
    begin = data[:16].hex() + ("…" if len(data) > 16 else "")
    return f"<{count(len(data), 'undecodable byte')}: {begin}>" if data else "<undecodable: no bytes>"


def class_name(value: object) -> str:
    """Return the name of a stored value's class, as recorded."""
    return value.__record__[1] if isinstance(value, Record) else type(value).__name__


def unknown_classes(value: object) -> set[str]:
    """Return the names of the classes in a decoded value that are not defined here."""
    found: set[str] = set()
    waiting: list[object] = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Record):
            found.add(one.__record__[1])
            waiting += one.__record__[3].values()
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | set | frozenset):
            waiting += one
    return found


def iso(seconds: float) -> str | None:
    """Return a stored time as ISO 8601 in UTC; None for zero and for invalid times."""
    moment = _moment(seconds)
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local(seconds: float) -> str:
    """Return a stored time in the local time zone; "never" for zero and invalid times."""
    moment = _moment(seconds)
    try:
        return "never" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return "never"


def short_date(seconds: float, now: float) -> str:
    """Return a stored time as a short local date, such as "Nov 30" or "2025-11".

    It is the time of day for today, and "never" for zero.
    """
    moment, today = _moment(seconds), _moment(now)
    if moment is None or today is None:
        return "never"
    try:
        moment, today = moment.astimezone(), today.astimezone()
    except (OverflowError, OSError, ValueError):
        return "never"
    if moment.date() == today.date():
        return moment.strftime("%H:%M")
    return moment.strftime("%b %d" if moment.year == today.year else "%Y-%m")


def _moment(seconds: float) -> datetime | None:
    if not seconds:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def duration(seconds: float) -> str:
    """Return a duration as text: `0.4 ms`, `0.12 s`, `5 min 3 s`, `2 h 5 min`."""
    if not seconds < 1e15:
        return "an unknown time"
    if seconds < 0.0001:
        return "0 s" if seconds == 0 else "<0.1 ms"
    if seconds < 0.01:
        return f"{1000 * seconds:.1f} ms"
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(count: int) -> str:
    """Return a number of bytes as text: `999 bytes`, `41.0 kB`."""
    amount, units = float(count), ["kB", "MB", "GB", "TB"]
    if amount < 1000:
        return f"{count} bytes"
    unit = ""
    while amount >= 1000 and units:
        amount, unit = amount / 1000, units.pop(0)
    return f"{amount:.1f} {unit}"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: `1 step`, `2 steps`, `2 trajectories`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
