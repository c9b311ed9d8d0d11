"""A run that others drive: stepped from outside, so that a framework makes the tool calls and asks the model itself."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, Self

import msgspec

from .._core.plan.step import Refusal
from .._core.run.effects import Effect
from .._core.run.run import Run
from .._runtime.context import Frame
from .._runtime.drivers import adrive, drive
from .._runtime.options import CallOptions
from .._runtime.runtime import Runtime
from .stepper import Stepper
from .turns import Call, Turn


class Session(Stepper):
    """One run of the engine, stepped from outside: `next()` says what to do, `said` and `done` tell what came of it.

    Made by `engine.session(...)`. As a context manager it leaves the run at the block's end, and tool calls made in
    the block, also decorated ones, are known to be its own.
    """

    __module__ = "muscle_mem"

    def next(self) -> Turn:
        """What to do next: a Call to make, Answered, AskAgent or Finished.

        Raises NotReadyError while a call or the model is being waited for, and after the end; Missed or Diverged as
        the engine's own call does.
        """
        with self._stepping("next"):
            self._ensure_ready()
            return self._work(self._next()) or self._end()

    def said(self, calls: Iterable[Any], value: Any = None) -> None:
        """Tell what the model wants: calls, which `next()` hands out one by one; none if it has finished, with a value.

        A call is (tool, arguments), (tool, arguments, id), or a tool call as a chat API returns it; a tool is known by
        its stored name, the last part of it, or the function itself. With no calls the run ends, and is learned.

        Raises NotReadyError if the model was not asked; InvalidTypeError or InvalidValueError for a call that means no
        tool or several, or whose arguments cannot be read: then nothing is taken, and it can be said again.
        """
        with self._stepping("said"):
            if self._accept_calls(calls, value):
                self._work(self._finish(value))

    def done(self, call: Call | str, result: Any = None, *, error: BaseException | None = None) -> None:
        """Tell what came of the call that `next()` returned: its result, or the exception it raised.

        Raises InvalidValueError for a call that was not handed out, or is done already.
        """
        with self._stepping("done"):
            self._ensure_outstanding(call, result, error)
            self._work(self._accept_result(result, error))

    def _work(self, work: Generator[Effect, Any, Any]) -> Any:
        try:
            return drive(work, self._perform)
        except BaseException as error:
            self._abandon(error)
            raise

    def __enter__(self) -> Self:
        self._open_block()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._close_block(error)


class AsyncSession(Stepper):
    """The same for async checks and callbacks, made by `engine.asession`: `next`, `said` and `done` are awaited."""

    __module__ = "muscle_mem"

    async def next(self) -> Turn:
        """As `Session.next`."""
        with self._stepping("next"):
            self._ensure_ready()
            return await self._work(self._next()) or self._end()

    async def said(self, calls: Iterable[Any], value: Any = None) -> None:
        """As `Session.said`."""
        with self._stepping("said"):
            if self._accept_calls(calls, value):
                await self._work(self._finish(value))

    async def done(self, call: Call | str, result: Any = None, *, error: BaseException | None = None) -> None:
        """As `Session.done`."""
        with self._stepping("done"):
            self._ensure_outstanding(call, result, error)
            await self._work(self._accept_result(result, error))

    async def _work(self, work: Generator[Effect, Any, Any]) -> Any:
        try:
            return await adrive(work, self._perform, self._runtime.blocking_effects)
        except BaseException as error:
            self._abandon(error)
            raise

    async def __aenter__(self) -> Self:
        self._open_block()
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._close_block(error)


def open_session(runtime: Runtime, args: tuple[Any, ...], kwargs: dict[str, Any], options: CallOptions) -> Session:
    """A run that the caller steps; see `Engine.session`."""
    return Session(runtime, *_open_stepped(runtime, args, kwargs, options, is_sync=True))


def open_async_session(
    runtime: Runtime, args: tuple[Any, ...], kwargs: dict[str, Any], options: CallOptions
) -> AsyncSession:
    """The same for async checks and callbacks; see `Engine.asession`."""
    return AsyncSession(runtime, *_open_stepped(runtime, args, kwargs, options, is_sync=False))


def _open_stepped(
    runtime: Runtime, args: tuple[Any, ...], kwargs: dict[str, Any], options: CallOptions, *, is_sync: bool
) -> tuple[Run, Refusal | None, Frame]:
    """A run that is stepped from outside, why it has no key, if so, and its frame."""
    mode = runtime.effective_mode(options.mode)
    if mode == "off" and options.key is None:  # no key is needed, so that no argument is an obstacle
        options = msgspec.structs.replace(options, key="off")
    run, refusal = runtime.open_run(args, kwargs, options, mode, is_sync)
    run.is_stepped = True
    run.takes_handover = True
    frame = runtime.open_runs.enter(None if mode == "off" else run)
    frame.is_stepped = True
    return run, refusal, frame
