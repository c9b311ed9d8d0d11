"""A read-only substitute for an instance of an unknown class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Record:
    """A read-only view of a stored instance: its attributes without its methods.

    A lenient decode returns it if the class is unknown or has changed. A compare function can read the attributes. A
    Record equals another Record with the same name and fields, and is encoded to the bytes from which it was decoded.
    """

    # The name of the slot is not a likely field name, so that fields named `name` or `fields` stay readable.
    __slots__ = ("__record__",)

    __record__: tuple[int, str, tuple[Any, ...], Mapping[str, Any]]

    def __init__(self, tag: int, name: str, parts: tuple[Any, ...], attributes: Mapping[str, Any]) -> None:
        object.__setattr__(self, "__record__", (tag, name, parts, dict(attributes)))

    def __getattr__(self, name: str) -> Any:
        if name != "__record__":  # It is not set yet while an instance is being copied.
            _, stored, _, attributes = self.__record__
            if name in attributes:
                return attributes[name]
            raise AttributeError(
                f"the stored {stored!r} has no attribute {name!r}: expected one of {sorted(attributes)}"
            )
        raise AttributeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"cannot set {name!r}: a Record is read-only")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"cannot delete {name!r}: a Record is read-only")

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *self.__record__[3]})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return self.__record__[1] == other.__record__[1] and self.__record__[3] == other.__record__[3]

    def __hash__(self) -> int:
        return hash((self.__record__[1], tuple(self.__record__[3])))  # The values may be unhashable.

    def __repr__(self) -> str:
        _, name, _, attributes = self.__record__
        fields = ", ".join(f"{field}={value!r}" for field, value in attributes.items())
        return f"<Record of {name}({fields})>"

    def __reduce_ex__(self, protocol: object) -> Any:
        return Record, self.__record__
