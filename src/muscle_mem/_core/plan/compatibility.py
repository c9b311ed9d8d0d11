"""Whether a stored step and the live tool of its name still belong together, and what their step asks of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import codec
from ..model.reason import Reason
from ..model.records import Expr, Ign, Lit, Node, StepRecord
from ..redaction.secret_leaves import is_empty_value
from ..tools.tool import Tool
from .step import PlanStep, Refusal


def incompatibility(record: StepRecord, tool: Tool, index: int) -> Refusal | None:
    """Why a step cannot be replayed with this tool, if so."""
    return (
        _changed_check(record, tool, index)
        or _uninjected_argument(record, tool, index)
        or _secret_in_clear(record, tool, index)
    )


def _changed_check(record: StepRecord, tool: Tool, index: int) -> Refusal | None:
    for role, then, now in (
        ("pre", record.pre, tool.check_fingerprints[0]),
        ("post", record.post, tool.check_fingerprints[1]),
    ):
        if then != now:
            what = "added" if not then else "removed" if not now else "changed"
            message = (
                f"the {role}-check of {record.tool} (step {index}) was {what} since this was recorded; the agent's "
                f"next run records it again"
            )
            return Refusal(Reason.CHECK_CHANGED, message, index, record.tool)
    return None


def _uninjected_argument(record: StepRecord, tool: Tool, index: int) -> Refusal | None:
    """An ignored argument that nothing injects and that has no default."""
    for name, expr in record.arguments:
        if not isinstance(expr, Ign) or name in tool.inject:
            continue
        parameter = tool.signature.parameters.get(name) if tool.signature else None
        if parameter is None or parameter.default is parameter.empty:
            message = (
                f"argument {name!r} of {record.tool} is ignored, and nothing gives it; add inject={{{name!r}: ...}}"
            )
            return Refusal(Reason.NOT_REPLAYABLE, message, index, record.tool)
    return None


def _secret_in_clear(record: StepRecord, tool: Tool, index: int) -> Refusal | None:
    """An argument that is declared secret by now, and was recorded with its value."""
    for name, expr in record.arguments:
        if tool.secret and tool.is_secret(name) and _has_literal(expr):
            message = (
                f"argument {name!r} of {record.tool} is declared secret, and this was recorded with its value in it; "
                "forget this trajectory"
            )
            return Refusal(Reason.TOOL_CHANGED, message, index, record.tool)
    return None


def _has_literal(expr: Expr) -> bool:
    if isinstance(expr, Node):
        return any(map(_has_literal, expr.items))
    return isinstance(expr, Lit) and not is_empty_value(codec.decode(expr.data, lenient=True))


def requirements(steps: Sequence[PlanStep]) -> tuple[tuple[int, PlanStep], ...]:
    """The steps that ask something of a run before it may start, each kind of question once."""
    found: dict[Any, tuple[int, PlanStep]] = {}
    for index, step in enumerate(steps):
        tool = step.tool
        approval = tool.effect == "irreversible" and step.pre is None
        if tool.is_async or step.has_async_check or step.contexts or approval or step.method:
            found.setdefault((tool, step.method, step.contexts), (index, step))
    return tuple(found.values())
