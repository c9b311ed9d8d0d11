"""Explanation of what a call would do, without doing it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import msgspec

from .._core.model.reason import Reason
from .._core.plan.ready_trajectory import ReadyTrajectory
from .._core.plan.step import Refusal
from .._core.replay.explain import Explanation, explain_task
from .._core.run.run import Run
from .._runtime.context import Frame, enter_frame, reset_frame
from .._runtime.drivers import adrive, drive, in_thread
from .._runtime.options import CallOptions
from .._runtime.performer import perform_call
from .._runtime.runtime import Runtime


def explain(runtime: Runtime, args: tuple[Any, ...], kwargs: dict[str, Any], options: CallOptions) -> Explanation:
    """Return what a call would do now, and why; see `Engine.explain`."""
    run, lookup, trajectories = _look_up(runtime, args, kwargs, options, is_sync=True)
    token = enter_frame(Frame(runtime, run))
    try:
        found = drive(explain_task(run, trajectories, runtime.tools, lookup), perform_call)
    finally:
        reset_frame(token)
    return msgspec.structs.replace(found, template=run.redact(run.template)) if run.template else found


async def aexplain(
    runtime: Runtime, args: tuple[Any, ...], kwargs: dict[str, Any], options: CallOptions
) -> Explanation:
    """Return what a call with async checks would do now; see `Engine.aexplain`."""
    find = functools.partial(_look_up, runtime, args, kwargs, options, is_sync=False)
    run, lookup, trajectories = await in_thread(find) if runtime.blocking_effects else find()
    token = enter_frame(Frame(runtime, run))
    try:
        found = await adrive(explain_task(run, trajectories, runtime.tools, lookup), perform_call)
    finally:
        reset_frame(token)
    return msgspec.structs.replace(found, template=run.redact(run.template)) if run.template else found


def _look_up(
    runtime: Runtime, args: tuple[Any, ...], kwargs: dict[str, Any], options: CallOptions, *, is_sync: bool
) -> tuple[Run, Refusal | None, Sequence[ReadyTrajectory]]:
    """Return the run of an explained call, why it finds nothing, and its recordings."""
    mode = runtime.effective_mode(options.mode)
    run, refusal = runtime.open_run(args, kwargs, options, mode, is_sync)
    runtime.library.flush()
    if mode in ("off", "record"):
        return run, Refusal(Reason.MODE, f"mode={mode!r} always runs the agent"), []
    found, lookup = runtime.find_candidates(run, refusal)
    if not found.trajectories and lookup is None and runtime.agent is not None:
        mismatch = runtime.agent.signature_mismatch(args, kwargs)
        if mismatch:
            message = f"nothing was recorded for these arguments, and the agent does not accept them: {mismatch}"
            lookup = Refusal(Reason.NEW_TASK, message)
    return run, lookup, found.trajectories
