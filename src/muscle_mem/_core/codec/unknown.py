"""The stand-in for an instance of a class that this process does not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Record:
    """A read-only view of a stored instance: the same attributes, none of the methods.

    A lenient decode gives it where the class is unknown or has changed. It is enough for a compare that reads
    attributes, is equal to another Record with the same name and fields, and encodes to the bytes it came
    from.
    """

    # One slot with a name that no field will bear, so that fields called `name` or `fields` stay readable.
    __slots__ = ("__record__",)

    __record__: tuple[int, str, tuple[Any, ...], Mapping[str, Any]]

    def __init__(self, tag: int, name: str, parts: tuple[Any, ...], attributes: Mapping[str, Any]) -> None:
        object.__setattr__(self, "__record__", (tag, name, parts, dict(attributes)))

    def __getattr__(self, name: str) -> Any:
        if name != "__record__":  # missing while a copy is under way
            _, stored, _, attributes = self.__record__
            if name in attributes:
                return attributes[name]
            raise AttributeError(f"the stored {stored} has no attribute {name!r}; it has {sorted(attributes)}")
        raise AttributeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a Record is read-only: {name!r} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Record is read-only: {name!r} cannot be deleted")

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *self.__record__[3]})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return self.__record__[1] == other.__record__[1] and self.__record__[3] == other.__record__[3]

    def __hash__(self) -> int:
        return hash((self.__record__[1], tuple(self.__record__[3])))  # values may be unhashable

    def __repr__(self) -> str:
        _, name, _, attributes = self.__record__
        fields = ", ".join(f"{field}={value!r}" for field, value in attributes.items())
        return f"<Record of {name}({fields})>"

    def __reduce_ex__(self, protocol: object) -> Any:
        return Record, self.__record__
