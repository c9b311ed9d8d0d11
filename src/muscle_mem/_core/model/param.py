"""Param: a param's value, with the arguments that the caller binds to it."""

from collections.abc import Iterable
from typing import Any, Generic, NoReturn, TypeVar, final

from ...errors import InvalidTypeError, InvalidValueError

T = TypeVar("T")


@final
class Param(Generic[T]):
    """A value in `params=` with the names of the tool arguments that get it.

    Bools, None, numbers below 100 and very short texts occur in many places by chance, so they are bound only to a tool
    parameter of the param's name. `Param(2, bind=["fill.text"])` binds 2 wherever it is a whole value or a word in
    the argument `text` of the tool `fill`.

    Args:
        value: The param's value in this run.
        bind: The arguments that get it, each as "tool.argument".

    Raises:
        InvalidTypeError: If `bind` does not consist of strings, or the value is a Param itself.
        InvalidValueError: If a string in `bind` does not name a tool and an argument.
    """

    __module__ = "muscle_mem"

    __slots__ = ("_bind", "_value")
    _bind: tuple[str, ...]
    _value: T

    def __init__(self, value: T, bind: Iterable[str] = ()) -> None:
        if isinstance(value, Param):
            raise InvalidTypeError("invalid Param: expected a value, got a Param. Name all arguments in one bind=")
        if isinstance(bind, str | bytes) or not isinstance(bind, Iterable):
            raise InvalidTypeError(
                f"invalid bind=: expected a list of strings, got {bind!r:.60}. Pass for example bind=['fill.text']"
            )
        found = tuple(bind)
        for place in found:
            if not isinstance(place, str):
                raise InvalidTypeError(f"invalid bind=: expected strings, got {place!r:.60}")
            tool, _, argument = place.rpartition(".")
            if not tool or not argument:
                raise InvalidValueError(
                    f"invalid bind=: expected 'tool.argument', got {place!r:.60}. Name the tool and its argument"
                )
        self._value = value
        self._bind = found

    @property
    def value(self) -> T:
        """The param's value in this run."""
        return self._value

    @property
    def bind(self) -> tuple[str, ...]:
        """The arguments that get the value, each as "tool.argument"."""
        return self._bind

    def __repr__(self) -> str:
        return f"Param({self._value!r}, bind={list(self._bind)!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Param):
            return NotImplemented
        return bool(self._value == other._value) and self._bind == other._bind

    def __hash__(self) -> int:
        return hash((Param, self._bind))

    def __init_subclass__(cls, **kwargs: Any) -> NoReturn:
        raise InvalidTypeError("cannot subclass Param: it is final. Create a Param instead")
