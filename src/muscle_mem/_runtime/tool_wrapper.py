"""The function that replaces a tool's function and records its calls."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from .._core.record.call import is_pending, record_flow, record_sync
from .._core.run.effects import Effect
from .._core.run.run import Run
from .._core.tools.fingerprint import stored_name
from .._core.tools.tool import Tool
from .context import Frame, current_frame, frame_for_call
from .drivers import adrive, drive
from .runtime import Runtime


def wrap(runtime: Runtime, tool: Tool) -> Callable[..., Any]:
    """Return the function that replaces a tool's and records its calls in open runs."""
    return _wrap_async(runtime, tool) if tool.is_async else _wrap_sync(runtime, tool)


def _attributed_frame(
    runtime: Runtime, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any], frame: Frame | None
) -> Frame | None:
    """Return the frame that records a call, or None if nothing does.

    It decides the rare cases: calls without a run, in a session, or of a tool that may be a method.
    """
    if frame is None or frame.is_left:
        frame = runtime.open_runs.handle_unattributed(tool, (args, kwargs)) if runtime.open_runs.frames else None
        if frame is None:
            return None
    if not frame.is_recording or frame.runtime is not runtime or frame.run is None or frame.run.recorder.closed:
        runtime.open_runs.note_unrecorded(tool, frame)
        return None
    if frame.is_stepped:
        runtime.open_runs.note_unreported(frame.run, tool)
        return None
    if tool.may_be_method and args:
        tool.may_be_method = False
        if tool.is_method_of(args[0]):
            tool.mark_as_method()
    return frame


def _wrap_sync(runtime: Runtime, tool: Tool) -> Callable[..., Any]:
    fn = tool.fn
    here, enter, leave = current_frame.get, current_frame.set, current_frame.reset
    recording = runtime.open_runs.frames

    def run_flow(flow: Generator[Effect, Any, Any]) -> Any:
        return drive(flow, runtime.perform)

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        frame = here()
        if frame is None:
            if not recording:
                return fn(*args, **kwargs) if kwargs else fn(*args)
            frame = _attributed_frame(runtime, tool, args, kwargs, frame)
        elif (
            frame.is_stepped
            or frame.is_left
            or tool.may_be_method
            or not frame.is_recording
            or frame.runtime is not runtime
        ):
            frame = _attributed_frame(runtime, tool, args, kwargs, frame)
        if frame is None:
            return fn(*args, **kwargs)
        run: Run = frame.run  # type: ignore[assignment] # A frame that records has a run.
        recorder = run.recorder
        if recorder.closed:
            runtime.open_runs.note_unrecorded(tool, frame)
            return fn(*args, **kwargs)
        token = enter(frame_for_call(runtime, run, recorder))
        try:
            result = record_sync(run, recorder, tool, args, kwargs, run_flow)
            return _in_frame(here(), result) if is_pending(run, tool, result) else result
        finally:
            leave(token)

    return _copy_metadata(wrapper, fn)


async def _in_frame(frame: Frame | None, pending: Coroutine[Any, Any, Any]) -> Any:
    """Await the rest of a call in its frame."""
    token = current_frame.set(frame)
    try:
        return await pending
    finally:
        current_frame.reset(token)


def _wrap_async(runtime: Runtime, tool: Tool) -> Callable[..., Any]:
    fn = tool.fn
    here = current_frame

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        frame = _attributed_frame(runtime, tool, args, kwargs, here.get())
        if frame is None or frame.run is None:
            return await fn(*args, **kwargs)
        run = frame.run
        token = here.set(frame_for_call(runtime, run, run.recorder))
        try:
            answer = await adrive(record_flow(run, tool, args, kwargs), runtime.perform)
        finally:
            here.reset(token)
        if answer.error is not None:
            raise answer.error
        return answer.result

    return _copy_metadata(wrapper, fn)


def _copy_metadata(wrapper: Callable[..., Any], fn: Any) -> Callable[..., Any]:
    try:
        functools.update_wrapper(wrapper, fn)
    except (AttributeError, TypeError):  # A callable object with unusual attributes.
        pass
    if not hasattr(fn, "__name__"):
        wrapper.__name__ = wrapper.__qualname__ = stored_name(fn)
    return wrapper
