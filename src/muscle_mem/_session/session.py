"""Sessions: runs that the caller steps.

A framework then makes the tool calls and calls the model.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Any, Self

import msgspec

from .._core.plan.step import Refusal
from .._core.run.effects import Effect
from .._core.run.run import Run
from .._runtime.context import Frame
from .._runtime.drivers import adrive, drive
from .._runtime.options import CallOptions
from .._runtime.runtime import Runtime
from ..errors import InvalidTypeError
from .stepper import Stepper
from .tool_calls import parse_offer
from .turns import Call, Turn


class SteppingOptions(msgspec.Struct, frozen=True):
    """The options that only sessions have; see `Engine.session`.

    `parts` are what a framework adds to the task.
    """

    tools: Iterable[Any] | None = None
    rejoin: bool = False
    parts: Mapping[str, Any] | None = None


PLAIN_STEPPING = SteppingOptions()


class Session(Stepper):
    """A run of the engine that the caller steps.

    Create it with `engine.session(...)`. `next()` returns what to do, `said()` takes the calls of the model and
    `done()` takes the result of a call. As a context manager, the session closes the run at the end of the block, and
    tool calls in the block, including those of decorated functions, belong to the run.
    """

    __module__ = "muscle_mem"

    def next(self) -> Turn:
        """Return what to do next: a Call to make, Answered, AskAgent or Finished.

        Raises:
            NotReadyError: A call or the model has not been answered yet, or the session is over.
            Missed: mode="replay", and nothing could be replayed.
            Diverged: The replay stopped, and the agent may not continue.
        """
        with self._stepping("next"):
            self._ensure_ready()
            return self._work(self._next()) or self._end()

    def said(self, calls: Iterable[Any], value: Any = None) -> None:
        """Take the calls that the model requested in one turn.

        `next()` returns them one by one. The pre-checks of all of them capture before the first is handed out, and
        their results may come in any order.

        Args:
            calls: The calls, each as (tool, arguments), (tool, arguments, id) or a tool call in the shape of a chat
                API: chat completions, responses, Anthropic, LangChain, Gemini, Bedrock, MCP and pydantic-ai, as dicts
                or as objects. Texts and thoughts are ignored. A call that the provider has made makes
                the run unlearnable. A tool is given by its stored name, the last part of that name, or the function.
                Without calls the run ends and is learned.
            value: The final answer of the model. Only allowed without calls.

        Raises:
            NotReadyError: `next()` has not returned AskAgent.
            InvalidTypeError: A call has an unknown shape. No call of the list is taken, and you can call `said` again.
            InvalidValueError: A call names an ambiguous tool, or one that a strict engine does not know, or its
                arguments cannot be parsed. No call of the list is taken, and you can call `said` again.
        """
        with self._stepping("said"):
            if self._accept_calls(calls, value):
                self._work(self._finish(value))

    def done(self, call: Call | str, result: Any = None, *, error: BaseException | None = None) -> None:
        """Take the result of a call that `next()` returned.

        Args:
            call: The call, or its id.
            result: What the tool returned.
            error: The exception that it raised, in place of a result.

        Raises:
            InvalidValueError: The call is not outstanding, or both result and error are given.
            InvalidTypeError: The error is not an exception, or the result is an awaitable.
        """
        with self._stepping("done"):
            self._work(self._accept_result(self._outstanding(call, result, error), result, error))

    def confirm(self, call: Call | str) -> bool:
        """Return whether a call may still be made; call it right before the tool.

        The environment may have changed since `next()`, for example while a person approved the call. The pre-check of
        a replayed call runs again, unless it has just passed and nothing has happened in the run since. If it fails,
        the call is no longer outstanding: do not make it. `next()` then asks the model.

        Args:
            call: The call, or its id.

        Raises:
            InvalidValueError: The call is not outstanding.
        """
        with self._stepping("confirm"):
            confirmed: bool = self._work(self._confirm(self._calls.find("confirm", call)))
            return confirmed

    def refused(self, call: Call | str, why: str = "") -> None:
        """Note that a person refused a call, so that it is not made.

        The model continues. The refusal does not count against the recording.

        Args:
            call: The call, or its id.
            why: The reason that the person gave.

        Raises:
            InvalidValueError: The call is not outstanding.
        """
        with self._stepping("refused"):
            self._work(self._refuse(self._calls.find("refused", call), why))

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
    """A session with async checks and callbacks.

    Create it with `engine.asession(...)`, and await `next`, `said` and `done`.
    """

    __module__ = "muscle_mem"

    async def next(self) -> Turn:
        """Return what to do next; see `Session.next`."""
        with self._stepping("next"):
            self._ensure_ready()
            return await self._work(self._next()) or self._end()

    async def said(self, calls: Iterable[Any], value: Any = None) -> None:
        """Take the calls that the model requested; see `Session.said`.

        Args:
            calls: The calls of the model.
            value: The final answer of the model. Only allowed without calls.
        """
        with self._stepping("said"):
            if self._accept_calls(calls, value):
                await self._work(self._finish(value))

    async def done(self, call: Call | str, result: Any = None, *, error: BaseException | None = None) -> None:
        """Take the result of a call; see `Session.done`.

        Args:
            call: The call, or its id.
            result: What the tool returned.
            error: The exception that it raised, in place of a result.
        """
        with self._stepping("done"):
            await self._work(self._accept_result(self._outstanding(call, result, error), result, error))

    async def confirm(self, call: Call | str) -> bool:
        """Return whether a call may still be made; see `Session.confirm`."""
        with self._stepping("confirm"):
            confirmed: bool = await self._work(self._confirm(self._calls.find("confirm", call)))
            return confirmed

    async def refused(self, call: Call | str, why: str = "") -> None:
        """Note that a person refused a call; see `Session.refused`.

        Args:
            call: The call, or its id.
            why: The reason that the person gave.
        """
        with self._stepping("refused"):
            await self._work(self._refuse(self._calls.find("refused", call), why))

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


def open_session(
    runtime: Runtime,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    options: CallOptions,
    stepping: SteppingOptions = PLAIN_STEPPING,
) -> Session:
    """Open a run that the caller steps; see `Engine.session`."""
    opened = _open_stepped(runtime, args, kwargs, options, stepping, is_sync=True)
    return Session(runtime, *opened, rejoin=stepping.rejoin)


def open_async_session(
    runtime: Runtime,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    options: CallOptions,
    stepping: SteppingOptions = PLAIN_STEPPING,
) -> AsyncSession:
    """Open a run with async checks and callbacks; see `Engine.asession`."""
    opened = _open_stepped(runtime, args, kwargs, options, stepping, is_sync=False)
    return AsyncSession(runtime, *opened, rejoin=stepping.rejoin)


def _open_stepped(
    runtime: Runtime,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    options: CallOptions,
    stepping: SteppingOptions,
    *,
    is_sync: bool,
) -> tuple[Run, Refusal | None, Frame]:
    """Return the run, the reason why it has no key, if any, and its frame."""
    if not isinstance(stepping.rejoin, bool):
        raise InvalidTypeError(f"invalid rejoin=: expected True or False, got {stepping.rejoin!r}")
    offered = None if stepping.tools is None else parse_offer(runtime.tools, stepping.tools)
    mode = runtime.effective_mode(options.mode)
    if mode == "off" and options.key is None:  # An engine that is off needs no key.
        options = msgspec.structs.replace(options, key="off")
    run, refusal = runtime.open_run(args, kwargs, options, mode, is_sync, is_stepped=True, parts=stepping.parts)
    run.is_stepped = True
    run.takes_handover = True
    run.offered = offered
    frame = runtime.open_runs.enter(None if mode == "off" else run)
    frame.is_stepped = True
    return run, refusal, frame
