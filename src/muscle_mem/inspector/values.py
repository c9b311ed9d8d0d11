"""Stored values as blocks of text: readable, escaped and bounded."""

from __future__ import annotations

import json
import pprint
from typing import Any

import msgspec

from .._core import codec
from .._core.binding.references.masking import is_masked, unpack_mask
from .._core.binding.references.resolve import param_text
from .._core.model.records import Expr, Lit, Node, Par, Tpl
from .._reading.detail import is_json
from .._reading.expressions import snapshot_text
from .._reading.text import class_name, count, decoded, printable, undecodable, value_repr
from ..errors import MuscleMemError

MOST = 4_000
MOST_INLINE = 1_000
MOST_TO_COMPARE = 40_000
_LONG_BYTES = 64
_DEPTH = 50
_SHORT_TEXT = 80


class Block(msgspec.Struct, frozen=True):
    """A value as text of several lines.

    `left_out` is the number of characters that are not shown.
    """

    text: str
    left_out: int = 0
    kind: str = ""

    @property
    def is_short(self) -> bool:
        """Return whether it is a single line of moderate length."""
        return "\n" not in self.text and len(self.text) <= 100 and not self.left_out


def block(data: bytes, most: int = MOST) -> Block:
    """Return a stored value as a block of text.

    Args:
        data: The bytes of the value, or of a masked snapshot.
        most: The number of characters that are shown.
    """
    if is_masked(data):
        return text_block(masked_text(data), most, "with params")
    value, error = decoded(data)
    if error:
        return Block(undecodable(data), kind="undecodable")
    return text_block(readable(value), most, class_name(value))


def text_block(text: str, most: int = MOST, kind: str = "") -> Block:
    """Return a text as a block, with the characters escaped that would not be visible.

    Args:
        text: The text.
        most: The number of characters that are shown.
        kind: What the text is of, for people.
    """
    lines = text[:most].replace("\r\n", "\n").split("\n")
    return Block("\n".join(printable(line.replace("\t", "    ")) for line in lines), max(0, len(text) - most), kind)


def masked_text(data: bytes) -> str:
    """Return a snapshot with params as text, with their names in braces."""
    try:
        return readable(_with_names(unpack_mask(data)))
    except (MuscleMemError, ValueError, TypeError, RecursionError):
        return snapshot_text(data)


def _with_names(expr: Expr) -> Any:
    """Return the value of a masked snapshot.

    Raises ValueError if it has no simple form.
    """
    if isinstance(expr, Lit):
        return codec.decode(expr.data, lenient=True)
    if isinstance(expr, Par):
        return "{" + param_text(expr) + "}"
    if isinstance(expr, Tpl):
        return "".join("{" + part + "}" if at % 2 else part for at, part in enumerate(expr.parts))
    if isinstance(expr, Node) and expr.kind in ("list", "tuple", "dict"):
        items = [_with_names(item) for item in expr.items]
        return dict(zip(items[::2], items[1::2], strict=True)) if expr.kind == "dict" else items
    raise ValueError(f"no simple form: {type(expr).__name__}")


def cut(text: str, most: int = MOST_INLINE) -> str:
    """Return a text with at most so many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def readable(value: object) -> str:
    """Return a value as text: long texts as they are, JSON indented, or its repr."""
    if isinstance(value, str):
        return value if "\n" in value or len(value) > _SHORT_TEXT else value_repr(value)
    if not isinstance(value, dict | list | tuple | set | frozenset):
        return value_repr(value)
    try:
        value = _without_long_bytes(value, _DEPTH)
        if is_json(value):
            return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)
        return pprint.pformat(value, width=100)
    except Exception:  # A value may be too deep, or its repr may raise.
        pass
    return value_repr(value)


def _without_long_bytes(value: Any, depth: int) -> Any:
    """Return a value with long bytes, such as those of pictures, as their number."""
    if isinstance(value, bytes) and len(value) > _LONG_BYTES:
        return f"<{count(len(value), 'byte')}>"
    if depth and type(value) is dict:
        return {key: _without_long_bytes(item, depth - 1) for key, item in value.items()}
    if depth and type(value) in (list, tuple):
        return type(value)(_without_long_bytes(item, depth - 1) for item in value)
    return value
