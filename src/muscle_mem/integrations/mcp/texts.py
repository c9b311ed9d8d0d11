"""Texts for people and models: questions, and the answers of our tools."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from ..._session.pending import Pending

ALL_DONE = "The task is done. Do not call other tools for it. Answer from the results."
CONTINUE = (
    "Do what was not done with the other tools, and nothing of what was done again. Then call muscle_mem_done, so that "
    "it is replayed next time."
)
NOT_RECORDED = "Do the task with the other tools. It is not recorded."
REFUSED = "A person did not approve it. Do not do it in another way without asking."

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_LIMIT = 400


def printable(text: str, limit: int = 0) -> str:
    """Return a text without characters that are invisible or change how it is shown."""
    found = "".join(f"\\u{ord(sign):04x}" if unicodedata.category(sign) in _HIDDEN else sign for sign in text)
    return found if not limit or len(found) <= limit else found[:limit] + "…"


def call_text(tool: str, arguments: Mapping[str, Any], hide: Callable[[str], str]) -> str:
    """Return a call with all its arguments, each as JSON."""
    parts = [f"{printable(name)}={printable(_json(value))}" for name, value in arguments.items()]
    return hide(f"{printable(tool)}({', '.join(parts)})")


def _json(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, msgspec.MsgspecError):  # A Secret, or a number that JSON has not.
        return "***"


def plan_question(task: str, pending: Pending, origins: Mapping[str, str]) -> str:
    """Return the question whether a recording may be replayed, with every step.

    `origins` say where the effect of each tool comes from.
    """
    count = len(pending.steps)
    lines = [f"Replay {count} recorded step{'s'[: count != 1]} for the task {printable(task, _LIMIT)!r}?"]
    for number, step in enumerate(pending.steps, 1):
        origin = origins.get(step.tool, "no rule")
        lines.append(f"{number}. {printable(str(step.plan))} [{step.effect}: {origin}]")
        if step.plan.provenance:
            lines.append(f"   {printable(step.plan.provenance, _LIMIT)}")
    lines.append("If you approve, these steps are also replayed next time, with other params.")
    return "\n".join(lines)


def step_question(task: str, call: str, origin: str) -> str:
    """Return the question whether one step may be made that nothing can check."""
    return (
        f"The task {printable(task, _LIMIT)!r} is replayed. Make this call, which may not be undone and has no "
        f"pre-check?\n{call} [irreversible: {origin}]"
    )


def approve_command(trajectory_ids: Iterable[str], store_url: str) -> str:
    """Return the command that approves recordings."""
    return f"muscle-mem approve {' '.join(trajectory_ids)} --store {store_url}"


def tool_result(data: dict[str, Any], attached: Iterable[Any] = (), *, is_error: bool = False) -> dict[str, Any]:
    """Return the result of one of our tools."""
    text = msgspec.json.encode(data).decode()
    return {
        "content": [{"type": "text", "text": text}, *attached],
        "structuredContent": data,
        "isError": is_error,
    }
