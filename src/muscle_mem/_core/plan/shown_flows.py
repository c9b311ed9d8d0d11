"""Flows as people see them: in explanations and in the command line (L8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import codec
from ..binding.inference.leaf import Leaf
from ..binding.references.source_text import source_text
from ..binding.references.sources import read
from ..codec.mappings import is_mapping_kind
from ..model.flow import PARAM, Source, may_act
from ..model.learned import REJECTED, Evidence
from ..model.records import Expr, Lit, Node, StepRecord
from ..model.text import safe_repr
from .flows import CONTRADICTED, VARIES, Flow, ShownFlow, flow_id, leaf_id
from .leaves import BY_PERSON

BY_CALL = "an agent's call contradicted it"


def shown_flow(
    flow: Flow, leaf: Leaf, records: Sequence[StepRecord], evidence: Evidence, params: Mapping[str, Any] | None = None
) -> ShownFlow:
    """Return a flow as people see it.

    Args:
        flow: The flow.
        leaf: The leaf that it explains.
        records: The calls of a recording.
        evidence: The stored evidence.
        params: The params of a run. The sources that they are have their values as votes.
    """
    status, missing, sources = flow.status, flow.missing, flow.sources
    struck = [source for source in leaf.sources if flow_id(leaf.step, leaf.leaf, source) in evidence.struck]
    if status == VARIES and evidence.verdicts.get(leaf_id(leaf.step, leaf.leaf)) == REJECTED:
        status, missing = CONTRADICTED, BY_PERSON
    elif status == VARIES and struck and not any(map(may_act, sources)):
        status, missing, sources = CONTRADICTED, BY_CALL, leaf.sources
    sources = tuple(sorted(sources, key=lambda source: not may_act(source)))
    tools = [record.tool for record in records]
    return ShownFlow(
        step=flow.step,
        tool=tools[flow.step],
        argument=place_text(records[flow.step], flow.argument, flow.path),
        status=status,
        sources=tuple([source_text(source, tools) for source in sources]),
        recordings=flow.recordings,
        values=flow.values,
        missing=missing,
        votes=tuple([_vote(source, params) for source in sources]) if params is not None else (),
    )


def _vote(source: Source, params: Mapping[str, Any] | None) -> str:
    """Return the value of a source before the first step; "" if there is none."""
    if source.origin != PARAM:
        return ""
    try:
        return safe_repr(read(source, (), _no_arguments, params or {}))
    except Exception:  # A value's own methods may raise.
        return "not found"


def _no_arguments(step: int, name: str) -> Any:
    raise LookupError(f"argument {name!r} of step {step} is not known yet")


def place_text(record: StepRecord, argument: str, path: Sequence[int]) -> str:
    """Return a leaf's place in its call, such as `order['lines'][0].id`."""
    expr: Expr | None = dict(record.arguments).get(argument)
    text = argument
    try:
        value: Any = None
        for index in path:
            if isinstance(expr, Node):
                text += codec.child_path(expr.kind, index, _keys_of(expr))
                expr = expr.items[index]
                continue
            if isinstance(expr, Lit):
                value, expr = codec.decode(expr.data, lenient=True), None
            unfolded = codec.unfold(value)
            if unfolded is None:
                return f"{text}[#{index}]"
            kind, children = unfolded
            text += codec.child_path(kind, index, children)
            value = children[index]
    except Exception:  # The path and the kinds come from a store.
        return f"{argument}[#{', #'.join(map(str, path))}]"
    return text


def _keys_of(expr: Node) -> Sequence[Any]:
    if not is_mapping_kind(expr.kind):
        return expr.items
    return [codec.decode(item.data, lenient=True) if isinstance(item, Lit) else item for item in expr.items]
