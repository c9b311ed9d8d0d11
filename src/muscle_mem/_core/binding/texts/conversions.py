"""Conversions between the value of a source and an argument (L3)."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any, Final

from ...redaction.traces import decimal_text

NUMBER_TEXT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
DATE_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
DATE_TIME_TEXT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_LONGEST_NUMBER = 40


def _same(value: Any) -> Any:
    return value


def _number(value: Any) -> int | float:
    if type(value) is float and value.is_integer():
        return int(value)
    text = _text(value)
    if len(text) > _LONGEST_NUMBER or not NUMBER_TEXT.fullmatch(text):
        raise ValueError("the text is not a decimal number")
    return float(text) if "." in text else int(text)


def _decimal_text(value: Any) -> str:
    if type(value) is int:
        return decimal_text(value)
    if type(value) is float and NUMBER_TEXT.fullmatch(repr(value)):
        return repr(value)
    raise ValueError("the value is not a number with a plain decimal text")


def _date(value: Any) -> Any:
    if type(value) is datetime.datetime:
        return value.date()
    text = _text(value)
    if not DATE_TIME_TEXT.fullmatch(text):
        raise ValueError("the text is not an ISO date-time")
    return text[:10]


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError("the value is not a text")
    return value


CONVERT: Final[dict[str, Callable[[Any], Any]]] = {
    "": _same,
    "number": _number,
    "text": _decimal_text,
    "lower": lambda value: _text(value).lower(),
    "upper": lambda value: _text(value).upper(),
    "strip": lambda value: _text(value).strip(),
    "date": _date,
}
"""The conversions by name. Each raises ValueError for a value that it does not convert."""

SPOKEN: Final = {"number": "int", "text": "str"}
"""Names of conversions that differ in texts for people."""
