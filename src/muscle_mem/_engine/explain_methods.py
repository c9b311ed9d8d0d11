"""The methods of the engine that explain what a call would do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._core.model.reason import Mode
from .._core.replay.explain import Explanation
from .._runtime.options import CallOptions
from . import explaining
from .has_runtime import HasRuntime


def explain(
    self: HasRuntime,
    *args: Any,
    tags: str | Iterable[str] = (),
    params: Mapping[str, Any] | None = None,
    key: str | None = None,
    mode: Mode | None = None,
    context: Any = None,
    secrets: Mapping[str, Any] | None = None,
    learn_params: bool | None = None,
    **kwargs: Any,
) -> Explanation:
    """Return what a call with these arguments would do now, and why.

    Only the captures of first steps are called.

    Args:
        args, kwargs: The positional and keyword arguments of the agent.
        tags, params, key, mode, context, secrets, learn_params: As for `__call__`.

    Returns:
        The explanation. Its `plan` holds the steps that a replay would make, with this call's arguments.
    """
    options = CallOptions(
        tags=tags, params=params, key=key, mode=mode, context=context, secrets=secrets, learn_params=learn_params
    )
    return explaining.explain(self._runtime, args, kwargs, options)


def dry_run(self: HasRuntime, *args: Any, **kwargs: Any) -> Explanation:
    """Return the same as `explain`."""
    return explain(self, *args, **kwargs)


async def aexplain(
    self: HasRuntime,
    *args: Any,
    tags: str | Iterable[str] = (),
    params: Mapping[str, Any] | None = None,
    key: str | None = None,
    mode: Mode | None = None,
    context: Any = None,
    secrets: Mapping[str, Any] | None = None,
    learn_params: bool | None = None,
    **kwargs: Any,
) -> Explanation:
    """Return what a call with async checks would do now; see `explain`.

    Args:
        args, kwargs: The positional and keyword arguments of the agent.
        tags, params, key, mode, context, secrets, learn_params: As for `__call__`.
    """
    options = CallOptions(
        tags=tags, params=params, key=key, mode=mode, context=context, secrets=secrets, learn_params=learn_params
    )
    return await explaining.aexplain(self._runtime, args, kwargs, options)
