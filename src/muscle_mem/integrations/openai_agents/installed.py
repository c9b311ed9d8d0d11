"""Whether the SDK is installed, in a version that the adapter works with."""

from __future__ import annotations

from ...errors import MissingExtraError

LOWEST = "0.18.1"


def ensure_installed() -> None:
    """Raise MissingExtraError, an ImportError, if the SDK is missing or too old.

    It is too old without guardrails and approvals of tools.
    """
    try:
        import agents.run_internal
        import agents.tool_guardrails  # noqa: F401 - this is the look
    except ImportError as error:
        raise MissingExtraError(
            "importing muscle_mem.integrations.openai_agents failed: "
            f"expected openai-agents {LOWEST} or later, got {_found()}. "
            "Run pip install 'muscle-mem[openai-agents]'."
        ) from error


def _found() -> str:
    """Return the installed version, or "none"."""
    try:
        from agents.version import __version__
    except ImportError:
        return "none"
    return str(__version__)
