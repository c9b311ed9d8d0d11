"""What the adapter uses of Strands, or an error that names the version."""

LOWEST = "1.40.0"

try:
    from strands.hooks import AfterToolCallEvent, BeforeToolCallEvent
    from strands.models.model import Model
    from strands.plugins import Plugin
    from strands.types.exceptions import ModelThrottledException
except ImportError as error:
    try:
        import strands  # noqa: F401 - this is the look; the package does not name its version

        found = "an earlier one"
    except ImportError:
        found = "none"
    raise ImportError(
        f"importing muscle_mem.integrations.strands failed: expected strands-agents {LOWEST} or later, got {found}. "
        "Run pip install 'muscle-mem[strands]'."
    ) from error

__all__ = ["LOWEST", "AfterToolCallEvent", "BeforeToolCallEvent", "Model", "ModelThrottledException", "Plugin"]
