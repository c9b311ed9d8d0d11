"""The proof of a loop: all iterations are explained, and differ (L11)."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .. import codec
from ..binding.references.lined_up import BODY, FIXED, Compact, Form, Slot, Walk, compact
from ..binding.references.recorded_runs import Parent, RecordedRun
from ..binding.references.skeletons import argument_shapes, skeleton
from ..binding.texts.pieces import literal_pieces
from ..model.flow import Get
from ..model.records import Row
from .for_each import Observed
from .leaves import ended_before_each, param_digest
from .step import PlanStep


class Context(NamedTuple):
    """What a loop is proven with.

    `slots` are the compact calls, `steps` their steps, `elements` the number of each loop's element, `found` what the
    leaves of the compact calls are read from.
    """

    form: Form
    slots: Sequence[Slot]
    observed: Sequence[Observed]
    steps: Sequence[PlanStep]
    elements: Mapping[int, int]
    key: bytes
    found: Mapping[int, Mapping[int, Get]]


def parent_of(one: Compact, row: Row) -> Parent:
    """Return the compact calls of a recording as a parent of an inference."""
    params = {trace.name: trace.digest for trace in row.witness.params} if row.witness is not None else {}
    return Parent(one.records, one.outputs, ended_before_each(one.records), one.suspicions, params)


def explains_all(context: Context, first: Compact) -> bool:
    """Return whether all iterations of all recordings are explained, and differ."""
    digest = functools.partial(param_digest, context.key)
    pieces = [literal_pieces(record) for record in first.records]
    shapes = [skeleton(record) for record in first.records]
    for seen in context.observed:
        told: list[set[Any]] = [set() for _ in context.form.loops]
        for number in range(max([*seen.walk.counts, 1])):
            if not all(seen.walk.counts):
                break  # That of an empty list was looked at before.
            one = compact(seen.walk, number, ())
            run = RecordedRun(parent_of(one, seen.candidate.row), digest)
            for at, record in enumerate(one.records):
                if skeleton(record) != shapes[at]:
                    return False
                for leaf, (piece, wanted) in enumerate(zip(literal_pieces(record), pieces[at], strict=True)):
                    get = context.found.get(at, {}).get(leaf)
                    if get is not None:
                        verdicts = [run.verdict(source, piece.value) for source in get.sources]
                        if False in verdicts or True not in verdicts:
                            return False
                    elif _differs(context, at, piece, wanted):
                        return False
            if not _is_new_element(context, seen.walk, number, one, told):
                return False
    return True


def _differs(context: Context, at: int, piece: Any, wanted: Any) -> bool:
    if codec.canonical(piece.value) == codec.canonical(wanted.value):
        return False
    return context.slots[at].kind == BODY and piece.argument not in context.steps[at].tool.any


def _is_new_element(context: Context, walk: Walk, number: int, one: Compact, told: list[set[Any]]) -> bool:
    """Return whether the values that an iteration reads were not read by another one."""
    for loop, element in context.elements.items():
        if number >= walk.counts[loop]:
            continue
        read = [
            codec.canonical(literal_pieces(one.records[at])[leaf].value)
            for at, gets in sorted(context.found.items())
            for leaf, get in sorted(gets.items())
            if context.slots[at] == Slot(BODY, loop, context.slots[at].number)
            and any(source.step == element for source in get.sources)
        ]
        if read and tuple(read) in told[loop]:
            return False
        told[loop].add(tuple(read))
    return True


def explains_empty(context: Context, walk: Walk, first: Compact) -> bool:
    """Return whether a recording of an empty list made the other calls alike."""
    for at, slot in enumerate(context.slots):
        if slot.kind != FIXED:
            continue
        record = walk.records[walk.position(slot)]
        if argument_shapes(record) != argument_shapes(first.records[at]):
            return False
        pieces = zip(literal_pieces(record), literal_pieces(first.records[at]), strict=True)
        for leaf, (piece, wanted) in enumerate(pieces):
            is_free = leaf in context.found.get(at, {}) or piece.argument in context.steps[at].tool.any
            if not is_free and codec.canonical(piece.value) != codec.canonical(wanted.value):
                return False
    return True
