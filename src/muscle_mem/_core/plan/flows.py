"""The flows of a generalized trajectory and their evidence (L8)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from .. import codec
from ..model.flow import Source
from ..model.learned import AGREED, DIGEST, Evidence

if TYPE_CHECKING:
    from ..binding.inference.infer import Leaf

ACTS, PROBATION, VARIES = "acts", "probation", "varies"
"""The statuses of a flow: it is replayed, replayed up to the next write, or not known."""

CONTRADICTED = "struck"
"""What people see as the status of a flow that was rejected or contradicted."""


class Flow(NamedTuple):
    """An argument's leaf whose value differs from run to run, and where it comes from.

    `sources` are those that nothing contradicts. `values` is the number of different values that agree with them,
    `recordings` the number of recordings they were derived from. `missing` says what the next level asks for.
    """

    step: int
    leaf: int
    argument: str
    path: tuple[int, ...]
    sources: tuple[Source, ...]
    status: str
    values: int
    recordings: int
    missing: str = ""


class ShownFlow(msgspec.Struct, frozen=True):
    """A flow as people see it.

    Attributes:
        step: The position of the step, from 0.
        tool: The name of its tool.
        argument: The argument, or the place in it, such as `order['lines'][0]`.
        status: "acts" (it is replayed), "probation" (it is replayed up to the next write), "varies" (its source is not
            known) or "struck" (a person rejected it, or an agent's call contradicted it).
        sources: Where the value comes from. All that can be read must agree.
        recordings: The number of recordings that it was derived from.
        values: The number of different values that agree with it.
        missing: What is missing for the next status.
        votes: For each source its value in this run, or "" if it is known only during the run.
    """

    step: int
    tool: str
    argument: str
    status: str
    sources: tuple[str, ...]
    recordings: int
    values: int
    missing: str = ""
    votes: tuple[str, ...] = ()

    def __str__(self) -> str:
        recordings = f"{self.recordings} recording{'s'[: self.recordings != 1]}"
        counts = f"{recordings}, {self.values} value{'s'[: self.values != 1]}"
        also = f"; also {', '.join(self.sources[1:])}" if len(self.sources) > 1 else ""
        first = self.sources[0] if self.sources else "?"
        return f"{self.tool}({self.argument} = {first}   {counts}{also})"


class ShownLoop(msgspec.Struct, frozen=True):
    """A loop over a whole list as people see it.

    Attributes:
        source: Where the list comes from.
        where: The declared conditions of the elements, as text.
        calls: The calls of an iteration, with what they read from the element as `.field`.
        lengths: The lengths of the recorded lists.
        recordings: The number of recordings.
        is_declared: Whether the tools declare the loop.
    """

    source: str
    calls: tuple[str, ...]
    lengths: tuple[int, ...]
    recordings: int
    where: str = ""
    is_declared: bool = False

    def __str__(self) -> str:
        lengths = ", ".join(map(str, self.lengths))
        elements = "element" if self.lengths == (1,) else "elements"
        where = f" where {self.where}" if self.where else ""
        declared = ", declared" if self.is_declared else ""
        return f"for each of {self.source}{where} ({lengths} {elements}{declared}): {'; '.join(self.calls)}"


class ShownOptional(msgspec.Struct, frozen=True):
    """A step that some recordings of a task lack, as people see it.

    Attributes:
        step: The position of the step.
        tool: The name of its tool.
        has: The number of recordings with the step.
        lacks: The number of recordings without it.
        missing: Why the step is not optional; empty if it is.
    """

    step: int
    tool: str
    has: int
    lacks: int
    missing: str = ""

    def __str__(self) -> str:
        with_it = f"{self.has} recording{'s'[: self.has != 1]} with it, {self.lacks} without"
        if self.missing:
            return f"step {self.step} ({self.tool}) is not optional ({with_it}): missing: {self.missing}"
        return f"step {self.step} ({self.tool}) is optional ({with_it}): skipped if its pre-check fails"


def leaf_id(step: int, leaf: int) -> bytes:
    """Return the name of a leaf in evidence."""
    return codec.digest(b"leaf %d %d" % (step, leaf))[:DIGEST]


def flow_id(step: int, leaf: int, source: Source) -> bytes:
    """Return the name of a leaf's source in evidence."""
    from ..binding.references.sources import source_digest

    return codec.digest(leaf_id(step, leaf) + source_digest(source))[:DIGEST]


def value_id(key: bytes, data: bytes) -> bytes:
    """Return the digest of a value in evidence.

    `data` are its canonical bytes.
    """
    return codec.digest(key + data)[:DIGEST]


def agreed_values(key: bytes, leaf: Leaf, sources: Iterable[Source], evidence: Evidence) -> frozenset[bytes]:
    """Return the digests of the values that agreed with the sources of a leaf."""
    found = {value_id(key, data) for data in leaf.values}
    for source in sources:
        found |= evidence.values.get(flow_id(leaf.step, leaf.leaf, source), frozenset())
    return frozenset(found)


def parents_entries(key: bytes, leaves: Sequence[Leaf], known: Evidence, most: int) -> list[bytes]:
    """Return the values of the parents as evidence that is not stored yet.

    At most so many values are kept for each source.
    """
    entries: list[bytes] = []
    for leaf in leaves:
        for source in leaf.sources:
            name = flow_id(leaf.step, leaf.leaf, source)
            stored = known.values.get(name, frozenset())
            new = [value_id(key, data) for data in leaf.values if value_id(key, data) not in stored]
            entries += [AGREED + name + value for value in new[: max(0, most - len(stored))]]
    return entries
