"""Answers in outputs: values that an agent may go on after, or not (E12).

An answer is a bool, None, emptiness, zero or a one-word text. Any other value is data: that it differs from run to run
says nothing about what the agent does next.
"""

from __future__ import annotations

import ast
import functools
import math
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

import msgspec

from ... import codec
from ...model.pattern import compiled
from ..texts.field_names import YES_AND_NO
from .tables import rows_in

TRUE, FALSE, NONE, EMPTY, ZERO, MINUS_ONE, NOT_A_NUMBER = "True", "False", "None", "empty", "0", "-1", "nan"
NUMBER, TEXT, FILLED, OTHER = "a number", "a text", "not empty", "a value"
DENIAL = "a denying text"
WORD = "="
"""Prefix of the category of a one-word text."""

DATA = frozenset({NUMBER, TEXT, FILLED, OTHER})
FALSY = frozenset({FALSE, NONE, EMPTY, ZERO})

MAX_JSON_TEXT = 2_000_000
MAX_LITERAL_TEXT = 20_000
MAX_WORD = 32
MAX_LINES = 12

_WORD = r"[^\W\d_]+(?:[-_'\u2019][^\W\d_]+){0,4}"
_PHRASE = r"(?i)(?:not?|in|out of|sold|on|off) [a-z]+"
_ONE_NUMBER = r"[^\d]{0,24}?(-?\d[\d.,]*)[^\d]{0,24}"
_DENIAL = (
    r"(?i)\b(?:no(?!\.? ?\d)|not|none|nothing|nobod[y]|never|neither|nor|without|empty|unavailable|cannot|"
    r"[a-z]+n['\u2019]t|kein\w*|nicht\w*|leer|nie|aucune?|rien|pas|ning[u\u00fa]n\w*|nada|vac[i\u00ed]o)\b"
)
_LINE = r"\s*([^\W\d][\w -]{0,30}?)\s*[:=]\s*(.*)"
_NAME_PARTS = r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+"
_NAMES_OF_DATA = frozenset(
    "name names firstname lastname surname fullname nickname username title subject city town village country street "
    "address author artist director user customer client person contact owner company brand vendor supplier id ids "
    "key slug token ref label query keyword product item".split()
)
"""Parts of names under which a word is data: it identifies a thing, and says nothing about its state."""

NAMES_OF_PLACES = frozenset(
    "id ids index idx no row col column x y offset position pos page second seconds ms time duration elapsed "
    "timestamp latency".split()
)
"""Parts of names under which zero is a number like any other."""

STATUS_NAMES = frozenset({"status", "code", "statuscode"})


class Reading(NamedTuple):
    """The category of a value, with its parts if it is a container.

    `fields` are the parts that have names, `items` those of a list. A category is one of the constants of this module,
    or a word behind WORD.
    """

    category: str
    fields: Mapping[str, Any] | None = None
    items: Sequence[Any] | None = None


_NONE, _TRUE, _FALSE, _OTHER = Reading(NONE), Reading(TRUE), Reading(FALSE), Reading(OTHER)


def read(value: Any, name: str = "", *, words: bool = True) -> Reading:
    """Return what an output, or a part of one, answers.

    `name` is the name of the field where the value stands. Without `words` a text of one word is data, as in a list,
    unless it is a yes or a no; a number without a name is data, too.
    """
    kind = type(value)
    if value is None:
        return _NONE
    if kind is bool:
        return _TRUE if value else _FALSE
    if kind is str:
        return _read_text(value, name, words)
    if kind is int or kind is float:
        return Reading(_number_category(value, name) if words or name else NUMBER)
    if kind is dict:
        return _read_fields(value)
    if kind is list:
        return _read_items(value)
    try:
        return _read_other(value, name, words)
    except Exception:  # A value whose methods raise answers nothing.
        return _OTHER


def _read_fields(fields: Mapping[Any, Any]) -> Reading:
    if not fields:
        return Reading(EMPTY, {})
    if all(type(name) is str for name in fields):
        return Reading(FILLED, fields)
    return Reading(FILLED, {str(name): value for name, value in fields.items() if isinstance(name, str | int | Enum)})


def _read_items(items: Sequence[Any]) -> Reading:
    if not items:
        return Reading(EMPTY, None, ())
    texts = block_texts(items)
    if texts:
        if len(texts) == 1:
            inner = read(texts[0])
            return inner if inner.fields is not None or inner.items is not None else Reading(FILLED, {"text": texts[0]})
        return Reading(FILLED, {str(index): text for index, text in enumerate(texts)})
    return Reading(FILLED, None, items)


def block_texts(items: Sequence[Any]) -> list[str]:
    """Return the texts of a few content blocks; none if an item is anything else."""
    found: list[str] = []
    for item in items if len(items) <= MAX_LINES else ():
        text = block_text(item)
        if text is None:
            return []
        found.append(text)
    return found


def block_text(item: Any) -> str | None:
    """Return the text of a content block of an MCP result, or None."""
    fields = item if type(item) is dict else None if type(item) in _SIMPLE else codec.fields_of(item)
    if fields is None or fields.get("type") != "text":
        return None
    text = fields.get("text")
    return text if type(text) is str else None


_SIMPLE = frozenset({str, int, float, bool, type(None), bytes, list, tuple})


def _read_other(value: Any, name: str, words: bool) -> Reading:
    kind = type(value)
    if kind is tuple:
        if len({type(item) for item in value}) > 1:  # Parts with separate meanings, not a list.
            return Reading(FILLED, {str(index): item for index, item in enumerate(value)})
        return _read_items(value)
    if isinstance(value, Enum):
        return read(value.value if isinstance(value.value, str) else value.name, name, words=words)
    if isinstance(value, str):
        return _read_text(str(value), name, words)
    if isinstance(value, dict):
        return _read_fields(dict(value))
    if isinstance(value, set | frozenset | bytes | bytearray | range):
        return Reading(FILLED if value else EMPTY)
    if isinstance(value, list | deque):
        return _read_items(list(value))
    if isinstance(value, int | float | Decimal) or _is_fraction(value):
        return Reading(_number_category(value, name))
    fields = codec.fields_of(value)
    if fields is not None:
        return Reading(FILLED, fields)
    if kind.__module__ == "numpy":
        return _read_numpy(value, name)
    return _OTHER


def _is_fraction(value: Any) -> bool:
    """Return whether a value is a Fraction.

    There is none unless something has imported the module.
    """
    fractions = sys.modules.get("fractions")
    return fractions is not None and isinstance(value, fractions.Fraction)


def _read_numpy(value: Any, name: str) -> Reading:
    if getattr(value, "shape", None) == ():
        return read(value.item(), name)
    size = getattr(value, "size", None)
    return _OTHER if type(size) is not int else Reading(FILLED if size else EMPTY)


def _number_category(value: Any, name: str) -> str:
    if type(value) is float and math.isnan(value):
        return NOT_A_NUMBER
    if value == 0:
        return NUMBER if name and not NAMES_OF_PLACES.isdisjoint(name_parts(name)) else ZERO
    if value == -1 and type(value) is int:
        return MINUS_ONE
    if name and type(value) is int and 100 <= value < 600 and not STATUS_NAMES.isdisjoint(name_parts(name)):
        return f"{value // 100}xx"
    return NUMBER


def _read_text(text: str, name: str, words: bool) -> Reading:
    if not text or text.isspace():
        return Reading(EMPTY)
    if text[0] in "{[ \n\t\r":
        parsed = parsed_text(text)
        if parsed is not None:
            return _read_fields(parsed) if type(parsed) is dict else _read_items(parsed)
    rows = rows_in(text)
    if rows == []:
        return Reading(EMPTY, None, ())
    if rows is not None and type(rows[0]) in (dict, list):
        is_record = len(rows) == 1 and type(rows[0]) is dict
        return Reading(TEXT, rows[0]) if is_record else Reading(TEXT, None, rows)
    if len(text) > 4 * MAX_WORD:
        return Reading(TEXT) if len(text) > 8 * MAX_WORD else _read_lines(text, words)
    is_data = not words or is_name_of_data(name)
    bare = text.strip().rstrip(".!")
    if _is_word(bare):
        word = bare.casefold()
        is_answer = not is_data or (word in YES_AND_NO and not is_name_of_data(name))
        return Reading(WORD + word) if is_answer else Reading(TEXT)
    if ":" in bare or "=" in bare:
        lines = _read_lines(text, words)
        if lines.fields is not None:
            return lines
    if not is_data and compiled(_DENIAL).search(bare) is not None:
        return Reading(DENIAL)
    number = compiled(_ONE_NUMBER).fullmatch(bare)
    if number is not None:
        digits = number[1].strip("-.,0")
        return Reading(NUMBER if digits or (name and not NAMES_OF_PLACES.isdisjoint(name_parts(name))) else ZERO)
    return Reading(TEXT)


def _is_word(text: str) -> bool:
    """Return whether a text is a word or a symbol.

    Words are also `not available` and the like.
    """
    if len(text) > MAX_WORD or not text:
        return False
    return bool(compiled(_WORD).fullmatch(text) or compiled(_PHRASE).fullmatch(text)) or (
        len(text) <= 2 and not text[0].isalnum()
    )


def _read_lines(text: str, words: bool) -> Reading:
    """Return the reading of a short text whose lines are all `name: value`."""
    if not words:
        return Reading(TEXT)
    lines = text.strip().splitlines()
    if len(lines) > MAX_LINES:
        return Reading(TEXT)
    fields: dict[str, Any] = {}
    for line in lines:
        found = compiled(_LINE).fullmatch(line)
        if found is None or found[1] in fields:
            return Reading(TEXT)
        fields[found[1]] = found[2]
    return Reading(TEXT, fields)


def parsed_text(text: str) -> Any:
    """Return the dict or list that a text holds, or None.

    It may be written in JSON or as a Python literal.
    """
    bare = text.strip()
    if bare[:1] not in ("{", "[") or bare[-1:] not in ("}", "]") or len(bare) > MAX_JSON_TEXT:
        return None
    try:
        found = msgspec.json.decode(bare)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        if len(bare) > MAX_LITERAL_TEXT:
            return None
        try:
            found = ast.literal_eval(bare)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            return None
    return found if type(found) in (dict, list) else None


@functools.lru_cache(4096)
def name_parts(name: str) -> tuple[str, ...]:
    """Return the parts of a name in lower case.

    `orderId` and `order_id` have the same.
    """
    return tuple([part.lower() for part in compiled(_NAME_PARTS).findall(name)])


@functools.lru_cache(4096)
def is_name_of_data(name: str) -> bool:
    """Return whether a word under this name identifies a thing."""
    return bool(name) and not _NAMES_OF_DATA.isdisjoint(name_parts(name))


SAMPLES: dict[str, Any] = {
    TRUE: True,
    FALSE: False,
    NONE: None,
    EMPTY: "",
    ZERO: 0,
    MINUS_ONE: -1,
    NOT_A_NUMBER: math.nan,
    NUMBER: 7,
    TEXT: "A text that is longer than a word.",
    DENIAL: "This text says that there is nothing.",
    FILLED: [7],
    OTHER: b"7",
}


def sample_of(category: str) -> Any:
    """Return plain data of a category."""
    if category in SAMPLES:
        return SAMPLES[category]
    return category.removeprefix(WORD) if category[0] == WORD else 100 * int(category[0])
