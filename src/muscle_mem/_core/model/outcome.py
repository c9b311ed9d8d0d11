"""The outcome of a run: true if and only if the run was a hit."""

import copy
from collections.abc import Callable
from typing import Any, Literal, Protocol, Self

import msgspec

from ...errors import NotReadyError
from .reason import Reason, Status

Source = Literal["agent", "step", "result", "recorded", "model", "none"]
TextRedactor = Callable[[str], str]


def redacted_repr(struct: Any, hide: TextRedactor) -> str:
    """Return the repr of a struct, without secrets.

    Args:
        struct: The struct. Its fields `hide` and `*_snapshot` are not shown.
        hide: A function that removes the run's secrets from a text.
    """
    names = [name for name in type(struct).__struct_fields__ if name != "hide" and not name.endswith("_snapshot")]
    parts = [f"{name}={getattr(struct, name)!r}" for name in names]
    return hide(f"{type(struct).__name__}({', '.join(parts)})")


class Divergence(msgspec.Struct, frozen=True):
    """The step and the reason at which a replay stopped.

    Attributes:
        step: The index of the step, from 0.
        reason: The reason as a code.
        tool: The name of the step's tool.
        message: The reason as a sentence.
        seen: A short text of the value that was found.
        expected: A short text of the value that was expected.
        error: The exception that stopped the replay, or None.
        hide: A function that removes the run's secrets from a text.
        seen_snapshot: The value that was found, in the encoding of stored recordings, with secrets replaced by `***`;
            the text `seen` if it has more than 16 KiB or no encoding; None if the reason concerns no value.
        expected_snapshot: The value that was expected, in the same form.
    """

    __module__ = "muscle_mem"

    step: int
    reason: Reason
    tool: str
    message: str
    seen: str = ""
    expected: str = ""
    error: BaseException | None = None
    hide: TextRedactor = str
    seen_snapshot: bytes | str | None = None
    expected_snapshot: bytes | str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Return the parts to pickle: redacted texts, and no `hide`.

        `hide` knows the run's secrets, and the exception may contain one; both are left out if the run has secrets.
        """
        hide = self.hide
        texts = hide(self.message), hide(self.seen), hide(self.expected)
        snapshots = self.seen_snapshot, self.expected_snapshot
        error = self.error if hide is str else None
        return Divergence, (self.step, self.reason, self.tool, *texts, error, str, *snapshots)

    def __str__(self) -> str:
        return self.hide(f"replay stopped at step {self.step} ({self.tool}): {self.reason.value}: {self.message}")

    def __repr__(self) -> str:
        return redacted_repr(self, self.hide)


class Shadow(msgspec.Struct, frozen=True):
    """The comparison of a replay with the agent's calls in a shadow run.

    No step was executed twice.

    Attributes:
        trajectory_id: The trajectory that would have been replayed.
        agreed: Whether the replay would have made the agent's calls.
        step: The index of the first step that differs, from 0; -1 if none does.
        message: The difference as a sentence.
        accepted: How many snapshots of the agent's calls passed the recorded checks.
        refused: How many snapshots of the agent's calls failed the recorded checks.
    """

    trajectory_id: str
    agreed: bool
    step: int = -1
    message: str = ""
    accepted: int = 0
    refused: int = 0


class FeedbackReceiver(Protocol):
    """The methods of an engine through which an outcome can be judged later."""

    def forget(self, trajectory_id: str) -> bool: ...
    def report_bad(self, trajectory_id: str, why: str = ...) -> None: ...
    def report_good(self, trajectory_id: str, why: str = ...) -> None: ...


class Outcome(msgspec.Struct, eq=False):
    """The result of one call of the engine.

    An outcome can be copied, and pickled if its value can be. A pickled outcome has no engine: judge it by
    `engine.report_bad(outcome.trajectory_id)` and similar methods.

    Attributes:
        status: "hit" (replayed to the end), "miss" (the agent did the whole task) or "diverged" (a replay stopped in
            the middle).
        value: The value that the agent returned. On a hit, it is this run's result of the step whose output the agent
            returned when this was recorded, or an answer as set by `Engine(answer=...)`.
        value_source: "agent", "step" (this run's result of a step), "result" (made by `result=` or a function in
            `answer=`), "recorded" (the recorded answer, because all results were as recorded), "model" (the model
            was asked only for the answer) or "none" (a hit without a value).
        reason: The reason why the run was not a hit, as a code; `Reason.HIT` for a hit.
        message: The reason as a sentence.
        steps: How many steps were replayed in this run.
        trajectory_id: The trajectory that was replayed or learned; None if neither.
        learned: Whether this run was recorded for replay.
        not_learned: The reason why the run was not learned; None if it was, or on a hit.
        not_learned_message: The same reason as a sentence.
        saved: On a hit, the seconds that the agent spent outside of tool calls in the recorded run; else 0.0.
        saved_tokens: On a hit, the tokens that the recorded run reported; else 0.
        seconds: The duration of this run.
        divergence: Where and why a replay stopped, or None.
        shadow: With mode="shadow", the comparison of a replay with the agent's calls, or None.
    """

    __module__ = "muscle_mem"

    status: Status
    value: Any = None
    value_source: Source = "agent"
    reason: Reason = Reason.HIT
    message: str = ""
    steps: int = 0
    trajectory_id: str | None = None
    learned: bool = False
    not_learned: Reason | None = None
    not_learned_message: str = ""
    saved: float = 0.0
    saved_tokens: int = 0
    seconds: float = 0.0
    divergence: Divergence | None = None
    shadow: Shadow | None = None
    _feedback: FeedbackReceiver | None = None
    _redact: Callable[[str], str] = str

    def __bool__(self) -> bool:
        return self.status == "hit"

    def __repr__(self) -> str:
        if self.status == "hit":
            return f"<Outcome hit: {self.steps} step{'s'[: self.steps != 1]} of {self.trajectory_id} replayed>"
        learned = f"learned as {self.trajectory_id}" if self.learned else f"not learned ({self.not_learned})"
        return f"<Outcome {self.status}: {self.reason.value}; {learned}>"

    def _repr_html_(self) -> str:
        """Return the outcome as a table for notebooks, without value and secrets."""
        from .rich_display import html_pairs

        stopped = self.divergence
        pairs = [
            ("reason", self.reason.value),
            ("message", self._redact(self.message)),
            ("steps replayed", str(self.steps)),
            ("trajectory", self.trajectory_id or ""),
            ("value", f"from {self.value_source}" if self.value_source != "none" else "none"),
            ("learned", "yes" if self.learned else ""),
            (
                "not learned",
                self._redact(f"{self.not_learned.value}: {self.not_learned_message}") if self.not_learned else "",
            ),
            ("seconds", f"{self.seconds:.3f}"),
            ("saved", f"{self.saved:.3f} s of the agent, {self.saved_tokens} tokens" if self else ""),
        ]
        if stopped is not None:
            pairs += [
                ("stopped at", stopped.hide(f"step {stopped.step} ({stopped.tool})")),
                ("seen", stopped.hide(stopped.seen)),
                ("expected", stopped.hide(stopped.expected)),
            ]
        return html_pairs(f"Outcome: {self.status}", pairs)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        made = copy.copy(self)
        made.value = copy.deepcopy(self.value, memo)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Return the parts to pickle: all but the engine and the redactor.

        The redactor knows the run's secrets.
        """
        return Outcome, tuple(getattr(self, name) for name in Outcome.__struct_fields__ if not name.startswith("_"))

    def forget(self) -> bool:
        """Delete the trajectory of this run; return whether there was one."""
        return bool(self.trajectory_id and self._require_engine().forget(self.trajectory_id))

    def report_bad(self, why: str = "") -> None:
        """Report that this run failed: its trajectory is quarantined.

        The quarantine lasts until `report_good`.

        Args:
            why: A note that is stored with the report.
        """
        if self.trajectory_id:
            self._require_engine().report_bad(self.trajectory_id, self._redact(why))

    def report_good(self, why: str = "") -> None:
        """Report that this run succeeded: its trajectory is trusted.

        This also ends a quarantine.

        Args:
            why: A note that is stored with the report.
        """
        if self.trajectory_id:
            self._require_engine().report_good(self.trajectory_id, self._redact(why))

    def _require_engine(self) -> FeedbackReceiver:
        if self._feedback is None:
            id = self.trajectory_id
            raise NotReadyError(
                "cannot judge this outcome: expected one of a live engine, got a pickled one. "
                f"Call engine.report_bad({id!r}), engine.report_good or engine.forget"
            )
        return self._feedback
