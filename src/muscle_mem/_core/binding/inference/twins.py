"""Calls of one tool that could be mistaken for each other as a source (L7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from ...model.flow import OUTPUT, Source, may_act
from ..references.recorded_runs import RecordedRun
from ..references.skeletons import argument_shapes
from ..references.sources import read
from .leaf import READ, VARIES, Leaf


def block_twins(
    leaves: Sequence[Leaf], runs: Sequence[RecordedRun], ended: Callable[[int], frozenset[int]]
) -> list[Leaf]:
    """Return the leaves; those whose source has a twin are marked.

    A twin is another earlier call of the same tool, at whose output the same way leads to a value of the same type. It
    does no harm if both calls' arguments are explained and differ in their explanation, or if it is a source as well.
    `runs` are the recordings.
    """
    twins = _Twins(leaves, runs)
    return [
        leaf._replace(facts=leaf.facts._replace(is_twin_blocked=True))
        if leaf.state == READ and twins.block(leaf, ended(leaf.step))
        else leaf
        for leaf in leaves
    ]


class _Twins:
    def __init__(self, leaves: Sequence[Leaf], runs: Sequence[RecordedRun]) -> None:
        self._records = runs[0].parent.records
        self._runs = runs
        self._leaves: dict[int, list[Leaf]] = {}
        for leaf in leaves:
            self._leaves.setdefault(leaf.step, []).append(leaf)

    def block(self, leaf: Leaf, ended: frozenset[int]) -> bool:
        """Return whether a leaf has a source with a twin that looks alike."""
        for source in leaf.sources:
            if source.origin != OUTPUT or not may_act(source):
                continue
            for step in ended:
                if step == source.step or self._records[step].tool != self._records[source.step].tool:
                    continue
                other = msgspec.structs.replace(source, step=step)
                if (
                    other not in leaf.sources
                    and self._could_be(source, other)
                    and not self._are_distinct(source.step, step)
                ):
                    return True
        return False

    def _could_be(self, source: Source, other: Source) -> bool:
        """Return whether both sources have values of one type in a recording."""
        for run in self._runs:
            try:
                values = [read(each, run.parent.outputs, run.argument, run.params) for each in (source, other)]
            except LookupError:
                continue
            if type(values[0]) is type(values[1]):
                return True
        return False

    def _are_distinct(self, one: int, two: int) -> bool:
        """Return whether the arguments of two calls are explained in different ways."""
        first, second = self._leaves.get(one, []), self._leaves.get(two, [])
        if any(leaf.state == VARIES for leaf in (*first, *second)):
            return False
        if argument_shapes(self._records[one]) != argument_shapes(self._records[two]):
            return True
        return any(map(_differ, first, second))


def _differ(one: Leaf, two: Leaf) -> bool:
    if one.state == two.state == READ:
        return not set(one.sources) & set(two.sources)
    return one.state != two.state or one.values != two.values
