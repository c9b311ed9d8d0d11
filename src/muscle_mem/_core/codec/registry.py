"""The classes that the codec knows, and the stored form of each."""

from __future__ import annotations

import dataclasses
import enum
import functools
import sys
import types
import weakref
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any, Final

import msgspec

from ...errors import InvalidTypeError
from ..model.secret import Secret
from .leaves import LEAVES, rare_leaf

OBJECT: Final = "dataclass"  # dataclass, attrs class, msgspec Struct: named fields
ROW: Final = "namedtuple"
MODEL: Final = "pydantic"
ENUM: Final = "enum"
REGISTERED: Final = "registered"

_BUILT_IN: Final = frozenset(LEAVES) | {
    type(None),
    bool,
    int,
    float,
    str,
    bytes,
    list,
    tuple,
    dict,
    set,
    frozenset,
    OrderedDict,
    defaultdict,
    Counter,
    types.SimpleNamespace,
}
_HEAP_TYPE: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class made by a class statement


class Shape:
    """The stored form of one class; `fields` are in the order of the class."""

    __slots__ = (
        "cls",
        "decode",
        "defaults",
        "encode",
        "fields",
        "frozen",
        "keys",
        "kind",
        "name",
        "slots",
        "style",
    )

    def __init__(self, cls: type, kind: str, name: str = "", fields: tuple[str, ...] = (), style: str = "") -> None:
        self.cls = cls
        self.kind = kind
        self.name = name or class_name(cls)
        self.fields = fields
        self.keys = frozenset(fields)
        self.style = style  # OBJECT only: "dict", "slots" or "struct"
        self.slots: tuple[types.MemberDescriptorType, ...] = ()  # slots that are not fields
        self.defaults: dict[str, Callable[[], Any]] = {}
        self.frozen = False
        self.encode: Callable[[Any], Any] | None = None
        self.decode: Callable[[Any], Any] | None = None


def class_name(cls: type) -> str:
    """Return the name under which instances of `cls` are stored, `module:qualname`."""
    return f"{cls.__module__}:{cls.__qualname__}"


def display_name(cls: type) -> str:
    """Return the name of `cls` for messages."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


# --- the registry -----------------------------------------------------------------------------------------

_current: dict[type, Shape] = {}  # the latest class of each name, and every registered class
_by_name: dict[str, Shape] = {}
_registered: dict[str, Shape] = {}
_superseded: weakref.WeakSet[type] = weakref.WeakSet()  # a later class has the same name
_annotated: dict[str, set[str]] = {}  # the modules of the classes in annotations, by qualified name


def shape_of(cls: type) -> Shape | None:
    """Return the shape of a class; None for a class that is not storable.

    The class becomes known to `decode`.
    """
    shape = _current.get(cls)
    if shape is None:
        shape = _inspect(cls)
        if shape is not None and cls not in _superseded:
            _register_shape(shape)
    return shape


def known_class(name: str) -> Shape | None:
    """Return the class that was last seen under a stored name.

    A module has another name when it runs as a script. So a class that was stored under `__main__` is the one class of
    this qualified name in the annotations of this process, and the other way round.
    """
    shape = _by_name.get(name)
    if shape is None:
        module, _, qualname = name.partition(":")
        other = _other_module(module, _annotated.get(qualname, set()))
        shape = _by_name.get(f"{other}:{qualname}") if other else None
    return shape


def registration(name: str) -> Shape | None:
    """Return the registration under a stored name.

    The module may run as a script here, or did so then.
    """
    shape = _registered.get(name)
    if shape is None:
        module, _, qualname = name.partition(":")
        known = {other.rpartition(":")[0] for other in _registered if other.rpartition(":")[2] == qualname}
        other = _other_module(module, known)
        shape = _registered.get(f"{other}:{qualname}") if other else None
    return shape


def note_annotated(shape: Shape) -> None:
    """Note that a class is in an annotation of a tool or check."""
    module, _, qualname = shape.name.partition(":")
    _annotated.setdefault(qualname, set()).add(module)


def is_same_class_name(one: str, two: str) -> bool:
    """Return whether two stored names can be names of one class.

    Its module runs as a script or is imported.
    """
    if one == two:
        return True
    (module, _, qualname), (other, _, name) = one.partition(":"), two.partition(":")
    return qualname == name and "__main__" in (module, other)


def _other_module(module: str, known: set[str]) -> str:
    """Return the module that has the classes of `module` in this process.

    Return an empty text if that is not certain.
    """
    others = known - {"__main__", "builtins"}
    if module == "__main__":
        return next(iter(others)) if len(others) == 1 else ""
    return "__main__" if "__main__" in known and not others and module.split(".")[-1] in _script_names() else ""


def _script_names() -> set[str]:
    """Return the import names of the script of this process, without packages."""
    script = sys.modules.get("__main__")
    spec, file = getattr(script, "__spec__", None), getattr(script, "__file__", None)
    names = {str(getattr(spec, "name", "")).removesuffix(".__main__").split(".")[-1]}
    if not isinstance(file, str):
        return names
    import pathlib  # Few programs get here.

    return names | {pathlib.Path(file).stem}


def register(
    cls: type,
    *,
    encode: Callable[[Any], Any] | None = None,
    decode: Callable[[Any], Any] | None = None,
    name: str | None = None,
) -> None:
    """Make instances of exactly this class storable.

    Without `encode` and `decode`, a dataclass, Enum, NamedTuple or pydantic class becomes known for decoding. A later
    registration of the same class or name replaces the earlier one.

    Args:
        cls: The class.
        encode: A function that returns a storable substitute for an instance. It requires `decode`.
        decode: A function that returns the instance for a substitute. It requires `encode`.
        name: The stored name; `module:qualname` by default. A fixed name keeps recordings readable if the class moves.

    Raises:
        InvalidTypeError: If an argument has the wrong type, or the class cannot be registered.
    """
    if not isinstance(cls, type):
        raise InvalidTypeError(f"invalid register(cls=): expected a class, got {cls!r}")
    if cls is Secret:
        raise InvalidTypeError("invalid register(cls=): a Secret is never stored. Register another class")
    if cls in _BUILT_IN or rare_leaf(cls) is not None:
        raise InvalidTypeError(f"invalid register(cls=): {display_name(cls)} is storable already. Remove the call")
    if name is not None and (not isinstance(name, str) or not name):
        raise InvalidTypeError(f"invalid register(name=): expected a string that is not empty, got {name!r}")
    if (encode is None) != (decode is None):
        raise InvalidTypeError(f"invalid register({display_name(cls)}): expected both encode= and decode=, or neither")
    for role, function in (("encode", encode), ("decode", decode)):
        if function is not None and not callable(function):
            raise InvalidTypeError(f"invalid register({role}=): expected a function, got {function!r}")
    _superseded.discard(cls)
    if encode is not None:
        shape = Shape(cls, REGISTERED, name or "")
        shape.encode, shape.decode = encode, decode
        _registered[shape.name] = shape
        _current[cls] = shape
        return
    found = _inspect(cls)
    if found is None:
        raise InvalidTypeError(
            f"invalid register(cls=): {display_name(cls)} {reason_not_storable(cls)}. Pass encode= and decode="
        )
    found.name = name or found.name
    _register_shape(found)


register.__module__ = "muscle_mem"


def _register_shape(shape: Shape) -> None:
    older = _by_name.get(shape.name)
    if older is not None and older.cls is not shape.cls and _current.get(older.cls) is older:
        del _current[older.cls]
        _superseded.add(older.cls)
    _by_name[shape.name] = shape
    _current[shape.cls] = shape


def snapshot() -> tuple[Any, ...]:
    """Return the state of the registry, so that a test can restore it."""
    return dict(_current), dict(_by_name), dict(_registered), set(_superseded), dict(_annotated)


def restore(saved: tuple[Any, ...]) -> None:
    """Set the registry to a state that `snapshot` returned."""
    registers: tuple[Any, ...] = (_current, _by_name, _registered, _superseded, _annotated)
    for live, old in zip(registers, saved, strict=True):
        live.clear()
        live.update(old)


# --- shapes of classes ------------------------------------------------------------------------------------


def _inspect(cls: type) -> Shape | None:
    if enum.Enum in cls.__mro__:
        return Shape(cls, ENUM)
    if _is_model(cls):
        return Shape(cls, MODEL, fields=tuple(cls.model_fields))  # type: ignore[attr-defined] # pydantic
    if msgspec.Struct in cls.__mro__:
        return Shape(cls, OBJECT, fields=cls.__struct_fields__, style="struct")  # type: ignore[attr-defined] # msgspec
    if tuple in cls.__mro__:
        return _row_shape(cls)
    fields = _field_names(cls)
    if fields is None or _builtin_base(cls) or _descriptor_field(cls, fields):
        return None
    return _object_shape(cls, fields)


def reason_not_storable(cls: type) -> str:
    """Return why instances of a class are not storable.

    The text is a predicate, to be appended to the name of the class.
    """
    if cls is Secret:
        return "is a secret, which is never stored"
    fields = _field_names(cls)
    if fields is not None and (base := _builtin_base(cls)):
        return f"is a dataclass that derives from {display_name(base)}, so its fields are not all its data"
    if fields is not None and (odd := _descriptor_field(cls, fields)):
        return f"has a field {odd!r} that is a descriptor"
    for base in cls.__mro__[1:-1]:
        if base.__module__ in ("builtins", "datetime", "decimal", "uuid"):
            return f"is not storable (it derives from {display_name(base)}, but only the exact type is)"
    return "is not storable"


def _is_model(cls: type) -> bool:
    # Reading BaseModel from the package would import the submodule.
    base = getattr(sys.modules.get("pydantic.main"), "BaseModel", None)
    return base in cls.__mro__ and cls is not base and hasattr(base, "model_fields")


def _row_shape(cls: type) -> Shape | None:
    fields = getattr(cls, "_fields", None)
    if type(fields) is not tuple or not all(type(field) is str for field in fields):
        return None
    shape = Shape(cls, ROW, fields=fields)
    for name, default in dict(getattr(cls, "_field_defaults", {})).items():
        shape.defaults[name] = functools.partial(_identity, default)
    return shape


def _object_shape(cls: type, fields: tuple[str, ...]) -> Shape:
    slots = {
        name: member
        for base in cls.__mro__
        for name, member in vars(base).items()
        if isinstance(member, types.MemberDescriptorType)
    }
    in_dict = cls.__dictoffset__ != 0 and slots.keys().isdisjoint(fields)
    shape = Shape(cls, OBJECT, fields=fields, style="dict" if in_dict else "slots")
    shape.slots = tuple(member for name, member in slots.items() if name not in fields)
    if dataclasses.is_dataclass(cls):
        shape.frozen = bool(cls.__dataclass_params__.frozen)  # type: ignore[attr-defined] # a dataclass
        for field in dataclasses.fields(cls):
            if field.default_factory is not dataclasses.MISSING:
                shape.defaults[field.name] = field.default_factory
            elif field.default is not dataclasses.MISSING:
                shape.defaults[field.name] = functools.partial(_identity, field.default)
    return shape


def _identity(value: Any) -> Any:
    return value


def _field_names(cls: type) -> tuple[str, ...] | None:
    if dataclasses.is_dataclass(cls):
        return tuple(field.name for field in dataclasses.fields(cls))
    attributes = getattr(cls, "__attrs_attrs__", None)
    if isinstance(attributes, tuple):
        return tuple(attribute.name for attribute in attributes)
    return None


def _builtin_base(cls: type) -> type | None:
    """Return a builtin base whose content is not in the fields.

    Examples are dict, list and Exception.
    """
    return next((base for base in cls.__mro__ if base is not object and not base.__flags__ & _HEAP_TYPE), None)


def _descriptor_field(cls: type, fields: tuple[str, ...]) -> str | None:
    """Return a field that is a property or another descriptor.

    Reading it would run code, and the result need not be the stored data.
    """
    for field in fields:
        found = next((vars(base)[field] for base in cls.__mro__ if field in vars(base)), None)
        if hasattr(type(found), "__set__") and not isinstance(found, types.MemberDescriptorType):
            return field
    return None
