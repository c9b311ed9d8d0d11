"""Stepping of flows to the points at which the caller must do something."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from .._core import flow
from .._core.model.reason import Reason
from .._core.record.call import CallResult
from .._core.run.effects import Confirmed, Effect, Invoke, InvokeTurn, Pause, RunAgent
from .tool_calls import RequestedCall


class Abandoned(BaseException):
    """Raised into a run whose session was closed before it finished."""


class FlowEnd(msgspec.Struct, frozen=True):
    """The result of a generator that has returned."""

    value: Any


StopPoint = Invoke | InvokeTurn | Confirmed | Pause | RunAgent | FlowEnd
Stepped = Generator[Effect, Any, Any]


@contextmanager
def own_traceback(error: BaseException) -> Iterator[None]:
    """Restore the traceback and the context of a user's exception after the block.

    Code of the package that the exception passes through does not belong to it.
    """
    trace, context = error.__traceback__, error.__context__
    try:
        yield
    finally:
        error.__traceback__, error.__context__ = trace, context


def advance(flow: Stepped, answer: Any = None, error: BaseException | None = None) -> Generator[Effect, Any, StopPoint]:
    """Step a flow to what its caller must do next; yield earlier effects."""
    try:
        if error is None:
            effect = flow.send(answer)
        else:
            with own_traceback(error):
                effect = flow.throw(error)
        while not isinstance(effect, Invoke | InvokeTurn | Confirmed | Pause | RunAgent):
            try:
                answer = yield effect
            except GeneratorExit:
                raise
            except BaseException as raised:
                effect = flow.throw(raised)
            else:
                effect = flow.send(answer)
        return effect
    except StopIteration as stop:
        return FlowEnd(stop.value)


def unrecorded_run() -> Generator[Effect, Any, flow.RunResult]:
    """Yield only the agent request, as the flow of an engine that is off."""
    value = yield RunAgent(None, Reason.MODE, flow.OFF)
    return flow.RunResult(flow.off_outcome(value))


def unrecorded_call(wanted: RequestedCall) -> Generator[Effect, Any, CallResult]:
    """Make a call without recording it."""
    try:
        return CallResult((yield Invoke(wanted.tool, wanted.args, wanted.kwargs)))
    except GeneratorExit:
        raise
    except BaseException as error:
        return CallResult(error=error)
