"""Compatibility of recordings with the live tools and with the params of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import codec
from ..binding.params.forms import has_form
from ..binding.params.parts import part_at
from ..binding.params.relations import is_still_part
from ..binding.params.search import Params
from ..binding.params.values import is_number, plain_text
from ..binding.references.declared_flows import is_declared
from ..model.reason import Reason
from ..model.records import Body, Expr, Ign, Lit, Node, Part, StepRecord
from ..model.text import safe_repr
from ..redaction.secret_leaves import is_empty_value
from ..tools.tool import Tool
from .signature import signature_mismatch
from .step import PlanStep, Refusal


def incompatibility(record: StepRecord, tool: Tool, index: int, keywords: Sequence[str] = ()) -> Refusal | None:
    """Return why a step cannot be replayed with this tool, or None.

    `keywords` are the arguments that were passed by name.
    """
    return (
        _changed_signature(record, tool, index, keywords)
        or _changed_check(record, tool, index)
        or _uninjected_argument(record, tool, index)
        or _secret_in_clear(record, tool, index)
    )


def argument_incompatibility(
    record: StepRecord, tool: Tool, index: int, keywords: Sequence[str] = ()
) -> Refusal | None:
    """Return why the arguments of a step cannot be passed to this tool, or None.

    It is `incompatibility` for a step whose tool and checks are those of a step that is compatible.
    """
    return (
        _changed_signature(record, tool, index, keywords)
        or _uninjected_argument(record, tool, index)
        or _secret_in_clear(record, tool, index)
    )


def _changed_signature(record: StepRecord, tool: Tool, index: int, keywords: Sequence[str]) -> Refusal | None:
    if not tool.fingerprint.startswith("v:"):
        return None
    why = signature_mismatch(record, tool, keywords)
    if not why:
        return None
    message = (
        f"the parameters of {record.tool!r} (step {index}) have changed since this was recorded: {why}. "
        "Run the agent to record it again, and change version=."
    )
    return Refusal(Reason.TOOL_CHANGED, message, index, record.tool)


def _changed_check(record: StepRecord, tool: Tool, index: int) -> Refusal | None:
    for role, then, now in (
        ("pre", record.pre, tool.check_fingerprints[0]),
        ("post", record.post, tool.check_fingerprints[1]),
    ):
        if then != now:
            what = "added" if not then else "removed" if not now else "changed"
            message = (
                f"the {role}-check of {record.tool!r} (step {index}) was {what} since this was recorded. "
                "Run the agent to record it again."
            )
            return Refusal(Reason.CHECK_CHANGED, message, index, record.tool)
    return None


def _uninjected_argument(record: StepRecord, tool: Tool, index: int) -> Refusal | None:
    """Refuse an ignored argument without a default or a value in `inject`."""
    for name, expr in record.arguments:
        if not isinstance(expr, Ign) or name in tool.inject:
            continue
        parameter = tool.signature.parameters.get(name) if tool.signature else None
        if parameter is None or parameter.default is parameter.empty:
            message = (
                f"argument {name!r} of {record.tool!r} is ignored and has no value for a replay. "
                f"Add inject={{{name!r}: ...}}."
            )
            return Refusal(Reason.NOT_REPLAYABLE, message, index, record.tool)
    return None


def _secret_in_clear(record: StepRecord, tool: Tool, index: int) -> Refusal | None:
    """Refuse an argument that is now declared secret but was recorded with its value."""
    for name, expr in record.arguments if tool.secret else ():
        if tool.is_secret(name) and _has_literal(expr):
            message = (
                f"argument {name!r} of {record.tool!r} is secret now, but its value is in the recording. "
                "Forget this trajectory."
            )
            return Refusal(Reason.TOOL_CHANGED, message, index, record.tool)
    return None


def _has_literal(expr: Expr) -> bool:
    if isinstance(expr, Node):
        return any(map(_has_literal, expr.items))
    return isinstance(expr, Lit) and not is_empty_value(codec.decode(expr.data, lenient=True))


def flow_refusal(records: Sequence[StepRecord], steps: Sequence[PlanStep]) -> Refusal | None:
    """Return why recorded arguments do not fit the declared flows, or None.

    The flows are those of the live tools.
    """
    tools = [step.tool for step in steps]
    for index, (record, tool) in enumerate(zip(records, tools, strict=True)):
        for name, expr in record.arguments if tool.flows else ():
            if name in tool.flows and not is_declared(expr, tool.flows[name], tools):
                message = (
                    f"flows= of {record.tool!r} (step {index}) has another source of {name!r} than the recording: "
                    f"expected {tool.flows[name]!r}. Run the agent to record it again."
                )
                return Refusal(Reason.TOOL_CHANGED, message, index, record.tool)
    return None


def params_refusal(head: Body, in_texts: Sequence[str], as_numbers: Sequence[Part], params: Params) -> Refusal | None:
    """Return why a run's params do not fit: missing, new, guarded or ambiguous.

    `head` is the body of the recording; `in_texts` are the params that occur within texts, `as_numbers` the texts that
    are passed as numbers.
    """
    return (
        _param_names_refusal(head, params)
        or _param_types_refusal(head, params)
        or _fixed_params_refusal(head, params)
        or _parts_refusal(head, params)
        or _text_params_refusal(in_texts, params)
        or _number_params_refusal(as_numbers, params)
    )


def _param_names_refusal(head: Body, params: Params) -> Refusal | None:
    for name in head.params:
        if name not in params.values:
            return Refusal(
                Reason.PARAM_MISSING,
                f"param {name!r} was given when this was recorded, but not now. Pass it in params=.",
            )
    for name in params.values:
        if name not in head.params and name not in params.secret:
            return Refusal(
                Reason.PARAM_GUARD, f"param {name!r} was not given when this was recorded. Leave it out of params=."
            )
    return None


def _param_types_refusal(head: Body, params: Params) -> Refusal | None:
    for name, kind in zip(head.params, head.kinds, strict=False):
        if not codec.is_same_class_name(params.type_name(name), kind):
            then = kind.rpartition(":")[2] or "without a canonical form"
            message = (
                f"param {name!r} has another type than recorded: expected {then}, got {safe_repr(params.values[name])}"
            )
            return Refusal(Reason.PARAM_GUARD, message)
    return None


def _fixed_params_refusal(head: Body, params: Params) -> Refusal | None:
    for name, digest in head.fixed:
        if params.digest_of(name) != digest:
            return Refusal(
                Reason.PARAM_GUARD,
                f"the recording is valid only for the value that param {name!r} had: a step contains it in a form that "
                "cannot be replaced, or no step uses it",
            )
    for group in head.equal:
        if len({params.equality_key(name) for name in group}) > 1:
            return Refusal(
                Reason.PARAM_AMBIGUOUS,
                f"params {', '.join(group)} had equal values when this was recorded and differ now, so it is "
                "unknown which of them a step used",
            )
    return None


def _parts_refusal(head: Body, params: Params) -> Refusal | None:
    for condition in head.leafwise:
        if not has_form(params.values[condition.name], condition):
            return Refusal(
                Reason.PARAM_GUARD,
                f"param {condition.name!r} has other keys, lengths or types than when this was recorded, another "
                "value where no step uses it, or another order of the items of a list",
            )
    for part in head.parts:
        if not is_still_part(part, params.values):
            return Refusal(
                Reason.PARAM_AMBIGUOUS,
                f"param {part.name!r} was also a part of param {part.whole!r} when this was recorded, so which one a "
                "step meant cannot be determined now that they differ",
            )
    return None


def _text_params_refusal(in_texts: Sequence[str], params: Params) -> Refusal | None:
    for name in in_texts:
        value = plain_text(params.values[name])
        if type(value) not in (str, int):
            return Refusal(
                Reason.PARAM_GUARD,
                f"param {name!r} is part of a text: expected a str or an int, got {safe_repr(value)}",
            )
    return None


def _number_params_refusal(as_numbers: Sequence[Part], params: Params) -> Refusal | None:
    for part in as_numbers:
        value = part_at(params.values[part.name], part.path)
        if not is_number(plain_text(value)):
            message = f"param {part.name!r} is passed as a number: expected its digits, got {safe_repr(value)}"
            return Refusal(Reason.PARAM_GUARD, message)
    return None


def requirements(steps: Sequence[PlanStep]) -> tuple[tuple[int, PlanStep], ...]:
    """Return the steps that require something of a run, one for each requirement."""
    found: dict[Any, tuple[int, PlanStep]] = {}
    seen: set[Any] = set()
    for index, step in enumerate(steps):
        tool = step.tool
        key = tool, step.method, step.contexts
        if key in seen:
            continue
        seen.add(key)
        approval = tool.effect == "irreversible" and step.pre is None
        needs_run = not step.is_sync or step.has_async_check or step.contexts or step.method or tool.is_external
        if needs_run or approval:
            found[key] = (index, step)
    return tuple(found.values())
