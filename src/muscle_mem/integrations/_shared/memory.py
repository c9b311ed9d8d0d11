"""The memory of one adapter object: the steps that every adapter does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ..._session import hosted
from ...errors import Diverged, InvalidTypeError, Missed, StoreError
from .conversation import Position, position_of, prompt_messages
from .driving import Steps, adrive, drive
from .events import AdapterEvents
from .keys import key_parts, prompt_text
from .messages import ModelCall, ModelRequest, Usage
from .nesting import is_answering, is_inside_call
from .offers import Offers
from .runs import HostedRun, nothing
from .table import RunTable
from .turns import ModelTurn

MEANT_FOR_THE_USER = (Missed, Diverged, StoreError)
"""What a run may raise by the user's own settings; everything else is an error of ours."""


class _Step:
    """A block in which one thread or task steps a run. An error in it ends the run.

    It is not an async generator, because a framework may have shut down those of its loop before the next run.
    """

    def __init__(self, memory: Memory, run: HostedRun) -> None:
        self._memory = memory
        self._run = run

    def __enter__(self) -> None:
        self._run.lock.acquire()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self._memory._end_step(self._run, error)
        finally:
            self._run.lock.release()

    async def __aenter__(self) -> None:
        await self._run.acquire()

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.__exit__(kind, error, trace)


class Memory:
    """The runs of an engine inside one adapter object.

    Args:
        engine: The engine.
        framework: The name of the framework, for messages.
        answer: The source of a hit's final answer: None or "auto", "model", or a function of the results.
        tools: The names of the tools that this agent has. By default, those of each request.
        rejoin: Whether a stopped replay resumes after the model has made another call.
        confirms: Whether the adapter calls `confirm` right before each tool call.

    Raises:
        InvalidTypeError: An argument has the wrong type.
        InvalidValueError: `answer` has a value that is not allowed.
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
        self.answer = hosted.validated_adapter_answer(answer)
        self.tools = hosted.validated_adapter_options(engine, tools, rejoin)
        self.rejoin = rejoin
        self.confirms = confirms
        self._offers = Offers(engine)
        # A run may go on through another adapter, such as one that was made for the request that resumes it.
        self._table = hosted.kept(engine, "runs", RunTable)
        self._events = AdapterEvents(engine, framework)

    # -- model turns

    def turn(self, request: ModelRequest) -> ModelTurn:
        """Return what to do about a model request."""
        try:
            run, steps = self._begin(request, is_sync=True)
            if run is None:
                return ModelTurn("pass")
            with _Step(self, run):
                return self._of_run(run, drive(steps))
        except Exception as error:
            return self._passed(error)

    async def aturn(self, request: ModelRequest) -> ModelTurn:
        """Return what to do about a model request, with async checks."""
        try:
            run, steps = self._begin(request, is_sync=False)
            if run is None:
                return ModelTurn("pass")
            async with _Step(self, run):
                return self._of_run(run, await adrive(steps))
        except Exception as error:
            return self._passed(error)

    def _passed(self, error: Exception) -> ModelTurn:
        """Step aside after an error, unless the user wants it to be raised."""
        if isinstance(error, MEANT_FOR_THE_USER) or (
            isinstance(error, InvalidTypeError) and hosted.is_strict(self.engine)
        ):
            raise error
        self.steps_aside(error)
        return ModelTurn("pass")

    def _begin(self, request: ModelRequest, *, is_sync: bool) -> tuple[HostedRun | None, Steps[ModelTurn]]:
        """Return the run of a request, and its next steps; None if it is not ours."""
        if is_answering(self.engine):
            return None, nothing()
        position = position_of(request.messages)
        task = self._note_seen()
        run = self._table.find((message.call_id for message in position.results), request.messages)
        if position.prompt < 0:
            return (None, nothing()) if run is None else (run, self._resume(run, request, position))
        if run is not None:
            self._close(run)  # The user said something else before its calls were over.
        return (None, nothing()) if hosted.is_off(self.engine, task) else self._new_run(request, position, is_sync)

    def _new_run(self, request: ModelRequest, position: Position, is_sync: bool) -> tuple[HostedRun, Steps[ModelTurn]]:
        task = hosted.task_of(self.engine)
        about = hosted.HostedTask(
            prompt_text(prompt_messages(request.messages, position)),
            key_parts(request, position),
            task is not None and is_inside_call(task),
        )
        session = hosted.open_hosted(self.engine, task, about, answer=self.answer, rejoin=self.rejoin, is_sync=is_sync)
        run = HostedRun(self.engine, session, task, self._offers)
        run.note_opening(request.messages)
        run.when_over = self._table.settle
        if task is not None:
            task.note_run(run)
        for other in self._table.add(run):
            self._close(other)
        self._offer(run, request)
        return run, run.go_on()

    def _resume(self, run: HostedRun, request: ModelRequest, position: Position) -> Steps[ModelTurn]:
        """Give a run the results that a request holds, and go on."""
        for message in position.results:
            yield from run.take_message(message)
        if run.is_over:
            return ModelTurn("pass")
        if run.outstanding:
            names = ", ".join(call.name for call in run.outstanding.values())
            self.leave_alone(f"a request has no result of a call that was handed out ({names})", run.ids)
            return ModelTurn("pass")
        self._offer(run, request)
        if run.is_asking:
            return ModelTurn("ask")  # The same request again, after an error of the model.
        return (yield from run.go_on())

    def _offer(self, run: HostedRun, request: ModelRequest) -> None:
        """Report to a run which tools its agent has now."""
        self._offers.see(request.tools)
        names = [offer.name for offer in request.tools] if self.tools is None else list(self.tools)
        unconfirmed = self._offers.unconfirmed(request.tools, confirms=self.confirms)
        for name in unconfirmed:
            self._events.unconfirmed(name)
        hands_off = not run.ids and any(offer.hands_off for offer in request.tools)
        later = self._offers.names() if hands_off else []  # Those of the agents that it may hand off to.
        run.offer(names, [name for name in (*names, *later) if name not in unconfirmed])

    def _of_run(self, run: HostedRun, turn: ModelTurn) -> ModelTurn:
        if turn.kind != "pass":
            turn._memory, turn._run = self, run
        return turn

    # -- one operation of a run

    def _end_step(self, run: HostedRun, error: BaseException | None) -> None:
        """Close a run whose step has failed, and keep the table up to date."""
        if isinstance(error, MEANT_FOR_THE_USER):
            run.raised(error)
        elif error is not None:
            self._close(run, error)
        self._table.settle(run)

    def _close(self, run: HostedRun, error: BaseException | None = None) -> None:
        try:
            run.close(error)
        except Exception as problem:  # Another thread is stepping it.
            self.steps_aside(problem, "closing a run")
        self._table.settle(run)

    def _do(self, run: HostedRun, steps: Steps[Any], doing: str, otherwise: Any = None) -> Any:
        """Do steps of a run. An error of ours costs the run, and nothing else."""
        try:
            with _Step(self, run):
                return drive(steps)
        except MEANT_FOR_THE_USER:
            raise
        except Exception as error:
            self.steps_aside(error, doing)
            return otherwise

    async def _ado(self, run: HostedRun, steps: Steps[Any], doing: str, otherwise: Any = None) -> Any:
        try:
            async with _Step(self, run):
                return await adrive(steps)
        except MEANT_FOR_THE_USER:
            raise
        except Exception as error:
            self.steps_aside(error, doing)
            return otherwise

    # -- what the model said

    def _said(self, run: HostedRun, calls: tuple[ModelCall, ...], answer: Any, usage: Usage | None) -> None:
        self._do(run, run.said(calls, answer, usage), "a response")
        self._note_lost(run)

    async def _asaid(self, run: HostedRun, calls: tuple[ModelCall, ...], answer: Any, usage: Usage | None) -> None:
        await self._ado(run, run.said(calls, answer, usage), "a response")
        self._note_lost(run)

    def _note_lost(self, run: HostedRun) -> None:
        if run.lost:
            self.leave_alone(run.lost)

    def _failed(self, run: HostedRun, error: BaseException) -> None:
        self._close(run, error)

    # -- tool calls

    def _run_of(self, call_id: str) -> HostedRun | None:
        run = self._table.find((call_id,))
        if run is not None:
            self._note_seen()
        return run

    def confirm(self, call_id: str, *, approved: bool = False) -> bool:
        """Return whether a call may be made now: its pre-check is asked again.

        A call that is not ours may. If the answer is no, make no call, and give the model `why_not(call_id)` as the
        result.

        Args:
            call_id: The id of the call.
            approved: Whether a person has approved it since it was handed out.
        """
        run = self._run_of(call_id)
        return True if run is None else bool(self._do(run, run.confirm(call_id, approved), "a confirmation", True))

    async def aconfirm(self, call_id: str, *, approved: bool = False) -> bool:
        """Return whether a call may be made now; see `confirm`.

        Args:
            call_id: The id of the call.
            approved: Whether a person has approved it since it was handed out.
        """
        run, doing = self._run_of(call_id), "a confirmation"
        return True if run is None else bool(await self._ado(run, run.confirm(call_id, approved), doing, True))

    def why_not(self, call_id: str) -> str:
        """Return the text that stands for the result of a call that was not made."""
        run = self._run_of(call_id)
        why = "" if run is None else run.refusals.get(call_id, "")
        return f"The call was not made: {why or 'it was refused'}."

    def refused(self, call_id: str, why: str = "") -> None:
        """Note that a person refused a call.

        It counts against no recording, and the model goes on.

        Args:
            call_id: The id of the call.
            why: What the person said.
        """
        run = self._run_of(call_id)
        if run is not None:
            self._do(run, run.refused(call_id, why), "a refusal")

    async def arefused(self, call_id: str, why: str = "") -> None:
        """Note that a person refused a call; see `refused`.

        Args:
            call_id: The id of the call.
            why: What the person said.
        """
        run = self._run_of(call_id)
        if run is not None:
            await self._ado(run, run.refused(call_id, why), "a refusal")

    def inside(self, call_id: str) -> AbstractContextManager[Any]:
        """Return a block in which the framework makes a call.

        Tools that are called in it belong to its step.
        """
        run = self._run_of(call_id)
        return nullcontext() if run is None else run.inside(call_id)

    def done(self, call_id: str, result: Any = None, *, error: BaseException | None = None) -> None:
        """Take the result of a call from a hook of the framework.

        Without a hook, the results are read from the next request. A result that was taken is not read again.

        Args:
            call_id: The id of the call.
            result: What the tool returned.
            error: What it raised, in place of a result.
        """
        run = self._run_of(call_id)
        if run is not None:
            self._do(run, run.take(call_id, result, error), "a result")

    async def adone(self, call_id: str, result: Any = None, *, error: BaseException | None = None) -> None:
        """Take the result of a call from a hook of the framework; see `done`.

        Args:
            call_id: The id of the call.
            result: What the tool returned.
            error: What it raised, in place of a result.
        """
        run = self._run_of(call_id)
        if run is not None:
            await self._ado(run, run.take(call_id, result, error), "a result")

    def finish(self, call_id: str, answer: Any = None) -> None:
        """End the run of a call, since the framework makes no further model turn.

        The result of a tool may be its answer, for example.

        Args:
            call_id: The id of a call of the run, whose results were all taken.
            answer: The answer that the framework gives.
        """
        run = self._run_of(call_id)
        if run is not None:
            self._do(run, run.finish(answer), "the end of a run")

    async def afinish(self, call_id: str, answer: Any = None) -> None:
        """End the run of a call; see `finish`.

        Args:
            call_id: The id of a call of the run.
            answer: The answer that the framework gives.
        """
        run = self._run_of(call_id)
        if run is not None:
            await self._ado(run, run.finish(answer), "the end of a run")

    # -- when the adapter does nothing

    def _note_seen(self) -> Any:
        task = hosted.task_of(self.engine)
        if task is not None:
            task.note_seen()
        return task

    def unlearnable(self, call_id: str, why: str) -> None:
        """Let the run of a call go on without learning it.

        Args:
            call_id: The id of the call.
            why: Why it cannot be learned.
        """
        run = self._run_of(call_id)
        if run is not None:
            with run.lock:
                run.unlearnable(why)

    def leave_alone(self, why: str, call_ids: Iterable[str] = ()) -> None:
        """Emit an event, once for each reason, that the adapter lets a run alone.

        Its request is passed to the model.

        Args:
            why: Why the adapter cannot replay it.
            call_ids: The ids of the calls whose results the request holds. A run that made one ends here, unlearned.
        """
        self._note_seen()
        run = self._table.find(call_ids)
        if run is not None:
            self._close(run)
        self._events.left_alone(why)

    def steps_aside(self, error: BaseException, doing: str = "a model request") -> None:
        """Emit one event: the adapter failed, and the framework goes on without it.

        Args:
            error: What was raised.
            doing: What the adapter was about.
        """
        self._events.failed(error, doing)
