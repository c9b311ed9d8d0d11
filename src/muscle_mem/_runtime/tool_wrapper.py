"""The function that stands in a tool's place, so that its calls can be recorded."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from typing import Any

from .._core.record.call import record_call, record_now
from .._core.run.effects import Effect
from .._core.run.run import Run
from .._core.tools.fingerprint import stored_name
from .._core.tools.tool import Tool
from .context import Frame, frame_here, frame_of_call
from .drivers import adrive, drive
from .runtime import Runtime


def wrap(runtime: Runtime, tool: Tool) -> Callable[..., Any]:
    """Return the function that stands in a tool's place: it records the calls of the agent of an open run."""
    return _wrap_async(runtime, tool) if tool.is_async else _wrap_plain(runtime, tool)


def _frame_of(runtime: Runtime, tool: Tool, args: tuple[Any, ...], frame: Frame | None) -> Frame | None:
    """Where a call belongs that was made where no run is, in a session, or of a tool that may be a method."""
    if frame is None:
        frame = runtime.open_runs.stray(tool) if runtime.open_runs.frames else None
    if frame is None or not frame.recording or frame.runtime is not runtime:
        return None
    if frame.run is None or frame.run.recorder.closed:
        return None
    if frame.outside:
        runtime.open_runs.untold(frame.run, tool)
        return None
    if tool.undecided and args:
        tool.undecided = False
        if tool.owns(args[0]):
            tool.become_method()
    return frame


def _wrap_plain(runtime: Runtime, tool: Tool) -> Callable[..., Any]:
    fn = tool.fn
    here, enter, leave = frame_here.get, frame_here.set, frame_here.reset
    recording = runtime.open_runs.frames

    def finish(flow: Generator[Effect, Any, Any]) -> Any:
        return drive(flow, runtime.perform)

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not recording:
            return fn(*args, **kwargs) if kwargs else fn(*args)
        frame = here()
        if frame is None or frame.outside or tool.undecided:
            frame = _frame_of(runtime, tool, args, frame)
        if frame is None or not frame.recording or frame.runtime is not runtime:
            return fn(*args, **kwargs)
        run: Run = frame.run  # type: ignore[assignment] # there is one where something is recorded
        recorder = run.recorder
        if recorder.closed:
            return fn(*args, **kwargs)
        token = enter(frame_of_call(runtime, run, recorder))
        try:
            return record_now(run, recorder, tool, args, kwargs, finish)
        finally:
            leave(token)

    return _dress(wrapper, fn)


def _wrap_async(runtime: Runtime, tool: Tool) -> Callable[..., Any]:
    fn = tool.fn
    here = frame_here

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        frame = _frame_of(runtime, tool, args, here.get())
        if frame is None or frame.run is None:
            return await fn(*args, **kwargs)
        run = frame.run
        token = here.set(frame_of_call(runtime, run, run.recorder))
        try:
            answer = await adrive(record_call(run, tool, args, kwargs), runtime.perform)
        finally:
            here.reset(token)
        if answer.error is not None:
            raise answer.error
        return answer.result

    return _dress(wrapper, fn)


def _dress(wrapper: Callable[..., Any], fn: Any) -> Callable[..., Any]:
    try:
        functools.update_wrapper(wrapper, fn)
    except (AttributeError, TypeError):  # a callable object with unusual attributes
        pass
    if not hasattr(fn, "__name__"):
        wrapper.__name__ = wrapper.__qualname__ = stored_name(fn)
    return wrapper
