"""Instances of known classes taken apart into named parts, and built again without running their code."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

from ...errors import UnknownTypeError
from .refusal import Refusal
from .registry import MODEL, ROW, Shape

_MISSING: Final = object()


# --- taking apart -----------------------------------------------------------------------------------------


def object_fields(shape: Shape, value: Any) -> dict[str, Any]:
    """The fields of a dataclass, attrs or Struct instance. Raises Refusal where something would be lost."""
    if shape.style == "dict" and not shape.slots:
        held = value.__dict__
        if len(held) == len(shape.fields):
            try:
                return {name: held[name] for name in shape.fields}
            except KeyError:
                pass  # reported below
    found = {}
    for name in shape.fields:
        found[name] = got = getattr(value, name, _MISSING)
        if got is _MISSING:
            raise Refusal(f"has a field {name!r} that is not set")
    refuse_extras(shape, value)
    for slot in shape.slots:
        if getattr(value, slot.__name__, _MISSING) is not _MISSING:
            raise Refusal(f"holds an attribute {slot.__name__!r} that is not a field")
    return found


def refuse_extras(shape: Shape, value: Any) -> None:
    """Refuse attributes beside the fields, save those that a cached_property will compute again."""
    for name in getattr(value, "__dict__", ()):
        if (name in shape.keys and shape.kind != ROW) or name == "__orig_class__":  # Box[int](...) leaves that
            continue
        if not isinstance(getattr(shape.cls, name, None), functools.cached_property):
            raise Refusal(f"holds an attribute {name!r} that is not a field")


def row_items(shape: Shape, value: Any) -> tuple[Any, ...]:
    """The items of a NamedTuple. Raises Refusal if it holds more or fewer than its fields."""
    items = tuple(tuple.__iter__(value))
    if len(items) != len(shape.fields):
        raise Refusal(f"holds {len(items)} items for {len(shape.fields)} fields")
    refuse_extras(shape, value)
    return items


def model_parts(shape: Shape, value: Any) -> tuple[dict[str, Any], Any, Any, Any]:
    """Fields, extra, private and names of the fields set (None: all of them) of a pydantic model."""
    held = value.__dict__
    missing = next((name for name in shape.fields if name not in held), None)
    if missing is not None:
        raise Refusal(f"has a field {missing!r} that is not set")
    if len(held) != len(shape.fields):
        refuse_extras(shape, value)
    extra, private = value.__pydantic_extra__, value.__pydantic_private__
    named = shape.keys.union(extra) if extra else shape.keys
    chosen = value.__pydantic_fields_set__
    return (
        {name: held[name] for name in shape.fields},
        extra,
        private,
        None if chosen == named else frozenset(chosen),
    )


# --- putting together -------------------------------------------------------------------------------------


def adapt_fields(shape: Shape, values: Mapping[str, Any]) -> dict[str, Any]:
    """Stored fields as the class has them now. Raises UnknownTypeError if the class has changed too much."""
    if shape.kind == MODEL:
        for field_name, field in shape.cls.model_fields.items():  # type: ignore[attr-defined] # pydantic
            if not field.is_required():
                shape.defaults[field_name] = functools.partial(field.get_default, call_default_factory=True)
    unknown = [name for name in values if name not in shape.keys]
    if shape.style == "struct":
        missing = []  # its constructor knows the defaults
    else:
        missing = [name for name in shape.fields if name not in values and name not in shape.defaults]
    if unknown or missing:
        raise incompatible_class(shape, f"fields no longer there: {unknown}, new fields without a default: {missing}")
    return {
        name: values[name] if name in values else shape.defaults[name]()
        for name in shape.fields
        if name in values or shape.style != "struct"
    }


def incompatible_class(shape: Shape, reason: str) -> UnknownTypeError:
    """The error for a class that no longer fits what was stored."""
    return UnknownTypeError(f"the class {shape.name} has changed since this was stored: {reason}", shape.name)


def build_object(shape: Shape, values: Mapping[str, Any]) -> Any:
    """An instance with these fields; no __init__ and no __post_init__ runs (save a Struct's)."""
    if values.keys() != shape.keys:
        values = adapt_fields(shape, values)
    if shape.style == "struct":
        try:
            return shape.cls(**values)
        except TypeError as error:
            raise incompatible_class(shape, str(error)) from None
    made: Any = object.__new__(shape.cls)
    if shape.style == "dict":
        # Not through __setattr__: frozen classes refuse it and others run code in it.
        made.__dict__.update({name: values[name] for name in shape.fields})
    else:
        for name in shape.fields:
            object.__setattr__(made, name, values[name])
    return made


def build_row(shape: Shape, values: Mapping[str, Any]) -> Any:
    """A NamedTuple with these fields."""
    if values.keys() != shape.keys:
        values = adapt_fields(shape, values)
    return tuple.__new__(shape.cls, [values[name] for name in shape.fields])


def build_model(shape: Shape, values: Mapping[str, Any], extra: Any, private: Any, chosen: Any) -> Any:
    """A pydantic model with these parts; no validator and no model_post_init runs."""
    if values.keys() != shape.keys:
        values = adapt_fields(shape, values)
    known_private = shape.cls.__private_attributes__  # type: ignore[attr-defined] # pydantic
    if private is not None and not private.keys() <= known_private.keys():
        raise incompatible_class(
            shape, f"private attributes are {sorted(known_private)}, stored were {sorted(private)}"
        )
    made: Any = object.__new__(shape.cls)
    object.__setattr__(made, "__dict__", {name: values[name] for name in shape.fields})
    object.__setattr__(made, "__pydantic_extra__", extra)
    object.__setattr__(made, "__pydantic_private__", private)
    object.__setattr__(
        made, "__pydantic_fields_set__", set(shape.keys.union(extra or ())) if chosen is None else set(chosen)
    )
    return made
