"""The secret parts of a value: the Secrets in it, and the texts to search for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import codec
from ..codec.walk import MAX_VISITS, SCALARS, visible_children, visible_leaves
from ..model.secret import Secret, as_secret, raw_value
from .traces import is_small


def is_empty_value(value: Any) -> bool:
    """Return whether a value is None or empty, and therefore cannot be a secret."""
    return value is None or (issubclass(type(value), str | bytes | bytearray | list | tuple | dict | set) and not value)


def literal_text(leaf: Any) -> str:
    """Return the text of an immutable leaf or of bytes; empty for every other leaf."""
    if issubclass(type(leaf), bytes | bytearray):
        return str(leaf.decode("utf-8", "replace")).replace("\ufffd", "")
    return str(leaf) if codec.is_immutable(leaf) else ""


def searchable_leaves(value: Any) -> Iterator[Any]:
    """Yield the leaves of a secret that are searched for in other values.

    A secret that is a leaf is yielded whatever its size, except None and bools. Of a container, the leaves are
    yielded that are not small; the keys of dicts are not.
    """
    if codec.unfold(value) is None and not issubclass(type(value), dict | list | tuple | set | frozenset):
        if value is not None and not issubclass(type(value), bool):
            yield raw_value(value)
        return
    for leaf in visible_leaves(value, keys=False):
        leaf = raw_value(leaf)
        if not is_small(leaf):
            yield leaf


def secrets_in(value: Any, path: str) -> list[tuple[str, Secret[Any]]]:
    """Return the Secrets in a value and its containers, each with the path to it."""
    if not any(type(leaf) not in SCALARS and as_secret(leaf) is not None for leaf in visible_leaves(value)):
        return []
    found: list[tuple[str, Secret[Any]]] = []
    seen: set[int] = set()
    waiting = [(path, value)]
    while waiting and len(seen) < MAX_VISITS:
        path, this = waiting.pop()
        secret = as_secret(this)
        if secret is not None:
            found.append((path, secret))
        elif id(this) not in seen:
            seen.add(id(this))
            waiting += [(path + step, child) for step, child in _steps(this) if type(child) not in SCALARS]
    return found


def _steps(value: Any) -> Iterator[tuple[str, Any]]:
    unfolded = codec.unfold(value)
    if unfolded is None:
        for child in visible_children(value) or ():
            yield "[...]", child
        return
    kind, children = unfolded
    for index, child in enumerate(children):
        if type(child) not in SCALARS:  # child_path is costly, and a scalar is not a Secret.
            yield codec.child_path(kind, index, children), child
