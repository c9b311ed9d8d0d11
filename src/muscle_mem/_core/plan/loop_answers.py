"""The answers after which recorded iterations went on (L12).

"Look until found" looks like "look at all" in a recording. So an iteration whose output holds a word, a bool or a small
number that no recorded iteration went on after stops the loop there. The last iteration is a case apart: something else
comes after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..binding.outputs.answers import DATA, EMPTY, FILLED, TEXT, WORD, read
from ..binding.outputs.failures import failure_marks
from ..binding.references.lined_up import BODY, FIXED, Form, Slot, Walk
from ..binding.references.recorded_runs import NO_OUTPUT
from ..binding.texts.field_names import says_state
from ..model.flow import Element, Name
from .answers import Looks, samples_of
from .places import MANY_WORDS, Names, Place, Unseen
from .ready_trajectory import ReadyTrajectory
from .recorded_answers import answers_nothing
from .small_answers import small_answers

ENOUGH = 3
"""Values that are all different are data from this number on."""


class Answers:
    """The answers that recordings had at one call.

    `ends` are those after which several recorded loops ended, and none went on.
    """

    def __init__(self, outputs: Sequence[Any]) -> None:
        self.place = Place()
        self.outputs = outputs
        self.samples = samples_of(outputs)
        self.small: dict[Names, set[Any]] = {}
        self.ends: dict[Names, set[Any]] = {}
        self.has_numbers = False
        for output in outputs:
            self.place.add(output, {})
            for names, value in small_answers(output, ()):
                self.small.setdefault(names, set()).add(value)

    def unseen(self, output: Any) -> Iterator[Unseen]:
        """Yield the answers in an output that no recording had here."""
        yield from self.place.unseen(output)
        for names, value in small_answers(output, ()) if self.has_numbers and self.small else ():
            known = self.small.get(names, set())
            is_unknown = type(value) is int and 0 < len(known) < MANY_WORDS and value not in known
            if is_unknown or value in self.ends.get(names, ()):
                yield Unseen(".".join(names), names[-1] if names else "", value, tuple(sorted(map(str, known))))

    def unseen_at_end(self, output: Any) -> Iterator[Unseen]:
        """Yield the answers after which no recording ended."""
        yield from self.unseen(output)
        yield from self.place.unseen_words(output)

    def stop_at(self, last: Answers) -> None:
        """Stop where recorded iterations were the last ones."""
        self.has_numbers = True
        counts = Counter(found for output in last.outputs for found in small_answers(output, ()))
        for (names, value), count in counts.items():
            if count > 1 and value not in self.small.get(names, ()):
                self.ends.setdefault(names, set()).add(value)

    def accept_also(self, other: Answers) -> None:
        """Accept what other iterations answered, where some of them answered the same."""
        self.has_numbers = True
        _join(self.place, other.place)
        for names, values in other.small.items():
            own = self.small.setdefault(names, set())
            if len(values) >= MANY_WORDS or not values.isdisjoint(own):
                own |= values


class IterationAnswers:
    """The answers of recorded calls: of fixed ones, and of each call of an iteration.

    `elements` are those of the elements themselves, for each loop.
    """

    def __init__(self, form: Form, walks: Sequence[Walk]) -> None:
        self.fixed: dict[Slot, Answers] = {}
        self.going_on: dict[Slot, Answers] = {}
        self.last: dict[Slot, Answers] = {}
        self.is_unknown: set[Slot] = set()
        for slot in form.slots:
            if slot.kind == FIXED:
                self.fixed[slot] = Answers(self._outputs(slot, walks, range(1)))
            elif slot.kind == BODY:
                going_on = [self._output(slot, walk, at) for walk in walks for at in range(walk.counts[slot.loop] - 1)]
                ends = [
                    self._output(slot, walk, walk.counts[slot.loop] - 1) for walk in walks if walk.counts[slot.loop]
                ]
                self.going_on[slot] = Answers([one for one in going_on if one is not NO_OUTPUT])
                self.last[slot] = Answers([one for one in ends if one is not NO_OUTPUT])
                self.going_on[slot].stop_at(self.last[slot])
                self.last[slot].accept_also(self.going_on[slot])
        for loop in form.loops:  # The elements are looked at where the list is read.
            _forget_elements(self.fixed[Slot(FIXED, -1, loop.source)].place, loop.way, also_none=loop.is_declared)
        self.elements = [
            _elements_place([element for walk in walks for element in walk.lists[at].elements])
            for at in range(len(form.loops))
        ]

    def _outputs(self, slot: Slot, walks: Sequence[Walk], iterations: range) -> list[Any]:
        found = [self._output(slot, walk, at) for walk in walks for at in iterations]
        return [one for one in found if one is not NO_OUTPUT]

    def _output(self, slot: Slot, walk: Walk, iteration: int) -> Any:
        place = walk.position(slot, iteration)
        found = walk.outputs[place] if place < len(walk.outputs) else NO_OUTPUT
        if found is NO_OUTPUT:
            self.is_unknown.add(slot)
        return found


def unseen_in_element(place: Place, element: Any) -> Unseen | None:
    """Return an answer in an element of a list that no recorded element had."""
    found = read(element, "", words=False)
    if found.fields is None:
        return None if place.accepts(found.category) else Unseen("", "", element, tuple(sorted(place.known)))
    return next(place._unseen_fields(found.fields, "", True), None)


def _elements_place(elements: Sequence[Any]) -> Place:
    place = Place()
    for element in elements:
        place.add_row(element, {}, ())
    _let_data_vary(place, elements, "")
    return place


def looks_of(made: ReadyTrajectory, answers: IterationAnswers, layout: Sequence[tuple[Slot, int]]) -> None:
    """Set what a replay looks at after each step of an unfolded trajectory."""
    made.has_looks = True
    last = {slot.loop: iteration for slot, iteration in layout if slot.kind == BODY}
    known: dict[int, tuple[frozenset[str] | None, tuple[Any, ...]]] = {}
    for at, (slot, iteration) in enumerate(layout):
        step = made.steps[at]
        if slot.kind == FIXED:
            found = answers.fixed[slot]
        else:
            found = (answers.last if iteration == last[slot.loop] else answers.going_on)[slot]
        tool = step.tool
        code = getattr(tool.fn, "__code__", None)
        if code is not None and answers_nothing(code):
            step.set_looks(None)
            continue
        if id(found) not in known:
            marks = frozenset[str]().union(*map(failure_marks, found.outputs)) if tool.failed is None else None
            known[id(found)] = (marks if found.outputs else None), ()
        marks, _ = known[id(found)]
        looks = Looks(tool, tool.failed is not False, marks, None)
        if not tool.answers_any and found.outputs and slot not in answers.is_unknown:
            looks.place = _AsPlace(found)
            looks.settled = ((at, looks.place),)
        looks.is_last = at == len(layout) - 1
        if tool.failed is None and not looks.is_last:
            looks.samples = found.samples
            looks.usual = next((sample for sample in found.samples if type(sample) is str), None)
        step.set_looks(looks if looks.is_judged or looks.settled else None)


class _AsPlace(Place):
    """The answers of a call, where a replay looks for those of one place."""

    __slots__ = ("answers",)

    def __init__(self, answers: Answers) -> None:
        super().__init__()
        self.answers = answers

    def unseen(self, value: Any, path: str = "", name: str = "", *, words: bool = True) -> Iterator[Unseen]:  # noqa: ARG002
        """Yield the answers in a value that no recording had."""
        return self.answers.unseen(value)

    def unseen_at_end(self, value: Any) -> Iterator[Unseen]:
        """Yield the answers after which no recording ended."""
        return self.answers.unseen_at_end(value)


def _forget_elements(place: Place, way: Sequence[Any], *, also_none: bool) -> None:
    """Accept any elements of a list, and with `also_none` an empty one."""
    names = [item.name for at, item in enumerate(way) if isinstance(item, Name) and not _is_block(way, at)]
    for name in names:
        found = place.fields.get(name)
        if found is None:
            return
        place = found
    if also_none:  # The declaration says which elements count, and that there may be none.
        place.known |= {EMPTY, FILLED}
    place.items = None


def _is_block(way: Sequence[Any], at: int) -> bool:
    """Return whether an item leads to the text of a content block."""
    here = isinstance(way[at - 1], Element) if at else False
    return here or (at + 1 < len(way) and isinstance(way[at + 1], Element))


def _let_data_vary(place: Place, values: Sequence[Any], name: str) -> None:
    """Accept any word where all words so far were different: these are data."""
    words = [read(value, name).category for value in values]
    if words and all(word[0] == WORD for word in words) and _are_data(words) and not says_state(name):
        place.known.add(TEXT)
    for field, inner in place.fields.items():
        parts = [found[field] for value in values if (found := _fields(value)) and field in found]
        _let_data_vary(inner, parts, field)


def _fields(value: Any) -> Mapping[str, Any] | None:
    return read(value).fields


def _are_data(values: Sequence[Any]) -> bool:
    return len(values) >= ENOUGH and len(set(values)) == len(values)


def _join(place: Place, other: Place) -> None:
    is_data = sum(category[0] == WORD for category in other.known) >= MANY_WORDS
    if is_data or not place.known.isdisjoint(other.known - DATA):
        place.known |= other.known
    for name, inner in place.fields.items():
        if name in other.fields:
            _join(inner, other.fields[name])
