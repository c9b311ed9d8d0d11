"""Middleware that records and replays the tool calls of agents of LangChain.

agent = create_agent(model, tools, middleware=[MuscleMemoryMiddleware(engine)])
"""

from __future__ import annotations

from ...errors import MissingExtraError

try:
    from .middleware import MuscleMemoryMiddleware
except ImportError as error:
    found = "no langchain"
    try:
        import langchain

        found = f"langchain {langchain.__version__}"
    except ImportError:
        pass
    raise MissingExtraError(
        "importing muscle_mem.integrations.langchain failed: expected langchain 1.0 or newer, whose agents have "
        f"middleware, got {found} ({error}). Run pip install 'muscle-mem[langchain]'."
    ) from error

__all__ = ["MuscleMemoryMiddleware"]
