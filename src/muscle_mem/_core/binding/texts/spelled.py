"""Texts compared by what they spell (E3a).

Case, accents, spaces, punctuation and quoting do not count.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_UNICODE_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_ENTITY = re.compile(r"&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|(amp|lt|gt|quot|apos|nbsp));")
_ENTITIES: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "nbsp": "\u00a0"}
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_NOT_SPELLED = re.compile(r"[\W_]+")
_PLAIN_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i", "ß": "ss"}
)
_SPELLED_OUT: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})


def without_accents(text: str) -> str:
    """Return a text in lower case and without accents."""
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in parts if unicodedata.category(char) != "Mn").translate(_PLAIN_LETTERS)


def with_spelled_out_letters(text: str) -> str:
    """Return a text in lower case with "ae" for "ä" and the like.

    Return the same as `without_accents` for other texts.
    """
    if text.isascii():
        return text.lower()
    return without_accents(unicodedata.normalize("NFC", text.casefold()).translate(_SPELLED_OUT))


def unquoted(text: str) -> str:
    """Return a text without the quoting of URLs, of HTML and of JSON."""
    if "%" in text and _PERCENT.search(text):
        text = _PERCENT.sub(lambda match: bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "replace"), text)
        text = text.replace("+", " ")
    if "&" in text:
        text = _ENTITY.sub(_entity, text)
    if "\\u" in text:
        text = _UNICODE_ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    return text


def _entity(match: re.Match[str]) -> str:
    if match[3]:
        return _ENTITIES[match[3]]
    point = int(match[1] or match[2], 10 if match[1] else 16)
    return chr(point) if point <= 0x10FFFF else match[0]


def squeezed(text: str) -> str:
    """Return the letters and digits of a text."""
    return text if text.isalnum() else _NOT_SPELLED.sub("", text)
