"""One run of the engine: what it was given, and how far it has come. No state of a run lives anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from .check import Check
from .handover import Handover
from .model import Mode, OnDivergence, Reason
from .params import Params
from .plan import Candidate, PlanStep, Refusal
from .recorder import Recorder
from .resolving import Env
from .tool import Tool

Emit = Callable[..., None]
TASK_LENGTH = 200


class Policy(msgspec.Struct, frozen=True):
    """What the engine was told once and for all. `trust` counts the levels of `trust.TRUSTS`."""

    strict: bool = False
    max_lookups: int = 256
    success: Callable[..., Any] | None = None
    approve: Callable[..., Any] | None = None
    result: Callable[..., Any] | None = None
    trust: int = 0


class Progress:
    """How far a replay has come: the steps that were entered, and their results."""

    __slots__ = ("calls", "candidate", "error", "ready", "refreshed", "results", "skipped", "unjudged")

    def __init__(self) -> None:
        self.calls: list[tuple[PlanStep, tuple[Any, ...], dict[str, Any]]] = []
        self.results: list[Any] = []
        self.candidate: Candidate | None = None
        self.refreshed: dict[tuple[int, bool], bytes] = {}
        self.skipped: set[int] = set()
        self.error: BaseException | None = None
        self.ready: dict[int, tuple[tuple[Any, ...], dict[str, Any]]] = {}  # a group's arguments, till its turn comes
        self.unjudged: list[int] = []  # its members made so far whose post-checks are asked later

    @property
    def entered(self) -> list[tuple[PlanStep, tuple[Any, ...], dict[str, Any]]]:
        """The calls that were really made: optional steps that were skipped have a place, but no call."""
        return [call for place, call in enumerate(self.calls) if place not in self.skipped]

    @property
    def live_results(self) -> list[Any]:
        """The results of the calls that were really made."""
        return [result for place, result in enumerate(self.results) if place not in self.skipped]


class Run:
    """Everything about one call of the engine.

    `plain` says that nothing can be awaited, `outside` that others make the tool calls, `watched` that somebody is told
    of each replayed one. `names_handover`
    describes the agent. `notify` takes (level, reason, message, tool); `clock` is monotonic, in seconds.
    """

    __slots__ = (
        "_notify",
        "_task",
        "agent",
        "approve",
        "approved",
        "args",
        "clock",
        "context",
        "env",
        "handover",
        "id",
        "key",
        "kwargs",
        "lacking",
        "leads",
        "mode",
        "names_handover",
        "notify",
        "objects",
        "on_divergence",
        "outside",
        "params",
        "plain",
        "policy",
        "progress",
        "recorder",
        "said_no",
        "scope",
        "success",
        "tags",
        "trouble",
        "veil",
        "watched",
    )

    def __init__(
        self,
        *,
        id: str,
        task: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        key: bytes | None,
        params: Params,
        context: tuple[Any, ...],
        recorder: Recorder,
        policy: Policy,
        clock: Callable[[], float],
        notify: Emit,
        mode: Mode = "auto",
        on_divergence: OnDivergence = "auto",
        plain: bool = True,
        names_handover: bool = False,
        agent: Any = None,
        success: Callable[..., Any] | None = None,
        approve: Callable[..., Any] | None = None,
        scope: str = "",
        tags: tuple[str, ...] = (),
    ) -> None:
        self.id = id
        self._task = task
        self.args = args
        self.kwargs = kwargs
        self.key = key
        self.params = params
        self.context = context
        self.recorder = recorder
        self.policy = policy
        self.clock = clock
        self.veil = recorder.known.veil
        self._notify = notify
        self.notify: Emit = self._tell_hidden if self.veil else notify
        self.mode: Mode = mode
        self.on_divergence: OnDivergence = on_divergence
        self.plain = plain
        self.names_handover = names_handover
        self.agent = agent  # the engine's own record of it, fixed for the run
        self.success = success if success is not None else policy.success
        self.approve = approve if approve is not None else policy.approve
        self.approved: set[tuple[int, bytes]] = set()
        self.scope = scope
        self.tags = tags
        self.progress = Progress()
        self.env = Env(params.values, self.progress.results, context, self.veil.given)
        self.objects: dict[Tool, Any] = {}
        self.lacking: frozenset[str] = frozenset()
        self.handover: Handover | None = None
        self.outside = False
        self.watched = False
        self.leads = False  # whether other runs of its key wait for what it learns, as it does for theirs
        self.said_no: list[tuple[Candidate, str]] = []  # checks that stopped a replay, as `Tally.check` names them
        self.trouble: Exception | None = None  # what the store raised when it was to take the recording

    def begin_again(self) -> None:
        """Before another replay, after one in which nothing was executed."""
        self.progress = Progress()
        self.env = Env(self.params.values, self.progress.results, self.context, self.veil.given)

    @property
    def task(self) -> str:
        """The task as a short text, without its secrets."""
        return self.veil.hide(self._task)[:TASK_LENGTH]

    def given(self) -> tuple[Any, ...]:
        """What the key was made of: the call's own arguments, its tags, and its text or key."""
        return self.args, self.kwargs, self.tags, self._task

    def beware(self) -> None:
        """Hide secrets in what is told from now on: one may just have become known."""
        if self.veil:
            self.notify = self._tell_hidden

    def _tell_hidden(self, level: str, code: str, message: str, tool: str = "") -> None:
        self._notify(level, code, self.veil.hide(message), tool)

    def hidden(self, refusal: Refusal) -> Refusal:
        """A refusal whose texts hold no secret."""
        if not self.veil:
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
