"""Clear errors for what users pass to the adapter."""

from __future__ import annotations

from typing import Any

from agents import Model, ModelProvider

from ...errors import InvalidTypeError


def ensure_engine(doing: str, engine: Any) -> None:
    """Raise InvalidTypeError if this is not an engine."""
    if not hasattr(engine, "_runtime"):
        raise _error(doing, "an Engine", engine, "Pass the engine that records and replays.")


def ensure_model(doing: str, model: Any) -> None:
    """Raise InvalidTypeError if this is not a model of the SDK."""
    if not isinstance(model, Model):
        raise _error(doing, "a Model of the SDK", model, "For the name of a model, use MuscleMemoryProvider.")


def ensure_provider(doing: str, provider: Any) -> None:
    """Raise InvalidTypeError if this is not a provider of the SDK.

    None means the SDK's own.
    """
    if provider is not None and not isinstance(provider, ModelProvider):
        raise _error(doing, "a ModelProvider of the SDK or None", provider, "For a model, use MuscleMemoryModel.")


def ensure_tools(doing: str, tools: Any) -> None:
    """Raise InvalidTypeError if these are not the names of tools."""
    if isinstance(tools, str) or not (tools is None or all(isinstance(name, str) for name in tools)):
        raise _error(doing, "a list of names for tools=", tools, "Pass the names that the model knows.")


def _error(doing: str, expected: str, got: Any, remedy: str) -> InvalidTypeError:
    return InvalidTypeError(f"{doing} failed: expected {expected}, got {type(got).__name__}. {remedy}")
