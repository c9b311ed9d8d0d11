"""What the adapter uses of ADK, or an error that names the version."""

LOWEST = "2.0.0"

try:
    from google.adk.models.llm_response import LlmResponse
    from google.adk.plugins.base_plugin import BasePlugin
    from google.genai import types
except ImportError as error:
    try:
        from google.adk.version import __version__ as found
    except ImportError:
        found = "none"
    raise ImportError(
        f"importing muscle_mem.integrations.google_adk failed: expected google-adk {LOWEST} or later, got {found}. "
        "Run pip install 'muscle-mem[google-adk]'."
    ) from error

__all__ = ["LOWEST", "BasePlugin", "LlmResponse", "types"]
