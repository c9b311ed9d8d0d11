"""The positions of the calls of loops in an unfolded trajectory (L11)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..binding.references.lined_up import BODY, FIXED, Form, Slot, Walk
from .loop_trajectory import Span


def layout_of(form: Form, counts: Sequence[int]) -> Iterator[tuple[Slot, int]]:
    """Yield the calls for lists of these lengths: the compact call and the iteration."""
    number = 0
    for at, fixed in enumerate(form.fixed):
        for _ in range(fixed):
            yield Slot(FIXED, -1, number), 0
            number += 1
        if at < len(form.loops):
            body = [Slot(BODY, at, one) for one in range(form.loops[at].size)]
            for iteration in range(counts[at]):
                for slot in body:
                    yield slot, iteration


def spans_of(form: Form, counts: Sequence[int], positions: Positions) -> list[Span]:
    """Return where the loops are, for lists of these lengths."""
    found: list[Span] = []
    at = 0
    for number, loop in enumerate(form.loops):
        at += form.fixed[number]
        found.append(Span(at, loop.size, counts[number], positions.fixed_number(loop.source)))
        at += loop.size * counts[number]
    return found


class Positions:
    """The positions of the compact calls in an unfolded trajectory."""

    def __init__(self, slots: Sequence[Slot], layout: Sequence[tuple[Slot, int]]) -> None:
        self._numbers = {slot: at for at, slot in enumerate(slots)}
        self.fixed = {self._numbers[slot]: at for at, (slot, _) in enumerate(layout) if slot.kind == FIXED}
        self._bodies: dict[tuple[int, int], dict[int, int]] = {}
        self._layout = layout
        for at, (slot, iteration) in enumerate(layout):
            if slot.kind == BODY:
                self._bodies.setdefault((slot.loop, iteration), {})[self._numbers[slot]] = at

    def compact(self, slot: Slot) -> int:
        """Return the number of a compact call."""
        return self._numbers[slot]

    def fixed_number(self, number: int) -> int:
        """Return the position of the fixed call of a number."""
        return self.fixed[self._numbers[Slot(FIXED, -1, number)]]

    def of(self, loop: int, iteration: int) -> dict[int, int]:
        """Return the positions of the fixed calls and of those of an iteration."""
        return {**self.fixed, **self._bodies[loop, iteration]}

    def moved(self, sources: Sequence[Any]) -> tuple[Any, ...]:
        """Return figures that a fixed call depends on, with their steps here."""
        return tuple(
            one._replace(pairs=tuple([(self.fixed[step], data) for step, data in one.pairs])) for one in sources
        )

    def result(self, walk: Walk, recorded: int) -> int:
        """Return the step whose output is the value of a hit; -1 if it is not known."""
        if recorded < 0:
            return -1
        if recorded in walk.fixed:
            return self.fixed_number(walk.fixed.index(recorded))
        return len(self._layout) - 1 if recorded == len(walk.records) - 1 else -1
