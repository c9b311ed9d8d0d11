"""The adapter for the OpenAI Agents SDK.

    config = RunConfig(model_provider=MuscleMemoryProvider(engine))
    result = await Runner.run(agent, "refund the last order", run_config=config)

The second run of a task gets the recorded tool calls in place of the model's, and the SDK makes them as before: with
its approvals, guardrails, hooks, sessions, streams and traces.
"""

from .installed import ensure_installed

ensure_installed()

from .guardrail import memory_guardrail  # noqa: E402 - after the look at the version
from .model import MuscleMemoryModel, MuscleMemoryProvider  # noqa: E402

__all__ = ["MuscleMemoryModel", "MuscleMemoryProvider", "memory_guardrail"]
