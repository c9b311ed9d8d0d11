"""Lists of which recordings used some elements: whether there were more (L12).

An agent that looks until it finds something ends at the last element as well. Whether a list has more elements than the
calls use is an answer like any other then: it counts together with what the calls returned (E12).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..binding.references.for_each import list_at
from ..model.flow import OUTPUT, Element, Get, Name
from ..model.records import Node
from .places import MANY_WORDS, Names, Place, Unseen
from .small_answers import small_answers
from .step import PlanStep

Way = tuple[Any, ...]


class ListLeft(Place):
    """Whether a list has more elements than the calls use."""

    __slots__ = ("_used", "_way")

    def __init__(self, way: Way, used: int) -> None:
        super().__init__()
        self.varies = True
        self._way = way
        self._used = used

    def signature(self, value: Any, name: str = "", *, words: bool = True) -> Any:  # noqa: ARG002 - as in a place
        """Return whether a list has elements that the calls do not use."""
        try:
            return "more" if len(list_at(value, self._way).elements) > self._used else "all"
        except LookupError:
            return "no list"


def lists_left(
    steps: Sequence[PlanStep], outputs: Sequence[Mapping[bytes, Any] | None]
) -> tuple[dict[int, tuple[tuple[int, Place], ...]], int]:
    """Return by their calls the lists that only some recordings used up.

    Return with them the first call whose list is read; -1 without one.
    """
    used: dict[tuple[int, Way], int] = {}
    for step in steps:
        for origin, way, count in _elements_in(step.expressions):
            used[origin, way] = max(used.get((origin, way), 0), count)
    found: dict[int, tuple[tuple[int, Place], ...]] = {}
    for (origin, way), count in used.items():
        place = ListLeft(way, count)
        recorded = outputs[origin] if origin < len(outputs) else None
        if recorded and len({place.signature(value) for value in recorded.values()}) > 1:
            found[origin] = (*found.get(origin, ()), (origin, place))
    return found, min([origin for origin, _ in used], default=-1)


class _Numbered(Place):
    """A place at which small numbers count as answers."""

    __slots__ = ("_inner", "_small")

    def __init__(self, inner: Place, small: Mapping[Names, set[Any]]) -> None:
        super().__init__()
        self._inner = inner
        self._small = small

    def unseen(self, value: Any, path: str = "", name: str = "", *, words: bool = True) -> Iterator[Unseen]:
        """Yield the answers in a value that no recording had."""
        yield from self._inner.unseen(value, path, name, words=words)
        for names, number in small_answers(value, ()):
            known = self._small.get(names)
            if type(number) is int and known and number not in known and len(known) < MANY_WORDS:
                yield Unseen(".".join(names), names[-1] if names else "", number, tuple(sorted(map(str, known))))

    def unseen_at_end(self, value: Any) -> Iterator[Unseen]:
        """Yield the answers after which no recording ended."""
        yield from self.unseen(value)
        yield from self._inner.unseen_words(value)

    def settle_varying(self, *, words: bool = True) -> bool:
        """Note the places with several answers; return whether there is one."""
        self.varies = any(1 < len(known) < MANY_WORDS for known in self._small.values())
        return self._inner.settle_varying(words=words) or self.varies

    def signature(self, value: Any, name: str = "", *, words: bool = True) -> Any:
        """Return what a value answers at the places where recordings differ."""
        found = self._inner.signature(value, name, words=words)
        if not self.varies:
            return found
        names = {names for names, known in self._small.items() if 1 < len(known) < MANY_WORDS}
        return found, tuple(number for own, number in small_answers(value, ()) if own in names)


def count_numbers(found: Sequence[Any], outputs: Sequence[Mapping[bytes, Any] | None], start: int) -> None:
    """Have small numbers in the outputs from a call on count as answers."""
    for at in range(start, len(found)):
        looks, recorded = found[at], outputs[at]
        if looks is None or looks.place is None or not recorded:
            continue
        small: dict[Names, set[Any]] = {}
        for value in recorded.values():
            for names, number in small_answers(value, ()):
                if type(number) is int:
                    small.setdefault(names, set()).add(number)
        if small:
            looks.place = _Numbered(looks.place, small)
            looks.samples, looks.usual = (), None


def _is_element(item: Any, following: Sequence[Any]) -> bool:
    """Return whether a part of a way is an element, not a tool's only content."""
    return isinstance(item, Element) and following[:1] != (Name("text"),)


def _elements_in(expressions: Sequence[Any]) -> Iterator[tuple[int, Way, int]]:
    """Yield the call, the way and the used length of lists that are read."""
    for expr in expressions:
        if isinstance(expr, Node):
            yield from _elements_in(expr.items)
        elif isinstance(expr, Get):
            for source in expr.sources:
                at = next((at for at, item in enumerate(source.path) if _is_element(item, source.path[at + 1 :])), -1)
                if source.origin == OUTPUT and at >= 0:
                    index = source.path[at].index  # type: ignore[union-attr]  # it is an element
                    yield source.step, source.path[:at], index + 1 if index >= 0 else 1
