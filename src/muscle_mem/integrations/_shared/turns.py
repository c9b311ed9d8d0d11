"""What an adapter does about a model request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from .messages import ModelCall, Usage

if TYPE_CHECKING:
    from .memory import Memory
    from .runs import HostedRun

Kind = Literal["pass", "replay", "answer", "ask"]


class ModelTurn:
    """What to do about one model request.

    Attributes:
        kind: "pass" (call the model, and report nothing), "replay" (return `calls` as those of the model), "answer"
            (return `answer` as the final answer of the model) or "ask" (call the model, and then report with `said` or
            `failed`).
        calls: The calls to return; their arguments are dicts.
        answer: The final answer: the text, or the value that was passed to `said(answer=...)`.
        answer_only: Whether the model is asked for its final answer alone, since all steps were replayed.
        mark: For the framework's own place: `{"muscle_mem": "replayed", "trajectory_id": ..., "step": ...}`, with the
            index of the first step of the turn, from 0.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        memory: Memory | None = None,
        run: HostedRun | None = None,
        calls: Sequence[ModelCall] = (),
        answer: Any = None,
        answer_only: bool = False,
        mark: dict[str, Any] | None = None,
    ) -> None:
        self.kind: Kind = kind
        self.calls = tuple(calls)
        self.answer = answer
        self.answer_only = answer_only
        self.mark = {} if mark is None else mark
        self._memory = memory
        self._run = run

    def said(self, calls: Sequence[ModelCall] = (), answer: Any = None, usage: Usage | None = None) -> None:
        """Take what the model said; only after "ask", and otherwise nothing happens.

        Args:
            calls: The calls that the model requested, in its order.
            answer: Its final answer if it requested none: a text, or the JSON value of a typed answer.
            usage: The usage of the response.
        """
        if self._memory is not None and self._run is not None and self.kind == "ask":
            self._memory._said(self._run, tuple(calls), answer, usage)

    async def asaid(self, calls: Sequence[ModelCall] = (), answer: Any = None, usage: Usage | None = None) -> None:
        """Take what the model said; see `said`.

        Args:
            calls: The calls that the model requested.
            answer: Its final answer.
            usage: The usage of the response.
        """
        if self._memory is not None and self._run is not None and self.kind == "ask":
            await self._memory._asaid(self._run, tuple(calls), answer, usage)

    def failed(self, error: BaseException) -> None:
        """Close the run of this turn.

        The model raised, or the framework's run has ended in an error. The adapter raises the error unchanged. A run
        that is over stays as it is.

        Args:
            error: What was raised.
        """
        if self._memory is not None and self._run is not None:
            self._memory._failed(self._run, error)

    def unlearnable(self, why: str) -> None:
        """Let the run of this turn go on without learning it.

        Args:
            why: What the adapter could not follow.
        """
        if self._run is not None:
            self._run.unlearnable(why)


def call_failed(memory: Memory, call_id: str, error: BaseException) -> None:
    """Close the run of a call, since that of the framework has ended in an error.

    Args:
        memory: The memory of the adapter.
        call_id: The id of the call.
        error: What was raised.
    """
    run = memory._run_of(call_id)
    if run is not None:
        memory._failed(run, error)
