"""The texts by which a value can be recognized inside another value.

A value may occur as part of a word, in another letter case, in another Unicode form, or inside bytes.
"""

from __future__ import annotations

import datetime
import decimal
import unicodedata
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

import msgspec

from ...errors import NotStorableError
from .. import codec

_NUMBERS = (int, float, decimal.Decimal)
SHORT_TEXT = 3
SMALL_INT = 100


def is_small(value: Any) -> bool:
    """Return whether a value is so common that equality is not evidence.

    These are bools, None, numbers below 100 without a fraction, texts under three ASCII characters and empty
    containers.
    """
    if value is None or issubclass(type(value), bool):
        return True
    if issubclass(type(value), int | float):
        return value < SMALL_INT and (issubclass(type(value), int) or value.is_integer())
    if issubclass(type(value), str):
        return len(value) < SHORT_TEXT and value.isascii()
    if issubclass(type(value), bytes):
        return len(value) < SHORT_TEXT
    return type(value) in (list, tuple, dict, set, frozenset) and not value


def fold_text(text: str) -> str:
    """Return a text without differences in letter case and Unicode form."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())


def decimal_text(value: int) -> str:
    """Return the decimal digits of an int.

    The result is hexadecimal if Python limits the conversion to decimal digits.
    """
    try:
        return str(value)
    except ValueError:
        return hex(value)


def decimal_texts(values: Sequence[int]) -> list[str]:
    """Return what `decimal_text` returns for each of some ints."""
    try:
        return list(map(str, values))
    except ValueError:
        return list(map(decimal_text, values))


def text_forms(leaf: Any) -> list[str]:
    """Return the folded texts that a leaf may have in another value, plainest first."""
    if issubclass(type(leaf), Enum):
        return [fold_text(text) for text in (leaf.name or "",)] + text_forms(leaf.value)
    if issubclass(type(leaf), str):
        return [fold_text(leaf)]
    if issubclass(type(leaf), bytes | bytearray):
        return [fold_text(leaf.decode("utf-8", "replace"))]
    if issubclass(type(leaf), int) and not issubclass(type(leaf), bool):
        return [decimal_text(leaf)]
    if issubclass(type(leaf), float) and leaf.is_integer():
        return [fold_text(str(leaf)), decimal_text(int(leaf))]
    if issubclass(type(leaf), datetime.date | datetime.time):
        return [fold_text(str(leaf)), fold_text(leaf.isoformat())]
    if leaf is None or codec.is_immutable(leaf):
        return [fold_text(str(leaf))]
    return list(_stored_texts(leaf))


def contains_any(leaf: Any, needles: frozenset[str]) -> bool:
    """Return whether a literal leaf contains one of these texts.

    A text may contain it anywhere. A number and None must equal it.
    """
    if not needles:
        return False
    texts = text_forms(leaf)
    if issubclass(type(leaf), _NUMBERS) or leaf is None:
        return not needles.isdisjoint(texts)
    return any(needle in text for text in texts for needle in needles)


def _stored_texts(leaf: Any) -> Iterable[str]:
    """Yield the texts and numbers in the stored form of an opaque leaf.

    Such a leaf is an array or an instance of a registered type.
    """
    try:
        waiting = [msgspec.msgpack.decode(codec.canonical(leaf)[1:])]
    except (NotStorableError, msgspec.DecodeError):
        return
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += [*part, *part.values()]
        elif isinstance(part, list):
            waiting += part[1:]  # The first item is a tag.
        elif part is not None:
            yield from text_forms(part)
