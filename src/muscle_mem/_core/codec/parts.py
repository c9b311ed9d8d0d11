"""Instances of known classes, split into named parts and rebuilt from them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

from ...errors import UnknownTypeError
from .refusal import Refusal
from .registry import MODEL, ROW, Shape

_MISSING: Final = object()


# --- splitting --------------------------------------------------------------------------------------------


def object_fields(shape: Shape, value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass, attrs or Struct instance.

    Raises Refusal if some of its data would be lost.
    """
    if shape.style == "dict" and not shape.slots:
        held = value.__dict__
        if len(held) == len(shape.fields):
            try:
                return {name: held[name] for name in shape.fields}
            except KeyError:
                pass  # The code below reports the missing field.
    found = {}
    for name in shape.fields:
        found[name] = got = getattr(value, name, _MISSING)
        if got is _MISSING:
            raise Refusal(f"has a field {name!r} that is not set")
    refuse_extras(shape, value)
    for slot in shape.slots:
        if getattr(value, slot.__name__, _MISSING) is not _MISSING:
            raise Refusal(f"has an attribute {slot.__name__!r} that is not a field")
    return found


def refuse_extras(shape: Shape, value: Any) -> None:
    """Refuse attributes that are not fields.

    The value of a cached_property is allowed, because it can be computed again.
    """
    for name in getattr(value, "__dict__", ()):
        if (name in shape.keys and shape.kind != ROW) or name == "__orig_class__":  # Box[int](...) sets it.
            continue
        if not isinstance(getattr(shape.cls, name, None), functools.cached_property):
            raise Refusal(f"has an attribute {name!r} that is not a field")


def row_items(shape: Shape, value: Any) -> tuple[Any, ...]:
    """Return the items of a NamedTuple.

    Raises Refusal if their number differs from that of its fields.
    """
    items = tuple(tuple.__iter__(value))
    if len(items) != len(shape.fields):
        raise Refusal(f"has {len(items)} items for {len(shape.fields)} fields")
    refuse_extras(shape, value)
    return items


def model_parts(shape: Shape, value: Any) -> tuple[dict[str, Any], Any, Any, Any]:
    """Return the parts of a pydantic model.

    These are its fields, extra values, private values and the names of the fields that were set (None for all).
    """
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


# --- building ---------------------------------------------------------------------------------------------


def adapt_fields(shape: Shape, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored fields adapted to the current class.

    Raises UnknownTypeError if the class has changed too much.
    """
    if shape.kind == MODEL:
        for field_name, field in shape.cls.model_fields.items():  # type: ignore[attr-defined] # pydantic
            if not field.is_required():
                shape.defaults[field_name] = functools.partial(field.get_default, call_default_factory=True)
    unknown = [name for name in values if name not in shape.keys]
    if shape.style == "struct":
        missing = []  # The constructor of a Struct applies its defaults.
    else:
        missing = [name for name in shape.fields if name not in values and name not in shape.defaults]
    if unknown or missing:
        raise incompatible_class(shape, f"removed fields {unknown}, new fields without a default {missing}")
    return {
        name: values[name] if name in values else shape.defaults[name]()
        for name in shape.fields
        if name in values or shape.style != "struct"
    }


def incompatible_class(shape: Shape, reason: str) -> UnknownTypeError:
    """Return the error for a class that does not fit the stored data any more."""
    return UnknownTypeError(
        f"cannot decode an instance of {shape.name!r}: the class has changed ({reason})", shape.name
    )


def build_object(shape: Shape, values: Mapping[str, Any]) -> Any:
    """Return an instance with these fields.

    `__init__` and `__post_init__` do not run, except those of a Struct.
    """
    if values.keys() != shape.keys:
        values = adapt_fields(shape, values)
    if shape.style == "struct":
        try:
            return shape.cls(**values)
        except TypeError as error:
            raise incompatible_class(shape, str(error)) from None
    made: Any = object.__new__(shape.cls)
    if shape.style == "dict":
        # __setattr__ raises in frozen classes and runs code in others.
        made.__dict__.update({name: values[name] for name in shape.fields})
    else:
        for name in shape.fields:
            object.__setattr__(made, name, values[name])
    return made


def build_row(shape: Shape, values: Mapping[str, Any]) -> Any:
    """Return a NamedTuple with these fields."""
    if values.keys() != shape.keys:
        values = adapt_fields(shape, values)
    return tuple.__new__(shape.cls, [values[name] for name in shape.fields])


def build_model(shape: Shape, values: Mapping[str, Any], extra: Any, private: Any, chosen: Any) -> Any:
    """Return a pydantic model with these parts.

    Validators and model_post_init do not run.
    """
    if values.keys() != shape.keys:
        values = adapt_fields(shape, values)
    known_private = shape.cls.__private_attributes__  # type: ignore[attr-defined] # pydantic
    if private is not None and not private.keys() <= known_private.keys():
        raise incompatible_class(shape, f"expected private attributes {sorted(private)}, got {sorted(known_private)}")
    made: Any = object.__new__(shape.cls)
    object.__setattr__(made, "__dict__", {name: values[name] for name in shape.fields})
    object.__setattr__(made, "__pydantic_extra__", extra)
    object.__setattr__(made, "__pydantic_private__", private)
    object.__setattr__(
        made, "__pydantic_fields_set__", set(shape.keys.union(extra or ())) if chosen is None else set(chosen)
    )
    return made
