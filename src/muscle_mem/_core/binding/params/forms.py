"""The form of a param: what must be equal where steps use parts of its value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ....errors import NotStorableError
from ... import codec
from ...model.records import Leafwise, ParamPath
from ...redaction.traces import fold_text
from ..texts.figures import rank
from .parts import MAX_DEPTH, child_parts, is_path_key, part_at

_MAX_EXTREMES = 256


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
        parts.append(sorted(_content(key) for key in value if not is_path_key(key)))
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
