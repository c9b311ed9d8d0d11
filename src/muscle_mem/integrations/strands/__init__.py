"""Memory for agents of the Strands Agents SDK.

agent = Agent(model=model, tools=[...], plugins=[MuscleMemoryPlugin(engine)])
"""

from .plugin import MuscleMemoryPlugin

__all__ = ["MuscleMemoryPlugin"]
