"""Values that are encoded only when their bytes are needed."""

from __future__ import annotations

from typing import Any

import msgspec

from ..codec import encode

SMALL_INT_BITS = 64
SMALL_TEXT_LENGTH = 500  # characters


class Deferred(msgspec.Struct, eq=False, gc=False):
    """A small scalar that is encoded once, when its bytes are first needed.

    A small scalar is immutable, so the time of its encoding does not matter. To keep it costs the agent less than to
    encode it. The class is excluded from garbage collection because neither a scalar nor bytes can be part of a cycle.
    """

    raw: Any
    made: bytes | None = None

    def get(self) -> bytes:
        """Return the codec's bytes of the value."""
        if self.made is None:
            self.made = encode(self.raw)
        return self.made


def encoded(data: bytes) -> Deferred:
    """Return existing bytes in the form of a deferred value."""
    return Deferred(None, data)


def is_small_scalar(value: Any) -> bool:
    """Return whether a value is immutable, small and certain to be encodable."""
    kind = type(value)
    if kind is str:
        return len(value) <= SMALL_TEXT_LENGTH
    if kind is int:
        number: int = value
        return number.bit_length() < SMALL_INT_BITS
    return kind is bool or kind is float
