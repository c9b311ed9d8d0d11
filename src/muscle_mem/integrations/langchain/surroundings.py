"""What surrounds a request: the agent's name, and reasons to leave it alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from langchain.agents.middleware.types import ModelRequest
from langgraph.config import get_config

SERVER_HISTORY: Final = ("previous_response_id", "conversation")


def agent_name() -> str | None:
    """Return the name of the agent, if the framework passes it on."""
    try:
        name = (get_config().get("metadata") or {}).get("lc_agent_name")
    except RuntimeError:  # Outside of a graph.
        return None
    return name if isinstance(name, str) else None


def reason_to_pass(request: ModelRequest[Any], hosted: str) -> str:
    """Return why a request is left alone, or an empty text.

    Args:
        request: The request.
        hosted: The name of a tool that the model's provider runs, if one is offered.
    """
    if hosted:
        return f"the provider of the model runs the tool {hosted!r}, whose calls cannot be replayed"
    fields: Mapping[str, Any] = getattr(request.model, "__dict__", {})
    settings: Mapping[str, Any] = {**(fields.get("model_kwargs") or {}), **request.model_settings}
    kept = next((name for name in SERVER_HISTORY if settings.get(name)), None)
    if kept is not None:
        return f"the provider of the model keeps the conversation ({kept}=), so the task is not seen"
    choices = settings.get("n", fields.get("n"))
    if isinstance(choices, int) and choices > 1:
        return f"the model is asked for {choices} answers at a time (n=), of which only one can be replayed"
    return ""
