"""Loops over whole lists: what an agent did for each element (L11).

Calls that follow each other, or groups of them with the same tools, fold if a leaf of them runs over a whole list in
order. Nothing here needs the live tools.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ... import codec
from ...model.declared_flow import DeclaredEach
from ...model.flow import Element, Get, Name, Parsed, PathItem, Slot
from ...model.records import Ref, StepRecord
from ..outputs.answers import block_text
from ..outputs.list_state import neighbors_of
from ..outputs.paths import Attributes, Fields, fields_of, opened, parsed_json, text_of_json
from ..texts.conversions import CONVERT
from ..texts.field_names import says_more, says_total
from ..texts.leaf_texts import bytes_of
from ..texts.pieces import literal_pieces
from .recorded_runs import NO_OUTPUT
from .sources import follow, is_column

MAX_BODY = 8
"""Calls in one iteration."""

MAX_LISTS = 64
MAX_ELEMENTS = 2_000
MAX_TIMES = 3
"""A list may be so many times as long as the longest one that was recorded."""

_MAX_DEPTH = 6
_MAX_FIELDS = 4
_MAX_TABLE = 200

Way = tuple[PathItem, ...]
Outputs = Sequence[Any]


class Item(Get, frozen=True, array_like=True, gc=False, tag="m"):
    """A leaf of an iteration: the value that its element had when the loop began.

    `loop` is the number of the loop, `iteration` that of the element, `number` that of the leaf among those that an
    iteration reads.
    """

    loop: int = 0
    iteration: int = 0
    number: int = 0


class ItemRef(Ref, frozen=True, array_like=True, gc=False, tag="r"):
    """An element of a list, or a part of one, as the object that it was."""

    loop: int = 0
    iteration: int = 0
    number: int = 0


class Loop(NamedTuple):
    """A loop in one recording.

    `start` is its first call and `size` the number of calls in an iteration; `length` elements follow each other. The
    list is in the output of `step`, where `way` leads.
    """

    start: int
    size: int
    length: int
    step: int
    way: Way

    @property
    def stop(self) -> int:
        """The position behind the last call."""
        return self.start + self.size * self.length


class Listed(NamedTuple):
    """A list in an output, with the containers around it, the innermost first."""

    elements: Sequence[Any]
    around: Sequence[Any]


def lists_in(output: Any) -> Iterator[tuple[Way, Sequence[Any]]]:
    """Yield the lists in an output with the way to each, but none inside of lists."""
    yield from _lists(output, (), 0)


def _lists(value: Any, way: Way, depth: int) -> Iterator[tuple[Way, Sequence[Any]]]:
    if depth > _MAX_DEPTH or value is NO_OUTPUT:
        return
    value = opened(value)
    if type(value) is list or (type(value) is tuple and value and is_column(value)):
        if len(value) == 1 and block_text(value[0]) is not None:
            yield from _lists(value[0], (*way, Element(0)), depth + 1)
            return
        yield way, value
        return
    if type(value) is tuple:
        for index, child in enumerate(value[:_MAX_TABLE]):
            yield from _lists(child, (*way, Slot(index)), depth + 1)
        return
    text = text_of_json(value)
    if text:
        found = parsed_json(text) if text.lstrip()[:1] in ("{", "[") else None
        if found is not None:
            yield from _lists(found, (*way, Parsed()), depth + 1)
        return
    for name, child in named_children(value):
        yield from _lists(child, (*way, Name(name)), depth + 1)


def named_children(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a dict, a record or an object that is read like one."""
    if type(value) is dict:
        yield from ((name, child) for name, child in value.items() if type(name) is str)
        return
    if type(value) is codec.Record:
        yield from (codec.fields_of(value) or {}).items()
        return
    fields = value if issubclass(type(value), Fields) else None
    if fields is None and codec.unfold(value) is not None and not issubclass(type(value), Attributes | list | tuple):
        fields = fields_of(value)
    if fields is not None:
        yield from zip(fields.names, fields.values, strict=True)


def list_at(output: Any, way: Way) -> Listed:
    """Return the list to which a way leads. Raises LookupError if there is none."""
    around: list[Any] = []
    value = output
    try:
        for item in way:
            around.append(value)
            value = follow(value, item, (), _no_argument, {})
        value = opened(value)
    except LookupError:
        raise
    except Exception as error:  # The value's own methods raise, so nothing can be read in it.
        raise LookupError("the list cannot be read") from error
    if type(value) is list or (type(value) is tuple and (not value or is_column(value))):
        return Listed(tuple(value), around[::-1])
    raise LookupError("there is no list")


def _no_argument(step: int, name: str) -> Any:
    raise LookupError(f"argument {name!r} of step {step} does not lead to a list")


def leaves_of(element: Any) -> Iterator[tuple[Way, Any]]:
    """Yield the leaves of an element that fields and tuple positions alone lead to."""
    yield from _leaves(element, (), 0)


def _leaves(value: Any, way: Way, depth: int) -> Iterator[tuple[Way, Any]]:
    value = opened(value)
    if type(value) is tuple and not is_column(value):
        for index, child in enumerate(value[:_MAX_TABLE]) if depth < _MAX_FIELDS else ():
            yield from _leaves(child, (*way, Slot(index)), depth + 1)
        return
    if codec.unfold(value) is None and type(value) is not codec.Record:
        yield way, value
        return
    for name, child in named_children(value) if depth < _MAX_FIELDS else ():
        yield from _leaves(child, (*way, Name(name)), depth + 1)


def value_in(element: Any, way: Way) -> Any:
    """Return the leaf of an element to which a way leads. Raises LookupError."""
    value = element
    for item in way:
        value = follow(value, item, (), _no_argument, {})
    return value


def is_made_of(value: Any, leaf: Any) -> bool:
    """Return whether a value is a leaf, or a text or number converted from one."""
    if type(value) is bool or value is None or value == "":
        return False
    if type(value) is type(leaf):
        if bytes_of(value) == bytes_of(leaf):
            return True
        return type(value) is str and leaf.strip().casefold() == value.strip().casefold()
    for convert in ("number", "text"):
        try:
            made = CONVERT[convert](leaf)
        except (ValueError, TypeError, AttributeError):
            continue
        if type(made) is type(value) and made == value:
            return True
    return False


def find_loops(records: Sequence[StepRecord], outputs: Outputs) -> list[Loop]:
    """Return the loops in one recording that went through at least two elements."""
    found: list[Loop] = []
    lists: list[tuple[int, Way, Sequence[Any]]] = []
    tools = [(record.tool, record.fingerprint, record.instance) for record in records]
    at = 0
    while at < len(records):
        loop = next((one for one in _loops_at(records, outputs, tools, lists, at) if one is not None), None)
        if loop is not None:
            found.append(loop)
            at = loop.stop  # A list that an iteration returned is not gone through.
            continue
        if at < len(outputs) and len(lists) < MAX_LISTS:
            own = [(at, way, items) for way, items in lists_in(outputs[at]) if 2 <= len(items) <= MAX_ELEMENTS]
            lists = own + lists
        at += 1
    return found


def _loops_at(
    records: Sequence[StepRecord],
    outputs: Outputs,
    tools: Sequence[Any],
    lists: Sequence[tuple[int, Way, Sequence[Any]]],
    at: int,
) -> Iterator[Loop | None]:
    for size in range(1, MAX_BODY + 1):
        if at + 2 * size > len(tools) or tools[at : at + size] != tools[at + size : at + 2 * size]:
            continue
        for step, way, items in lists:
            stop = at + size * len(items)
            if stop > len(tools) or any(tools[place] != tools[place - size] for place in range(at + size, stop)):
                continue
            loop = Loop(at, size, len(items), step, way)
            if runs_over(records, outputs, loop, items):
                yield loop


def runs_over(records: Sequence[StepRecord], outputs: Outputs, loop: Loop, items: Sequence[Any]) -> bool:
    """Return whether each iteration has a leaf of its element, all different."""
    for at in range(loop.start, loop.start + loop.size):
        rest = element_ref(records[at], outputs, loop, 0)
        places = range(at, loop.stop, loop.size)
        if rest is not None:
            return all(element_ref(records[place], outputs, loop, number) for number, place in enumerate(places))
        for number, piece in enumerate(literal_pieces(records[at])):
            for way, leaf in leaves_of(items[0]):
                if is_made_of(piece.value, leaf) and _run_of(records, places, items, number, way):
                    return True
    return False


def _run_of(records: Sequence[StepRecord], places: Sequence[int], items: Sequence[Any], number: int, way: Way) -> bool:
    seen: set[bytes] = set()
    for place, item in zip(places, items, strict=True):
        pieces = literal_pieces(records[place])
        try:
            leaf = value_in(item, way)
        except LookupError:
            return False
        if number >= len(pieces) or not is_made_of(pieces[number].value, leaf):
            return False
        seen.add(bytes_of(pieces[number].value) or b"")
    return len(seen) == len(items)


def element_ref(record: StepRecord, outputs: Outputs, loop: Loop, number: int) -> tuple[str, Ref] | None:
    """Return the argument that is an element of a loop's list, or a part of it.

    The reference is relative to the element.
    """
    for name, expr in record.arguments:
        if type(expr) is Ref and expr.step == loop.step:
            at = _place_in_list(outputs[loop.step], loop.way, expr, number)
            if at >= 0:
                return name, Ref(0, expr.path[at:], expr.keys[at:])
    return None


def _place_in_list(output: Any, way: Way, expr: Ref, number: int) -> int:
    """Return how many children lead to an element of a list; -1 if others do."""
    try:
        wanted = list_at(output, way)
        value: Any = output
        for at, index in enumerate(expr.path):
            unfolded = codec.unfold(value)
            if unfolded is None:
                return -1
            if _is_same_list(value, wanted.elements):
                return at + 1 if index == number else -1
            value = unfolded[1][index]
    except (LookupError, TypeError):
        return -1
    return -1


def leads_into(output: Any, way: Way, path: Sequence[int]) -> bool:
    """Return whether a path of children leads to a list, or into it."""
    try:
        wanted = list_at(output, way).elements
    except LookupError:
        return False
    value: Any = output
    for index in [*path, -1]:
        value = opened(value)
        if _is_same_list(value, wanted):
            return True
        text = text_of_json(value)
        if text:
            value = parsed_json(text)
            continue
        unfolded = codec.unfold(value)
        if unfolded is None or not 0 <= index < len(unfolded[1]):
            return False
        value = unfolded[1][index]
    return False


def _is_same_list(value: Any, elements: Sequence[Any]) -> bool:
    if not isinstance(value, list | tuple) or len(value) != len(elements):
        return False
    return bool(elements) and all(one is two for one, two in zip(value, elements, strict=True))


class ListState(NamedTuple):
    """What the neighbors of a list said of it.

    `more` are the names that said "more follows", `totals` those of numbers that equal its length. `is_limit` says that
    it was as long as an argument of its call.
    """

    more: frozenset[str]
    totals: frozenset[str]
    is_limit: bool


def declared_way(output: Any, flow: DeclaredEach) -> tuple[Way, Way]:
    """Return the way to a declared list, and the way in its elements."""
    way: list[PathItem] = []
    value = output
    for at, name in enumerate([*flow.path, None]):
        value = opened(value)
        if type(value) is list and len(value) == 1 and block_text(value[0]) is not None:
            value = _step(value, way, Element(0))
            value = _step(value, way, Name("text"))
        text = text_of_json(value)
        if text:
            value = _step(value, way, Parsed())
        if type(value) is dict and at == 0 and name is not None and name not in value and "content" in value:
            inner, rest = declared_way(value["content"], flow)
            return (*way, Name("content"), *inner), rest
        if type(value) is list or (type(value) is tuple and (not value or is_column(value))):
            return tuple(way), tuple([Name(one) for one in flow.path[at:]])
        if name is None:
            break
        value = _step(value, way, Name(name))
    raise LookupError(f"the output of {flow.tool!r} has no list at {'.'.join(flow.path) or 'its top'!r}")


def _step(value: Any, way: list[PathItem], item: PathItem) -> Any:
    way.append(item)
    return follow(value, item, (), _no_argument, {})


def declared_elements(output: Any, flow: DeclaredEach) -> list[tuple[Any, Any]]:
    """Return the declared elements with the value of each. Raises LookupError."""
    way, inner = declared_way(output, flow)
    chosen = chosen_elements(list_at(output, way).elements, flow.where)
    return [(element, value_in(element, inner)) for element in chosen]


def chosen_elements(elements: Sequence[Any], where: Sequence[tuple[str, Any]]) -> list[Any]:
    """Return the elements whose fields have these values."""
    return [element for element in elements if all(_has_value(element, name, value) for name, value in where)]


def _has_value(element: Any, name: str, value: Any) -> bool:
    try:
        found = value_in(element, (Name(name),))
    except LookupError:
        return False
    return type(found) is type(value) and bool(found == value)


def state_of(listed: Listed, limits: Sequence[Any]) -> ListState:
    """Return what the neighbors of a list and the arguments of its call say of it."""
    count = len(listed.elements)
    named = list(neighbors_of(listed.around))
    more = frozenset(name for name, value in named if says_more(name) and value and value != count)
    totals = frozenset(name for name, value in named if says_total(name) and type(value) is int and value == count)
    return ListState(more, totals, _is_limit(count, limits))


def common_state(states: Sequence[ListState]) -> ListState:
    """Return what the neighbors of all recorded lists said."""
    more = frozenset[str]().union(*(state.more for state in states))
    totals = states[0].totals.intersection(*(state.totals for state in states))
    return ListState(more, totals, any(state.is_limit for state in states))


def why_not_whole(listed: Listed, recorded: ListState, limits: Sequence[Any]) -> str:
    """Return why a list is not whole, as recorded ones were; empty if it is."""
    count = len(listed.elements)
    for name, value in neighbors_of(listed.around):
        if says_more(name) and value and value != count and name not in recorded.more:
            return f"the list is incomplete: {name} is {value!r}"
        if name in recorded.totals and type(value) is int and value != count:
            return f"the list has {count} elements, and {name} is {value}"
    if not recorded.is_limit and _is_limit(count, limits):
        return f"the list has {count} elements, the limit of the call"
    return ""


def _is_limit(count: int, limits: Sequence[Any]) -> bool:
    return count > 0 and any(type(limit) is int and limit == count for limit in limits)
