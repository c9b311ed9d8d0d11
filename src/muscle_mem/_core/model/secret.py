"""Secret: a value that is used, but never displayed, stored or copied."""

from collections.abc import Callable
from typing import Any, Generic, NoReturn, Self, TypeVar, final

from ...errors import InvalidTypeError, InvalidValueError

T = TypeVar("T")
MASK = "***"
_observers: list[Callable[["Secret[Any]"], None]] = []
_FOREIGN = {"SecretStr": "str", "SecretBytes": "bytes", "Secret": "any"}


@final
class Secret(Generic[T]):
    """A secret value, such as a password or token.

    Tools read it through `.value`. It is displayed as `***`, never stored, and must be passed again for each replay.
    Pass it as a param, as an argument of the agent (also inside lists, dicts and dataclasses) or as `engine(...,
    secrets={"name": ...})`. Two secrets are equal if their values are. A Secret cannot be pickled; copying it returns
    the same object.

    Args:
        value: The secret value itself.

    Raises:
        InvalidTypeError: If the value is None, a bool or another Secret.
        InvalidValueError: If the value is empty.
    """

    __module__ = "muscle_mem"

    __slots__ = ("__value",)
    __value: T

    def __init__(self, value: T) -> None:
        if value is None or issubclass(type(value), bool | Secret):
            raise InvalidTypeError(f"invalid Secret: expected a value such as a string, got {type(value).__name__}")
        if issubclass(type(value), str | bytes | bytearray | list | tuple | dict | set) and not value:
            raise InvalidValueError(
                f"invalid Secret: expected a value that is not empty, got an empty {type(value).__name__}"
            )
        object.__setattr__(self, "_Secret__value", value)

    @property
    def value(self) -> T:
        """The secret value itself."""
        for observe in _observers:
            observe(self)
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
        raise AttributeError(f"cannot set {name!r}: a Secret is immutable. Create another Secret")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"cannot delete {name!r}: a Secret is immutable. Create another Secret")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise InvalidTypeError(
            "cannot pickle a Secret: its value must not be written. Pass the value again where it is needed"
        )

    def __init_subclass__(cls, **kwargs: Any) -> NoReturn:
        raise InvalidTypeError("cannot subclass Secret: it is final. Wrap a Secret instead")


def reveal(secret: Secret[T]) -> T:
    """Return the value of a secret, without a call of the observers of reads."""
    value: T = object.__getattribute__(secret, "_Secret__value")
    return value


def observe_reads(observer: Callable[[Secret[Any]], None]) -> None:
    """Call a function at every read of `Secret.value`. It must not raise."""
    _observers.append(observer)


def foreign_kind(value: object) -> str:
    """Return "str", "bytes" or "any" for a secret of pydantic; empty for other values."""
    for base in type(value).__mro__:
        if base.__module__ == "pydantic.types" and base.__name__ in _FOREIGN:
            return _FOREIGN[base.__name__]
    return ""


def as_secret(value: Any) -> Secret[Any] | None:
    """Return a value as a Secret.

    It is a Secret itself, or a secret of pydantic that is not empty. Return None for others.
    """
    if type(value) is Secret:
        return value
    if type(value).__module__ == "builtins" or not foreign_kind(value):
        return None
    try:
        return Secret(value.get_secret_value())
    except (InvalidTypeError, InvalidValueError):
        return None


def raw_value(value: Any) -> Any:
    """Return what a secret holds, and any other value as it is."""
    secret = as_secret(value)
    return value if secret is None else reveal(secret)
