"""The work behind our tools: replay a task, or record and learn it.

One thread does it, a job at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ..._core.model.handover import Planned
from ..._core.model.reason import Reason
from ..._session import hosted, served
from ..._session.pending import Pending
from ..._session.session import Session
from ..._session.turns import AskAgent, Finished, Turn
from ...errors import Diverged, Missed, MuscleMemError
from .asking import Exchange, NoQuestionsError
from .frames import INTERNAL_ERROR, Frame
from .own_calls import CallStoppedError, CancelledRunError
from .own_tools import MAX_TASKS, DoneArguments, RunArguments, TasksArguments, with_prefix
from .recording import PassedCall, Recording
from .replaying import Approver, MadeStep, Replay, step_key
from .results import shown
from .rules import Rules
from .secret_names import split_params
from .server_tools import CallServer, ListError, RulesDoNotFitError, ServerTools
from .task_texts import are_same_calls, with_placeholders
from .texts import (
    ALL_DONE,
    CONTINUE,
    NOT_RECORDED,
    REFUSED,
    approve_command,
    plan_question,
    printable,
    tool_result,
)

IDLE_SECONDS = 1_800.0
MakeEngine = Callable[[str], Any]


class Desk:
    """What one gateway knows of its engine, and the recording that is open.

    Args:
        make_engine: Returns the engine for the name that the server has, once it is known.
        rules: The rules of the user.
        tools: The tools of the server.
        call_server: Calls a method of the server.
        secrets: The secrets of the environment, by name.
        prefix: What stands before the names of our tools.
        idle_seconds: After how long without a call a recording ends.

    Attributes:
        recording: The recording that is open, or None.
        server_name: The name of the server in the handshake.
    """

    def __init__(
        self,
        make_engine: MakeEngine,
        rules: Rules,
        tools: ServerTools,
        call_server: CallServer,
        secrets: Mapping[str, str],
        *,
        prefix: str = "",
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._make_engine = make_engine
        self._rules = rules
        self._tools = tools
        self._call_server = call_server
        self._secrets = dict(secrets)
        self._prefix = prefix
        self._idle_seconds = idle_seconds
        self._engine: Any = None
        self.recording: Recording | None = None
        self.server_name = ""

    def engine(self) -> Any:
        """Return the engine, which is made when it is first needed."""
        if self._engine is None:
            self._engine = self._make_engine(self.server_name or self._tools.server_name)
        return self._engine

    def close(self) -> None:
        """End the open recording, and release the store."""
        self.end_recording("the gateway has ended")
        if self._engine is not None:
            self._engine.close()

    # -- our tools

    def list_tasks(self, exchange: Exchange, arguments: TasksArguments) -> None:
        """Answer `muscle_mem_tasks`."""
        self._tools.list_again(exchange.protocol)
        words = tuple(arguments.query.casefold().split())
        found = served.tasks(self.engine(), words, MAX_TASKS)
        listed = [
            {
                "task": printable(task.task),
                "params": list(task.params),
                **({"secret_params": names} if (names := _given_by_client(task.secrets)) else {}),
            }
            for task in found
        ]
        exchange.answer(tool_result({"tasks": listed}))

    def run(self, exchange: Exchange, arguments: RunArguments) -> None:
        """Answer `muscle_mem_run`: replay the task, or say why not and record it."""
        self.end_recording("another task began")
        try:
            self._tools.list_again(exchange.protocol)
            engine = self.engine()
            self._tools.declare(engine)
        except (ListError, CallStoppedError, RulesDoNotFitError) as error:
            self._answer(exchange, "miss", "unavailable", str(error), NOT_RECORDED)
            return
        names = {name for declared in self._tools.secrets.values() for name in declared}
        params, hidden = split_params(arguments.params, names)
        task = with_placeholders(arguments.task, arguments.params)
        secrets = {**self._secrets, **hidden}
        approver = Approver(exchange, self._tools, task)
        approve = approver if exchange.can_ask else None
        found = served.pending(engine, task, self._tools.names, params=params, secrets=secrets, approve=approve)
        refused = None
        if found is not None:
            refused = self._approve(exchange, task, found)
            if refused == REFUSED:
                reason = Reason.REFUSED_BY_PERSON.value
                self._answer(exchange, "miss", reason, "a person did not approve the recording", REFUSED)
                return
            if not refused:
                approver.approve_all(step_key(step.tool, step.arguments) for step in found.steps if step.arguments)
        session = engine.session(
            task, params=params, secrets=secrets, approve=approve, answer="auto", tools=self._tools.names
        )
        self._replay(exchange, session, task, approver, refused)

    def _approve(self, exchange: Exchange, task: str, found: Pending) -> str:
        """Ask a person to approve a recording; return why it is not approved, or nothing."""
        try:
            approved = exchange.is_approved(plan_question(task, found, self._tools.origins))
        except CancelledRunError:
            raise
        except (NoQuestionsError, CallStoppedError) as error:
            command = approve_command(found.trajectory_ids, served.store_url(self.engine()))
            return f"the recording waits for a person's approval: {command} ({error})"
        if not approved:
            return REFUSED
        for id in found.trajectory_ids:
            self.engine().report_good(id, "approved in the client")
        return ""

    def _replay(self, exchange: Exchange, session: Session, task: str, approver: Approver, waits: str | None) -> None:
        replay = Replay(session, exchange, self._call_server, self._rules.timeout)
        try:
            turn: Turn = replay.go()
            if isinstance(turn, AskAgent) and hosted.is_asked_for_answer(turn.reason):
                session.said([])  # The client reads the results, and makes the answer of them.
                turn = session.next()
        except (Missed, Diverged) as stopped:  # The mode is "replay".
            status = "diverged" if replay.made else "miss"
            self._answer(exchange, status, Reason.MODE.value, str(stopped), NOT_RECORDED, replay.made)
            return
        except CancelledRunError:
            session.close()
            raise
        except Exception as error:
            session.close(error)
            raise
        if isinstance(turn, Finished):
            self._answer_end(exchange, replay.made, turn)
            return
        assert isinstance(turn, AskAgent)
        status = "diverged" if replay.made else "miss"
        message = waits or _explained(turn, can_ask=exchange.can_ask)
        following = CONTINUE
        if approver.was_refused:
            following = REFUSED
            served.prevent_learning(session, Reason.UNLEARNABLE, "a person refused a step of the replay")
        elif served.never_learns(self.engine()):
            following = NOT_RECORDED
        remaining = served.remaining(session, turn.handover) if turn.handover else ()
        if following == NOT_RECORDED:
            session.close()
        else:  # Before the answer: the client may call its tools immediately.
            self.recording = Recording(session, task, self._tools.secrets)
        self._answer(exchange, status, turn.reason.value, message, following, replay.made, remaining)

    def _answer_end(self, exchange: Exchange, made: list[MadeStep], turn: Finished) -> None:
        outcome = turn.outcome
        known = outcome.value if outcome.value_source == "recorded" else None
        following = ALL_DONE if outcome else NOT_RECORDED
        self._answer(exchange, outcome.status, outcome.reason.value, outcome.message, following, made, answer=known)

    def _answer(
        self,
        exchange: Exchange,
        status: str,
        reason: str,
        message: str,
        following: str,
        made: list[MadeStep] | None = None,
        remaining: tuple[Planned, ...] = (),
        *,
        answer: Any = None,
    ) -> None:
        attached: list[Any] = []
        data: dict[str, Any] = {"status": status, "reason": reason, "message": printable(message)}
        if answer is not None:
            data["answer"] = answer
        data["done"] = [_made(step, attached) for step in made or []]
        data["not_done"] = [{"tool": step.tool, "arguments": printable(step.arguments)} for step in remaining]
        data["next"] = with_prefix(following, self._prefix)
        exchange.answer(tool_result(data, attached))

    def done(self, exchange: Exchange, arguments: DoneArguments) -> None:
        """Answer `muscle_mem_done`: learn the task, or say why not."""
        recording, self.recording = self.recording, None
        if recording is None:
            message = "no task is being recorded: call muscle_mem_run first, and muscle_mem_done once"
            self._answer_done(exchange, False, "no_recording", message)
            return
        session = recording.session
        if not arguments.succeeded:
            session.close()
            self._answer_done(exchange, False, Reason.REFUSED.value, "the task did not succeed")
            return
        if recording.is_running:
            session.close()
            self._answer_done(exchange, False, Reason.STILL_RUNNING.value, "a call of a tool has no answer yet")
            return
        if not are_same_calls(arguments.calls, recording.names, self._tools.names):
            passed = ", ".join(recording.names) or "none"
            why = f"the calls that passed through are not those that were named: {passed}"
            recording.prevent(why, Reason.OTHER_CALLS)
        session.said([], value=arguments.answer)
        turn = session.next()
        assert isinstance(turn, Finished)
        outcome = turn.outcome
        reason = "" if outcome.not_learned is None else outcome.not_learned.value
        message = outcome.not_learned_message
        waits = bool(outcome.learned and outcome.trajectory_id and self._waits(recording))
        if waits:
            assert outcome.trajectory_id is not None
            command = approve_command((outcome.trajectory_id,), served.store_url(self.engine()))
            message = f"before its first replay, a person must approve it: {command}"
        self._answer_done(exchange, outcome.learned, reason, message, waits=waits)

    def _waits(self, recording: Recording) -> bool:
        """Return whether a recording waits for an approval before its first replay."""
        return any(served.needs_review(self.engine(), name) for name in recording.names)

    def _answer_done(
        self, exchange: Exchange, learned: bool, reason: str, message: str, *, waits: bool = False
    ) -> None:
        data: dict[str, Any] = {"learned": learned, "message": printable(with_prefix(message, self._prefix))}
        if reason:
            data["not_learned"] = reason
        if learned:
            data["pending"] = waits
        exchange.answer(tool_result(data))

    # -- the calls of the client

    def begin_call(self, passed: PassedCall, protocol: dict[str, Any]) -> None:
        """Begin to record a call of the client. Raises nothing."""
        recording = self.recording
        if recording is None:
            return
        try:
            if self._tools.is_stale:
                self._tools.list_again(protocol)
                self._tools.declare(self.engine())
            self._tools.declare_unknown(self.engine(), passed.params.name)
            recording.begin(passed)
            passed.holds_answer = self._tools.has_post_check(passed.params.name)
        except Exception as error:
            self._give_up(recording, error)

    def end_call(self, passed: PassedCall, frame: Frame) -> None:
        """Take the answer to a call of the client. Raises nothing."""
        recording = self.recording
        if recording is None:
            return
        try:
            recording.end(passed, frame)
        except Exception as error:
            self._give_up(recording, error)

    def drop_call(self, passed: PassedCall) -> None:
        """Note that the client has cancelled a call. Raises nothing."""
        if self.recording is not None:
            try:
                self.recording.drop(passed)
            except Exception as error:
                self._give_up(self.recording, error)

    def note_unseen(self, why: str) -> None:
        """Note that something passed through that cannot be recorded."""
        if self.recording is not None:
            self.recording.prevent(why)

    def _give_up(self, recording: Recording, error: Exception) -> None:
        """End a recording after an error, so that nothing of it is learned."""
        text = str(error) if isinstance(error, MuscleMemError | CallStoppedError | ListError) else type(error).__name__
        hosted.notice(self.engine(), "warning", "adapter_failed", f"the gateway ends a recording: {text}")
        self.recording = None
        recording.session.close()

    def end_recording(self, why: str) -> None:
        """End the open recording, if there is one. Nothing of it is learned."""
        recording, self.recording = self.recording, None
        if recording is not None:
            recording.prevent(why)
            recording.session.close()

    def seconds_left(self) -> float | None:
        """Return how long the open recording may stay idle; None if there is none."""
        if self.recording is None:
            return None
        return max(0.0, self.recording.last_used + self._idle_seconds - time.monotonic())

    def end_if_idle(self) -> None:
        """End the open recording if no call came for long."""
        left = self.seconds_left()
        if left is not None and left <= 0:
            self.end_recording(f"no call came for {self._idle_seconds:g} seconds")


def _explained(turn: AskAgent, *, can_ask: bool) -> str:
    """Return why a replay stopped, with the remedy that the gateway has."""
    if turn.reason is Reason.SECRET_MISSING:
        return f"{turn.message} Here: give it in the params of the task, under this name."
    if turn.reason is Reason.NOT_APPROVED and not can_ask:
        return f"{turn.message} This client cannot ask a person. Here: give the tool a pre_check in the rules."
    return turn.message


def _given_by_client(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if not name.startswith("env:")]


def _made(step: MadeStep, attached: list[Any]) -> dict[str, Any]:
    call = step.call
    arguments = call.hide(msgspec.json.encode(call.arguments, enc_hook=lambda _: "***").decode())
    found: dict[str, Any] = {"tool": call.name, "arguments": msgspec.json.decode(arguments)}
    if step.result is None:
        return found | {"error": step.error or "the call has no result"}
    key = "error" if step.result.get("isError") is True else "result"
    return found | {key: shown(step.result, attached)}


def busy_result() -> dict[str, Any]:
    """Return the answer to a run that begins while another one is replayed."""
    message = "another task is being replayed"
    return tool_result({"status": "miss", "reason": "busy", "message": message, "next": NOT_RECORDED})


def internal_error(exchange: Exchange, error: BaseException) -> None:
    """Answer a call of ours that failed by our own fault, or that of the store."""
    text = str(error) if isinstance(error, MuscleMemError) else type(error).__name__
    exchange.fail(INTERNAL_ERROR, f"muscle_mem failed: {text}. Do the task with the other tools.")
