"""The only reach into the engine's insides for a time: what cannot be timed from outside. None where it has moved."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from muscle_mem import Engine


def key_recall(engine: Engine, task: str, params: dict[str, Any] | None) -> Callable[[], Any] | None:
    """A function that finds the key of a call that was made before, as the engine does for each call."""
    try:
        engine(task, params=params)
        agent: Any = engine._runtime.agent
        recall = agent.recall
        return functools.partial(recall, (task,), {}, params) if recall((task,), {}, params) else None
    except (AttributeError, TypeError):
        return None


def key_derivation(engine: Engine, task: str, params: dict[str, Any] | None) -> Callable[[], bytes] | None:
    """A function that derives the key of a call anew, as the engine does for what it has not met of late."""
    try:
        from muscle_mem._core.binding.params.search import Params
        from muscle_mem._core.binding.tasks.freeze import known_objects_of
        from muscle_mem._core.redaction.redactor import Redactor

        runtime = engine._runtime
        derive = functools.partial(runtime.keys.derive, runtime.agent)
        redactor, none = Redactor(), Params(None)

        def plain() -> bytes:
            return derive((task,), {}, none, (), None, known_objects_of(none, (), redactor), "")

        def with_params() -> bytes:
            given = Params(params)
            return derive((task,), {}, given, (), None, known_objects_of(given, (), redactor), "")

        found = plain if params is None else with_params
        found()
    except (ImportError, AttributeError, TypeError):
        return None
    return found
