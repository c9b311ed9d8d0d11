"""Guards: a literal that also appears in an earlier output is tied to that output.

Ids change from run to run. A number or a text that an agent copied from a tool's output must not be replayed when the
output has changed. Inferring the data flow from one recording would be a guess. So the literal is stored, with a guard:
the step is replayed only while the output still contains the value at the same path.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

from ... import codec
from ...codec.walk import LazyLeaves
from ...model.records import Guard, StepRecord
from ...redaction.traces import SHORT_TEXT, SMALL_INT
from ..outputs.index import OutputIndex
from ..outputs.paths import is_distinctive
from ..outputs.places import Place
from ..texts.field_names import is_id_name, is_same_name
from ..texts.figure_places import as_number, day_text, is_same_value, spans_of, units_at
from ..texts.figures import Kind, scalar_figures
from ..texts.leaf_texts import bytes_of, fold_plain, text_of
from ..texts.named_leaves import NamedLeaf, named_leaves
from ..texts.units import is_unit_name
from .chosen import ElementUses
from .made_texts import Words, leaves_behind, sides_of
from .repeated import repeated_for

MAX_GUARDS_PER_LEAF = 64
_MAX_SMALL_PLACES = 3
_MAX_LINE = 200
_PIECE = re.compile(r"\d+|[^\W\d_]+")
_WORD = re.compile(r"\w+")
_LONGEST_TEXT = 20_000  # characters of a literal whose words are looked for

__all__ = ["GuardFacts", "OutputIndex", "infer_guards", "is_distinctive"]


class GuardFacts(NamedTuple):
    """Other explanations of a small value: leaves of the task, and defaults.

    The task is without its params, and the defaults are those of each step.
    """

    task: tuple[Any, ...] = ()
    defaults: Sequence[tuple[Any, ...]] = ()
    params: Sequence[Any] = ()


def is_same_place(place: Place, places: Sequence[Place]) -> bool:
    """Return whether a leaf is one of the last of these."""
    return any((other.node, other.slot) == (place.node, place.slot) for other in places[-4:])


NO_FACTS = GuardFacts()


def infer_guards(
    records: Sequence[StepRecord],
    index: OutputIndex,
    *,
    start: int,
    events: Iterable[int],
    names: Sequence[Sequence[str]] = (),
    facts: GuardFacts = NO_FACTS,
) -> list[tuple[Guard, ...]]:
    """Return the guards of each step from `start` on, given the outputs of all steps.

    `events` lists the index of each of these steps twice: at its begin and at its end. A step that has not ended has no
    output yet. `names` holds for each step the names of those arguments whose names are data, like their values.
    """
    search = _Search(records, index, facts)
    ended = set(range(start))
    begun: list[int] = []
    for step in events:
        if step in begun:
            ended.add(step)
            continue
        begun.append(step)
        search.guard_step(step, frozenset(ended), names[step] if names else ())
    search.guard_lists()
    return [tuple(dict.fromkeys(search.found[step])) for step in begun]


def ended_before(start: int, events: Iterable[int]) -> dict[int, frozenset[int]]:
    """Return for each step the steps that had ended when it began."""
    ended = set(range(start))
    found = {step: frozenset(range(step)) for step in range(start)}
    for step in events:
        if step in found:
            ended.add(step)
        else:
            found[step] = frozenset(ended)
    return found


class _Search:
    """The search for the guards of one recording."""

    def __init__(self, records: Sequence[StepRecord], index: OutputIndex, facts: GuardFacts) -> None:
        self.records = records
        self.index = index
        self.facts = facts
        self.found: dict[int, list[Guard]] = {}
        self._words = Words(LazyLeaves(lambda: [*facts.task, *facts.params]))
        self._figures = frozenset(value for leaf in facts.task for f in scalar_figures(leaf) for value in f.values)
        self._ended: frozenset[int] = frozenset()
        self._ended_at: dict[int, frozenset[int]] = {}
        self._last_whole: list[Place] = []
        self._uses = ElementUses(records, index, self._words)

    def guard_step(self, step: int, ended: frozenset[int], names: Sequence[str]) -> None:
        """Find the guards of one step's literals in the outputs of steps that had ended."""
        guards = self.found.setdefault(step, [])
        self._ended = self._ended_at[step] = ended
        leaves = [leaf for name, expr in self.records[step].arguments for leaf in named_leaves(name, expr)]
        leaves += [NamedLeaf("", (), name) for name in names]
        if not self.index.nodes:
            return
        self._uses.add_references(step, guards)
        for leaf in leaves:
            count = len(guards)
            for place, guard in self._guards_of(step, leaf):
                if self.index.step_of(place.node) not in ended:
                    continue
                guards.append(guard)
                if guard.kind in ("", "figure") and not is_same_place(place, self._last_whole):
                    self._last_whole.append(place)
                if len(guards) - count >= MAX_GUARDS_PER_LEAF:
                    break
            self._uses.add(step, leaf, self._last_whole[:MAX_GUARDS_PER_LEAF], guards)

    def guard_lists(self) -> None:
        """Add the guards of the lists whose elements the steps have used."""
        for step, guard in self._uses.guards(self._ended_at):
            self.found[step].append(guard)
        for step, guard in repeated_for(self.records, self.index, self._ended_at):
            self.found.setdefault(step, []).append(guard)

    def _guards_of(self, step: int, leaf: NamedLeaf) -> Iterator[tuple[Place, Guard]]:
        self._last_whole = []
        value = leaf.value
        if value is None or isinstance(value, bool | Enum) or (isinstance(value, str | bytes) and not value):
            return
        found = self._distinctive(leaf) if is_distinctive(value) else self._small(step, leaf)
        for place, guard in found:
            yield place, guard
            if (guard.kind in ("", "figure") and not guard.around) or guard.kind == "figure":
                for unit in self._unit_siblings(place):
                    yield place, unit

    # -- values that are found wherever they stand

    def _distinctive(self, leaf: NamedLeaf) -> Iterator[tuple[Place, Guard]]:
        value = leaf.value
        text = text_of(value)
        data = codec.canonical(value)
        if text is None:
            return
        seen: set[tuple[int, int]] = set()
        is_explained = False
        for place in self._equal_places(value, text):
            is_explained = is_explained or self.index.step_of(place.node) in self._ended
            seen.add((place.node, place.slot))
            yield place, self._whole_guard(place)
        if _PIECE.search(text):
            for place, around in self.index.places_in_texts(text):
                is_explained = is_explained or self.index.step_of(place.node) in self._ended
                seen.add((place.node, place.slot))
                yield place, self._guard(place, data, around)
            if not is_explained:
                yield from self._id_parts(text)
            yield from self._figures_in(leaf, seen)
        if isinstance(value, str | bytes) and len(text) <= _LONGEST_TEXT:
            inside: list[Any] = []
            for place in self.index.places_inside(text, SHORT_TEXT):
                seen.add((place.node, place.slot))
                inside += [place.leaf] if self.index.step_of(place.node) in self._ended else []
                yield place, self._whole_guard(place)
            if not is_explained:
                yield from self._made_of(text, seen, self._words, Words(inside))
            elif type(value) is str:
                yield from self._spelled_from(text, seen)

    def _equal_places(self, value: Any, text: str) -> Iterator[Place]:
        yield from self.index.places_of_text(text)
        number = _number_of(value, text)
        if number is not None:
            yield from self.index.places_of_number(number)

    def _id_parts(self, text: str) -> Iterator[tuple[Place, Guard]]:
        pieces = set(_PIECE.findall(text))
        for part in id_like_parts(text, pieces):
            if part == text:
                continue
            data = codec.canonical(part)
            for place in self.index.places_of_text(part):
                if not isinstance(place.leaf, str):
                    yield place, self._whole_guard(place)
            for place, around in self.index.places_in_texts(part):
                if text_of(place.leaf) != text:
                    yield place, self._guard(place, data, around)

    def _figures_in(self, leaf: NamedLeaf, seen: set[tuple[int, int]]) -> Iterator[tuple[Place, Guard]]:
        """Yield guards for the numbers and dates of a literal (E10).

        They count wherever they stand, in whatever spelling.
        """
        for figure in self.index.figures.of(leaf.value):
            for value in figure.values:
                if figure.kind == "time" or not _is_telling(figure.kind, value):
                    continue
                for place in self._figure_places(figure.kind, value):
                    yield from self._figure_guards(place, figure.kind, value, seen)

    def _figure_places(self, kind: Kind, value: str) -> Iterator[Place]:
        places = self.index.places_of_figure(kind, value)
        if kind == "number":
            number = as_number(value)
            yield from self.index.places_of_number(number)
            if float(value) != number:  # 0.1 is not exactly the decimal 0.1
                yield from self.index.places_of_number(float(value))
        else:
            for text, node, slot in self.index.others:
                child = self.index.child(node, slot)
                if text and is_same_value("date", value, (day_text(child),)):
                    yield Place(node, slot, child)
        yield from places

    def _figure_guards(
        self, place: Place, kind: Kind, value: str, seen: set[tuple[int, int]]
    ) -> Iterator[tuple[Place, Guard]]:
        text = place.leaf if isinstance(place.leaf, str) else ""
        if not isinstance(place.leaf, str | bytes):
            if kind == "date":
                yield place, self._guard(place, codec.canonical(value), ("", ""), "figure")
            elif (place.node, place.slot) not in seen:
                yield place, self._whole_guard(place)
            return
        text = text_of(place.leaf) or ""
        spans = list(spans_of(text, kind, value, self.index.figures))
        if not spans:
            return
        units = units_at(text, kind, spans)
        if (place.node, place.slot) in seen and not any(units[0]):
            return
        yield place, self._guard(place, codec.canonical(value), units[0], "figure")

    def _made_of(self, text: str, seen: set[tuple[int, int]], *known: Words) -> Iterator[tuple[Place, Guard]]:
        for place, part in leaves_behind(text, self.index, *known):
            if (place.node, place.slot) in seen or self.index.is_key(place.node, place.slot):
                continue
            if part:
                yield place, self._guard(place, codec.canonical(part), sides_of(place, part))
            else:
                yield place, self._whole_guard(place)

    def _spelled_from(self, text: str, seen: set[tuple[int, int]]) -> Iterator[tuple[Place, Guard]]:
        """Yield guards for the leaves of which a text may be another spelling.

        A slug may be an id, or made of a name.
        """
        words = _WORD.findall(text.casefold())
        if text not in (text.lower(), text.upper()) or len(text) > _MAX_LINE or not all(map(str.isalpha, words)):
            return
        for place, part in leaves_behind(text, self.index, self._words):
            leaf = place.leaf if isinstance(place.leaf, str) else ""
            is_seen = (place.node, place.slot) in seen or self.index.is_key(place.node, place.slot)
            if not part and not is_seen and leaf != text and _WORD.findall(leaf.casefold()) == words:
                yield place, self._whole_guard(place)

    # -- small values, which are found under their name only

    def _small(self, step: int, leaf: NamedLeaf) -> Iterator[tuple[Place, Guard]]:
        value = leaf.value
        text = text_of(value)
        if not leaf.names or text is None or leaf.is_part:
            return
        if isinstance(value, str) and len(text) == 2 and text.isalpha() and text.isupper():
            initials = list(self.index.places_of_initials(fold_plain(text)))
            for place in initials if len(initials) <= _MAX_SMALL_PLACES else ():
                self._last_whole.append(place)
                yield place, self._whole_guard(place)
        by_step: dict[int, list[Place]] = {}
        number = _number_of(value, text)
        places = dict.fromkeys((place.node, place.slot) for place in self._equal_places(value, text))
        for node, slot in places:
            by_step.setdefault(self.index.step_of(node), []).append(Place(node, slot, self.index.child(node, slot)))
        is_explained = self._is_explained(step, value, text)
        for found in by_step.values():
            same = [p for p in found if self._has_same_name(leaf, p)]
            if not same and not is_explained and len(found) <= _MAX_SMALL_PLACES:
                same = [p for p in found if self._is_id(leaf, p)]
            for place in same[:MAX_GUARDS_PER_LEAF]:
                yield place, self._whole_guard(place)
        if not is_explained and number is not None and any(map(is_id_name, leaf.names)):
            yield from self._lines(text, set(by_step))

    def _has_same_name(self, leaf: NamedLeaf, place: Place) -> bool:
        name = self.index.name(place.node, place.slot)
        return bool(name) and any(is_same_name(own, name) for own in leaf.names)

    def _is_id(self, leaf: NamedLeaf, place: Place) -> bool:
        return any(map(is_id_name, leaf.names)) or is_id_name(self.index.name(place.node, place.slot))

    def _is_explained(self, step: int, value: Any, text: str) -> bool:
        """Return whether a small value stands in the task, or is a default of its tool."""
        defaults = self.facts.defaults[step] if step < len(self.facts.defaults) else ()
        data = bytes_of(value)
        if any(bytes_of(default) == data for default in defaults):
            return True
        number = _number_of(value, text)
        if number is not None and text.lstrip("-").rstrip("0").rstrip(".") in self._figures | {text}:
            return any(str(number) == figure or text == figure for figure in self._figures)
        return text.lower() in self._words

    def _lines(self, text: str, found: set[int]) -> Iterator[tuple[Place, Guard]]:
        """Yield guards for the lines of longer texts in which a small id stands.

        An example is "[3] Save".
        """
        by_text: dict[tuple[int, int], Place] = {}
        for place, _ in self.index.places_in_texts(text):
            if "\n" in (text_of(place.leaf) or "") and self.index.step_of(place.node) not in found:
                by_text[place.node, place.slot] = place
        if not by_text:
            return
        token = re.compile(rf"(?<![\w.,]){re.escape(text)}(?![\w]|[.,]\d)")
        for place in by_text.values():
            lines = [line for line in (text_of(place.leaf) or "").split("\n") if token.search(line)]
            if 0 < len(lines) <= _MAX_SMALL_PLACES:
                for line in lines:
                    if len(line) <= _MAX_LINE:
                        yield place, self._guard(place, codec.canonical(line), _line_sides(place, line))

    # -- guards

    def _guard(self, place: Place, data: bytes, around: tuple[str, ...] = (), kind: str = "") -> Guard:
        path, keys = self.index.path(place.node, place.slot)
        return Guard(self.index.step_of(place.node), path, data, keys, around, kind)

    def _whole_guard(self, place: Place) -> Guard:
        return self._guard(place, codec.canonical(place.leaf))

    def _unit_siblings(self, place: Place) -> Iterator[Guard]:
        """Yield guards for the currencies and units that stand beside or above a number."""
        if isinstance(place.leaf, bool) or not isinstance(place.leaf, int | float | Decimal | str):
            return
        if isinstance(place.leaf, str) and not any(map(str.isdigit, place.leaf[:40])):
            return
        for node, _ in self.index.ancestors(place.node, place.slot):
            for slot, name, child in self.index.named_children(node):
                if type(child) is str and child and is_unit_name(name) and not self.index.hides_names(node):
                    yield self._whole_guard(Place(node, slot, child))


def _line_sides(place: Place, line: str) -> tuple[str, str]:
    text = text_of(place.leaf) or ""
    at = text.find(line)
    while (at and text[at - 1] != "\n") or text[at + len(line) : at + len(line) + 1] not in ("", "\n"):
        at = text.find(line, at + 1)
    return ("\n" if at else ""), text[at + len(line) : at + len(line) + 1]


def _number_of(value: Any, text: str) -> int | float | Decimal | None:
    """Return the number that a value is, or whose digits a text is."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return (
            value
            if isinstance(value, int) or not (value.is_nan() if isinstance(value, Decimal) else math.isnan(value))
            else None
        )
    if isinstance(value, str | bytes) and len(text) <= 40 and re.fullmatch(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", text):
        return Decimal(text) if "." in text else int(text)
    return None


def _is_telling(kind: Kind, value: str) -> bool:
    """Return whether a number says enough to be found anywhere.

    Numbers from 100 or with a fraction do; dates always do.
    """
    if kind == "date":
        return True
    return abs(Decimal(value)) >= SMALL_INT or ("." in value and len(value) > SHORT_TEXT)


def id_like_parts(text: str, pieces: Iterable[str]) -> list[str]:
    """Return the parts of a text that look like ids: numbers, and words with digits."""
    found = {piece for piece in pieces if piece[0].isdigit()} | set(_WORD.findall(text))
    return sorted(part for part in found if len(part) >= SHORT_TEXT and any(map(str.isdigit, part)))
