"""Loops of a replay: at the list, its elements are unfolded (L11 to L13)."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from typing import Any

import msgspec

from ...errors import NotStorableError
from .. import codec
from ..binding.references.for_each import (
    MAX_TIMES,
    Listed,
    chosen_elements,
    is_made_of,
    list_at,
    value_in,
    why_not_whole,
)
from ..binding.references.resolve import argument_reader
from ..binding.references.sources import kind_of, read
from ..model.flow import Get
from ..model.reason import Reason
from ..model.records import Ref
from ..model.secret import Secret
from ..model.text import safe_repr
from ..plan.for_each import Fold
from ..plan.loop_answers import unseen_in_element
from ..plan.loop_trajectory import LoopTrajectory
from ..plan.ready_trajectory import Candidate
from ..plan.step import LOOP_OPENS, Refusal
from ..run.effects import Effect
from ..run.run import Run
from .parallel_group import Chosen
from .prepare import Captures
from .selection import Selection
from .take_over import first_accepting, observations

_NUMBER = re.compile(r"(?<![\w.,])\d{1,4}(?![\w.,]\w)")
_NUMBER_WORDS = {
    word: number for number, word in enumerate("zero one two three four five six seven eight nine ten".split())
}


class _Unclear:
    """The values of an element before which the loop stops."""

    def __repr__(self) -> str:
        return "<unclear>"


UNCLEAR = _Unclear()


class Unfolded(msgspec.Struct, frozen=True):
    """What each iteration reads, and before which one the loop stops."""

    values: list[list[Any]]
    stop: tuple[int, Refusal] | None = None


def open_loop(
    run: Run, selection: Selection | None, position: int, followed: Candidate, captures: Captures
) -> Generator[Effect, Any, Chosen | Candidate | Refusal]:
    """Read the list of a loop, and return the observation that goes on.

    Return the candidate if nothing is left to do.
    """
    trajectory = followed.trajectory
    assert isinstance(trajectory, LoopTrajectory)
    number = trajectory.known
    found = _unfold(run, trajectory, number)
    if isinstance(found, Refusal):
        return found
    run.env.loops = [*(run.env.loops or ())[:number], found.values]
    counts = list(trajectory.counts)
    counts[number] = len(found.values)
    stop = None if found.stop is None else (number, *found.stop)
    general = trajectory.fold.unfold(tuple(counts), number + 1, stop)
    candidates = observations(run, general, followed, selection, position)
    run.progress.candidate = next((one for one in candidates if one.id == followed.id), candidates[0])
    if position == len(general.steps):
        return run.progress.candidate
    step = general.steps[position]
    if general.stop is not None and general.stop.reason is LOOP_OPENS and general.stop.step == position:
        return (yield from open_loop(run, selection, position, run.progress.candidate, captures))
    return (yield from first_accepting(run, selection, position, general, candidates, step, captures))


def _unfold(run: Run, trajectory: LoopTrajectory, number: int) -> Unfolded | Refusal:
    """Return what each iteration of a loop reads, or why there is none."""
    fold = trajectory.fold
    span = trajectory.spans[number]
    planned, args, kwargs = run.progress.calls[span.source]
    tool = trajectory.steps[span.start].tool.name if span.start < trajectory.length else planned.tool.name

    def refusal(why: str) -> Refusal:
        message = (
            f"the loop over the list that {planned.tool.name!r} (step {span.source}) returned cannot continue: {why}"
        )
        return Refusal(Reason.LOOP_UNCLEAR, message, span.start, tool, seen=why)

    if span.source in run.progress.skipped:
        return refusal("the list was not read in this run")
    try:
        listed = list_at(run.progress.results[span.source], fold.form.loops[number].way)
    except LookupError as error:
        return refusal(f"there is no list any more ({error.args[0] if error.args else error})")
    where = fold.form.loops[number].where
    limits = [value for _, value in planned.tool.name_arguments(args[planned.method :], kwargs)]
    why = why_not_whole(listed, fold.states[number], limits) or _bounds(run, fold, number, len(listed.elements))
    if why:
        return refusal(why)
    if where:
        listed = listed._replace(elements=tuple(chosen_elements(listed.elements, where)))
    return _values(run, fold, number, listed, refusal)


def _bounds(run: Run, fold: Fold, number: int, count: int) -> str:
    """Return why a list of so many elements is not gone through; empty if it is."""
    if fold.is_declared[number]:
        return ""
    if count == 0 and not fold.may_be_empty[number]:
        return "the list is empty, and no recording had an empty one"
    longest = fold.longest[number]
    if count > MAX_TIMES * longest:
        return f"the list has {count} elements, more than {MAX_TIMES} times as many as the longest recorded ({longest})"
    if count > longest:
        asked = [one for one in _numbers_in(run) if longest <= one < count]
        if asked:
            return f"the list has {count} elements, and the task may ask for {asked[0]}"
    return ""


def _numbers_in(run: Run) -> list[int]:
    """Return the numbers in the task and its params: it may ask for so many."""
    text = run.label.lower()
    found = [int(one) for one in _NUMBER.findall(text)]
    found += [_NUMBER_WORDS[word] for word in re.findall(r"[a-z]+", text) if word in _NUMBER_WORDS]
    return found + [value for value in run.params.values.values() if type(value) is int and value > 0]


def _values(run: Run, fold: Fold, number: int, listed: Listed, refusal: Callable[[str], Refusal]) -> Unfolded | Refusal:
    reads, refs = fold.derived.reads[number], fold.derived.refs[number]
    told: set[Any] = set()
    values: list[list[Any]] = []
    stop: tuple[int, Refusal] | None = None
    for at, element in enumerate(listed.elements):
        found = _element_values(run, fold, number, element, reads, refs)
        if not isinstance(found, str):
            name = _identity(found)
            if name in told:
                return refusal(f"its element {at + 1} is equal to an earlier one")
            told.add(name)
            values.append(found)
            continue
        values.append([UNCLEAR] * (len(reads) + len(refs)))
        if stop is None:
            stop = at, refusal(f"element {at + 1} of {len(listed.elements)} {found}")
    return Unfolded(values, stop)


def _identity(values: Sequence[Any]) -> Any:
    try:
        return codec.canonical(list(values))
    except NotStorableError:
        return tuple(map(id, values))


def _element_values(
    run: Run, fold: Fold, number: int, element: Any, reads: Sequence[Get], refs: Sequence[Ref]
) -> list[Any] | str:
    """Return what an iteration reads from its element, or why the loop stops."""
    unseen = None
    if not fold.is_declared[number]:
        unseen = unseen_in_element(fold.answers.elements[number], element)
    if unseen is not None:
        known = " or ".join(one.lstrip("=") for one in unseen.known)
        where = f" at {unseen.place!r}" if unseen.place else ""
        return f"has {safe_repr(unseen.value)}{where}, and recorded elements had {known}"
    for tie in fold.derived.ties[number]:
        try:
            is_same = is_made_of(tie.value, value_in(element, tie.path))
        except LookupError:
            is_same = False
        if not is_same:
            return f"lacks {safe_repr(tie.value)}, which all recorded elements had and the calls pass on"
    reader = argument_reader(run.env)
    found: list[Any] = []
    for get in reads:
        read_value = _agreed_value(fold, number, get, element, reader)
        if isinstance(read_value, _Problem):
            return read_value.text
        found.append(read_value.value)
    for ref in refs:
        try:
            value: Any = element
            for index in ref.path:
                unfolded = codec.unfold(value)
                if unfolded is None:
                    raise LookupError("it has another form")
                value = unfolded[1][index]
        except (LookupError, IndexError):
            return "has another form than the recorded ones"
        if isinstance(value, Secret):
            return "is a secret"
        found.append(value)
    return found


class _Problem(msgspec.Struct, frozen=True):
    text: str


class _Value(msgspec.Struct, frozen=True):
    value: Any


def _agreed_value(fold: Fold, number: int, get: Get, element: Any, reader: Any) -> _Problem | _Value:
    place = fold.element_slot(number)
    found: list[Any] = []
    for source in get.sources:
        if source.step != place:
            continue
        try:
            found.append(read(msgspec.structs.replace(source, step=0), (element,), reader, {}))
        except LookupError as error:
            return _Problem(f"lacks a value that the recorded ones had ({error.args[0] if error.args else error})")
    if isinstance(found[0], Secret):
        return _Problem("is a secret")
    try:
        if len({codec.canonical(value) for value in found}) > 1:
            return _Problem("has several values for one argument")
    except NotStorableError:
        return _Problem("has a value that cannot be compared")
    if get.kinds and kind_of(found[0], get.sources) not in get.kinds:
        return _Problem(f"has {safe_repr(found[0])} where the recorded ones had {' or '.join(get.kinds)}")
    return _Value(found[0])
