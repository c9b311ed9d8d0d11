"""The spellings in which a text may stand in other texts: as it is, in a repr, in a repr of a repr, as JSON."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

_LEVELS = 3  # a value in the repr of an exception in the repr of another
ELLIPSES = ("…", "...")  # what stands where a text was cut
_MIN_OVERLAP = 2  # so many characters of a secret beside a cut are hidden, too


def spellings(text: str) -> set[str]:
    """Every way in which our messages may spell a text."""
    found = {text}
    latest = {text}
    for _ in range(_LEVELS):
        latest = {spelled for form in latest for spelled in _repr_spellings(form)} - found
        found |= latest
    found |= {_json_spelling(form) for form in tuple(found)}
    return found | {repr(text.encode("utf-8", "surrogatepass"))[2:-1]}


def _repr_spellings(text: str) -> Iterable[str]:
    """How repr() spells a text within a longer one, which may hold either quote."""
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
    """A text with every form replaced, and what is left of one beside the place where a text was cut."""
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
    """How many characters `two` begins with that `one` ends with; 0 for too few to be significant."""
    for length in range(min(len(one), len(two)), _MIN_OVERLAP - 1, -1):
        if one.endswith(two[:length]):
            return length
    return 0
