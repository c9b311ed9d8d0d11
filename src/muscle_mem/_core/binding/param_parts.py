"""Parts of params: where a leaf stands in one, and how to reach it.

Another run's value is read at the same place, and conditions say what it must be equal to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ...errors import NotStorableError
from .. import codec
from ..model.records import Leafwise, ParamPath, PartOf
from ..redaction.traces import fold_text, is_small, text_forms
from .figures import rank
from .needles import Needles

MAX_DEPTH = 32
_MAX_INDEX = 2**53
_MAX_EXTREMES = 256
_MAX_TEXTS = 64
_MAX_RELATIONS = 16  # of one recording; with more, the params are valid for their own values only
_WORD = re.compile(r"[^\W_]+")
_PLAIN = frozenset({str, int, bool, type(None), bytes})
_Link = tuple[Any, Any]
_REPEATED: _Link = (None, None)


def child_parts(value: Any) -> Iterator[tuple[str | int | None, Any]] | None:
    """Return the children of a container, each with the part that leads to it.

    The part is its key, its index or its field (".name"). Return None for a leaf. A child that none of these leads to
    has None, such as an item of a set.
    """
    kind = type(value)
    if kind in _PLAIN or kind is float:
        return None
    if kind is list or kind is tuple:
        return iter(enumerate(value))
    if issubclass(type(value), dict):
        return ((key if _is_path_key(key) else None, child) for key, child in value.items())
    unfolded = codec.unfold(value)
    if unfolded is None:
        return None
    label, children = unfolded
    names = [f".{name}" for name in _field_names(label)]
    named: list[str | int | None] = [*names, *[None] * (len(children) - len(names))]
    return zip(named, children, strict=True)


def _is_path_key(key: Any) -> bool:
    return (type(key) is int and abs(key) < _MAX_INDEX) or (type(key) is str and not key.startswith("."))


def is_field(part: str | int) -> bool:
    """Return whether a part of a path is the field of an object.

    Otherwise it is the key of a dict.
    """
    return isinstance(part, str) and part.startswith(".")


def _field_names(label: str) -> list[str]:
    return label.partition("\0\0")[0].split("\0")[2:]


def _field(value: Any, name: str) -> Any:
    """Return a field of an object. Raises LookupError for any other attribute.

    A recording that others wrote may name one that leads from the object to everything in the program.
    """
    unfolded = codec.unfold(value)
    names = [] if unfolded is None else _field_names(unfolded[0])
    if unfolded is None or name not in names:
        raise LookupError(f"cannot follow {name!r} in a param: it is not a field")
    return unfolded[1][names.index(name)]


def field_name(path: ParamPath) -> str | None:
    """Return the name of the key or field that a path ends with, if it has one."""
    last = path[-1] if path else None
    return last.removeprefix(".") if isinstance(last, str) else None


def part_at(value: Any, path: ParamPath) -> Any:
    """Return the part of a param's value that a path leads to.

    Raises LookupError if there is none.
    """
    for part in path:
        kind = type(value)
        try:
            if issubclass(type(value), dict):
                value = dict(value)[part] if kind is not dict else value[part]
            elif kind is list or kind is tuple:
                value = value[part]
            elif is_field(part):
                value = _field(value, str(part)[1:])
            else:
                raise LookupError(f"cannot follow {part!r} in a param of type {kind.__name__}")
        except (AttributeError, TypeError) as error:
            raise LookupError(f"cannot follow {part!r} in a param: {error}") from error
    return value


class LeafIndex:
    """The leaves of container params by value.

    Of leaves that are equal, none is found.
    """

    __slots__ = ("_links",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._links: dict[Any, _Link] = {}
        for name, value in values.items():
            self._add(value, (None, name))

    def __bool__(self) -> bool:
        return bool(self._links)

    def _add(self, whole: Any, root: _Link) -> None:
        links = self._links
        waiting: list[tuple[Any, _Link, int]] = [(whole, root, 0)]
        while waiting:
            value, link, depth = waiting.pop()
            children = child_parts(value) if depth <= MAX_DEPTH else None
            if children is None:
                continue
            for part, child in children:
                kind = type(child)
                if kind in _PLAIN or (kind is float and child == child and child):
                    key = (kind, child)
                    links[key] = _REPEATED if part is None or key in links else (link, part)
                elif part is not None and (child_parts(child) is not None):
                    waiting.append((child, (link, part), depth + 1))
                else:
                    self._add_leaf(child, part, link)

    def _add_leaf(self, leaf: Any, part: str | int | None, link: _Link) -> None:
        try:
            data = codec.canonical(leaf)
        except NotStorableError:
            return
        self._links[data] = _REPEATED if part is None or data in self._links else (link, part)

    def find(self, value: Any) -> tuple[str, ParamPath] | None:
        """Return the param and the path of the only leaf that equals a value.

        Return None if there is not exactly one.
        """
        kind = type(value)
        try:
            is_plain = kind in _PLAIN or (kind is float and value == value and value)
            key = (kind, value) if is_plain else codec.canonical(value)
        except NotStorableError:
            return None
        link = self._links.get(key)
        if link is None or link is _REPEATED:
            return None
        path: list[str | int] = []
        while link[0] is not None:
            path.append(link[1])
            link = link[0]
        return link[1], tuple(reversed(path))


def leafwise(
    values: Mapping[str, Any], used: Mapping[str, set[ParamPath]], with_keys: Iterable[str]
) -> tuple[Leafwise, ...]:
    """Return the conditions of the params of which steps use parts.

    `used` has the empty path for a use as a whole. `with_keys` are params whose keys must be as recorded in any case.
    """
    return tuple(
        Leafwise(name, paths, rest_digest(values[name], paths), extremes_of(values[name], paths))
        for name, found in sorted(used.items())
        if (paths := tuple(sorted(found, key=repr))) != ((),) or name in with_keys
    )


def rest_digest(value: Any, paths: Sequence[ParamPath]) -> bytes:
    """Return a digest of the form of a value, and of leaves outside of these paths.

    The form consists of the types of containers and leaves, the keys and the lengths. With the empty path, no leaf
    counts.
    """
    inner = frozenset(path[:length] for path in paths for length in range(len(path)))
    return codec.digest(msgspec.msgpack.encode(_rest(value, (), frozenset(paths), inner, 0)))


def _rest(value: Any, path: ParamPath, used: frozenset[ParamPath], inner: frozenset[ParamPath], depth: int) -> Any:
    """Return what counts of a part of a param.

    `inner` are the paths to containers of used leaves.
    """
    kind = type(value)
    all_used = () in used
    name = f"{kind.__module__}:{kind.__qualname__}"
    if path and path in used:
        return name
    if path not in inner and not all_used:
        return _content(value)
    children = child_parts(value) if depth <= MAX_DEPTH else None
    if children is None:
        return name if all_used else _content(value)
    parts: list[Any] = []
    for part, child in children:
        if part is None:
            parts.append(_content(child))
        else:
            parts.append([repr(part), _rest(child, (*path, part), used, inner, depth + 1)])
    if issubclass(kind, dict):
        parts.append(sorted(_content(key) for key in value if not _is_path_key(key)))
        return [name, sorted(parts, key=msgspec.msgpack.encode)]
    return [name, parts]


def _content(value: Any) -> bytes:
    try:
        return codec.canonical(value)
    except NotStorableError:
        return type(value).__qualname__.encode("utf-8", "replace")


def has_form(value: Any, condition: Leafwise) -> bool:
    """Return whether a run's value of a param has the recorded form.

    Its leaves must be equal where no step uses them.
    """
    if rest_digest(value, condition.paths) != condition.digest:
        return False
    for path, level, sign in condition.extremes:
        extremes = _extremes(value, path[:level], path[level + 1 :])
        if extremes[sign > 0] != path[level]:
            return False
    return True


def extremes_of(value: Any, paths: Sequence[ParamPath]) -> tuple[tuple[ParamPath, int, int], ...]:
    """Return the used items of lists that are the only largest or smallest ones.

    They may be chosen for that. The smallest price of several is an example. Where a param is also used as a whole, all
    fields of the items count, since they differ from run to run.
    """
    lists: dict[tuple[ParamPath, ParamPath], set[int]] = {}
    for path in paths:
        for level, part in enumerate(path):
            if type(part) is int and type(items := part_at(value, path[:level])) in (list, tuple):
                rests = {path[level + 1 :]}
                if () in paths:
                    rests.update((key,) for key, _ in child_parts(items[part]) or () if key is not None)
                for rest in rests:
                    lists.setdefault((path[:level], rest), set()).add(part)
    found = []
    for (prefix, rest), used in lists.items():
        for sign, index in zip((-1, 1), _extremes(value, prefix, rest), strict=True):
            if index in used and index is not None:
                found.append(((*prefix, index, *rest), len(prefix), sign))
    return tuple(sorted(found, key=repr))[:_MAX_EXTREMES]


def _extremes(value: Any, prefix: ParamPath, rest: ParamPath) -> tuple[int | None, int | None]:
    """Return the indexes of the only smallest and the only largest item of a list.

    Items are ordered by what is at `rest` in each.
    """
    try:
        leaves = [part_at(item, rest) for item in part_at(value, prefix)]
    except LookupError:
        return None, None
    keys: list[Any] = [rank(leaf) for leaf in leaves] if leaves and rank(leaves[0]) is not None else [None]
    if None in keys:
        keys = [fold_text(leaf) if isinstance(leaf, str) else None for leaf in leaves]
    if len(keys) < 2 or None in keys:
        return None, None
    small, large = min(keys), max(keys)
    return (
        keys.index(small) if keys.count(small) == 1 else None,
        keys.index(large) if keys.count(large) == 1 else None,
    )


# -- E2: a param that is also a part of another param


def parts_of_others(
    scalars: Mapping[str, Any], containers: Mapping[str, Any], index: LeafIndex
) -> tuple[list[PartOf], set[str]]:
    """Return the scalar params that are parts of others, and unclear ones.

    The place of an unclear one cannot be determined. A part is a token of a text, or a leaf of a container.
    """
    found: list[PartOf] = []
    unclear: set[str] = set()
    texts = {name: text for name, value in scalars.items() if (text := _text(value))}
    by_text: dict[str, list[str]] = {}
    for name, text in texts.items():
        by_text.setdefault(text, []).append(name)
    needles = Needles(by_text)
    for whole, text in texts.items():
        spans = [match.span() for match in _WORD.finditer(text)]
        for part in set(needles.found_in(text)) - {text}:
            for words in _places(text, part, spans):
                found += (PartOf(name, whole, words=words) for name in by_text[part])
    distinctive = Needles(text for text, names in by_text.items() if not any(is_small(scalars[name]) for name in names))
    for whole, value in containers.items():
        for path, leaf in _text_leaves(value):
            folded = fold_text(leaf)
            spans = [match.span() for match in _WORD.finditer(folded)]
            for part in set(distinctive.found_in(folded)) - {folded}:
                for words in _places(folded, part, spans):
                    found += (PartOf(name, whole, path, words) for name in by_text[part])
    if containers:
        leaves = {name: {_text(leaf) for leaf in _leaves(value)} for name, value in containers.items()}
        for name, value in scalars.items():
            if is_small(value) or not texts.get(name):
                continue
            for whole in containers:
                if texts[name] in leaves[whole]:
                    place = index.find(value)
                    if place is None or place[0] != whole:
                        unclear |= {name, whole}
                    else:
                        found.append(PartOf(name, whole, place[1]))
    if len(found) > _MAX_RELATIONS:
        return [], unclear | {name for one in found for name in (one.name, one.whole)}
    return sorted(found, key=msgspec.msgpack.encode), unclear


def _text_leaves(value: Any) -> list[tuple[ParamPath, str]]:
    """Return the texts in a container with their paths.

    Return none of a container with many leaves.
    """
    found: list[tuple[ParamPath, str]] = []
    waiting: list[tuple[ParamPath, Any]] = [((), value)]
    while waiting:
        path, this = waiting.pop()
        for part, child in child_parts(this) or ():
            if part is None:
                continue
            if type(child) is str:
                found.append(((*path, part), child))
            elif type(child) not in _PLAIN:
                waiting.append(((*path, part), child))
        if len(found) + len(waiting) > _MAX_TEXTS:
            return []
    return found


def is_still_part(relation: PartOf, values: Mapping[str, Any]) -> bool:
    """Return whether a param is again the recorded part of the other one."""
    try:
        text = _text(values[relation.name])
        whole = _text(part_at(values[relation.whole], relation.path))
    except LookupError:
        return False
    if not relation.words:
        return text == whole
    start, stop, count = relation.words
    spans = [match.span() for match in _WORD.finditer(whole)]
    if len(spans) != count:
        return False
    own = [match.span() for match in _WORD.finditer(text)]
    return bool(own) and whole[spans[start][0] : spans[stop - 1][1]] == text[own[0][0] : own[-1][1]]


def _places(text: str, part: str, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Yield where whole words of a text are the words of a part.

    A place is the first word, behind the last, and the number of words.
    """
    own = [match.span() for match in _WORD.finditer(part)]
    if not own or len(own) > len(spans):
        return
    core = part[own[0][0] : own[-1][1]]
    for first in range(len(spans) - len(own) + 1):
        last = first + len(own) - 1
        if text[spans[first][0] : spans[last][1]] == core:
            yield first, last + 1, len(spans)


def _text(value: Any) -> str:
    if value is None or issubclass(type(value), bool):
        return ""
    forms = text_forms(value)
    return forms[0] if forms else fold_text(str(value))


def _leaves(value: Any) -> Iterator[Any]:
    waiting = [value]
    while waiting:
        this = waiting.pop()
        children = child_parts(this)
        if children is None:
            yield this
            continue
        waiting += [child for _, child in children]
        if issubclass(type(this), dict):
            waiting += list(this)
