"""A crude count of how much a value says (L6)."""

from __future__ import annotations

import datetime
import math
import re
import uuid
from decimal import Decimal
from enum import Enum
from typing import Any

from ...redaction.traces import decimal_text
from ..texts.conversions import DATE_TEXT

FEWEST_BITS = 12
"""Values with fewer bits are found by chance, so that they are not searched for."""

_WORD_BITS = 11
_DATE_BITS = 9
_WORD = re.compile(r"[^\W\d]+(?:[-'_][^\W\d]+)*")
_TIME = re.compile(r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?")
_LONGEST = 64


def bits_of(value: Any) -> int:
    """Return a crude count of the bits in a value.

    Its characters are counted by the alphabets that it uses. A word has at most 11 bits and a date 9.
    """
    if value is None or issubclass(type(value), bool | Enum):
        return 0
    if issubclass(type(value), datetime.date) and not issubclass(type(value), datetime.datetime):
        return _DATE_BITS
    if type(value) is int:
        return _digit_bits(decimal_text(abs(value)))
    if issubclass(type(value), float | Decimal):
        return _digit_bits(re.sub(r"\D", "", repr(value)))
    if issubclass(type(value), uuid.UUID):
        return 128
    if type(value) is bytes:
        return 8 * len(value)
    return _text_bits(value if type(value) is str else str(value))


def is_small(value: Any) -> bool:
    """Return whether a value has too few bits to be searched for."""
    return bits_of(value) < FEWEST_BITS


def _digit_bits(digits: str) -> int:
    return int(len(digits) * math.log2(10))


def _text_bits(text: str) -> int:
    text = text.strip()
    if DATE_TEXT.fullmatch(text):
        return _DATE_BITS
    if not text:
        return 0
    if _TIME.fullmatch(text):
        return _WORD_BITS
    if text.isdigit():
        return _digit_bits(text)
    head = text[:_LONGEST]
    alphabet = sum(
        size
        for size, pattern in ((10, r"[0-9]"), (26, r"[a-z]"), (26, r"[A-Z]"), (33, r"[^0-9A-Za-z]"))
        if re.search(pattern, head)
    )
    bits = int(len(head) * math.log2(alphabet))
    return min(bits, _WORD_BITS) if _WORD.fullmatch(text) else bits
