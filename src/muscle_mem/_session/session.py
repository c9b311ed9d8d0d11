"""A run that others drive: stepped from outside, so that a framework makes the tool calls and asks the model itself."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, Self

from .._core.model.reason import Mode, OnDivergence
from .._core.run.effects import Effect
from .._core.run.run import Run
from .._runtime.context import Frame
from .._runtime.drivers import adrive, drive
from .._runtime.runs import Runs
from .stepper import Steps
from .turns import Call, Turn


class Session(Steps):
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
            self._may_go_on()
            return self._work(self._next()) or self._end()

    def said(self, calls: Iterable[Any], value: Any = None) -> None:
        """Tell what the model wants: calls, which `next()` hands out one by one; none if it has finished, with a value.

        A call is (tool, arguments), (tool, arguments, id), or a tool call as a chat API returns it; a tool is known by
        its stored name, the last part of it, or the function itself. With no calls the run ends, and is learned.

        Raises NotReadyError if the model was not asked; InvalidTypeError or InvalidValueError for a call that means no
        tool or several, or whose arguments cannot be read: then nothing is taken, and it can be said again.
        """
        with self._stepping("said"):
            if self._hear(calls, value):
                self._work(self._finish(value))

    def done(self, call: Call | str, result: Any = None, *, error: BaseException | None = None) -> None:
        """Tell what came of the call that `next()` returned: its result, or the exception it raised.

        Raises InvalidValueError for a call that was not handed out, or is done already.
        """
        with self._stepping("done"):
            self._is_outstanding(call, result, error)
            self._work(self._take(result, error))

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


class AsyncSession(Steps):
    """The same for async checks and callbacks, made by `engine.asession`: `next`, `said` and `done` are awaited."""

    __module__ = "muscle_mem"

    async def next(self) -> Turn:
        """As `Session.next`."""
        with self._stepping("next"):
            self._may_go_on()
            return await self._work(self._next()) or self._end()

    async def said(self, calls: Iterable[Any], value: Any = None) -> None:
        """As `Session.said`."""
        with self._stepping("said"):
            if self._hear(calls, value):
                await self._work(self._finish(value))

    async def done(self, call: Call | str, result: Any = None, *, error: BaseException | None = None) -> None:
        """As `Session.done`."""
        with self._stepping("done"):
            self._is_outstanding(call, result, error)
            await self._work(self._take(result, error))

    async def _work(self, work: Generator[Effect, Any, Any]) -> Any:
        try:
            return await adrive(work, self._perform, self._engine._away)
        except BaseException as error:
            self._abandon(error)
            raise

    async def __aenter__(self) -> Self:
        self._open_block()
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._close_block(error)


class Sessions(Runs):
    """What an engine offers to those who drive a run themselves."""

    def session(
        self,
        *args: Any,
        tags: str | Iterable[str] = (),
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        mode: Mode | None = None,
        success: Callable[..., Any] | None = None,
        approve: Callable[..., Any] | None = None,
        context: Any = None,
        on_divergence: OnDivergence | None = None,
        secrets: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Session:
        """A run that the caller steps, so that a framework makes the tool calls and asks the model itself.

        Takes what the engine's own call takes; needs no agent. `on_divergence="auto"` goes on from the middle with the
        hand-over. Raises for misuse as the engine's own call does; nothing is looked up before `session.next()`.
        """
        asked = (args, kwargs, tags, params, key, mode, success, context, on_divergence)
        return Session(self, *_opened(self, *asked, approve=approve, plain=True, secrets=secrets))

    def asession(
        self,
        *args: Any,
        tags: str | Iterable[str] = (),
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        mode: Mode | None = None,
        success: Callable[..., Any] | None = None,
        approve: Callable[..., Any] | None = None,
        context: Any = None,
        on_divergence: OnDivergence | None = None,
        secrets: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> AsyncSession:
        """The same for async checks and callbacks; nothing is awaited before `await session.next()`."""
        asked = (args, kwargs, tags, params, key, mode, success, context, on_divergence)
        return AsyncSession(self, *_opened(self, *asked, approve=approve, plain=False, secrets=secrets))


def _opened(
    engine: Any,
    args: Any,
    kwargs: Any,
    tags: Any,
    params: Any,
    key: Any,
    mode: Any,
    *more: Any,
    approve: Any,
    plain: bool,
    secrets: Any,
) -> tuple[Run, Any, Frame]:
    """A run that is stepped from outside, why it has no key, if so, and its frame."""
    wanted = engine._wanted_mode(mode)
    if wanted == "off" and key is None:
        key = "off"  # no key is needed, so that no argument is an obstacle
    run, lookup = engine._open_run(
        args, kwargs, tags, params, key, wanted, *more, plain=plain, approve=approve, secrets=secrets
    )
    run.outside = True
    run.names_handover = True
    frame = engine._open.enter(None if wanted == "off" else run)
    frame.outside = True
    return run, lookup, frame
