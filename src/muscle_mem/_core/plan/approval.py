"""Recordings that need an approval by the tools that are registered now (P3)."""

from __future__ import annotations

from collections.abc import Sequence

from ..binding.guards.given import Given
from ..binding.guards.provenance import (
    DEFAULT,
    TASK,
    approval_message,
    exposed_steps,
    findings,
    leaves_of,
    untrusted_steps,
    with_trust,
)
from ..binding.texts.leaf_texts import bytes_of
from ..model.reason import Reason
from ..model.records import Body, Row, StepRecord
from ..tools.tool import Tool, defaults_of
from .step import PlanStep, Refusal


def approval_refusal(body: Body, rows: Sequence[Row], steps: Sequence[PlanStep]) -> Refusal | None:
    """Return why a trajectory is not replayed before a person approves it, if so.

    It may have been recorded before its tools were declared. One recording of the same calls in which their values came
    from elsewhere is enough.
    """
    tools = [step.tool for step in steps]
    if all(tool.trusted and not tool.sink for tool in tools):
        return None
    untrusted = untrusted_steps(tools)
    exposed = exposed_steps(body.steps, untrusted)
    first: Refusal | None = None
    for origins, task in dict.fromkeys((row.origins, row.task) for row in rows):
        known = origins or [_given_words(record, task, tool) for record, tool in zip(body.steps, tools, strict=True)]
        words = with_trust(body.steps, known, untrusted)
        found = next((one for one in findings(body.steps, words, tools, exposed) if one.needs_approval), None)
        if found is None:
            return None
        message = approval_message(body.steps, found)
        first = first or Refusal(Reason.UNTRUSTED_VALUE, message, found.step, body.steps[found.step].tool)
    return first


def _given_words(record: StepRecord, task: Sequence[str], tool: Tool) -> list[str]:
    """Return the words for what was given, for a recording without any.

    Earlier releases made such recordings. The other words are empty.
    """
    given, defaults = Given(task[::2]), set(map(bytes_of, defaults_of(tool)))
    values = [leaf.value for leaf in leaves_of(record) if leaf.source < 0]
    return [DEFAULT if bytes_of(value) in defaults else TASK if given.holds(value) else "" for value in values]
