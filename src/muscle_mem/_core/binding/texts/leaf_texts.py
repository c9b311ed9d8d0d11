"""Texts of leaves, and how one text stands in another."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from enum import Enum
from itertools import islice, pairwise
from typing import Any

from ....errors import NotStorableError
from ... import codec
from ...redaction.traces import decimal_text

BREAK = "\0"
"""Stands between texts that are joined."""


def occurrences(text: str, part: str) -> Iterator[tuple[str, str]]:
    """Yield the characters before and after each occurrence of `part` in `text`.

    An occurrence inside a longer word or a longer number is skipped.
    """
    at = text.find(part) if part else -1
    while at >= 0:
        end = at + len(part)
        before, after = text[max(at - 1, 0) : at], text[end : end + 1]
        if not (before and is_joined(before, part[0])) and not (after and is_joined(part[-1], after)):
            yield side_text(before), side_text(after)
        at = text.find(part, at + 1)


def fold_plain(text: str) -> str:
    """Return a text without differences in case and accents."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in folded if not unicodedata.combining(char))


_NO_LETTERS = bytes(code for code in range(1, 128) if not chr(code).isalnum())


def squeeze(text: str) -> str:
    """Return a text with only its letters and digits, and the breaks between texts."""
    if text.isascii():
        return text.encode().translate(None, _NO_LETTERS).decode()
    return "".join(char for char in text if char.isalnum() or char == BREAK)


def side_text(char: str) -> str:
    """Return a character beside an occurrence as guards hold it.

    Return an empty text at the end of a text.
    """
    return "" if char == BREAK else char.encode("utf-8", "replace").decode()


def is_joined(one: str, two: str) -> bool:
    """Return whether two characters side by side belong to one word or number."""
    return (one.isdigit() and two.isdigit()) or (one.isalpha() and two.isalpha())


_EDGES = re.compile(r"[0-9]+|[A-Za-z]+|[\x00-\x7f]")


def token_edges(text: str, most: int) -> list[int]:
    """Return the positions in a text where a token may begin or end.

    These are all but those between two letters or two digits. At most so many are found, and one more.
    """
    if text.isascii():
        edges = [match.start() for match in islice(_EDGES.finditer(text), most)]
    else:
        pairs = enumerate(pairwise(text), 1)
        edges = [0, *islice((at for at, (one, two) in pairs if not is_joined(one, two)), most)]
    return [*edges, len(text)]


def text_of(leaf: Any) -> str | None:
    """Return the text by which a leaf is compared with texts; None if it has none."""
    if issubclass(type(leaf), str):
        return str(leaf)
    if issubclass(type(leaf), bytes | bytearray):
        return str(leaf.decode("utf-8", "replace"))
    if leaf is None or issubclass(type(leaf), bool | Enum):
        return None
    if issubclass(type(leaf), int):
        return decimal_text(leaf)
    return str(leaf) if codec.unfold(leaf) is None and codec.is_immutable(leaf) else None


def bytes_of(value: Any) -> bytes | None:
    """Return the canonical bytes of a value; None if it has none."""
    try:
        return codec.canonical(value)
    except NotStorableError:
        return None
