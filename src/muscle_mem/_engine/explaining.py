"""Telling what a call would do, and why, without doing it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from .._core.model.reason import Reason
from .._core.plan.step import Refusal
from .._core.plan.trajectory import Trajectory
from .._core.replay.explain import Explanation, explain_task
from .._core.run.run import Run
from .._runtime.context import Frame, enter_frame, leave_frame
from .._runtime.drivers import adrive, aside, drive
from .._runtime.options import CallOptions
from .._runtime.performer import perform_call
from .._runtime.runtime import Runtime


def explain(runtime: Runtime, args: tuple[Any, ...], kwargs: dict[str, Any], options: CallOptions) -> Explanation:
    """What a call would do now, and why; see `Engine.explain`."""
    run, lookup, trajectories = _found(runtime, args, kwargs, options, is_sync=True)
    token = enter_frame(Frame(runtime, run))
    try:
        return drive(explain_task(run, trajectories, runtime.tools, lookup), perform_call)
    finally:
        leave_frame(token)


async def aexplain(
    runtime: Runtime, args: tuple[Any, ...], kwargs: dict[str, Any], options: CallOptions
) -> Explanation:
    """The same where captures or compares are async; see `Engine.aexplain`."""
    find = functools.partial(_found, runtime, args, kwargs, options, is_sync=False)
    run, lookup, trajectories = await aside(find) if runtime.blocking_effects else find()
    token = enter_frame(Frame(runtime, run))
    try:
        return await adrive(explain_task(run, trajectories, runtime.tools, lookup), perform_call)
    finally:
        leave_frame(token)


def _found(
    runtime: Runtime, args: tuple[Any, ...], kwargs: dict[str, Any], options: CallOptions, *, is_sync: bool
) -> tuple[Run, Refusal | None, Sequence[Trajectory]]:
    """The run of a call that is only explained, why nothing can be looked up, if so, and what was found."""
    mode = runtime.wanted_mode(options.mode)
    run, refusal = runtime.open_run(args, kwargs, options, mode, is_sync)
    runtime.library.flush()
    if mode in ("off", "record"):
        return run, Refusal(Reason.MODE, f"mode={mode!r} always asks the agent"), []
    found, lookup = runtime.find(run, refusal)
    if not found.trajectories and lookup is None and runtime.agent is not None:
        misfit = runtime.agent.misfit(args, kwargs)
        if misfit:
            message = f"nothing was recorded for these arguments, and the agent does not take them: {misfit}"
            lookup = Refusal(Reason.NEW_TASK, message)
    return run, lookup, found.trajectories
