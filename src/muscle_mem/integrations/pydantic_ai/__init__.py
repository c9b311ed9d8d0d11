"""Memory for agents of pydantic-ai.

agent = Agent(..., capabilities=[MuscleMemory(engine)])
"""

from .capability import MuscleMemory

__all__ = ["MuscleMemory"]
