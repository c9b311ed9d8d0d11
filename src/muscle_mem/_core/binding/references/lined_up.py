"""Recordings with loops over lists of different lengths, lined up (L11).

A *form* is what such recordings have in common: the calls before, between and behind the loops, and one iteration of
each loop. In the *compact* calls of a recording, one iteration stands for all of a loop. Before it stands a call that
was not made, whose output is the element, so that what reads the element is found like any other source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ...model.declared_flow import DeclaredEach
from ...model.flow import Get, Only, Source
from ...model.records import Guard, Node, Ref, StepRecord, Suspicion
from .for_each import Listed, Loop, Way, chosen_elements, element_ref, find_loops, leads_into, list_at
from .recorded_runs import NO_OUTPUT

ELEMENT_TOOL = "each element"
"""The tool of the call that was not made."""

_OVER = -1


class LoopForm(NamedTuple):
    """One iteration of a loop: `size` calls, for each element of a list.

    The list is in the output of the fixed call number `source`, where `way` leads. A declared loop leaves out elements
    that do not fit `where`; `inner` are its declared arguments: the call of the iteration, the name, the way in an
    element.
    """

    size: int
    source: int
    way: Way
    where: tuple[tuple[str, Any], ...] = ()
    inner: tuple[tuple[int, str, Way], ...] = ()

    @property
    def is_declared(self) -> bool:
        """Whether the tools declare the loop."""
        return bool(self.inner)


class Slot(NamedTuple):
    """A compact call: a fixed one, an element, or a call of an iteration."""

    kind: str
    loop: int
    number: int


FIXED, ELEMENT, BODY = "fixed", "element", "body"


class Form(NamedTuple):
    """The form of recordings with loops.

    `fixed` are the numbers of calls before the first loop, between the loops and behind the last one. `tools` are those
    of the compact calls, without the elements.
    """

    fixed: tuple[int, ...]
    loops: tuple[LoopForm, ...]
    tools: tuple[Any, ...]

    @property
    def slots(self) -> list[Slot]:
        """The compact calls."""
        found: list[Slot] = []
        number = 0
        for at, count in enumerate(self.fixed):
            found += [Slot(FIXED, -1, number + one) for one in range(count)]
            number += count
            if at < len(self.loops):
                found.append(Slot(ELEMENT, at, 0))
                found += [Slot(BODY, at, one) for one in range(self.loops[at].size)]
        return found


class UnfoldableError(Exception):
    """A recording cannot be folded: a call depends on what another iteration did."""


def form_of(
    records: Sequence[StepRecord], outputs: Sequence[Any], each: Sequence[Mapping[str, DeclaredEach]] = ()
) -> Form | None:
    """Return the form of a recording with loops; None if it has none.

    `each` are the loops that the tool of each call declares.
    """
    if any(each):
        from .declared_loops import declared_loops

        found = declared_loops(records, outputs, each)
        return None if found is None else _form(records, *found)
    return _form(records, find_loops(records, outputs), {})


def _form(records: Sequence[StepRecord], loops: Sequence[Loop], declared: Mapping[int, Any]) -> Form | None:
    if not loops:
        return None
    numbers: dict[int, int] = {}
    fixed: list[int] = []
    tools: list[Any] = []
    at = 0
    for loop in [*loops, None]:
        end = len(records) if loop is None else loop.start
        for place in range(at, end):
            numbers[place] = len(numbers)
        fixed.append(end - at)
        tools += [tool_of(record) for record in records[at:end]]
        if loop is not None:
            tools += [tool_of(record) for record in records[loop.start : loop.start + loop.size]]
            at = loop.stop
    made = tuple(
        LoopForm(loop.size, numbers.get(loop.step, _OVER), loop.way, *declared.get(loop.start, ())) for loop in loops
    )
    return None if any(loop.source == _OVER for loop in made) else Form(tuple(fixed), made, tuple(tools))


def tool_of(record: StepRecord) -> tuple[Any, ...]:
    """Return what identifies the tool of a call, with its checks."""
    return record.tool, record.fingerprint, record.instance, record.method, record.pre, record.post


class Walk:
    """One recording lined up with a form.

    `counts` are the lengths of its lists, `lists` the lists, `starts` the first calls of its loops. `fixed` are the
    positions of the fixed calls.
    """

    __slots__ = ("counts", "fixed", "form", "lists", "outputs", "records", "starts")

    def __init__(self, form: Form, records: Sequence[StepRecord], outputs: Sequence[Any]) -> None:
        self.form = form
        self.records = records
        self.outputs = outputs
        self.counts: list[int] = []
        self.starts: list[int] = []
        self.fixed: list[int] = []
        self.lists: list[Listed] = []

    def position(self, slot: Slot, iteration: int = 0) -> int:
        """Return the position of the call of a slot in an iteration."""
        if slot.kind == FIXED:
            return self.fixed[slot.number]
        return self.starts[slot.loop] + iteration * self.form.loops[slot.loop].size + slot.number

    def iteration(self, loop: int, wanted: int) -> int:
        """Return an iteration that the recording has."""
        return min(wanted, self.counts[loop] - 1)

    def loop(self, number: int) -> Loop:
        """Return a loop of the recording."""
        one = self.form.loops[number]
        return Loop(self.starts[number], one.size, self.counts[number], self.fixed[one.source], one.way)


def walk_of(form: Form, records: Sequence[StepRecord], outputs: Sequence[Any]) -> Walk | None:
    """Return a recording lined up with a form; None if it does not fit."""
    walk = Walk(form, records, outputs)
    tools = list(form.tools)
    at = 0
    for number, count in enumerate(form.fixed):
        if not _has_tools(records, at, tools[:count]):
            return None
        walk.fixed += range(at, at + count)
        at += count
        del tools[:count]
        if number == len(form.loops):
            break
        loop = form.loops[number]
        try:
            listed = list_at(outputs[walk.fixed[loop.source]], loop.way)
            if loop.where:
                listed = listed._replace(elements=tuple(chosen_elements(listed.elements, loop.where)))
        except (LookupError, IndexError):
            return None
        body = tools[: loop.size]
        walk.starts.append(at)
        walk.counts.append(len(listed.elements))
        walk.lists.append(listed)
        if not _has_tools(records, at, body * len(listed.elements)):
            return None
        at += loop.size * len(listed.elements)
        del tools[: loop.size]
    return walk if at == len(records) else None


def _has_tools(records: Sequence[StepRecord], at: int, tools: Sequence[Any]) -> bool:
    return [tool_of(record) for record in records[at : at + len(tools)]] == list(tools)


def begins_alike(form: Form, records: Sequence[StepRecord]) -> bool:
    """Return whether a recording begins with the calls before the first loop."""
    return _has_tools(records, 0, form.tools[: form.fixed[0]])


class Compact(NamedTuple):
    """The compact calls of a recording for one iteration of each loop.

    `places` are the positions of the calls in the recording; -1 for an element.
    """

    records: tuple[StepRecord, ...]
    outputs: list[Any]
    suspicions: tuple[tuple[Suspicion, ...], ...]
    places: list[int]


def compact(walk: Walk, chosen: int, suspicions: Sequence[tuple[Suspicion, ...]]) -> Compact:
    """Return the compact calls of a recording for an iteration.

    Raises UnfoldableError if a call depends on what another iteration did.
    """
    slots = walk.form.slots
    places = [-1 if slot.kind == ELEMENT else walk.position(slot, _iteration(walk, slot, chosen)) for slot in slots]
    back = {place: at for at, place in enumerate(places) if place >= 0}
    records: list[StepRecord] = []
    outputs: list[Any] = []
    for slot, place in zip(slots, places, strict=True):
        if slot.kind == ELEMENT:
            records.append(StepRecord(f"{ELEMENT_TOOL} {slot.loop}", "", ()))
            outputs.append(walk.lists[slot.loop].elements[_iteration(walk, slot, chosen)])
            continue
        records.append(_moved(walk, slot, chosen, back, walk.records[place]))
        outputs.append(walk.outputs[place] if place < len(walk.outputs) else NO_OUTPUT)
    doubts = tuple(_doubts(suspicions[place], back) if 0 <= place < len(suspicions) else () for place in places)
    return Compact(tuple(records), outputs, doubts if any(doubts) else (), places)


def _iteration(walk: Walk, slot: Slot, chosen: int) -> int:
    return 0 if slot.kind == FIXED else walk.iteration(slot.loop, chosen)


def _doubts(suspicions: Sequence[Suspicion], back: Mapping[int, int]) -> tuple[Suspicion, ...]:
    return tuple(
        msgspec.structs.replace(one, sources=tuple([(back[step], data) for step, data in one.sources if step in back]))
        for one in suspicions
    )


def _moved(walk: Walk, slot: Slot, chosen: int, back: Mapping[int, int], record: StepRecord) -> StepRecord:
    """Return a call of a recording as a compact one."""
    over: Mapping[str, Ref] = {}
    source = -1
    if slot.kind == BODY:
        loop = walk.loop(slot.loop)
        source = loop.step
        found = element_ref(record, walk.outputs, loop, walk.iteration(slot.loop, chosen))
        if found is not None:
            element = walk.form.slots.index(Slot(ELEMENT, slot.loop, 0))
            over = {found[0]: msgspec.structs.replace(found[1], step=element)}
    arguments = tuple([(name, over.get(name) or shifted(expr, back)) for name, expr in record.arguments])
    guards = [guard for guard in record.guards if guard.step in back]
    if source >= 0:
        way = walk.form.loops[slot.loop].way
        guards = [one for one in guards if one.step != source or not leads_into(walk.outputs[source], way, one.path)]
    return msgspec.structs.replace(
        record,
        arguments=arguments,
        guards=tuple([msgspec.structs.replace(guard, step=back[guard.step]) for guard in guards]),
        group=0 if slot.kind == BODY else record.group,
        late=False if slot.kind == BODY else record.late,
    )


def shifted(expr: Any, positions: Mapping[int, int]) -> Any:
    """Return an expression with other positions of the calls that it reads.

    Raises UnfoldableError if one of them has none.
    """
    try:
        if isinstance(expr, Ref):
            return msgspec.structs.replace(expr, step=positions[expr.step])
        if isinstance(expr, Node):
            return Node(expr.kind, tuple([shifted(item, positions) for item in expr.items]))
        if isinstance(expr, Get):
            return msgspec.structs.replace(expr, sources=tuple([moved_source(one, positions) for one in expr.sources]))
    except KeyError:
        raise UnfoldableError from None
    return expr


def moved_source(source: Source, positions: Mapping[int, int]) -> Source:
    """Return a source with other positions of calls. Raises KeyError if one has none."""
    path = tuple(
        [
            msgspec.structs.replace(item, equals=moved_source(item.equals, positions))
            if isinstance(item, Only)
            else item
            for item in source.path
        ]
    )
    step = positions[source.step] if source.step >= 0 else source.step
    return msgspec.structs.replace(source, step=step, path=path)


def moved_guards(guards: Sequence[Guard], positions: Mapping[int, int]) -> tuple[Guard, ...]:
    """Return guards with other positions, without those of calls that have none."""
    return tuple([msgspec.structs.replace(one, step=positions[one.step]) for one in guards if one.step in positions])


def has_foldable_groups(walk: Walk) -> bool:
    """Return whether each loop overlapped as a whole, or not at all.

    Groups of other calls may stand before the first loop only.
    """
    records = walk.records
    for start, count, loop in zip(walk.starts, walk.counts, walk.form.loops, strict=True):
        stop = start + count * loop.size
        groups = {record.group for record in records[start:stop]}
        if len(groups) > 1 or (
            groups - {0} and any(record.group in groups for at, record in enumerate(records) if not start <= at < stop)
        ):
            return False
    first = walk.starts[0] if walk.starts else len(records)
    loops = {at for at in range(first, len(records)) if at not in walk.fixed}
    return not any(record.group for at, record in enumerate(records) if at >= first and at not in loops)
