"""The mappings of the standard library besides dict.

They are OrderedDict, defaultdict, Counter and SimpleNamespace. Only the exact types are storable, with nothing but
their items.
"""

from __future__ import annotations

import types
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

from ...errors import DecodeError
from .leaves import COUNTER, DEFAULT_DICT, ORDERED_DICT, require
from .refusal import Refusal

NAMESPACE_KIND: Final = "SimpleNamespace\0types:SimpleNamespace"
"""The beginning of a namespace's kind. The names of its attributes follow, as the fields do for a dataclass."""

TAGS: Final[dict[type, int]] = {OrderedDict: ORDERED_DICT, defaultdict: DEFAULT_DICT, Counter: COUNTER}
SORTED: Final = (defaultdict, Counter)
"""The mappings that are equal in any order. Two OrderedDicts are equal only in the same order."""

# A factory is code, so only those of a closed set are stored, by name.
_FACTORIES: Final[dict[str, Callable[[], Any] | None]] = {
    "": None,
    **{made.__name__: made for made in (list, dict, set, int, float, str, bool, tuple, bytes, Counter, OrderedDict)},
}
_FACTORY_NAMES: Final = {id(made): name for name, made in _FACTORIES.items()}


def pairs_of(value: Any) -> list[tuple[Any, Any]]:
    """Return the items of a mapping.

    Raises Refusal if it has other attributes, which would be lost.
    """
    if getattr(value, "__dict__", None):
        raise Refusal(f"has an attribute {next(iter(vars(value)))!r} besides its items")
    return list(value.items())


def factory_name(value: Any) -> str:
    """Return the stored name of a defaultdict's factory. Raises Refusal."""
    name = _FACTORY_NAMES.get(id(value.default_factory))
    if name is None:
        raise Refusal("is storable only with a default_factory such as list, int or dict; convert it to a dict")
    return name


def attributes_of(value: types.SimpleNamespace) -> dict[str, Any]:
    """Return the attributes of a namespace.

    Raises Refusal for names that a kind cannot hold.
    """
    held = value.__dict__
    if not all(type(name) is str and "\0" not in name for name in held):
        raise Refusal("is storable only with attributes that have plain names")
    return held


def build(tag: int, factory: Any, items: Sequence[Any]) -> Any:
    """Return the mapping of a tag with these keys and values in turn.

    `factory` is the stored name of a defaultdict's factory; the others have None. Raises DecodeError.
    """
    require(len(items) % 2 == 0, "mapping without a last value")
    made: Any
    if tag == DEFAULT_DICT:
        require(type(factory) is str and factory in _FACTORIES, "default_factory")
        made = defaultdict(_FACTORIES[factory])
    else:
        made = OrderedDict() if tag == ORDERED_DICT else Counter()
    for key, item in zip(items[::2], items[1::2], strict=True):
        dict.__setitem__(made, key, item) if tag != ORDERED_DICT else made.__setitem__(key, item)
    require(len(made) * 2 == len(items), "mapping with equal keys")
    return made


def unfold_mapping(value: Any) -> tuple[str, tuple[object, ...]] | None:
    """Return the kind and the children of a mapping of this module.

    Return None for any other value. Raises Refusal if the mapping is not storable.
    """
    kind = type(value)
    if kind in TAGS:
        label = kind.__name__ if kind is not defaultdict else f"defaultdict\0{factory_name(value)}"
        return label, tuple([part for pair in pairs_of(value) for part in pair])
    if kind is types.SimpleNamespace:
        held = attributes_of(value)
        return "\0".join((NAMESPACE_KIND, *held)), tuple(held.values())
    return None


def is_mapping_kind(kind: str) -> bool:
    """Return whether the children of a kind are keys and values in turn."""
    return kind.partition("\0")[0] in _TAGS_BY_LABEL


_TAGS_BY_LABEL: Final = {"dict": 0, **{cls.__name__: tag for cls, tag in TAGS.items()}}


def fold_mapping(kind: str, children: Sequence[Any]) -> Any:
    """Return the mapping of a kind, with these children.

    Return None for a kind of another module. Raises DecodeError.
    """
    label, _, rest = kind.partition("\0")
    if label in _TAGS_BY_LABEL and label != "dict":
        return build(_TAGS_BY_LABEL[label], rest if label == "defaultdict" else None, children)
    if label != "SimpleNamespace":
        return None
    names = rest.split("\0")[1:]
    if len(names) != len(children):
        raise DecodeError(f"cannot build a SimpleNamespace: expected {len(names)} values, got {len(children)}")
    made = types.SimpleNamespace()
    made.__dict__.update(zip(names, children, strict=True))
    return made
