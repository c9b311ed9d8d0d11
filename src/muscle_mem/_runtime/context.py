"""Which run is open here: carried by contextvars, so that it follows asyncio tasks and `asyncio.to_thread`."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import msgspec

from .._core.codec import digest
from .._core.model.handover import Handover
from .._core.run.recorder import Recorder
from .._core.run.run import Run


class Frame(msgspec.Struct, eq=False):
    """A place in the stack of runs. `is_recording` is True exactly while the agent of its run is at work.

    `is_nested` says that it is inside another run; `lease` is what lets its run be the only learner of its key.
    `is_stepped` says that the run is stepped by a session, which gets its calls.
    `inner` is the frame inside a tool, a capture or a compare, where further tool calls are plain functions;
    `cached_inner` is that frame once it was asked for.
    """

    runtime: Any
    run: Run | None
    is_nested: bool = False
    is_recording: bool = False
    is_stepped: bool = False
    call_number: int = -1
    lease: Any = None
    cached_inner: Frame | None = None

    @property
    def inner(self) -> Frame:
        """The frame inside this one's calls; always the same, and its own inner one is itself."""
        if self.cached_inner is None:
            inner = Frame(self.runtime, self.run)
            inner.cached_inner = inner
            self.cached_inner = inner
        return self.cached_inner


def release_lease(frame: Frame) -> None:
    """Others may learn the key of this frame's run from here on."""
    lease, frame.lease = frame.lease, None
    if lease is not None:
        lease.release()


def frame_for_call(runtime: Any, run: Run, recorder: Recorder) -> Frame:
    """The frame inside one recorded call of a run: numbered on from what the replay had done, if anything."""
    return Frame(runtime, run, False, False, False, len(run.progress.calls) + next(recorder.call_numbers))


current_frame: ContextVar[Frame | None] = ContextVar("muscle_mem_frame", default=None)
current_objects: ContextVar[tuple[tuple[Any, tuple[Any, ...]], ...]] = ContextVar("muscle_mem_objects", default=())
disabled_engines: ContextVar[tuple[Any, ...]] = ContextVar("muscle_mem_off", default=())

# Bound once: each look-up of such a method makes an object, and some are called at every run and every call.
enter_frame, reset_frame, get_frame = current_frame.set, current_frame.reset, current_frame.get
get_objects, get_disabled = current_objects.get, disabled_engines.get


class CurrentRun:
    """The run that is open here, as an agent or a tool may look at it."""

    __module__ = "muscle_mem"

    __slots__ = ("_number", "_run")

    def __init__(self, run: Run, number: int = -1) -> None:
        self._run = run
        self._number = number

    @property
    def id(self) -> str:
        """Names the run within this process."""
        return self._run.id

    @property
    def task(self) -> str:
        """The task as a short text."""
        return self._run.task

    @property
    def params(self) -> dict[str, Any]:
        """The params of this run."""
        return dict(self._run.params.values)

    @property
    def mode(self) -> str:
        """The mode of this run."""
        return self._run.mode

    @property
    def handover(self) -> Handover | None:
        """What a replay did before it stopped, if this run is its continuation; else None."""
        return self._run.handover

    @property
    def idempotency_key(self) -> str:
        """A key for the tool call that is being made: the same however often it is asked for, and no other call's.

        Pass it to a service that knows such keys, so that a retry below the tool does nothing twice. Outside of a tool
        call it names the run alone.
        """
        number = self._number if self._number >= 0 else len(self._run.progress.calls) - 1
        return digest(f"{self._run.id}:{number}".encode())[:16].hex()

    def report_tokens(self, count: int) -> None:
        """Add tokens that the agent used in this run; kept with the recording, and reported as saved by a hit."""
        self._run.recorder.tokens.append(int(count))


def current_run() -> CurrentRun | None:
    """The run of an engine that is open in this task or thread, or None."""
    frame = current_frame.get()
    return CurrentRun(frame.run, frame.call_number) if frame is not None and frame.run is not None else None


current_run.__module__ = "muscle_mem"
