"""The memory of one adapter object: the steps that every adapter does."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ..._session import hosted
from ...errors import Diverged, Missed, StoreError
from .conversation import Position, position_of, prompt_messages
from .driving import Steps, adrive, drive
from .messages import ModelCall, ModelRequest, Usage
from .nesting import is_answering
from .runs import HostedRun
from .table import RunTable
from .turns import ModelTurn

MEANT_FOR_THE_USER = (Missed, Diverged, StoreError)
"""What a run may raise by the user's own settings; everything else is an error of ours."""


class Memory:
    """The runs of an engine inside one adapter object.

    Args:
        engine: The engine.
        framework: The name of the framework, for messages.
        answer: Where the final answer of a hit comes from: None or "auto", "model", or a function of the results.
        tools: The names of the tools that this agent has. By default, those of each request.
        rejoin: Whether a run goes back to the replay after steps of the model's own.
        confirms: Whether the adapter calls `confirm` right before each tool call.
    """

    def __init__(
        self,
        engine: Any,
        *,
        framework: str,
        answer: Any = None,
        tools: Sequence[str] | None = None,
        rejoin: bool = False,
        confirms: bool = True,
    ) -> None:
        self.engine = engine
        self.framework = framework
        self.answer = answer
        self.tools = tools
        self.rejoin = rejoin
        self.confirms = confirms
        self._table = RunTable()
        self._left_alone: set[str] = set()

    # -- model turns

    def turn(self, request: ModelRequest) -> ModelTurn:
        """Return what to do about a model request."""
        try:
            run, steps = self._begin(request, is_sync=True)
            if run is None:
                return ModelTurn("pass")
            with run.stepping():
                return self._bound(run, drive(steps))
        except MEANT_FOR_THE_USER:
            raise
        except Exception as error:
            return self._passed(error)

    async def aturn(self, request: ModelRequest) -> ModelTurn:
        """Return what to do about a model request, with async checks."""
        try:
            run, steps = self._begin(request, is_sync=False)
            if run is None:
                return ModelTurn("pass")
            async with run.astepping():
                return self._bound(run, await adrive(steps))
        except MEANT_FOR_THE_USER:
            raise
        except Exception as error:
            return self._passed(error)

    def _passed(self, error: Exception) -> ModelTurn:
        self.steps_aside(error)
        return ModelTurn("pass")

    def _begin(self, request: ModelRequest, *, is_sync: bool) -> tuple[HostedRun | None, Steps[ModelTurn]]:
        """Return the run that a request belongs to, and its next steps; None if it is not ours."""
        if is_answering(self.engine):
            return None, _nothing()
        position = position_of(request.messages)
        task = hosted.task_of(self.engine)
        if task is not None:
            task.note_seen()
        if position.prompt >= 0 and not hosted.is_off(self.engine, task):
            return self._new_run(request, position, is_sync=is_sync)
        run = self._table.find(message.call_id for message in position.results)
        if run is None or run.is_over or position.prompt >= 0:
            return None, _nothing()
        return run, self._resume(run, position)

    def _new_run(
        self, request: ModelRequest, position: Position, *, is_sync: bool
    ) -> tuple[HostedRun, Steps[ModelTurn]]:
        task = hosted.task_of(self.engine)
        prompt = "\n".join(message.text for message in prompt_messages(request.messages, position))
        run = HostedRun(hosted.open_hosted(self.engine, task, prompt, is_sync=is_sync), task)
        if task is not None:
            task.note_run(run)
        self._table.add(run)
        return run, run.go_on()

    def _resume(self, run: HostedRun, position: Position) -> Steps[ModelTurn]:
        for message in position.results:
            yield from run.take_message(message)
        if run.is_asking:
            return ModelTurn("ask")
        return (yield from run.go_on())

    def _bound(self, run: HostedRun, turn: ModelTurn) -> ModelTurn:
        turn._memory, turn._run = self, run
        self._settle(run)
        return turn

    def _settle(self, run: HostedRun) -> None:
        """Keep the ids of a run in the table, or drop a run that is over."""
        if run.is_over:
            self._table.forget(run)
        else:
            self._table.note_ids(run)

    # -- what the model said

    def _said(self, run: HostedRun, calls: tuple[ModelCall, ...], answer: Any, usage: Usage | None) -> None:
        try:
            with run.stepping():
                drive(run.said([(call.name, call.arguments, call.id) for call in calls], answer, usage))
            self._settle(run)
        except MEANT_FOR_THE_USER:
            raise
        except Exception as error:
            self._give_up(run, error)

    async def _asaid(self, run: HostedRun, calls: tuple[ModelCall, ...], answer: Any, usage: Usage | None) -> None:
        try:
            async with run.astepping():
                await adrive(run.said([(call.name, call.arguments, call.id) for call in calls], answer, usage))
            self._settle(run)
        except MEANT_FOR_THE_USER:
            raise
        except Exception as error:
            self._give_up(run, error)

    def _failed(self, run: HostedRun, error: BaseException) -> None:
        run.error = error
        run.close(error)
        self._settle(run)

    def _give_up(self, run: HostedRun, error: Exception) -> None:
        self.steps_aside(error)
        run.close()
        self._settle(run)

    # -- tool calls

    def confirm(self, call_id: str) -> bool:
        """Return whether a call may be made now: its pre-check is asked again.

        A call that is not ours may. If the answer is no, make no call, and give the model `why_not(call_id)` as the
        result.
        """
        run = self._table.find((call_id,))
        if run is None:
            return True
        try:
            with run.stepping():
                return drive(run.confirm(call_id))
        except Exception as error:
            self._give_up(run, error)
            return True

    async def aconfirm(self, call_id: str) -> bool:
        """Return whether a call may be made now; see `confirm`."""
        run = self._table.find((call_id,))
        if run is None:
            return True
        try:
            async with run.astepping():
                return await adrive(run.confirm(call_id))
        except Exception as error:
            self._give_up(run, error)
            return True

    def why_not(self, call_id: str) -> str:
        """Return the text that stands for the result of a call that was not made."""
        run = self._table.find((call_id,))
        why = "" if run is None else run.refusals.get(call_id, "")
        return f"The call was not made: {why or 'it was refused'}."

    def refused(self, call_id: str, why: str = "") -> None:
        """Note that a person refused a call. It counts against no recording, and the model goes on.

        Args:
            call_id: The id of the call.
            why: What the person said.
        """
        run = self._table.find((call_id,))
        if run is None:
            return
        try:
            with run.stepping():
                drive(run.refused(call_id, why or "a person refused the call"))
        except Exception as error:
            self._give_up(run, error)

    async def arefused(self, call_id: str, why: str = "") -> None:
        """Note that a person refused a call; see `refused`.

        Args:
            call_id: The id of the call.
            why: What the person said.
        """
        run = self._table.find((call_id,))
        if run is None:
            return
        try:
            async with run.astepping():
                await adrive(run.refused(call_id, why or "a person refused the call"))
        except Exception as error:
            self._give_up(run, error)

    def inside(self, call_id: str) -> AbstractContextManager[Any]:
        """Return a block in which the framework makes a call, so that tools called in it belong to its step."""
        run = self._table.find((call_id,))
        return nullcontext() if run is None else run.inside(call_id)

    def done(self, call_id: str, result: Any = None, *, error: BaseException | None = None) -> None:
        """Take the result of a call from a hook of the framework.

        Without a hook, the results are read from the next request. A result that was taken is not read again.

        Args:
            call_id: The id of the call.
            result: What the tool returned.
            error: What it raised, in place of a result.
        """
        run = self._table.find((call_id,))
        if run is None:
            return
        try:
            with run.stepping():
                drive(run.take(call_id, result, error))
            self._settle(run)
        except Exception as problem:
            self._give_up(run, problem)

    async def adone(self, call_id: str, result: Any = None, *, error: BaseException | None = None) -> None:
        """Take the result of a call from a hook of the framework; see `done`.

        Args:
            call_id: The id of the call.
            result: What the tool returned.
            error: What it raised, in place of a result.
        """
        run = self._table.find((call_id,))
        if run is None:
            return
        try:
            async with run.astepping():
                await adrive(run.take(call_id, result, error))
            self._settle(run)
        except Exception as problem:
            self._give_up(run, problem)

    # -- when the adapter does nothing

    def leave_alone(self, why: str) -> None:
        """Emit an event, once for each reason: a request is passed to the model, and its run is not seen.

        Args:
            why: Why the adapter cannot replay it.
        """
        if why in self._left_alone:
            return
        self._left_alone.add(why)
        message = f"the adapter for {self.framework} leaves a run alone: {why}. The run is not learned or replayed."
        hosted.notice(self.engine, "warning", "left_alone", message)

    def steps_aside(self, error: BaseException, doing: str = "a model request") -> None:
        """Emit one event: the adapter failed, and the framework goes on without it.

        Args:
            error: What was raised.
            doing: What the adapter was about.
        """
        message = (
            f"the adapter for {self.framework} failed in {doing} and stepped aside: {type(error).__name__}: {error}. "
            "The run goes on without the engine and is not learned."
        )
        hosted.notice(self.engine, "warning", "adapter_failed", message)


def _nothing() -> Steps[ModelTurn]:
    """Return the steps of a request that is not ours."""
    yield from ()
    return ModelTurn("pass")
