"""The outcome of a run: truthy exactly on a hit."""

import copy
from collections.abc import Callable
from typing import Any, Literal, Protocol, Self

import msgspec

from ...errors import NotReadyError
from .reason import Reason, Status

Source = Literal["agent", "step", "result", "none"]
TextRedactor = Callable[[str], str]


def redacted_repr(struct: Any, hide: TextRedactor) -> str:
    """Return the repr of a struct, without secrets."""
    parts = [f"{name}={getattr(struct, name)!r}" for name in type(struct).__struct_fields__ if name != "hide"]
    return hide(f"{type(struct).__name__}({', '.join(parts)})")


class Divergence(msgspec.Struct, frozen=True):
    """Where and why a replay stopped. `step` counts from 0; `seen` and `expected` are short texts for people.

    `hide` takes the run's secrets out of texts.
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

    def __reduce__(self) -> tuple[Any, ...]:
        """Without what hides the run's secrets, for it knows them, and so without the exception that may hold one."""
        hide = self.hide
        texts = hide(self.message), hide(self.seen), hide(self.expected)
        return Divergence, (self.step, self.reason, self.tool, *texts, self.error if hide is str else None)

    def __str__(self) -> str:
        return self.hide(f"replay stopped at step {self.step} ({self.tool}): {self.reason.value}: {self.message}")

    def __repr__(self) -> str:
        return redacted_repr(self, self.hide)


class Shadow(msgspec.Struct, frozen=True):
    """What a replay would have done, compared with what the agent did in a shadow run; nothing was executed twice.

    `step` is the first step that differs, -1 if none does. `accepted` and `refused` count what the recorded checks said
    of the snapshots that the agent's own calls met.
    """

    trajectory_id: str
    agreed: bool
    step: int = -1
    message: str = ""
    accepted: int = 0
    refused: int = 0


class FeedbackReceiver(Protocol):
    """What an outcome needs of its engine to be judged later."""

    def forget(self, trajectory_id: str) -> bool: ...
    def report_bad(self, trajectory_id: str, why: str = ...) -> None: ...
    def report_good(self, trajectory_id: str, why: str = ...) -> None: ...


class Outcome(msgspec.Struct, eq=False):
    """How one call of the engine ended.

    status: "hit" (replayed to its end), "miss" (the agent did it all) or "diverged" (a replay stopped in the middle).
    value: what the agent returned; on a hit this run's result of the step whose output the agent had returned.
    value_source: "agent", "step", "result" (made by Engine(result=...)) or "none": on a hit there is no live value.
    reason, message: why it was not a hit, as a code and as a sentence; `Reason.HIT` for a hit.
    steps: how many steps were replayed in this run.
    trajectory_id: the trajectory that was replayed, or that was learned; None if neither.
    learned: whether this run was recorded for replay. not_learned: the reason why not, None if it was or on a hit.
    saved: seconds that the agent spent outside of tool calls when this was recorded, on a hit; else 0.0.
    saved_tokens: tokens the recorded run had reported, on a hit; else 0.
    seconds: how long this run took. divergence: where and why a replay stopped. shadow: with mode="shadow", whether a
    replay would have done what the agent did.

    It can be copied, and pickled where its value can; one that was pickled knows no engine any more, so judge it by
    `engine.report_bad(outcome.trajectory_id)` and the like.
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
            return f"<Outcome hit: {self.steps} steps of {self.trajectory_id} replayed>"
        learned = f"learned as {self.trajectory_id}" if self.learned else f"not learned ({self.not_learned})"
        return f"<Outcome {self.status}: {self.reason.value}; {learned}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        made = copy.copy(self)
        made.value = copy.deepcopy(self.value, memo)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Without the engine, and without what hides the run's secrets, for it knows them."""
        return Outcome, tuple(getattr(self, name) for name in Outcome.__struct_fields__ if not name.startswith("_"))

    def forget(self) -> bool:
        """Delete the trajectory of this run; whether there was one."""
        return bool(self.trajectory_id and self._require_engine().forget(self.trajectory_id))

    def report_bad(self, why: str = "") -> None:
        """Say that this run did not do what it should: its trajectory is quarantined until `report_good`."""
        if self.trajectory_id:
            self._require_engine().report_bad(self.trajectory_id, self._redact(why))

    def report_good(self, why: str = "") -> None:
        """Say that this run did what it should: its trajectory is trusted, a quarantine is lifted."""
        if self.trajectory_id:
            self._require_engine().report_good(self.trajectory_id, self._redact(why))

    def _require_engine(self) -> FeedbackReceiver:
        if self._feedback is None:
            id = self.trajectory_id
            raise NotReadyError(
                f"this outcome was pickled and knows no engine; say engine.report_bad({id!r}), or report_good or forget"
            )
        return self._feedback
