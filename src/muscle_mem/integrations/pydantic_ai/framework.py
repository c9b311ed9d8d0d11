"""What the adapter uses of pydantic-ai, or an error that names the version."""

LOWEST = "2.0.0"

try:
    from pydantic_ai.capabilities import AbstractCapability, CapabilityOrdering, Instrumentation
    from pydantic_ai.exceptions import (
        ApprovalRequired,
        CallDeferred,
        ModelRetry,
        SkipModelRequest,
        SkipToolExecution,
        ToolRetryError,
    )
    from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturn
    from pydantic_ai.models import ModelRequestContext
    from pydantic_ai.tools import RunContext, ToolDefinition
    from pydantic_ai.toolsets import AbstractToolset, ToolsetTool, WrapperToolset
except ImportError as error:
    try:
        from pydantic_ai import __version__ as found
    except ImportError:
        found = "none"
    raise ImportError(
        f"muscle_mem.integrations.pydantic_ai needs pydantic-ai-slim {LOWEST} or later, whose capabilities can answer "
        f"a model request, and found {found}. Run: pip install 'muscle-mem[pydantic-ai]'"
    ) from error

__all__ = [
    "LOWEST",
    "AbstractCapability",
    "AbstractToolset",
    "ApprovalRequired",
    "CallDeferred",
    "CapabilityOrdering",
    "Instrumentation",
    "ModelMessage",
    "ModelRequestContext",
    "ModelResponse",
    "ModelRetry",
    "RunContext",
    "SkipModelRequest",
    "SkipToolExecution",
    "TextPart",
    "ToolCallPart",
    "ToolDefinition",
    "ToolRetryError",
    "ToolReturn",
    "ToolsetTool",
    "WrapperToolset",
]
