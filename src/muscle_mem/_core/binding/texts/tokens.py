"""Tokens: where a value stands in a text as a separate word (E3, A1b).

A neighbor may be joined to it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Final

_IN_WORDS: Final = "_\u200c\u200d"
_HYPHENS: Final = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"
_APOSTROPHES: Final = "'\u2018\u2019\u201b\u02bc\u2032\u00b4`\uff07"
_PLUSES: Final = "+\ufe62\uff0b"
_JOINERS: Final = frozenset(
    f".,@&%{_HYPHENS}{_APOSTROPHES}{_PLUSES}"
    "\u00b7\u2024\u066b\uff0e\u066c\ufe6b\uff20\ufe60\uff06\u066a\ufe6a\uff05"  # kin of the dot, comma, @, & and %
)
_DIGIT_JOINERS: Final = frozenset(":/\uff1a\u2044\u2215\uff0f")
_SIGNS: Final = frozenset(f"{_HYPHENS}{_PLUSES}\u00b1")
_SPACES: Final = frozenset(" \u00a0\u2007\u2009\u202f")
_WITHOUT_SPACES: Final = (  # Thai, Lao, Myanmar, Khmer, Japanese and Chinese
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3005, 0x3007),
    (0x3040, 0x312F),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),
    (0x20000, 0x3FFFF),
)


def token_positions(text: str, part: str) -> Iterator[int]:
    """Yield the positions where `part` occurs in `text` as a separate token.

    Nothing joins it to its neighbors there. A token is bounded by anything but letters, digits and underscores.
    """
    for at in _positions(text, part):
        end = at + len(part)
        if not _is_inside_word(text, at, end, part) and not is_joined(text, at, end):
            yield at


def word_positions(text: str, part: str) -> Iterator[int]:
    """Yield where `part` occurs in `text` bounded by anything but letters and digits.

    In a script without spaces it is bounded everywhere.
    """
    for at in _positions(text, part):
        end = at + len(part)
        before, after = text[at - 1 : at] if at else "", text[end : end + 1]
        if not _binds(before, part[0]) and not _binds(part[-1], after):
            yield at


def contains_token(text: str, part: str) -> bool:
    """Return whether `part` occurs in `text` as a token."""
    return next(token_positions(text, part), None) is not None


def is_joined(text: str, start: int, end: int) -> bool:
    """Return whether a letter or digit is joined to an occurrence.

    The occurrence is then a part of a larger token. Examples are "150" in "150.75", in "-150" and in "1 150", and "Ann"
    in "Mary-Ann", but not in "Ann's".
    """
    first, last = text[start], text[end - 1]
    before = text[start - 1] if start else ""
    beyond = text[start - 2] if start > 1 else ""
    if before and _joins(before, beyond, first):
        return True
    is_number = first.isdigit() or (first in _SIGNS and text[start + 1 : min(start + 2, end)].isdigit())
    if is_number and (before in _SIGNS if before else False):
        return True
    if is_number and before in _SPACES and beyond.isdigit():
        return True
    after, beyond = text[end : end + 1], text[end + 1 : end + 2]
    if after in _SPACES and last.isdigit() and beyond.isdigit():
        return True
    return bool(after) and _joins(after, beyond, last) and not _is_possessive(text, end)


def is_word_char(char: str) -> bool:
    """Return whether a character belongs to a word.

    These are letters, digits and underscores, and characters that modify or join letters: accents, vowel signs,
    joiners.
    """
    return char.isalnum() or char in _IN_WORDS or unicodedata.category(char)[0] == "M"


def _positions(text: str, part: str) -> Iterator[int]:
    at = text.find(part) if part else -1
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def _is_inside_word(text: str, start: int, end: int, part: str) -> bool:
    if start > 0 and (is_word_char(text[start - 1]) or _is_mark(part[0])):
        return True
    return end < len(text) and is_word_char(text[end])


def _joins(mark: str, beyond: str, edge: str) -> bool:
    """Return whether a character joins an occurrence to what is beyond it."""
    if not beyond:
        return False
    if mark in _DIGIT_JOINERS:
        return edge.isdigit() and beyond.isdigit()
    return mark in _JOINERS and (beyond.isalnum() or _is_mark(beyond))


def _is_possessive(text: str, end: int) -> bool:
    """Return whether "'s" follows, as the end of a word."""
    if text[end] not in _APOSTROPHES or text[end + 1 : end + 2] not in ("s", "S"):
        return False
    return not (end + 2 < len(text) and is_word_char(text[end + 2]))


def _binds(one: str, two: str) -> bool:
    """Return whether two neighboring characters belong to one word of a task text."""
    if not one or not two or not is_word_char(one) or not is_word_char(two) or "_" in (one, two):
        return False
    if _is_mark(two):
        return True
    return not (_is_without_spaces(one) or _is_without_spaces(two))


def _is_mark(char: str) -> bool:
    return not char.isascii() and unicodedata.category(char)[0] == "M"


def _is_without_spaces(char: str) -> bool:
    """Return whether a character is of a script without spaces between words."""
    point = ord(char)
    return point >= 0x0E00 and any(first <= point <= last for first, last in _WITHOUT_SPACES)
