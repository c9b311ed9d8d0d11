"""The guardrail of tools: the last look before a replayed call is made."""

from __future__ import annotations

import sys
from typing import Any

from agents import ToolGuardrailFunctionOutput, ToolInputGuardrail, ToolInputGuardrailData
from agents.tracing import get_current_span

from .ledger import HandedOut, ledger_of
from .validation import ensure_engine


def memory_guardrail(engine: Any) -> ToolInputGuardrail[Any]:
    """Return a guardrail that runs the pre-check of a replayed call again.

    It runs the check right before the tool.

    Add it to tools that need an approval: `@function_tool(needs_approval=True,
    tool_input_guardrails=[memory_guardrail(engine)])`. The SDK runs it after the approval. If the state has changed
    while a person thought, the call is not made, and the model continues. Without the guardrail, such a tool is not
    replayed if it has a pre-check. On other tools, it closes the gap between the model's turn and the call, and marks
    the span of the call as replayed.

    Args:
        engine: The engine of the provider or model.

    Raises:
        InvalidTypeError: It is not an engine.
    """
    ensure_engine("memory_guardrail()", engine)
    ledger = ledger_of(engine)

    async def ask_memory(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
        call_id = data.context.tool_call_id
        call = ledger.find(call_id)
        if call is None:
            return ToolGuardrailFunctionOutput.allow()
        may_be_made = await call.memory.aconfirm(call_id)
        if not may_be_made:
            call.was_entered = True  # It was refused by the check, not by a person.
            return ToolGuardrailFunctionOutput.reject_content(call.memory.why_not(call_id), call.mark or None)
        if not call.needs_approval or _is_approved(data):
            call.enter(call_id)
        if call.mark:
            mark_span(call, data.context.tool_name)
        return ToolGuardrailFunctionOutput.allow(call.mark or None)

    ask_memory.is_memory_guardrail = True  # type: ignore[attr-defined]
    return ToolInputGuardrail(guardrail_function=ask_memory, name="memory_guardrail")


def _is_approved(data: ToolInputGuardrailData) -> bool:
    """Return whether the call is made next.

    Guardrails may also be set to run before the approval.
    """
    execution = getattr(getattr(data.context, "run_config", None), "tool_execution", None)
    if not getattr(execution, "pre_approval_tool_input_guardrails", False):
        return True
    return data.context.is_tool_approved(data.context.tool_name, data.context.tool_call_id) is True


def mark_span(call: HandedOut, tool: str) -> None:
    """Mark the SDK's span of a replayed call.

    The span that an OpenTelemetry bridge made of it is marked, too.
    """
    span_data: Any = getattr(get_current_span(), "span_data", None)
    if getattr(span_data, "type", "") == "function":
        span_data.mcp_data = {**(span_data.mcp_data or {}), **call.mark}
    traces = sys.modules.get("opentelemetry.trace")
    if traces is None:
        return
    span = traces.get_current_span()
    if span.is_recording() and tool in str(getattr(span, "name", "")):
        span.set_attributes(
            {
                "muscle_mem.replayed": True,
                "muscle_mem.step": call.mark.get("step", -1),
                "muscle_mem.trajectory.id": call.mark.get("trajectory_id") or "",
            }
        )
