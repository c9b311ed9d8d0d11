"""Loops of an agent over the elements of lists (E6).

A tool was called with one element after the other. Lists that one tool returned at the same place, such as the pages of
a longer list, are walked through together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ...model.records import StepRecord
from ..texts.leaf_texts import bytes_of
from .elements import elements_of, is_scalar
from .index import OutputIndex
from .places import Items, Place

_MAX_PAGES = 200
_NO_RECORDS = (str, int, float, list, tuple, set, frozenset, type(None))
_ELEMENT = -1


class Use(NamedTuple):
    """One use of an element, by a reference or by a value in it at `place`.

    `node` and `slot` are those of the list and of the element, and `names` lead to the value in the argument. A use is
    shared if the value may come from several elements, or be a part of them; it is vague if that says nothing of these
    elements but that they may have been in a loop.
    """

    step: int
    argument: str
    node: int
    slot: int
    place: Place | None = None
    value: Any = None
    names: tuple[str, ...] = ()
    is_shared: bool = False
    is_vague: bool = False


def is_list(value: Any) -> bool:
    """Return whether a container of an output is a list: its elements are alike."""
    if isinstance(value, tuple):  # one of records is a list; any other has fixed positions
        return len({type(child) for child in value}) == 1 and not is_scalar(value[0])
    if type(value) is dict:  # of records: its keys are data
        kinds = {tuple(child) if type(child) is dict else type(child) for child in value.values()}
        is_data = len(value) > 1 or not all(isinstance(key, str) and key.isidentifier() for key in value)
        return len(kinds) == 1 and is_data and not isinstance(next(iter(value.values())), _NO_RECORDS)
    return isinstance(value, list) and not isinstance(value, Items)


def position_in(container: Any, slot: int) -> int:
    """Return which element of a list a child of its container is."""
    return slot // 2 if isinstance(container, dict) else slot


_Taken = list[Use]
"""The uses of one value in a call; if there are several, it came from one of the elements."""


class Loops:
    """The calls of one recording that took the elements of lists one after the other."""

    def __init__(self, records: Sequence[StepRecord], index: OutputIndex) -> None:
        self._records = records
        self._index = index

    def within(self, node: int, uses: Sequence[Use], length: int) -> frozenset[int]:
        """Return the steps that took the elements of a list one after the other."""
        found: set[int] = set()
        for values in self._by_argument(uses):
            looped = self._looped(values, uses, {node: 0}, length)
            found.update(taken[0].step for taken in looped)
        return frozenset(found)

    def across(
        self, uses: Mapping[int, Sequence[Use]], ended: Mapping[int, frozenset[int]]
    ) -> Iterator[tuple[int, int]]:
        """Yield the lists that a loop over several of them went through.

        Each comes with the first step of the loop that began when it was there. Lists from which nothing was taken
        are among them: the loop left out what was in them.
        """
        used: dict[tuple[Any, ...], list[int]] = {}
        for node in sorted(uses) if len(uses) > 1 else ():
            used.setdefault(self._kind(node), []).append(node)
        if all(len(nodes) < 2 for nodes in used.values()):
            return
        pages: dict[tuple[Any, ...], list[int]] = {kind: [] for kind, nodes in used.items() if len(nodes) > 1}
        for node, (above, _) in enumerate(self._index.links):
            if above >= 0 and is_list(self._index.nodes[node]) and (kind := self._kind(node)) in pages:
                pages[kind].append(node)
        for kind, lists in pages.items():
            together = sorted((use for node in used[kind] for use in uses[node]), key=lambda use: use.step)
            for steps in self._loops_over(lists, together):
                for node in lists[:_MAX_PAGES]:
                    source = self._index.step_of(node)
                    first = next((step for step in steps if source in ended.get(step, ())), None)
                    if first is not None:
                        yield first, node

    def _loops_over(self, lists: Sequence[int], uses: Sequence[Use]) -> Iterator[list[int]]:
        """Yield the steps of each loop that took elements of several of these lists."""
        starts, end = {}, 0
        for node in lists:
            starts[node] = end
            end += len(elements_of(self._index.nodes[node]) or ())
        for values in self._by_argument(uses):
            looped = self._looped(values, uses, starts, end)
            if len({use.node for taken in looped for use in taken}) > 1:
                yield sorted({taken[0].step for taken in looped})

    def _kind(self, node: int) -> tuple[Any, ...]:
        """Return what the pages of one list share: the tool, and the place in its output.

        Positions in lists do not count.
        """
        above, slot = self._index.links[node]
        places = [
            _ELEMENT if is_list(self._index.nodes[found]) else at for found, at in self._index.ancestors(above, slot)
        ]
        return (self._records[self._index.step_of(node)].tool, *places)

    def _by_argument(self, uses: Iterable[Use]) -> Iterator[list[_Taken]]:
        """Yield what the calls of one tool took for the same argument, in order."""
        values: dict[tuple[Any, ...], _Taken] = {}
        for use in uses:
            values.setdefault((use.step, use.argument, _origin(use)), []).append(use)
        found: dict[tuple[str, str], list[_Taken]] = {}
        for (step, argument, _), taken in values.items():
            found.setdefault((self._records[step].tool, argument), []).append(taken)
        return iter(found.values())

    def _looped(
        self, values: Sequence[_Taken], uses: Sequence[Use], starts: Mapping[int, int], end: int
    ) -> Sequence[_Taken]:
        """Return the values that were taken in a loop, if there was one.

        `starts` are the places of the lists one behind the other, up to an `end`.
        """
        for chosen in (values, [taken for taken in values if len(taken) == 1]):
            places = self._in_order(chosen, starts, 1) or self._in_order(chosen, starts, -1)
            if len(places) < 2:
                continue
            is_one_value = len({_origin(taken[0]) for taken in chosen}) == 1
            if is_one_value and len(chosen) != len(chosen[0]):
                continue
            if (_is_run(places, end) and not is_one_value) or self._is_uniform(chosen, uses):
                return chosen
        return ()

    def _in_order(self, values: Sequence[_Taken], starts: Mapping[int, int], direction: int) -> list[int]:
        """Return the places of the elements if they go up.

        For a negative direction, they must go down.
        """
        found: list[int] = []
        for taken in values:
            places = [
                direction * (starts[use.node] + position_in(self._index.nodes[use.node], use.slot)) for use in taken
            ]
            if len(places) == 1 and places[0] in found:
                continue
            place = min((place for place in places if not found or place > found[-1]), default=None)
            if place is None:
                return []
            found.append(place)
        return [direction * place for place in found]

    def _is_uniform(self, values: Sequence[_Taken], uses: Sequence[Use]) -> bool:
        """Return whether calls have the same literals beside those from lists."""
        return len({self._rest(taken[0], uses) for taken in values}) == 1

    def _rest(self, use: Use, uses: Sequence[Use]) -> tuple[Any, ...]:
        taken = {other.argument for other in uses if other.step == use.step}
        pieces = self._index.pieces.of(self._records[use.step])
        return tuple((p.argument, p.path, bytes_of(p.value)) for p in pieces if p.argument not in taken)


def _origin(use: Use) -> tuple[Any, Any]:
    """Return the element that is referred to, or the value.

    It distinguishes the values of an argument.
    """
    return (use.node, use.slot) if use.place is None else (type(use.value), use.value)


def _is_run(places: Sequence[int], length: int) -> bool:
    """Return whether places are the first or the last ones of a list, without a gap."""
    count = len(places)
    return sorted(places) in (list(range(count)), list(range(length - count, length)))
