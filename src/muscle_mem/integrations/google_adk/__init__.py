"""Memory for agents of the Agent Development Kit (ADK).

app = App(name="clerk", root_agent=agent, plugins=[MuscleMemoryPlugin(engine)])
"""

from .plugin import MuscleMemoryPlugin

__all__ = ["MuscleMemoryPlugin"]
