"""The value that a param counts as.

It is the text of a subclass of str, the number that a text spells, or its visible parts.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

from ....errors import NotStorableError
from ... import codec

_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,99}")


def plain_text(value: Any) -> Any:
    """Return the text of an instance of a subclass of str.

    Return any other value as it is.
    """
    if type(value) is str or not issubclass(type(value), str) or issubclass(type(value), Enum):
        return value
    return str.__str__(value)


def is_number(text: Any) -> bool:
    """Return whether a text is the decimal text of an int."""
    return isinstance(text, str) and _NUMBER.fullmatch(text) is not None


def size_of(value: Any) -> int:
    """Return the length of a value; 0 without one."""
    try:
        return len(value)
    except TypeError:
        return 0


def canonical_or_none(value: Any) -> bytes | None:
    """Return the canonical bytes of a value; None without a canonical form."""
    try:
        return codec.canonical(value)
    except NotStorableError:
        return None


def visible_structure(value: Any, depth: int) -> Any:
    """Return the readable structure of a value without a canonical form.

    It consists of the storable parts and the types of the others.
    """
    data = canonical_or_none(value)
    if data is not None:
        return data
    kind = f"{type(value).__module__}:{type(value).__qualname__}"
    unfolded = codec.unfold(value) if depth < codec.MAX_DEPTH else None
    return kind, [visible_structure(child, depth + 1) for child in unfolded[1]] if unfolded else None
