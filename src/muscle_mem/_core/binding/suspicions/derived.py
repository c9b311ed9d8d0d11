"""Figures that may have been computed from earlier outputs (E10).

They are numbers and dates of a recording.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ...model.records import Guard, StepRecord, Suspicion
from ..outputs.figure_digest import figures_digest
from ..outputs.index import OutputIndex
from ..outputs.loops import is_list
from ..outputs.traits import traits_digest
from ..texts.field_names import is_id_name, is_same_name, says_quantity
from ..texts.figures import MAX_TEXT, is_calendar_word
from ..texts.leaf_texts import bytes_of, text_of
from ..texts.pieces import Piece
from .kinds import DERIVED
from .literals import figure_values, guarded_values, is_guarded, is_narrow

_DIGITS = re.compile(r"\d+")


class Knowledge(NamedTuple):
    """Other explanations of a figure: leaves of task and params, and defaults.

    The defaults are those of each step. `acts` says of each step that its tool is not `read`; `ended` which steps had
    ended when it began. `now` is in seconds since the epoch.
    """

    leaves: Sequence[Any]
    defaults: Sequence[tuple[Any, ...]]
    acts: Sequence[bool]
    ended: Mapping[int, frozenset[int]]
    now: float


class _Explained:
    """The figures of the task and the params.

    They are looked at when the first figure of a literal needs it.
    """

    def __init__(self, leaves: Sequence[Any]) -> None:
        self._leaves = leaves
        self._values: frozenset[str] | None = None

    def has_none(self, values: Sequence[str]) -> bool:
        """Return whether none of these figures is known."""
        if self._values is None:
            self._values = frozenset(figure_values(self._leaves))
        return self._values.isdisjoint(values)


def derived_suspicions(
    records: Sequence[StepRecord], index: OutputIndex, known: Knowledge
) -> list[tuple[Suspicion, ...]]:
    """Return for each step the suspicion that a figure was computed from outputs.

    A step without such a figure has an empty tuple. A suspicion names only the outputs that no earlier one of its row
    does, but in a parallel group, whose members may change places.
    """
    explained = _Explained(known.leaves)
    digests: dict[int, bytes | None] = {}
    traits: dict[int, bytes] = {}
    texts: dict[str, list[str]] = {}
    covered: set[int] = set()
    found: list[tuple[Suspicion, ...]] = []
    for step, record in enumerate(records):
        literals = list(_open_literals(record, known, step, explained, index)) if known.acts[step] else []
        if not literals:
            found.append(())
            continue
        sources: list[tuple[int, bytes]] = []
        for source in sorted(known.ended.get(step, ())):
            if source in covered and not record.group:
                continue
            if source not in digests:
                digests[source] = figures_digest(index.output_of(source), known.now, texts)
            digest = digests[source]
            if digest is not None:
                sources.append((source, digest))
                if source not in traits:
                    traits[source] = traits_digest(index.output_of(source), known.now, texts)
                if traits[source]:
                    sources.append((~source, traits[source]))
        if not record.group:
            covered |= known.ended.get(step, frozenset())
        narrow = any(is_narrow for _, is_narrow in literals)
        found.append((Suspicion(literals[0][0], DERIVED, sources=tuple(sources), is_narrow=narrow),))
    has_sources = any(suspicion.sources for step in found for suspicion in step)
    return found if has_sources else [()] * len(records)


def _outside_tables(record: StepRecord, index: OutputIndex) -> StepRecord:
    """Return a record without the guards in tables of text.

    Why a line of a table was chosen is not seen there.
    """
    guards = tuple(guard for guard in record.guards if not _is_in_table(guard, index))
    return record if len(guards) == len(record.guards) else msgspec.structs.replace(record, guards=guards)


def _is_in_table(guard: Guard, index: OutputIndex) -> bool:
    place = index.node_at(guard.step, guard.path)
    text = index.child(*place) if place is not None else None
    if not isinstance(text, str) or "\n" not in text:
        return False
    counts = [len(_DIGITS.findall(line)) for line in text[:MAX_TEXT].split("\n")]
    return any(count and counts.count(count) > 1 for count in counts)


def _may_be_position(piece: Piece, record: StepRecord, index: OutputIndex, ended: frozenset[int]) -> bool:
    """Return whether a number in an output may as well be the position of an element.

    It is so for a small number in an argument for an id or a place, if what has it in the output is neither: a total, a
    price or a quantity.
    """
    text = text_of(piece.value) or ""
    if len(text) > 2 or not text.isdecimal() or not is_id_name(piece.argument):
        return False
    if any(is_id_name(name) or is_same_name(piece.argument, name) for name in _names_of(text, record, index)):
        return False
    return any(
        is_list(value) and 1 < len(value) >= int(text) and index.step_of(node) in ended
        for node, value in enumerate(index.nodes)
    )


def _may_be_quantity(piece: Piece, record: StepRecord, index: OutputIndex) -> bool:
    """Return whether a small number that equals an id may as well be computed.

    It is so in an argument for a quantity, if nothing of the argument's name has it in an output.
    """
    text = text_of(piece.value) or ""
    if len(text) > 2 or not text.isdecimal() or not says_quantity(piece.argument):
        return False
    names = list(_names_of(text, record, index))
    return bool(names) and all(map(is_id_name, names))


def _names_of(text: str, record: StepRecord, index: OutputIndex) -> Iterator[str]:
    """Yield the names of the guarded places that have a small number.

    It may be a text there.
    """
    for guard in record.guards:
        place = index.node_at(guard.step, guard.path) if guard.kind == "" and not guard.around else None
        if place is not None and text_of(index.child(*place)) == text:
            yield index.name(*place)


def _open_literals(
    record: StepRecord, known: Knowledge, step: int, explained: _Explained, index: OutputIndex
) -> Iterator[tuple[int, bool]]:
    """Yield the number of each literal with a figure that nothing explains.

    Yield with it whether the literal has few possible values.
    """
    guarded = guarded_values(_outside_tables(record, index))
    defaults = {bytes_of(default) for default in known.defaults[step]}
    for leaf, piece in enumerate(index.pieces.of(record)):
        is_here = is_guarded(piece, guarded)
        ended = known.ended.get(step, frozenset())
        is_chance = _may_be_position(piece, record, index, ended) or _may_be_quantity(piece, record, index)
        if (is_here and not is_chance) or bytes_of(piece.value) in defaults:
            continue
        text = piece.value if isinstance(piece.value, str) else ""
        if isinstance(piece.value, bool) or (is_calendar_word(text) and text not in known.leaves):
            yield leaf, True
            continue
        for figure in index.figures.of(piece.value):
            before = text[figure.start - 1 : figure.start] if figure.start else ""
            if figure.kind == "time" or (figure.kind == "number" and before and (before.isalpha() or before in "#_")):
                continue
            if (is_chance or guarded.isdisjoint(figure.values)) and explained.has_none(figure.values):
                yield leaf, figure.kind == "number" and is_narrow(float(figure.values[0]))
