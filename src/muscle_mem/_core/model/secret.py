"""Secret: a value that may be used and must not be seen, written or copied."""

from typing import Any, Generic, NoReturn, Self, TypeVar, final

from ...errors import InvalidTypeError, InvalidValueError

T = TypeVar("T")
MASK = "***"


@final
class Secret(Generic[T]):
    """A password, a token: used through `.value`, shown as `***`, never stored, given again at each replay.

    Give it as a param, as an argument of the agent (also inside lists, dicts and dataclasses) or as
    `engine(..., secrets={"name": ...})`. Equal to another Secret of an equal value. It cannot be pickled; a copy of it
    is itself. Raises InvalidTypeError for None, a bool or another Secret, InvalidValueError for an empty value.
    """

    __module__ = "muscle_mem"

    __slots__ = ("__value",)
    __value: T

    def __init__(self, value: T) -> None:
        if value is None or isinstance(value, bool | Secret):
            raise InvalidTypeError(f"a secret must be a value such as a string, got {type(value).__name__}")
        if isinstance(value, str | bytes | bytearray | list | tuple | dict | set) and not value:
            raise InvalidValueError(f"a secret must not be empty, got an empty {type(value).__name__}")
        object.__setattr__(self, "_Secret__value", value)

    @property
    def value(self) -> T:
        """The value itself."""
        return self.__value

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return self is other or (type(self.__value) is type(other.__value) and bool(self.__value == other.__value))

    def __hash__(self) -> int:
        return hash((Secret, type(self.__value)))

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError("a Secret cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Secret cannot be changed")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise InvalidTypeError("a Secret cannot be pickled; give its value again where it is needed")

    def __init_subclass__(cls, **kwargs: Any) -> NoReturn:
        raise InvalidTypeError("Secret cannot be derived from")
