"""One run of the engine: what it was given, and how far it has come. No state of a run lives anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..binding.freeze import known_objects_of
from ..binding.params import Params
from ..binding.resolve import Env
from ..model.handover import Handover
from ..model.reason import Mode, OnDivergence, Reason
from ..plan.ready_trajectory import Candidate
from ..plan.step import PlanStep, Refusal
from ..redaction.redactor import Redactor
from ..tools.check import Check
from ..tools.tool import Tool
from .recorder import Recorder

Notify = Callable[..., None]
MAX_TASK_LENGTH = 200


class Policy(msgspec.Struct, frozen=True):
    """The settings of the engine. `trust` counts the levels of `trust.TRUSTS`.

    `process` names the process, `clock` is monotonic, in seconds, `notify` takes (level, reason, message, tool).
    """

    clock: Callable[[], float]
    notify: Notify
    process: str = ""
    scope: str = ""
    strict: bool = False
    max_lookups: int = 256
    success: Callable[..., Any] | None = None
    approve: Callable[..., Any] | None = None
    result: Callable[..., Any] | None = None
    trust: int = 0
    generalize: str = "computed"
    wall_clock: Callable[[], float] = lambda: 0.0


class Progress(msgspec.Struct, eq=False):
    """How far a replay has come: the steps that were entered, and their results.

    `group_arguments` holds a group's arguments until their turn comes, `pending_post_checks` its members made so far
    whose post-checks are asked later. `refreshed_snapshots` are the snapshots that sliding checks have accepted. What
    few runs need is made by those.
    """

    calls: list[tuple[PlanStep, tuple[Any, ...], dict[str, Any]]] = []
    results: list[Any] = []
    candidate: Candidate | None = None
    refreshed_snapshots: dict[tuple[int, bool], bytes] | None = None
    skipped: frozenset[int] = frozenset()
    error: BaseException | None = None
    group_arguments: dict[int, tuple[tuple[Any, ...], dict[str, Any]]] | None = None
    pending_post_checks: tuple[int, ...] = ()

    @property
    def entered_calls(self) -> list[tuple[PlanStep, tuple[Any, ...], dict[str, Any]]]:
        """The calls that were really made: optional steps that were skipped have a place, but no call."""
        return [call for position, call in enumerate(self.calls) if position not in self.skipped]

    @property
    def live_results(self) -> list[Any]:
        """The results of the calls that were really made."""
        return [result for position, result in enumerate(self.results) if position not in self.skipped]


class Run(msgspec.Struct, eq=False):
    """Everything about one call of the engine.

    `is_sync` says that nothing can be awaited, `is_stepped` that others make the tool calls, `is_watched` that
    observers
    get an event for each replayed one. `agent` is the engine's own record of it, fixed for the run, and
    `takes_handover`
    comes from it. `initial_redactor` is given where secrets are known from the start; `label` is the task as a text of
    any length. `may_wait` says that other runs of its key wait for what it learns, as it does for theirs.
    `refused_checks` are the checks that stopped a replay, as `Tally.check` names them, and `store_error` is what the
    store raised when it was to take the recording.
    """

    policy: Policy
    number: int
    label: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    key: bytes | None
    params: Params
    context: tuple[Any, ...]
    tags: tuple[str, ...] = ()
    mode: Mode = "auto"
    on_divergence: OnDivergence = "auto"
    is_sync: bool = True
    takes_handover: bool = False
    agent: Any = None
    success: Callable[..., Any] | None = None
    approve: Callable[..., Any] | None = None
    initial_redactor: Redactor | None = None
    progress: Progress = msgspec.field(default_factory=Progress)
    approved: frozenset[tuple[int, bytes]] = frozenset()
    context_objects: dict[Tool, Any] = {}
    missing_secrets: frozenset[str] = frozenset()
    handover: Handover | None = None
    is_stepped: bool = False
    is_watched: bool = False
    may_wait: bool = False
    refused_checks: tuple[tuple[Candidate, str], ...] = ()
    store_error: Exception | None = None
    recorder_slot: list[Recorder] = []
    cached_env: Env | None = None

    @property
    def id(self) -> str:
        """Names the run within this process, and among others."""
        return f"{self.policy.process}-{self.number}"

    @property
    def clock(self) -> Callable[[], float]:
        """Monotonic, in seconds."""
        return self.policy.clock

    @property
    def scope(self) -> str:
        """The exact part of every key."""
        return self.policy.scope

    def reset_progress(self) -> None:
        """Before another replay, after one in which nothing was executed."""
        self.progress = Progress()
        self.cached_env = None

    @property
    def task(self) -> str:
        """The task as a short text, without its secrets."""
        return self.redact(self.label)[:MAX_TASK_LENGTH]

    @property
    def recorder(self) -> Recorder:
        """What collects the agent's steps; made when it is first asked for, since a hit needs none."""
        slot = self.recorder_slot
        if not slot:
            slot.append(Recorder(self.params, known_objects_of(self.params, self.context, self.initial_redactor)))
        return slot[0]  # the first, if two threads came concurrently

    def close(self) -> None:
        """The run is over: calls that come later are not its own."""
        if self.recorder_slot:
            self.recorder_slot[0].closed = True

    @property
    def redactor(self) -> Redactor:
        """The secrets of this run."""
        return self.recorder.known.redactor if self.initial_redactor is None else self.initial_redactor

    @property
    def has_secrets(self) -> bool:
        """Whether a secret is known by now."""
        if self.initial_redactor is None and not self.recorder_slot:
            return False
        return self.redactor.has_secrets

    def redact(self, text: str) -> str:
        """A text without the secrets that are known by now."""
        return self.redactor.redact(text) if self.has_secrets else text

    @property
    def env(self) -> Env:
        """What this run's arguments are made of."""
        if self.cached_env is None:
            given = {} if self.initial_redactor is None else self.initial_redactor.named
            self.cached_env = Env(self.params.values, self.progress.results, self.context, given)
        return self.cached_env

    def key_inputs(self) -> tuple[Any, ...]:
        """What the key was made of: the call's own arguments, its tags, and its text or key."""
        return self.args, self.kwargs, self.tags, self.label

    def notify(self, level: str, code: str, message: str, tool: str = "") -> None:
        """Tell something; it holds no secret that is known by now."""
        self.policy.notify(level, code, self.redact(message), tool)

    def redact_refusal(self, refusal: Refusal) -> Refusal:
        """A refusal whose texts hold no secret."""
        if not self.has_secrets:
            return refusal
        hide = self.redactor.redact
        return msgspec.structs.replace(
            refusal, message=hide(refusal.message), seen=hide(refusal.seen), expected=hide(refusal.expected)
        )

    def note_missing_threshold(self, check: Check, tool: str) -> None:
        """Warn of a score that no threshold was declared for; the engine reports it once (B2)."""
        if check.lacks_threshold:
            message = (
                f"the compare of {tool}'s check returns a score and no threshold is declared, so 1.0 is asked for; say "
                "Check(..., threshold=...)"
            )
            self.notify("warning", "threshold", message, tool)

    def has_context(self, name: str) -> bool:
        """Whether an object of a class of this qualified name, and only one, is in the context."""
        return [type(value).__qualname__ for value in self.context].count(name) == 1

    def context_object_for(self, tool: Tool) -> Any:
        """The one context object whose class owns a method tool; a Refusal if there is none, or more than one."""
        owners = [value for value in self.context if tool.is_method_of(value)]
        if len(owners) == 1:
            return owners[0]
        if not owners:
            message = f"no context object has the tool {tool.name}; give it with engine.set_context(obj) or context=obj"
        else:
            message = f"{len(owners)} context objects have the tool {tool.name}; give the one meant with context=obj"
        return Refusal(Reason.NOT_REPLAYABLE, message, tool=tool.name)
