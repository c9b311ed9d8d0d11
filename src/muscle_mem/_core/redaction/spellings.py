"""The spellings of a text in messages: plain, in nested reprs and in JSON."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

_LEVELS = 3  # nested reprs, as of a value in an exception in another exception
ELLIPSES = ("…", "...")  # marks of a cut text
_MIN_OVERLAP = 2  # characters of a secret next to a cut that are masked


def spellings(text: str) -> set[str]:
    """Return every form in which a message may contain a text."""
    found = {text}
    latest = {text}
    for _ in range(_LEVELS):
        latest = {spelled for form in latest for spelled in _repr_spellings(form)} - found
        found |= latest
    found |= {_json_spelling(form) for form in tuple(found)}
    return found | {repr(text.encode("utf-8", "surrogatepass"))[2:-1]}


def _repr_spellings(text: str) -> Iterable[str]:
    """Yield the forms that repr() gives a text inside a longer one.

    The longer text may contain either kind of quote.
    """
    yield repr(text)[1:-1]
    yield repr('"' + text)[2:-1]
    yield repr("'" + text)[1:-1].removeprefix("\\").removeprefix("'")
    yield ascii(text)[1:-1]
    yield text.replace("\n", "\\n").replace("\r", "\\r")


def _json_spelling(text: str) -> str:
    try:
        return msgspec.json.encode(text).decode()[1:-1]
    except UnicodeEncodeError:
        return text


def mask_forms(text: str, forms: Iterable[str], mask: str) -> str:
    """Return a text with every form replaced by `mask`.

    A part of a form next to an ellipsis, where the text was cut, is replaced too.
    """
    for form in forms:
        if form in text:
            text = text.replace(form, mask)
    for cut in ELLIPSES:
        if cut in text:
            text = _mask_beside(text, cut, forms, mask)
    return text


def _mask_beside(text: str, cut: str, forms: Iterable[str], mask: str) -> str:
    pieces = text.split(cut)
    for index, piece in enumerate(pieces):
        if index < len(pieces) - 1:
            length = max((_overlap_length(piece, form) for form in forms), default=0)
            piece = piece[: len(piece) - length] + mask if length else piece
        if index:
            length = max((_overlap_length(form, piece) for form in forms), default=0)
            piece = mask + piece[length:] if length else piece
        pieces[index] = piece
    return cut.join(pieces)


def _overlap_length(one: str, two: str) -> int:
    """Return the length of the longest end of `one` that begins `two`.

    The result is 0 for too few characters to be significant.
    """
    for length in range(min(len(one), len(two)), _MIN_OVERLAP - 1, -1):
        if one.endswith(two[:length]):
            return length
    return 0
