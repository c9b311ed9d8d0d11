"""Containers taken apart and rebuilt, one level at a time.

Other packages use this to replace leaves and keep the types of the containers.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from collections.abc import Sequence
from typing import Any, Final

from ...errors import DecodeError, UnknownTypeError
from .arrays import is_immutable_scalar
from .leaves import rare_leaf
from .mappings import fold_mapping, is_mapping_kind, unfold_mapping
from .pandas_values import is_pandas_scalar
from .parts import build_model, build_object, build_row, model_parts, object_fields, row_items
from .reader import read_tree
from .registry import MODEL, OBJECT, ROW, Shape, known_class, shape_of
from .unknown import Record
from .writer import MAX_DEPTH, Writer, pack

_IMMUTABLE_TYPES: Final = frozenset(
    {type(None), bool, int, float, complex, str, bytes, type(...), range, decimal.Decimal}
    | {
        datetime.date,
        datetime.time,
        datetime.datetime,
        datetime.timedelta,
        datetime.timezone,
    }
    | {uuid.UUID}
)

_LEAVES = frozenset({str, int, bool, float, type(None), bytes})


def unfold(value: object) -> tuple[str, tuple[object, ...]] | None:
    """Return the kind and the children of a container.

    The result is None for a leaf or a value that is not storable. A dict's children are k1, v1, k2, v2. A set's are in
    a fixed order. OrderedDict, defaultdict and Counter are like a dict. Those of a dataclass, SimpleNamespace,
    NamedTuple or pydantic model are its fields, and for a model its extra and private values too.
    """
    kind = type(value)
    if kind in _LEAVES:
        return None
    if kind is list or kind is tuple:
        return kind.__name__, tuple(value)  # type: ignore[arg-type] # a list or tuple
    if kind is dict:
        return "dict", tuple([part for pair in value.items() for part in pair])  # type: ignore[attr-defined] # a dict
    if kind is set or kind is frozenset:
        return kind.__name__, _sorted_items(value)
    try:
        mapping = unfold_mapping(value)
        if mapping is not None:
            return mapping
        shape = shape_of(kind)
        if shape is None or shape.kind not in (OBJECT, ROW, MODEL):
            return None
        label = "\0".join((shape.kind, shape.name, *shape.fields))
        if shape.kind == MODEL:
            return _unfold_model(label, shape, value)
        return label, _children(shape, value)
    except Exception:  # After a Refusal or an error in a property, the children are unknown.
        return None


def fields_of(value: Any) -> dict[str, Any] | None:
    """Return the named fields of a dataclass, NamedTuple, model or the like.

    None for any other value.

    An instance of a class that is not known here has the fields that were stored.
    """
    if type(value) is Record:
        return dict(value.__record__[3])
    try:
        shape = shape_of(type(value))
        if shape is None or shape.kind not in (OBJECT, ROW, MODEL):
            return None
        if shape.kind == ROW:
            return dict(zip(shape.fields, row_items(shape, value), strict=True))
        if shape.kind == MODEL:
            fields, extra, _, _ = model_parts(shape, value)
            return {**fields, **(extra or {})}
        return object_fields(shape, value)
    except Exception:  # After a Refusal or an error in a property, the fields are unknown.
        return None


def _children(shape: Shape, value: Any) -> tuple[object, ...]:
    return row_items(shape, value) if shape.kind == ROW else tuple(object_fields(shape, value).values())


def _unfold_model(label: str, shape: Shape, value: Any) -> tuple[str, tuple[object, ...]]:
    # The names of extra, private and given fields are not content that could be replaced, so they go into the kind.
    fields, extra, private, chosen = model_parts(shape, value)
    names = [
        part if part is None else [_to_bytes(name) for name in part]
        for part in (extra, private, chosen and sorted(chosen))
    ]
    children = (*fields.values(), *(extra or {}).values(), *(private or {}).values())
    return f"{label}\0\0{pack(names).hex()}", children


def _model_names(kind: str) -> tuple[list[str], list[list[str] | None]]:
    """Return the fields of a model's kind, and its other names.

    These are the names of extra, private and explicitly set fields.
    """
    label, _, rest = kind.partition("\0\0")
    parts = read_tree(bytes.fromhex(rest))
    names = [part if part is None else [_to_text(name) for name in part] for part in parts]
    return label.split("\0")[2:], names


def _to_bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _to_text(name: bytes) -> str:
    return name.decode("utf-8", "surrogatepass")


def _sorted_items(items: Any) -> tuple[object, ...]:
    try:
        return tuple(sorted(items, key=lambda item: pack(Writer(True, True, 200_000, 2**24).put(item, 1))))
    except Exception:  # Items that are not storable have no fixed order.
        return tuple(items)


def fold(kind: str, children: Sequence[object]) -> Any:
    """Return the container of this kind with these children.

    It has the exact type that `unfold` was given. Raises UnknownTypeError for a class that this process does not know.
    Raises DecodeError if the children do not fit: two equal keys of a dict, an unhashable item of a set, too many
    fields.
    """
    try:
        return _fold(kind, children)
    except DecodeError:
        raise
    except Exception as error:
        raise DecodeError(f"cannot build a {kind.partition(chr(0))[0]}: {error}") from error


def _fold(kind: str, children: Sequence[Any]) -> Any:
    if kind in _BUILTIN:
        return _BUILTIN[kind](children)
    if kind == "dict":
        made = dict(zip(children[::2], children[1::2], strict=True))
        if len(made) * 2 != len(children):
            raise DecodeError("cannot build a dict: two keys are equal")
        return made
    mapping = fold_mapping(kind, children)
    if mapping is not None:
        return mapping
    label, name, *fields = kind.split("\0")
    shape = known_class(name)
    if shape is None or shape.kind != label:
        raise UnknownTypeError(
            f"cannot build an instance of {name!r}: no such {label} class is known in this process", name
        )
    if label == MODEL:
        return _fold_model(shape, kind, children)
    values = dict(zip(fields, children, strict=True))
    return build_object(shape, values) if label == OBJECT else build_row(shape, values)


def _fold_model(shape: Shape, kind: str, children: Sequence[Any]) -> Any:
    fields, (extra, private, chosen) = _model_names(kind)
    waiting = iter(children)
    # The names come first and zip is not strict, so that each group takes as many children as it has names.
    parts = [None if some is None else dict(zip(some, waiting, strict=False)) for some in (fields, extra, private)]
    wanted = len(fields) + len(extra or ()) + len(private or ())
    if len(children) != wanted:
        raise DecodeError(f"cannot build an instance of {shape.name!r}: expected {wanted} values, got {len(children)}")
    return build_model(shape, parts[0] or {}, parts[1], parts[2], chosen)


def without_private(kind: str, children: Sequence[object]) -> tuple[str, tuple[object, ...]]:
    """Return a container's kind and children without private attributes.

    The container is a pydantic model.
    """
    if not kind.startswith(MODEL) or "\0\0" not in kind:
        return kind, tuple(children)
    fields, (extra, private, chosen) = _model_names(kind)
    if not private:
        return kind, tuple(children)
    names = [None if part is None else [_to_bytes(name) for name in part] for part in (extra, None, chosen)]
    label = kind.partition("\0\0")[0]
    return f"{label}\0\0{pack(names).hex()}", tuple(children[: len(fields) + len(extra or ())])


_BUILTIN: Final[dict[str, type]] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}


def child_path(kind: str, index: int, children: Sequence[object]) -> str:
    """Return the path from a container to a child, for messages.

    Examples are `[3]`, `['key']` and `.name`, and `[key 'k']` for a key of a dict.
    """
    if kind in ("list", "tuple"):
        return f"[{index}]"
    if kind in ("set", "frozenset"):
        return f"{{{index}}}"
    if is_mapping_kind(kind):
        key = _short_key(children[index - index % 2])
        return f"[{key}]" if index % 2 else f"[key {key}]"
    if kind.startswith(MODEL):
        fields, (extra, private, _) = _model_names(kind)
        return f".{[*fields, *(extra or ()), *(private or ())][index]}"
    return f".{kind.split(chr(0))[index + 2]}"


def _short_key(key: object) -> str:
    try:
        text = repr(key)
    except Exception:
        text = type(key).__name__
    return text if len(text) <= 60 else text[:57] + "..."


def is_immutable(value: object, _depth: int = 0) -> bool:
    """Return whether a value and all its parts are immutable.

    One decoded copy of such a value can be used by many replays.
    """
    kind = type(value)
    if kind in _IMMUTABLE_TYPES:
        return True
    if _depth > MAX_DEPTH:
        return False
    if kind is tuple or kind is frozenset:
        return all(is_immutable(item, _depth + 1) for item in value)  # type: ignore[attr-defined] # a tuple or frozenset
    if issubclass(type(value), enum.Enum) or is_immutable_scalar(value) or is_pandas_scalar(value) or rare_leaf(kind):
        return True
    try:
        shape = shape_of(kind)
        if shape is None or not (shape.kind == ROW or shape.frozen):
            return False
        return all(is_immutable(item, _depth + 1) for item in _children(shape, value))
    except Exception:
        return False
