"""The records: what is stored of a trajectory, and what a caller gets about a run.

The stored records are msgspec structs written as arrays, so that their bytes are canonical; values inside them are
`bytes` made by the codec. Those for callers (`Outcome`, `Divergence`, `Handover`) are plain read-only objects.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec

# The stored records have gc=False: they are made of plain data, in which nothing can contain itself.
FORM = 1


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

    `pre` and `post` are the checks' fingerprints, empty where there was none; `instance` distinguishes tools that
    cannot
    be distinguished by name and fingerprint, within one process; `method` says that the first argument is an object
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


def intern_names(record: StepRecord) -> None:
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


def intern_values(row: Row, pool: dict[Any, Any]) -> None:
    """Make an observation that was just read hold equal values once; `pool` keeps them from one to the next."""
    put = msgspec.structs.force_setattr
    intern = pool.setdefault
    for field in ("pre", "post", "outputs", "notes", "keywords", "effects"):
        values = getattr(row, field)
        shared = tuple(map(intern, values, values))
        put(row, field, intern(shared, shared))
