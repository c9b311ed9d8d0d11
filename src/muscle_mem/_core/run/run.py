"""One run of the engine: what it was given, and how far it has come. No state of a run lives anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..binding.freeze import known_of
from ..binding.params import Params
from ..binding.resolve import Env
from ..model.handover import Handover
from ..model.reason import Mode, OnDivergence, Reason
from ..plan.step import PlanStep, Refusal
from ..plan.trajectory import Candidate
from ..redaction.redactor import Veil
from ..tools.check import Check
from ..tools.tool import Tool
from .recorder import Recorder

Emit = Callable[..., None]
TASK_LENGTH = 200


class Policy(msgspec.Struct, frozen=True):
    """What the engine was told once and for all. `trust` counts the levels of `trust.TRUSTS`.

    `process` names the process, `clock` is monotonic, in seconds, `tell` takes (level, reason, message, tool).
    """

    clock: Callable[[], float]
    tell: Emit
    process: str = ""
    scope: str = ""
    strict: bool = False
    max_lookups: int = 256
    success: Callable[..., Any] | None = None
    approve: Callable[..., Any] | None = None
    result: Callable[..., Any] | None = None
    trust: int = 0


class Progress(msgspec.Struct, eq=False):
    """How far a replay has come: the steps that were entered, and their results.

    `ready` holds a group's arguments till their turn comes, `unjudged` its members made so far whose post-checks are
    asked later. `refreshed` are the snapshots that sliding checks have accepted. What few runs need is made by those.
    """

    calls: list[tuple[PlanStep, tuple[Any, ...], dict[str, Any]]] = []
    results: list[Any] = []
    candidate: Candidate | None = None
    refreshed: dict[tuple[int, bool], bytes] | None = None
    skipped: frozenset[int] = frozenset()
    error: BaseException | None = None
    ready: dict[int, tuple[tuple[Any, ...], dict[str, Any]]] | None = None
    unjudged: tuple[int, ...] = ()

    @property
    def entered(self) -> list[tuple[PlanStep, tuple[Any, ...], dict[str, Any]]]:
        """The calls that were really made: optional steps that were skipped have a place, but no call."""
        return [call for place, call in enumerate(self.calls) if place not in self.skipped]

    @property
    def live_results(self) -> list[Any]:
        """The results of the calls that were really made."""
        return [result for place, result in enumerate(self.results) if place not in self.skipped]


class Run(msgspec.Struct, eq=False):
    """Everything about one call of the engine.

    `plain` says that nothing can be awaited, `outside` that others make the tool calls, `watched` that somebody is told
    of each replayed one. `agent` is the engine's own
    record of it, fixed for the run, and `names_handover` tells of it. `early_veil` is given where secrets are known
    from the start; `label` is the task as a text of any length. `leads` says that other runs of its key wait for what
    it learns, as it does for theirs. `said_no` are the checks that stopped a replay, as `Tally.check` names them, and
    `trouble` is what the store raised when it was to take the recording.
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
    plain: bool = True
    names_handover: bool = False
    agent: Any = None
    success: Callable[..., Any] | None = None
    approve: Callable[..., Any] | None = None
    early_veil: Veil | None = None
    progress: Progress = msgspec.field(default_factory=Progress)
    approved: frozenset[tuple[int, bytes]] = frozenset()
    objects: dict[Tool, Any] = {}
    lacking: frozenset[str] = frozenset()
    handover: Handover | None = None
    outside: bool = False
    watched: bool = False
    leads: bool = False
    said_no: tuple[tuple[Candidate, str], ...] = ()
    trouble: Exception | None = None
    made: list[Recorder] = []
    made_env: Env | None = None

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

    def begin_again(self) -> None:
        """Before another replay, after one in which nothing was executed."""
        self.progress = Progress()
        self.made_env = None

    @property
    def task(self) -> str:
        """The task as a short text, without its secrets."""
        return self.hide(self.label)[:TASK_LENGTH]

    @property
    def recorder(self) -> Recorder:
        """What collects the agent's steps; made when it is first asked for, since a hit needs none."""
        made = self.made
        if not made:
            made.append(Recorder(self.params, known_of(self.params, self.context, self.early_veil)))
        return made[0]  # the first, should two threads have come at once

    def close(self) -> None:
        """The run is over: calls that come later are not its own."""
        if self.made:
            self.made[0].closed = True

    @property
    def veil(self) -> Veil:
        """The secrets of this run."""
        return self.recorder.known.veil if self.early_veil is None else self.early_veil

    @property
    def secretive(self) -> bool:
        """Whether a secret is known by now."""
        if self.early_veil is None and not self.made:
            return False
        return self.veil.known

    def hide(self, text: str) -> str:
        """A text without the secrets that are known by now."""
        return self.veil.hide(text) if self.secretive else text

    @property
    def env(self) -> Env:
        """What this run's arguments are made of."""
        if self.made_env is None:
            given = {} if self.early_veil is None else self.early_veil.given
            self.made_env = Env(self.params.values, self.progress.results, self.context, given)
        return self.made_env

    def given(self) -> tuple[Any, ...]:
        """What the key was made of: the call's own arguments, its tags, and its text or key."""
        return self.args, self.kwargs, self.tags, self.label

    def notify(self, level: str, code: str, message: str, tool: str = "") -> None:
        """Tell something; it holds no secret that is known by now."""
        self.policy.tell(level, code, self.hide(message), tool)

    def hidden(self, refusal: Refusal) -> Refusal:
        """A refusal whose texts hold no secret."""
        if not self.secretive:
            return refusal
        hide = self.veil.hide
        return msgspec.structs.replace(
            refusal, message=hide(refusal.message), seen=hide(refusal.seen), expected=hide(refusal.expected)
        )

    def hear(self, check: Check, tool: str) -> None:
        """Warn of a score that no threshold was declared for; the engine tells it once (B2)."""
        if check.lacks_threshold:
            message = (
                f"the compare of {tool}'s check returns a score and no threshold is declared, so 1.0 is asked for; say "
                "Check(..., threshold=...)"
            )
            self.notify("warning", "threshold", message, tool)

    def has_context(self, name: str) -> bool:
        """Whether an object of a class of this qualified name, and only one, is in the context."""
        return [type(value).__qualname__ for value in self.context].count(name) == 1

    def object_of(self, tool: Tool) -> Any:
        """The one context object whose class owns a method tool; a Refusal if there is none, or more than one."""
        owners = [value for value in self.context if tool.owns(value)]
        if len(owners) == 1:
            return owners[0]
        if not owners:
            message = f"no context object has the tool {tool.name}; give it with engine.set_context(obj) or context=obj"
        else:
            message = f"{len(owners)} context objects have the tool {tool.name}; give the one meant with context=obj"
        return Refusal(Reason.NOT_REPLAYABLE, message, tool=tool.name)
