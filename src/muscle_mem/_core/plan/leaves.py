"""The arguments that differ between recordings, and where they come from (L4, L8).

Nothing here needs the live tools: what is known of them is passed in.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ...errors import DecodeError
from .. import codec
from ..binding.inference.infer import NO_OUTPUT, Parent, infer
from ..binding.inference.leaf import Leaf
from ..binding.inference.levels import level, missing
from ..model import flow as terms
from ..model.flow import Source, may_act
from ..model.learned import CONFIRMED, REJECTED, Evidence
from ..model.records import Body, Row, StepRecord
from .flows import ACTS, VARIES, Flow, agreed_values, flow_id, leaf_id
from .general_trajectory import Settings
from .parallel import group_spans

BY_PERSON = "a person rejected it"
NO_SOURCE = "no source explains all recordings"


class StepTraits(NamedTuple):
    """What is known of a step beside its recordings."""

    effect: str | None
    has_pre_check: bool


def differing_leaves(
    bodies: Sequence[Body], rows: Sequence[Row], traits: Sequence[StepTraits], key: bytes
) -> list[Leaf]:
    """Return the leaves that differ, or that one recording explains.

    Args:
        bodies: The calls of each recording, equal but for values.
        rows: The observation of each recording.
        traits: What is known of each step.
        key: The task key.
    """
    leaves = infer(
        [_parent_of(body, row) for body, row in zip(bodies, rows, strict=True)],
        [one.effect for one in traits],
        words_of_tasks(rows),
        digest_of=functools.partial(param_digest, key),
    )
    return [leaf for leaf in leaves if leaf.state != "constant"]


def _parent_of(body: Body, row: Row) -> Parent:
    witness = row.witness
    params = {trace.name: trace.digest for trace in witness.params} if witness is not None else {}
    return Parent(body.steps, outputs_of(row, len(body.steps)), ended_before_each(body.steps), row.suspicions, params)


def param_digest(key: bytes, value: Any) -> bytes:
    """Return the digest that a recording has of a param with this value."""
    return codec.digest(key + codec.digest(codec.canonical(value)))[:16]


def outputs_of(row: Row, count: int) -> list[Any]:
    found: list[Any] = []
    for at in range(count):
        data = row.outputs[at] if at < len(row.outputs) else b""
        try:
            found.append(codec.decode(data, lenient=True) if data else NO_OUTPUT)
        except DecodeError:
            found.append(NO_OUTPUT)
    return found


def ended_before_each(records: Sequence[StepRecord]) -> list[frozenset[int]]:
    """Return for each step the steps that had surely ended when it began."""
    ended = [frozenset(range(at)) for at in range(len(records))]
    for start, stop in group_spans(records):
        for at in range(start, stop):
            ended[at] = frozenset(range(start))
    return ended


def words_of_tasks(rows: Sequence[Row]) -> frozenset[str]:
    """Return the words of the task texts, without params."""
    return frozenset(word.casefold() for row in rows for part in row.task[::2] for word in part.split())


def flow_of(
    leaf: Leaf,
    traits: StepTraits,
    is_allowed: Callable[[Source, Leaf], bool],
    evidence: Evidence,
    asks: Settings,
    recordings: int,
) -> Flow:
    """Return where a leaf comes from, and whether that is replayed.

    Args:
        leaf: The leaf.
        traits: What is known of its step.
        is_allowed: Says whether the declarations of the tools allow a source.
        evidence: The stored evidence.
        asks: What is asked of learned flows.
        recordings: The number of recordings that the leaf was derived from.
    """
    verdict = evidence.verdicts.get(leaf_id(leaf.step, leaf.leaf), b"")
    sources = tuple(
        source
        for source in leaf.sources
        if flow_id(leaf.step, leaf.leaf, source) not in evidence.struck and is_allowed(source, leaf)
    )
    values = len(agreed_values(asks.key, leaf, sources, evidence))
    if verdict == REJECTED or not any(map(may_act, sources)):
        why = BY_PERSON if verdict == REJECTED else NO_SOURCE
        return Flow(leaf.step, leaf.leaf, leaf.argument, leaf.path, sources, VARIES, values, recordings, why)
    status: str
    asked = functools.partial(
        level,
        declared=verdict == CONFIRMED,
        irreversible=traits.effect == "irreversible",
        is_checked=traits.has_pre_check or asks.approves,
        extra=asks.probation,
    )
    if any(source.origin == terms.PARAM for source in sources) and len(leaf.values) > 1:
        status = ACTS  # The caller declared the param, so nothing more is asked.
    else:
        status = asked(leaf.facts, values)
    lacks = "" if status == ACTS else missing(leaf.facts, values, **asked.keywords)
    status = VARIES if status == "none" else status
    return Flow(leaf.step, leaf.leaf, leaf.argument, leaf.path, sources, status, values, recordings, lacks)
