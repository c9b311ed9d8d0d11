"""The run that is open in the current context.

It is carried by contextvars, so that it follows asyncio tasks and `asyncio.to_thread`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any, ParamSpec, TypeVar

import msgspec

from .._core.codec import digest
from .._core.codec.copies import copy_containers
from .._core.model.handover import Handover
from .._core.model.text import safe_repr
from .._core.run.recorder import Recorder
from .._core.run.run import Run
from ..errors import InvalidTypeError

P = ParamSpec("P")
R = TypeVar("R")


class Frame(msgspec.Struct, eq=False):
    """A place in the stack of runs.

    Attributes:
        runtime: The engine's runtime.
        run: The run, or None if the engine is off.
        is_nested: Whether the frame is inside another run.
        is_recording: True exactly while the agent of the run is running.
        is_stepped: Whether a session steps the run and reports its calls.
        is_left: Whether the block of the frame was left in another context, where the frame cannot be reset.
        call_number: The number of the current tool call; -1 outside of one.
        lease: The lease that makes the run the only learner of its key.
        cached_inner: The frame that `inner` returns, once it was requested.
        was_recording: Whether the agent of the run has been started.
        has_ended: Whether such a run is over.
        is_inherited: Whether the run belongs to the process that this one was forked from.
        watch: The `RunWatch` of a run whose agent has been started.
        learned_id: The trajectory that the run has recorded, or "".
        late_tool: A tool that was called after the agent had returned, or "".
        step_of: The frame of the outer run that records this call of an engine as a step, or None.
        inner_tool: The call of an engine that this frame is of, which collects the inner runs, or None.
    """

    runtime: Any
    run: Run | None
    is_nested: bool = False
    is_recording: bool = False
    is_stepped: bool = False
    is_left: bool = False
    call_number: int = -1
    lease: Any = None
    cached_inner: Frame | None = None
    was_recording: bool = False
    has_ended: bool = False
    is_inherited: bool = False
    watch: Any = None
    learned_id: str = ""
    late_tool: str = ""
    step_of: Frame | None = None
    inner_tool: Any = None

    @property
    def inner(self) -> Frame:
        """The frame inside a tool, a capture or a compare.

        Tool calls there are plain functions. It is always the same frame, and it is its own inner frame.
        """
        if self.cached_inner is None:
            inner = Frame(self.runtime, self.run)
            inner.cached_inner = inner
            self.cached_inner = inner
        return self.cached_inner


def release_lease(frame: Frame) -> None:
    """Release the lease of a frame, so that other runs may learn its key."""
    lease, frame.lease = frame.lease, None
    if lease is not None:
        lease.release()


def frame_for_call(runtime: Any, run: Run, recorder: Recorder) -> Frame:
    """Return the frame inside one recorded call of a run.

    Call numbers continue after those of the replayed steps.
    """
    return Frame(runtime, run, False, False, False, False, len(run.progress.calls) + next(recorder.call_numbers))


current_frame: ContextVar[Frame | None] = ContextVar("muscle_mem_frame", default=None)


class Block(msgspec.Struct, eq=False):
    """A `with` block of an engine: its runtime, and the objects that it sets.

    `is_open` is False once the block was left in another context than it was entered in, where it cannot be removed.
    """

    runtime: Any
    objects: tuple[Any, ...] = ()
    is_open: bool = True


Blocks = ContextVar[tuple[Block, ...]]
current_objects: Blocks = ContextVar("muscle_mem_objects", default=())
disabled_engines: Blocks = ContextVar("muscle_mem_off", default=())

# Each attribute access on a ContextVar creates a bound method, and some are called at every run and every tool call.
enter_frame, reset_frame, get_frame = current_frame.set, current_frame.reset, current_frame.get
get_objects, get_disabled = current_objects.get, disabled_engines.get


carried: list[ContextVar[Any]] = []
"""Other variables that `bind_to_run` carries into threads; each has a default."""


@contextmanager
def objects_block(runtime: Any, objects: tuple[Any, ...]) -> Iterator[None]:
    """Set the objects that an engine's method tools act on, within a block."""
    with _block(current_objects, Block(runtime, objects)):
        yield


@contextmanager
def disabled_block(runtime: Any) -> Iterator[None]:
    """Turn an engine off within a block."""
    with _block(disabled_engines, Block(runtime)):
        yield


@contextmanager
def _block(variable: Blocks, block: Block) -> Iterator[None]:
    """Add a block to a variable, and remove it at the end.

    The end may be in another context.
    """
    token = variable.set((*variable.get(), block))
    try:
        yield
    finally:
        try:
            variable.reset(token)
        except ValueError:  # A fixture or a framework may leave the block in another context.
            block.is_open = False
            variable.set(tuple(other for other in variable.get() if other is not block))


def leave_frame(token: Token[Frame | None], frame: Frame) -> None:
    """Leave a frame, possibly in another context than it was entered in."""
    try:
        reset_frame(token)
    except ValueError:  # A fixture or a framework may leave the block in another context.
        frame.is_left = True
        if get_frame() is frame:
            enter_frame(None if token.old_value is Token.MISSING else token.old_value)


def is_turned_off(runtime: Any) -> bool:
    """Return whether a block turns an engine off."""
    return any(block.is_open and block.runtime is runtime for block in get_disabled())


def bind_to_run(fn: Callable[P, R]) -> Callable[P, R]:
    """Return a function that carries the current run into another thread."""
    if not callable(fn):
        raise InvalidTypeError(f"bind() failed: expected the function that the thread calls, got {fn!r}")
    variables: tuple[ContextVar[Any], ...] = (current_frame, current_objects, *carried)
    kept = [(variable, variable.get()) for variable in variables]

    @functools.wraps(fn)
    def bound(*args: P.args, **kwargs: P.kwargs) -> R:
        tokens = [(variable, variable.set(value)) for variable, value in kept]
        try:
            return fn(*args, **kwargs)
        finally:
            for variable, token in tokens:
                variable.reset(token)

    return bound


OUTSIDE_OF_CALLS = -2


class CurrentRun:
    """The run that is open in the current context, for agents and tools.

    `current_run()` and `session.run` return it.
    """

    __module__ = "muscle_mem"

    __slots__ = ("_number", "_run")

    def __init__(self, run: Run, number: int = -1) -> None:
        self._run = run
        self._number = number

    @property
    def id(self) -> str:
        """The id of the run, unique across engines, processes and machines."""
        return self._run.id

    @property
    def task(self) -> str:
        """The task as a short text."""
        return self._run.task

    @property
    def params(self) -> dict[str, Any]:
        """The params of this run; containers are copies."""
        params = self._run.params
        return {name: v if name in params.opaque else copy_containers(v) for name, v in params.values.items()}

    @property
    def mode(self) -> str:
        """The mode of this run."""
        return self._run.mode

    @property
    def handover(self) -> Handover | None:
        """The report of a stopped replay if this run continues it, else None."""
        handover = self._run.handover
        if handover is not None:
            self._run.knows_handover = True
        return handover

    @property
    def idempotency_key(self) -> str:
        """A key that is unique to the current tool call, and stays the same during it.

        Pass it to a service that accepts idempotency keys, so that a retry inside the tool has no second effect.
        Outside of a tool call it identifies the run only.
        """
        number: int | str = self._number
        if self._number == OUTSIDE_OF_CALLS:
            number = "run"
        elif self._number < 0:  # A replayed call.
            number = len(self._run.progress.calls) - 1
        return digest(f"{self._run.id}:{number}".encode())[:16].hex()

    def report_tokens(self, count: int) -> None:
        """Add to the number of tokens that the agent used in this run.

        The number is stored with the recording, and a hit reports it as saved. A value that is not a number is ignored
        with a warning.
        """
        try:
            self._run.recorder.tokens.append(int(count))
        except Exception:  # The count of a client library may be None, and must not end the agent.
            message = f"report_tokens() ignored {safe_repr(count)}: expected a number"
            self._run.notify("warning", "tokens", message, "")


def current_run() -> CurrentRun | None:
    """Return the run that is open in this task or thread, or None."""
    frame = current_frame.get()
    if frame is None or frame.run is None or frame.is_left:
        return None
    return CurrentRun(
        frame.run, OUTSIDE_OF_CALLS if frame.is_recording and frame.call_number < 0 else frame.call_number
    )


current_run.__module__ = "muscle_mem"
