"""Parts of outputs, recognized by identity when they come back as arguments (E6)."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Any

from ....errors import NotStorableError
from ... import codec
from ...codec.walk import SCALARS
from ...model.records import Ref
from .paths import children, follow, has_readable_attributes, opened

_MAX_PARTS = 20_000
_MAX_OBJECT_DEPTH = 3
_LEAVES = (str, int, float, bytes, type, Enum)
_LISTS = (list, dict, set)


class OutputParts:
    """The containers and objects in the outputs of a run, found by identity.

    An output is taken apart when an argument is first looked for in it.
    """

    __slots__ = ("_known", "_new", "_recorded")

    def __init__(self) -> None:
        self._new: list[tuple[Any, Ref, bytes | None]] = []
        self._known: dict[int, tuple[Any, Ref, bytes | None]] = {}
        self._recorded: dict[int, Any] = {}

    def add(self, output: Any, reference: Ref, data: bytes | None) -> None:
        """Add a whole output, with its bytes if it has any."""
        self._new.append((output, reference, data))

    def find(self, value: Any) -> Ref | None:
        """Return the reference to this object.

        Return None if it is not in an output, or was changed since.
        """
        self._take_apart()
        found = self._known.get(id(value))
        if found is None or found[0] is not value:
            return None
        _, reference, data = found
        try:
            now = codec.encode(value)
        except NotStorableError:
            return reference if data is None else None
        if data is None:  # What it was when the call returned is not known.
            return None
        try:
            return (
                reference
                if codec.encode(follow(self._output(reference.step, data), *_steps(reference))) == now
                else None
            )
        except (LookupError, NotStorableError):
            return None

    def may_be_part(self, value: Any) -> bool:
        """Return whether an object stands in an output."""
        self._take_apart()
        return id(value) in self._known

    def _output(self, step: int, data: bytes) -> Any:
        if step not in self._recorded:
            self._recorded[step] = codec.decode(data, lenient=True)
        return self._recorded[step]

    def _take_apart(self) -> None:
        while self._new:
            output, reference, data = self._new.pop(0)
            try:
                self._add_parts(output, reference, data)
            except Exception:  # An object's own methods raise: what is in it is not recognized.
                continue

    def _add_parts(self, output: Any, reference: Ref, data: bytes | None) -> None:
        waiting: deque[tuple[Any, tuple[int, ...], tuple[bytes, ...], int]] = deque([(output, (), (), 0)])
        seen: set[int] = set()
        count = 0
        while waiting and count < _MAX_PARTS:
            value, path, keys, objects = waiting.popleft()
            if id(value) in seen or len(path) >= codec.MAX_DEPTH:
                continue
            seen.add(id(value))
            inner = opened(value)
            own = not issubclass(type(inner), (*_LISTS, tuple)) and codec.unfold(inner) is None
            if own and (objects >= _MAX_OBJECT_DEPTH or not has_readable_attributes(inner)):
                continue
            for index, (key, child) in enumerate(children(inner)):
                if type(child) in SCALARS or child is None or issubclass(type(child), _LEAVES):
                    continue
                count += 1
                place = (*path, index), (*keys, key)
                if type(child) not in (tuple, frozenset) or child:
                    self._known[id(child)] = (child, Ref(reference.step, *place), data)
                waiting.append((child, *place, objects + own))


def _steps(reference: Ref) -> tuple[tuple[int, ...], tuple[bytes, ...]]:
    return reference.path, reference.keys
