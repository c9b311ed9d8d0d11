"""Classes made known to the codec by the annotations of the program itself."""

from __future__ import annotations

import enum
import typing
from typing import Any, Final

from .registry import ENUM, MODEL, REGISTERED, shape_of

_MAX_ANNOTATIONS: Final = 10_000  # annotations of one call; a guard against types that unfold forever


def add_known_classes(annotation: Any) -> None:
    """Make the dataclasses, Enums, NamedTuples and pydantic classes of an annotation known to `decode`.

    Walks Optional, unions, containers, Annotated, NewType, TypeVar bounds, type aliases and the fields of the
    classes found. A string is ignored: resolve it with typing.get_type_hints first. Never raises.
    """
    waiting, seen = [annotation], set[int]()
    kept: list[Any] = []  # so that no id is used twice
    while waiting and len(kept) < _MAX_ANNOTATIONS:
        this = waiting.pop()
        if id(this) in seen:
            continue
        seen.add(id(this))
        kept.append(this)
        try:
            waiting += _nested_annotations(this)
        except Exception:  # an annotation can be any object, and any of them may raise
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
    if shape is None or shape.kind in (ENUM, REGISTERED):
        return []
    if shape.kind == MODEL:
        return [field.annotation for field in cls.__pydantic_fields__.values()]  # type: ignore[attr-defined] # pydantic
    try:
        return list(typing.get_type_hints(cls, include_extras=True).values())
    except Exception:  # one name that cannot be resolved would hide all the others
        hints: list[Any] = []
        for base in cls.__mro__:
            hints += vars(base).get("__annotations__", {}).values()
        return hints
