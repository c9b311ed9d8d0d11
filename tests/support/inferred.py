"""Recordings written by hand, and what is inferred from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from muscle_mem._core import codec
from muscle_mem._core.binding.inference.infer import Leaf, Parent, infer
from muscle_mem._core.binding.inference.levels import level
from muscle_mem._core.binding.references.sources import AbsentError, read, source_text
from muscle_mem._core.binding.texts.pieces import literal_pieces
from muscle_mem._core.model.flow import Source
from muscle_mem._core.model.records import Expr, Lit, StepRecord, Suspicion


class Call(NamedTuple):
    """One call of a recording: its tool, arguments and output."""

    tool: str
    arguments: Mapping[str, Any]
    output: Any = None


def record(tool: str, **arguments: Any) -> StepRecord:
    """The stored call; an argument that is an expression stays it."""
    stored = tuple(
        (name, value if isinstance(value, Expr) else Lit(codec.encode(value))) for name, value in arguments.items()
    )
    return StepRecord(tool, "f", stored)


def parent(
    *calls: tuple[Any, ...],
    params: Mapping[str, Any] | None = None,
    suspicions: Sequence[tuple[Suspicion, ...]] = (),
    ended: Sequence[frozenset[int]] | None = None,
) -> Parent:
    """A recording of (tool, arguments, output) in order."""
    made = [Call(*call) for call in calls]
    return Parent(
        [record(call.tool, **call.arguments) for call in made],
        [call.output for call in made],
        [frozenset(range(step)) for step in range(len(made))] if ended is None else ended,
        suspicions,
        {name: digest_of(value) for name, value in (params or {}).items()},
    )


def digest_of(value: Any) -> bytes:
    """The digest of a param's value."""
    return codec.digest(codec.canonical(value))[:16]


def last_leaf(parents: Sequence[Parent], effects: Sequence[str | None] | None = None, **named: Any) -> Leaf:
    """What is inferred of the last leaf; every source has the recorded value in each recording that has the place."""
    leaves = infer(parents, effects or [None] * len(parents[0].records), **named)
    for leaf in leaves:
        assert_all_read(leaf, parents)
    return leaves[-1]


def texts(leaf: Leaf, parents: Sequence[Parent]) -> list[str]:
    """The sources of a leaf as texts."""
    return [source_text(source, [step.tool for step in parents[0].records]) for source in leaf.sources]


def explained(parents: Sequence[Parent], **named: Any) -> list[str]:
    """The sources of the last leaf as texts."""
    return texts(last_leaf(parents, **named), parents)


def level_of(parents: Sequence[Parent], effects: Sequence[str | None] | None = None, **named: Any) -> str:
    """What the last leaf may do."""
    leaf = last_leaf(parents, effects)
    return level(leaf.facts, len(leaf.values), **named)


def recorded_value(one: Parent, leaf: Leaf) -> bytes:
    """The canonical bytes of a leaf in a recording."""
    return codec.canonical(literal_pieces(one.records[leaf.step])[leaf.leaf].value)


def assert_all_read(leaf: Leaf, parents: Sequence[Parent]) -> None:
    """Every source of a leaf that is no param has the recorded values, at least two different ones."""
    for source in leaf.sources:
        if uses_param(source):
            continue
        found = set()
        for one in parents:
            try:
                value = read(source, one.outputs, lambda step, name, one=one: argument(one, step, name), {})
            except AbsentError:
                continue
            assert codec.canonical(value) == recorded_value(one, leaf), source
            found.add(codec.canonical(value))
        assert len(found) >= min(2, len(parents)), source


def uses_param(source: Source) -> bool:
    """Whether a source is a param, or an element found by one."""
    return "param" in repr(source)


def argument(one: Parent, step: int, name: str) -> Any:
    """The literal value of an argument."""
    found = dict(one.records[step].arguments).get(name)
    if not isinstance(found, Lit):
        raise LookupError(name)
    return codec.decode(found.data)
