"""Registration of the classes in a program's annotations with the codec."""

from __future__ import annotations

import enum
import typing
from typing import Any, Final

from .registry import ENUM, MODEL, REGISTERED, note_annotated, shape_of

_MAX_ANNOTATIONS: Final = 10_000  # annotations per call, because some types unfold forever


def add_known_classes(annotation: Any) -> None:
    """Make the classes of an annotation known to `decode`.

    These are dataclasses, Enums, NamedTuples and pydantic classes. The function walks Optional, unions, containers,
    Annotated, NewType, TypeVar bounds, type aliases and the fields of the classes that it finds. It ignores a string,
    which typing.get_type_hints must resolve first. It never raises.
    """
    waiting, seen = [annotation], set[int]()
    kept: list[Any] = []  # References, so that no id is reused.
    while waiting and len(kept) < _MAX_ANNOTATIONS:
        this = waiting.pop()
        if id(this) in seen:
            continue
        seen.add(id(this))
        kept.append(this)
        try:
            waiting += _nested_annotations(this)
        except Exception:  # An annotation can be any object, whose methods may raise.
            continue


def _nested_annotations(annotation: Any) -> list[Any]:
    if annotation is None or isinstance(annotation, str | bytes | int | typing.ForwardRef):
        return []
    if isinstance(annotation, list | tuple):
        return list(annotation)
    if isinstance(annotation, enum.Enum):
        return [type(annotation)]
    origin = typing.get_origin(annotation)
    if origin is not None:
        found = list(typing.get_args(annotation))
        return found[:1] if origin is typing.Annotated else [origin, *found]
    if isinstance(annotation, type):
        return _fields(annotation)
    found = [getattr(annotation, name, None) for name in ("__value__", "__supertype__", "__bound__")]
    return [*found, *getattr(annotation, "__constraints__", ())]


def _fields(cls: type) -> list[Any]:
    if cls.__module__ in ("builtins", "typing", "datetime", "collections.abc"):
        return []
    shape = shape_of(cls)
    if shape is not None:
        note_annotated(shape)
    if shape is None or shape.kind in (ENUM, REGISTERED):
        return []
    if shape.kind == MODEL:
        return [field.annotation for field in cls.__pydantic_fields__.values()]  # type: ignore[attr-defined] # pydantic
    try:
        return list(typing.get_type_hints(cls, include_extras=True).values())
    except Exception:  # One unresolvable name would hide all other hints.
        hints: list[Any] = []
        for base in cls.__mro__:
            hints += vars(base).get("__annotations__", {}).values()
        return hints
