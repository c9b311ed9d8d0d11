"""The state of one run: what was passed to it, and how far it has come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import msgspec

from ..binding.params.search import Params
from ..binding.references.resolve import Env
from ..binding.tasks.freeze import known_objects_of
from ..codec import digest
from ..codec.copies import Trace, trace
from ..model.handover import Handover
from ..model.reason import Mode, OnDivergence, Reason
from ..plan.ready_trajectory import Candidate
from ..plan.step import PlanStep, Refusal
from ..redaction.redactor import Redactor
from ..tools.check import Check
from ..tools.tool import Tool
from .recorder import Problem, Recorder

Notify = Callable[..., None]
MAX_TASK_LENGTH = 200


class Policy(msgspec.Struct, frozen=True):
    """The settings of an engine that its runs need.

    `trust` is an index into `trust.TRUSTS`. `find_process` returns the name of the process, which a fork changes.
    `clock` is monotonic, in seconds. `notify` takes (level, reason, message, tool), and emits each pair of reason and
    tool once. `emit` always emits. `shrink_picture` makes pictures of steps small; None if there are none.
    """

    clock: Callable[[], float]
    notify: Notify
    find_process: Callable[[], str] = lambda: ""
    scope: str = ""
    strict: bool = False
    max_lookups: int = 256
    success: Callable[..., Any] | None = None
    approve: Callable[..., Any] | None = None
    result: Callable[..., Any] | None = None
    trust: int = 0
    generalize: str = "computed"
    wall_clock: Callable[[], float] = lambda: 0.0
    make_lock: Callable[[], Any] = nullcontext
    emit: Notify = lambda *_event: None
    shrink_picture: Callable[[Any], bytes] | None = None

    @property
    def process(self) -> str:
        """The name of the process."""
        return self.find_process()


NO_DETOUR: tuple[int, tuple[str, ...]] = (-1, ())


class Progress(msgspec.Struct, eq=False):
    """How far a replay has come: the steps that were entered, and their results.

    `group_arguments` are the arguments of a parallel group, resolved before its steps run. `pending_post_checks` are
    the executed steps of a group whose post-checks have not run yet. `refreshed_snapshots` are the snapshots that
    sliding checks have accepted. `refused` are the candidates whose pre-checks failed where the replay stopped.
    `errors` are the exceptions of the steps that raised. `unmade` are steps among `skipped` that a person or their
    pre-check refused after others of their group were handed out. `lost` is set after a return to the replay: the steps
    among `skipped` whose outputs this run does not have.
    `figures` are the digests of the figures in outputs that a step depended on, and how many of the recorded ones they
    fit. `iterations` are for each iteration of a loop the recorded ones whose snapshots have passed so far. Fields that
    few runs need are created by those runs.
    """

    calls: list[tuple[PlanStep, tuple[Any, ...], dict[str, Any]]] = []
    results: list[Any] = []
    candidate: Candidate | None = None
    refreshed_snapshots: dict[tuple[int, bool], bytes] | None = None
    skipped: frozenset[int] = frozenset()
    errors: dict[int, BaseException] | None = None
    unmade: frozenset[int] = frozenset()
    lost: frozenset[int] | None = None
    refused: tuple[Candidate, ...] = ()
    group_arguments: dict[int, tuple[tuple[Any, ...], dict[str, Any]]] | None = None
    pending_post_checks: tuple[int, ...] = ()
    figures: tuple[dict[int, bytes | None], dict[int, tuple[Any, int]]] | None = None
    iterations: dict[tuple[int, int], frozenset[int]] | None = None

    @property
    def entered_calls(self) -> list[tuple[PlanStep, tuple[Any, ...], dict[str, Any]]]:
        """The calls that were made; a skipped optional step has a position but no call."""
        return [call for position, call in enumerate(self.calls) if position not in self.skipped]

    def was_made(self, position: int) -> bool:
        """Return whether the call of a step was made."""
        return position < len(self.calls) and position not in self.unmade

    @property
    def live_results(self) -> list[Any]:
        """The results of the calls that were made."""
        return [result for position, result in enumerate(self.results) if position not in self.skipped]


class Run(msgspec.Struct, eq=False):
    """The state of one call of the engine.

    `is_sync` means that nothing can be awaited, `is_stepped` that a session's caller makes the tool calls, `is_watched`
    that observers get an event for each replayed call. `agent` is the engine's entry for the agent, fixed for the run;
    `takes_handover` comes from it. `knows_handover` means that the hand-over was read. `initial_redactor` is set if
    secrets are known from the start. `label` is the task as a text of any length. `may_wait` means that runs of the
    same key wait for each other's recordings. `bound_snapshots` are the recorded snapshots with this run's params in
    them, made on demand. `refused_checks` are the checks that stopped a replay, named as in `Tally.check`.
    `store_error` is the exception that the store raised when the recording was saved. `detour` is where pre-checks
    failed before the agent was asked, and the ids of the observations that they refused. `has_custom_key` means that
    the key is not made of the arguments. `rejoined` counts the steps that were replayed after calls of the agent's
    own. `offered` are the names of the tools that can be used in this run, None if all can. `own_scope` is set if
    the engine's scope is a function. `answer` says where the value of a hit comes from if no step gives it: "auto",
    "model", "recorded", a function, or None.
    `stop` is why a replay stopped, not redacted, None if none did.
    `parts` are what a framework adds to the task, such as the instructions of its agent.
    `learns_params` says that the params may come from a template of task texts, and `template` which, or why not.
    """

    policy: Policy
    number: int
    label: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    key: bytes | None
    params: Params
    context: tuple[Any, ...]
    mode: Mode = "auto"
    on_divergence: OnDivergence = "auto"
    is_sync: bool = True
    takes_handover: bool = False
    agent: Any = None
    success: Callable[..., Any] | None = None
    approve: Callable[..., Any] | None = None
    initial_redactor: Redactor | None = None
    tags: tuple[str, ...] = ()
    progress: Progress = msgspec.field(default_factory=Progress)
    approved: frozenset[tuple[int, bytes]] = frozenset()
    approved_loops: frozenset[tuple[int, Tool]] = frozenset()
    context_objects: dict[Tool, Any] = {}
    missing_secrets: frozenset[str] = frozenset()
    handover: Handover | None = None
    is_stepped: bool = False
    is_watched: bool = False
    may_wait: bool = False
    refused_checks: tuple[tuple[Candidate, str], ...] = ()
    store_error: Exception | None = None
    detour: tuple[int, tuple[str, ...]] = NO_DETOUR
    has_custom_key: bool = False
    bound_snapshots: dict[Any, Any] | None = None
    recorder_slot: list[Recorder] = []
    cached_env: Env | None = None
    argument_traces: tuple[tuple[int | str, Any, Trace], ...] = ()
    find_unseen: Callable[[], Problem | None] | None = None
    own_scope: str | None = None
    knows_handover: bool = False
    answer: Any = None
    offered: frozenset[str] | None = None
    rejoined: int = 0
    stop: Refusal | None = None
    parts: Mapping[str, Any] = {}
    learns_params: bool = False
    template: str = ""

    @property
    def id(self) -> str:
        """Name of the run, unique among processes."""
        return f"{self.policy.process}-{self.number}"

    @property
    def call_prefix(self) -> str:
        """What the ids of this run's calls begin with, which no other run's do."""
        return f"call_mm_{digest(self.id.encode())[:6].hex()}"

    @property
    def clock(self) -> Callable[[], float]:
        """Monotonic clock, in seconds."""
        return self.policy.clock

    @property
    def scope(self) -> str:
        """The part of every key that is compared exactly."""
        return self.policy.scope if self.own_scope is None else self.own_scope

    @property
    def keeps_answer(self) -> bool:
        """Whether the answer of the run may be stored, and a recorded one be given back.

        A session's model has read the task and the results. What any other agent looked at, only its user knows.
        """
        return self.answer == "recorded" or (self.is_stepped and self.answer == "auto")

    def reset_progress(self) -> None:
        """Prepare another replay after one in which nothing was executed."""
        self.progress = Progress()
        self.cached_env = None
        self.stop = None

    @property
    def task(self) -> str:
        """The task as a short text without secrets."""
        return self.redact(self.label)[:MAX_TASK_LENGTH]

    @property
    def recorder(self) -> Recorder:
        """The recorder of the agent's steps, created when first needed."""
        slot = self.recorder_slot
        if not slot:
            slot.append(Recorder(self.params, known_objects_of(self.params, self.context, self.initial_redactor)))
        return slot[0]  # Two threads may have appended one each; both must use the first.

    def note_arguments(self) -> None:
        """Remember the agent's arguments before it gets them.

        Handles and context objects are left out, since they may change.
        """
        given: list[tuple[int | str, Any]] = [*enumerate(self.args), *self.kwargs.items()]
        context = [id(value) for value in self.context]
        traces = [(name, value, trace(value)) for name, value in given if id(value) not in context]
        self.argument_traces = tuple((name, value, found) for name, value, found in traces if found is not None)

    def changed_argument(self) -> str | None:
        """Return the name of an argument that was changed since `note_arguments`."""
        for name, value, before in self.argument_traces:
            if trace(value) != before:
                return self.agent.argument_name(name) if isinstance(name, int) and self.agent else f"argument {name!r}"
        return None

    def close(self) -> None:
        """Mark the run as finished; later calls do not belong to it."""
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
        """Return a text without the secrets that are known by now."""
        return self.redactor.redact(text) if self.has_secrets else text

    @property
    def env(self) -> Env:
        """The values from which the arguments of this run are resolved."""
        if self.cached_env is None:
            given = {} if self.initial_redactor is None else self.initial_redactor.named
            progress = self.progress
            self.cached_env = Env(self.params.values, progress.results, self.context, given, progress.calls)
        return self.cached_env

    def key_inputs(self) -> tuple[Any, ...]:
        """Return what the key was derived from: arguments, tags, and the text or key."""
        return self.args, self.kwargs, self.tags, self.label, *self.parts.values()

    def notify(self, level: str, code: str, message: str, tool: str = "") -> None:
        """Report a message without the secrets that are known by now."""
        self.policy.notify(level, code, self.redact(message), tool)

    def redact_refusal(self, refusal: Refusal) -> Refusal:
        """Return a refusal whose texts contain no known secret."""
        if not self.has_secrets:
            return refusal
        hide = self.redactor.redact
        return msgspec.structs.replace(
            refusal, message=hide(refusal.message), seen=hide(refusal.seen), expected=hide(refusal.expected)
        )

    def note_missing_threshold(self, check: Check, tool: str) -> None:
        """Warn about a check that returns a score without a declared threshold.

        The engine logs the warning once.
        """
        if check.lacks_threshold:
            message = (
                f"compare of the check of {tool!r} returns a score without a threshold, so 1.0 is required. Pass "
                "Check(..., threshold=...)."
            )
            self.notify("warning", "threshold", message, tool)

    def has_context(self, name: str) -> bool:
        """Return whether exactly one context object has a class of this qualified name."""
        return [type(value).__qualname__ for value in self.context].count(name) == 1

    def context_object_for(self, tool: Tool) -> Any:
        """Return the one context object whose class owns a method tool.

        Return a Refusal if there is none, or more than one.
        """
        owners = [value for value in self.context if tool.is_method_of(value)]
        if len(owners) == 1:
            return owners[0]
        if not owners:
            message = f"no context object has the tool {tool.name!r}. Pass it to engine.set_context() or in context=."
        else:
            message = (
                f"expected one context object with the tool {tool.name!r}, got {len(owners)}. Pass it in context=."
            )
        return Refusal(Reason.NOT_REPLAYABLE, message, tool=tool.name)
