"""Params whose values stand in earlier outputs, too (E6).

The agent may have taken such a value from the param or made it of the output. Both give the same when recorded, so a
guard asks that they do so again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

from ... import codec
from ...model.records import Expr, Guard, Node, Par, ParamPath, Part, StepRecord, Tpl
from ...redaction.traces import SHORT_TEXT, is_small
from ..outputs.elements import ECHO, ECHOES, Field, elements_of
from ..outputs.index import OutputIndex
from ..outputs.loops import is_list
from ..outputs.places import Place
from ..params.parts import field_name
from ..params.search import Params
from ..texts.field_names import is_same_name
from ..texts.figure_places import as_number
from ..texts.leaf_texts import text_of
from .echoes import (
    EQUAL,
    FIGURE,
    PART,
    SHORTEST_HIDDEN,
    SPELLED,
    figure_of,
    given_value,
    holds,
    words_of,
)
from .provenance import references_of

_MAX_VALUES = 100  # params and parts of params that are looked for in one recording
_MAX_PLACES = 16  # places of one value in one output
_MAX_LOOKS = 200  # places of one value that are looked at
_ALL_LOOKS = 2_000  # texts of one recording that are compared with values word by word
_SEARCH = 40  # of these that one search for a value costs
_MAX_PARTS = 16  # texts with a word, above which it is in no name that was put together
_MAX_WORDS = 8  # words of a value that may come from as many leaves
_LONGEST = 200  # characters of a value that may be spelled otherwise

_Element = tuple[int, int]


class _Use(NamedTuple):
    """A param, or a part of one, with the arguments and steps that use it."""

    name: str
    path: ParamPath
    value: Any
    arguments: frozenset[str]
    steps: tuple[int, ...]


class _Found(NamedTuple):
    """A place in an output that holds the value of a param, and how it holds it."""

    kind: str
    place: Place


def infer_echoes(
    records: Sequence[StepRecord],
    index: OutputIndex,
    ended: Mapping[int, frozenset[int]],
    params: Params,
    guards: Sequence[Sequence[Guard]],
) -> dict[int, list[Guard]]:
    """Return the guards of the places that hold the values of params, by step.

    Each is a guard of the first step after its output that uses the param or the element that the place is in.

    Args:
        records: The recorded calls, with params bound.
        index: The outputs of these calls.
        ended: The steps that had ended when each step began.
        params: The params of the run.
        guards: The other guards of each step.
    """
    if not params or not index.nodes:
        return {}
    search = _Search(records, index, ended, guards)
    found: dict[int, list[Guard]] = {}
    for use in islice(_uses(records, params), _MAX_VALUES):
        for step, guard in search.guards(use):
            found.setdefault(step, []).append(guard)
    return found


def _uses(records: Sequence[StepRecord], params: Params) -> Iterator[_Use]:
    """Yield the scalars in params that the arguments of a recording use."""
    arguments: dict[tuple[str, ParamPath], set[str]] = {}
    steps: dict[tuple[str, ParamPath], list[int]] = {}
    for step, record in enumerate(records):
        for argument, expr in record.arguments:
            for name, path in _params_in(expr):
                if params.is_learned or name not in params.vouched_for(record.tool, argument):
                    arguments.setdefault((name, path), set()).add(argument)
                    steps.setdefault((name, path), []).append(step)
    for (name, path), found in arguments.items():
        try:
            value = given_value(params.values, name, path)
        except LookupError:
            continue
        if text_of(value):
            yield _Use(name, path, value, frozenset(found), tuple(steps[name, path]))


def _params_in(expr: Expr) -> Iterator[tuple[str, ParamPath]]:
    if isinstance(expr, Part):
        yield expr.name, expr.path
    elif isinstance(expr, Par):
        yield expr.name, ()
    elif isinstance(expr, Tpl):
        yield from ((name, ()) for name in expr.parts[1::2])
    elif isinstance(expr, Node):
        for item in expr.items:
            yield from _params_in(item)


class _Search:
    """The search for the values of params in the outputs of one recording."""

    def __init__(
        self,
        records: Sequence[StepRecord],
        index: OutputIndex,
        ended: Mapping[int, frozenset[int]],
        guards: Sequence[Sequence[Guard]],
    ) -> None:
        self._records = records
        self._index = index
        self._ended = ended
        self._guards = guards
        self._used: dict[int, frozenset[_Element]] = {}
        self._lists: dict[int, bool] = {}
        self._looks = _ALL_LOOKS

    def guards(self, use: _Use) -> Iterator[tuple[int, Guard]]:
        """Yield the guards of one value, each with its step."""
        by_step: dict[int, dict[_Element, _Found]] = {}
        for one in self._places(use):
            step = self._index.step_of(one.place.node)
            by_step.setdefault(step, {}).setdefault((one.place.node, one.place.slot), one)
        for source, found in by_step.items():
            later = [step for step in range(len(self._records)) if source in self._ended.get(step, ())]
            own = next((step for step in later if step in use.steps), len(self._records))
            steps = [step for step in later if step <= own]
            yield from self._guards_of(use, list(found.values()), steps, own)

    # -- where a value stands

    def _places(self, use: _Use) -> Iterator[_Found]:
        if is_small(use.value):
            yield from islice(self._small_places(use), _MAX_LOOKS)
            return
        found = list(islice(self._all_places(use.value), _MAX_LOOKS))
        yield from found
        ended = self._ended.get(use.steps[0], frozenset())
        if not any(self._index.step_of(one.place.node) in ended for one in found):
            yield from self._joined(use.value)

    def _small_places(self, use: _Use) -> Iterator[_Found]:
        """Yield the places of a small value that have the name of its argument.

        None of them is in a list.
        """
        names = {*use.arguments, use.name, field_name(use.path) or use.name}
        for place in self._equal_places(use.value):
            name = self._index.name(place.node, place.slot)
            if name and any(is_same_name(name, own) for own in names) and self._list_above(place) < 0:
                yield _Found(EQUAL, place)

    def _all_places(self, value: Any) -> Iterator[_Found]:
        index = self._index
        known: set[_Element] = set()
        for place in self._equal_places(value):
            known.add((place.node, place.slot))
            yield _Found(EQUAL, place)
        figure = figure_of(value)
        if figure is not None:
            candidates = chain.from_iterable(index.places_of_figure(figure.kind, reading) for reading in figure.values)
            if figure.kind == "date":
                days = (Place(node, slot, index.child(node, slot)) for _, node, slot in index.others)
                candidates = chain(candidates, days)
            yield from (_Found(FIGURE, place) for place in candidates if holds(FIGURE, place.leaf, value))
        text = text_of(value) or ""
        if len(text) > _LONGEST or (figure is not None and not text.isdigit()):
            return
        self._looks -= _SEARCH
        for place in islice(self._spelled_places(words_of(text)), max(0, min(_MAX_LOOKS, self._looks))):
            self._looks -= 1
            if (place.node, place.slot) in known:
                continue
            known.add((place.node, place.slot))
            if holds(SPELLED, place.leaf, value):
                yield _Found(SPELLED, place)

    def _equal_places(self, value: Any) -> Iterator[Place]:
        yield from self._index.places_of_text(text_of(value) or "")
        figure = figure_of(value)
        if figure is not None and figure.kind == "number":
            found = self._index.places_of_number(as_number(figure.values[0]))
            yield from (place for place in found if holds(EQUAL, place.leaf, value))

    def _spelled_places(self, words: Sequence[str]) -> Iterator[Place]:
        """Yield the texts in which a value may be spelled otherwise."""
        letters = "".join(words)
        for word in dict.fromkeys((max(words, key=len, default=""), *words[:1])):
            if len(word) >= SHORT_TEXT:
                yield from self._index.word_places(word)
        if len(letters) >= SHORTEST_HIDDEN or not letters.isascii():
            yield from self._index.hidden_places(letters)

    def _joined(self, value: Any) -> Iterator[_Found]:
        """Yield the leaves that together have all words of a value."""
        words = words_of((text_of(value) or "")[:_LONGEST])
        if not 2 <= len(words) <= _MAX_WORDS or self._looks < 0:
            return
        self._looks -= _SEARCH
        found: list[_Found] = []
        for word in sorted({word for word in words if len(word) >= SHORT_TEXT}, key=lambda word: (-len(word), word)):
            places = list(islice(self._index.word_places(word), _MAX_PARTS + 1))
            parts = [place for place in places if holds(PART, place.leaf, value)] if len(places) <= _MAX_PARTS else []
            if not parts:
                return
            found += [_Found(PART, place) for place in parts]
        yield from found

    # -- guards

    def _guards_of(
        self, use: _Use, places: Sequence[_Found], steps: Sequence[int], own: int
    ) -> Iterator[tuple[int, Guard]]:
        """Yield the guards of one value in one output, each with its step.

        `own` is the first of the steps that uses the value itself.
        """
        data = [use.name, list(use.path)]
        columns: dict[tuple[int, str, Field], list[_Found]] = {}
        alone: list[_Found] = []
        for one in places:
            node = self._list_above(one.place)
            field = self._field(node, one.place) if node >= 0 else None
            (alone if field is None else columns.setdefault((node, one.kind, field), [])).append(one)
        for (node, kind, field), found in columns.items():
            if 1 < len(found) == len(elements_of(self._index.nodes[node]) or ()):
                if own in steps:
                    yield own, self._guard(*self._index.links[node], ECHOES, [kind, *data, list(field)])
            else:
                alone += found
        for one in alone[:_MAX_PLACES]:
            elements = self._elements_above(one.place.node, one.place.slot)
            step = next((step for step in steps if step == own or elements & self._elements_used(step)), None)
            if step is not None:
                yield step, self._guard(one.place.node, one.place.slot, ECHO, [one.kind, *data])

    def _guard(self, node: int, slot: int, kind: str, data: Any) -> Guard:
        path, keys = self._index.path(node, slot)
        return Guard(self._index.step_of(node), path, codec.canonical(data), keys, (), kind)

    def _elements_used(self, step: int) -> frozenset[_Element]:
        """Return the elements of lists from which a call took something."""
        if step not in self._used:
            paths = [(guard.step, guard.path) for guard in self._guards[step] if guard.kind in ("", "figure")]
            paths += [(ref.step, ref.path) for _, expr in self._records[step].arguments for ref in references_of(expr)]
            places = (self._index.node_at(*path) for path in dict.fromkeys(paths))
            self._used[step] = frozenset().union(*(self._elements_above(*place) for place in places if place))
        return self._used[step]

    def _elements_above(self, node: int, slot: int) -> set[_Element]:
        """Return the elements that a place is in; that of a key is its value."""
        return {
            (above, at | 1 if type(self._index.nodes[above]) is dict else at)
            for above, at in self._index.ancestors(node, slot)
            if self._is_list(above)
        }

    def _list_above(self, place: Place) -> int:
        """Return the innermost list that a place is in; -1 if it is in none."""
        return next((node for node, _ in self._index.ancestors(place.node, place.slot) if self._is_list(node)), -1)

    def _is_list(self, node: int) -> bool:
        if node not in self._lists:
            self._lists[node] = is_list(self._index.nodes[node])
        return self._lists[node]

    def _field(self, node: int, place: Place) -> Field | None:
        """Return the names that lead from an element of a list to a leaf.

        Return None if one has no name.
        """
        if self._index.hides_names(node) or self._index.is_key(place.node, place.slot):
            return None
        found: list[str | int] = []
        for above, slot in self._index.ancestors(place.node, place.slot):
            if above == node:
                return tuple(reversed(found))
            name = self._index.entry(above, slot)[1]
            if not isinstance(name, str):
                return None
            found.append(name)
        return None
