"""The records: what is stored of a trajectory, and what a caller is told about a run.

The stored records are msgspec structs written as arrays, so that their bytes are canonical; values inside them are
`bytes` made by the codec. The told ones (`Outcome`, `Divergence`, `Handover`) are plain read-only objects.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Literal

import msgspec

# The stored records have gc=False: they are made of plain data, in which nothing can contain itself.
FORM = 1
Effect = Literal["read", "idempotent", "write", "irreversible"]
EFFECTS = ("read", "idempotent", "write", "irreversible")
Mode = Literal["auto", "record", "replay", "frozen", "shadow", "off"]
MODES = ("auto", "record", "replay", "frozen", "shadow", "off")
OnDivergence = Literal["auto", "continue", "absorb", "raise"]
POLICIES = ("auto", "continue", "absorb", "raise")
OnStoreError = Literal["bypass", "raise"]
ON_STORE_ERROR = ("bypass", "raise")
Status = Literal["hit", "miss", "diverged"]


class Reason(StrEnum):
    """Why a run was not a hit, or why it was not learned: a closed set. Compares equal to its plain text."""

    __module__ = "muscle_mem"

    HIT = "hit"
    # a miss: nothing was executed
    NEW_TASK = "new_task"
    FIRST_CHECK_REFUSED = "first_check_refused"
    TOOL_MISSING = "tool_missing"
    TOOL_CHANGED = "tool_changed"
    TOOL_AMBIGUOUS = "tool_ambiguous"
    CHECK_CHANGED = "check_changed"
    PARAM_MISSING = "param_missing"
    PARAM_GUARD = "param_guard"
    PARAM_AMBIGUOUS = "param_ambiguous"
    SECRET_MISSING = "secret_missing"
    NOT_REPLAYABLE = "not_replayable"
    QUARANTINED = "quarantined"
    EXPIRED = "expired"
    NEEDS_ACALL = "needs_acall"
    NOT_APPROVED = "not_approved"
    NO_KEY = "no_key"
    MODE = "mode"
    STORE_UNAVAILABLE = "store_unavailable"
    DAMAGED = "damaged"
    # a divergence: at least one tool was entered
    CHECK_REFUSED = "check_refused"
    CHECK_ERROR = "check_error"
    TOOL_RAISED = "tool_raised"
    POST_CHECK_REFUSED = "post_check_refused"
    STALE_OUTPUT = "stale_output"
    UNSUCCESSFUL = "unsuccessful"
    NO_CANDIDATE = "no_candidate"
    # not learned: the run stays without a recording
    AGENT_RAISED = "agent_raised"
    CANCELLED = "cancelled"
    NO_CALLS = "no_calls"
    REFUSED = "refused"
    OPAQUE_ARGUMENT = "opaque_argument"
    CAPTURE_FAILED = "capture_failed"
    CHECK_FAILED = "check_failed"
    INCOMPLETE_THREADS = "incomplete_threads"
    OVERLAPPING = "overlapping"
    NESTED_RUN = "nested_run"
    FAILED_WRITE = "failed_write"
    OTHER_INSTANCE = "other_instance"
    STILL_RUNNING = "still_running"
    UNKNOWN_EFFECT = "unknown_effect"
    REPEATED_PREFIX = "repeated_prefix"
    TOO_LARGE = "too_large"


class Lit(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="L"):
    """A literal: the codec's bytes of a whole value."""

    data: bytes


class Par(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="P"):
    """The value of a param, whole."""

    name: str


class Tpl(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="T"):
    """A string with params in it: literal, name, literal, name, ..., literal (an odd number of parts)."""

    parts: tuple[str, ...]


class Ref(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="R"):
    """This run's output of an earlier step; `path` leads to a part of it, in children as `codec.unfold` counts them."""

    step: int
    path: tuple[int, ...] = ()


class Ctx(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="C"):
    """A context object, found again by the qualified name of its class."""

    name: str


class Ign(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="I"):
    """An argument the tool declares `ignore`: never stored, injected at replay."""


class Sec(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="S"):
    """A secret, by its name; its value is never stored. `wrapped`: the tool got a Secret, not the raw value."""

    name: str
    wrapped: bool = False


class Node(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="N"):
    """A container, `kind` as `codec.unfold` names it, in which at least one leaf is bound."""

    kind: str
    items: tuple[Expr, ...]


Expr = Lit | Par | Tpl | Ref | Ctx | Ign | Sec | Node


class Guard(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Before its step, this run's output of `step` at `path` must be `data`'s value, or hold it as text.

    `path` counts children; `keys` has for each of them what leads there whatever was added before it (a digest of a
    dict's key, an item of a set, an attribute's name), empty where the position itself does. `around` is not empty
    where the value was held in a longer text: the character before it and the one after it, empty at the text's ends.
    """

    step: int
    path: tuple[int, ...]
    data: bytes
    keys: tuple[bytes, ...] = ()
    around: tuple[str, ...] = ()


class StepRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One tool call as it is stored. `arguments` are (parameter name, expression) in the order of the signature.

    `pre` and `post` are the checks' fingerprints, empty where there was none; `instance` tells tools apart that cannot
    be told apart by name and fingerprint, within one process; `method` says that the first argument is an object
    of the run's context. Members of a parallel group share a `group`, the number of its first member counted from 1;
    0 is a call that overlapped no other. A member is `late` if another one had ended when it began.
    """

    tool: str
    fingerprint: str
    arguments: tuple[tuple[str, Expr], ...]
    method: bool = False
    pre: str = ""
    post: str = ""
    instance: str = ""
    guards: tuple[Guard, ...] = ()
    group: int = 0
    late: bool = False


def share_names(record: StepRecord) -> None:
    """Make a step that was just read hold its names once in the process, as all steps of its tool have the same."""
    put = msgspec.structs.force_setattr
    for field in ("tool", "fingerprint", "pre", "post", "instance"):
        put(record, field, sys.intern(getattr(record, field)))
    put(record, "arguments", tuple((sys.intern(name), expr) for name, expr in record.arguments))


class Body(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What makes a trajectory itself: its calls, and what they say about params.

    `fixed` holds (param, digest of its value): the trajectory is valid for that value only. `equal` holds groups of
    params that had equal values. `params` are the names that were given, `kinds` the types of their values.
    `equal_secrets` holds groups of secrets, or secrets and params, that had equal values.
    `order` has for each step its place when the members of parallel groups are sorted by content; empty if they are.
    """

    form: int
    steps: tuple[StepRecord, ...]
    params: tuple[str, ...] = ()
    fixed: tuple[tuple[str, bytes], ...] = ()
    equal: tuple[tuple[str, ...], ...] = ()
    kinds: tuple[str, ...] = ()
    equal_secrets: tuple[tuple[str, ...], ...] = ()
    order: tuple[int, ...] = ()


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One observation of a trajectory: what was seen and measured in one recording, a value per step.

    The values are stored in the order that `Body.order` leads to, and in memory in the order of the body's steps.

    `pre` and `post` hold the codec's bytes of the snapshots, None where there is no check. `outputs` hold the codec's
    bytes, empty where the output was not kept, with the reason in `notes`. `keywords` are the arguments that were
    passed by name. `seconds` are the tools' own, `agent_seconds` what the run took outside of tool calls. `result` is
    the step whose output the agent returned, or -1. `judged` says how many steps have been made when a step's
    post-check is asked, where that is neither right after it nor after the last of its parallel group.
    """

    form: int
    pre: tuple[bytes | None, ...]
    post: tuple[bytes | None, ...]
    outputs: tuple[bytes, ...] = ()
    notes: tuple[str, ...] = ()
    keywords: tuple[tuple[str, ...], ...] = ()
    effects: tuple[str, ...] = ()
    seconds: tuple[float, ...] = ()
    run_seconds: float = 0.0
    agent_seconds: float = 0.0
    tokens: int = 0
    result: int = -1
    judged: tuple[int, ...] = ()


def share_values(row: Row, known: dict[Any, Any]) -> None:
    """Make an observation that was just read hold equal values once; `known` keeps them from one to the next."""
    put = msgspec.structs.force_setattr
    keep = known.setdefault
    for field in ("pre", "post", "outputs", "notes", "keywords", "effects"):
        values = getattr(row, field)
        shared = tuple(map(keep, values, values))
        put(row, field, keep(shared, shared))


Hide = Callable[[str], str]


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
    hide: Hide = str

    def __reduce__(self) -> tuple[Any, ...]:
        """Without what hides the run's secrets, for it knows them, and so without the exception that may hold one."""
        hide = self.hide
        texts = hide(self.message), hide(self.seen), hide(self.expected)
        return Divergence, (self.step, self.reason, self.tool, *texts, self.error if hide is str else None)

    def __str__(self) -> str:
        return self.hide(f"replay stopped at step {self.step} ({self.tool}): {self.reason.value}: {self.message}")

    def __repr__(self) -> str:
        return shown_struct(self, self.hide)


class Shadow(msgspec.Struct, frozen=True):
    """What a replay would have done, held against what the agent did in a shadow run; nothing was executed twice.

    `step` is the first step that differs, -1 if none does. `accepted` and `refused` count what the recorded checks said
    of the snapshots that the agent's own calls met.
    """

    trajectory_id: str
    agreed: bool
    step: int = -1
    message: str = ""
    accepted: int = 0
    refused: int = 0


class Executed(msgspec.Struct, frozen=True):
    """A step that was entered in this run: the call, and its result or the exception it raised.

    `args` and `kwargs` are as the tool got them, without its context object; `arguments` are the same by name.
    `effect` is what the tool declares, if `declared`; undeclared counts as a write. All values are live, and may hold
    secrets; `hide` takes those out of texts, as repr() does.
    """

    tool: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any = None
    error: BaseException | None = None
    effect: str = "write"
    declared: bool = False
    arguments: dict[str, Any] = {}
    hide: Hide = str

    def __repr__(self) -> str:
        return shown_struct(self, self.hide)


def shown_struct(told: Any, hide: Hide) -> str:
    """The repr of a told struct, without secrets."""
    parts = [f"{name}={getattr(told, name)!r}" for name in type(told).__struct_fields__ if name != "hide"]
    return hide(f"{type(told).__name__}({', '.join(parts)})")


class Planned(msgspec.Struct, frozen=True):
    """A step that was not run: the tool and its arguments as source text."""

    tool: str
    arguments: str

    def __str__(self) -> str:
        return f"{self.tool}({self.arguments})"
