"""What limits the sources of a generalized trajectory (L3, P4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ..binding.guards.provenance import may_receive, untrusted_steps
from ..binding.inference.infer import Leaf
from ..binding.references.declared_flows import may_be_source
from ..binding.references.resolve import references_in
from ..model import flow as terms
from ..model.flow import Source, may_act
from ..model.records import StepRecord
from ..tools.tool import Tool
from .flows import VARIES, Flow


class Declared:
    """What the tools of a trajectory declare about the sources of arguments (P4)."""

    def __init__(self, tools: Sequence[Tool], records: Sequence[StepRecord]) -> None:
        self._tools = tools
        untrusted = untrusted_steps(tools)
        self._carriers = {
            (at, name)
            for at, record in enumerate(records)
            for name, expr in record.arguments
            if untrusted and not untrusted.isdisjoint(references_in(expr))
        }

    def allow(self, source: Source, leaf: Leaf) -> bool:
        """Return whether an argument may be read from a source.

        An argument that carries a value of an untrusted output on counts as that output.
        """
        target = self._tools[leaf.step]
        if leaf.argument in target.const:
            return False
        if self._is_untrusted(source):
            self._carriers.add((leaf.step, leaf.argument))
            if not may_receive(target, leaf.argument):
                return False
        return source.origin != terms.OUTPUT or may_be_source(self._tools[source.step], source.path)

    def _is_untrusted(self, source: Source) -> bool:
        if source.origin == terms.OUTPUT:
            return not self._tools[source.step].trusted
        return source.origin == terms.ARGUMENT and (source.step, source.name) in self._carriers


def essential_sources(
    sources: tuple[Source, ...], read: Mapping[tuple[int, str], tuple[Source, ...]]
) -> tuple[Source, ...]:
    """Return sources without earlier arguments that were read from one of the others.

    `read` are the sources of whole arguments. Such an argument has the same vote.
    """
    origins = {source for source in sources if source.origin != terms.ARGUMENT and may_act(source)}
    return tuple(
        source
        for source in sources
        if source.origin != terms.ARGUMENT
        or source.path
        or source.convert
        or origins.isdisjoint(read.get((source.step, source.name), ()))
    )


def open_loop(flows: Sequence[Flow], records: Sequence[StepRecord]) -> int:
    """Return the first of several steps that read elements of one list.

    Return -1 without such steps.

    The steps may be a loop over the list, which is complete only while the list has as many elements.
    """
    readers: dict[Source, dict[int, set[int]]] = {}
    for flow in flows:
        for source in flow.sources if flow.status != VARIES else ():
            at = next((at for at, item in enumerate(source.path) if isinstance(item, terms.Element)), -1)
            if at >= 0:
                element = source.path[at]
                assert isinstance(element, terms.Element)
                base = msgspec.structs.replace(source, path=source.path[:at], convert="")
                readers.setdefault(base, {}).setdefault(flow.step, set()).add(element.index)
    guarded = {guard.step for record in records for guard in record.guards if guard.kind == "length"}
    open_loops = [
        min(uses)
        for source, uses in readers.items()
        if len({frozenset(indexes) for indexes in uses.values()}) > 1 and source.step not in guarded
    ]
    return min(open_loops, default=-1)
