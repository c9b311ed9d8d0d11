"""The stored records: trajectories, their steps and observations.

The records are msgspec structs that are written as arrays, so that their bytes are canonical. The values in them are
`bytes` made by the codec. Each argument of a stored step is an expression, which has one of these forms:

    form  fields         recorded for                                value in a replay
    ----  -------------  ------------------------------------------  ----------------------------------------------
    Lit   data           a value to which no other form applies      the value, as a new copy if it is mutable
    Par   name           a param's value; a small one only in an     this run's value of the param
                         argument that has the param's name, or
                         that the caller binds it to
    Part  name, path,    a leaf of a param, or the number that a     this run's leaf of the param; with a form, the
          form           text spells                                 number it spells, or its decimal text
    Tpl   parts          a text in which params are whole words      the text with this run's values of the params
    Ref   step, path     the object that an earlier call returned,   this run's output of that step, or the part of
                         if it was not mutated since                 it to which `path` leads
    Ctx   name           a context object, if no other one has a     this run's context object whose class has the
                         class of the same name                      same qualified name
    Ign   (none)         an argument that the tool declares ignored  the tool's `inject` value or result; else the
                                                                     parameter's default, or no argument
    Sec   name, wrapped  a Secret, a value that equals a secret of   this run's secret of that name: the Secret if
                         the run, or an argument that the tool       `wrapped`, else its value
                         declares secret; a ForeignSecret for a
                         secret of pydantic
    Node  kind, items    a container in which at least one item is   the container, built from the values of its
                         not a Lit                                   items

`binding.tasks.freeze` and `binding.params.search` decide which form an argument gets, and
`binding.references.resolve` computes its value.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec

# The records have gc=False, because plain data cannot contain itself.
FORM = 1


class Lit(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="L"):
    """A literal: the codec's bytes of a whole value."""

    data: bytes


ParamPath = tuple[str | int, ...]
"""The keys, indexes and fields that lead to a part of a param."""


class Par(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="P"):
    """The whole value of a param."""

    name: str


class Part(Par, frozen=True, array_like=True, gc=False, tag="A"):
    """A part of a param, or its value in another form.

    `path` leads to the part: keys of dicts, indexes of lists, fields of objects (".name"). `form` is not empty where
    the value is converted: "number" is the int that a text spells, "text" the decimal text of an int.
    """

    path: ParamPath = ()
    form: str = ""


class Tpl(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="T"):
    """A text with params in it.

    `parts` alternates between literals and names of params. It begins and ends with a literal, so its length is odd.
    """

    parts: tuple[str, ...]


class Ref(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="R"):
    """The output of an earlier step in the same run.

    `path` leads to a part of the output. It consists of child indexes in the order of `codec.unfold`. `keys` has a key
    for each of them, as in a guard.
    """

    step: int
    path: tuple[int, ...] = ()
    keys: tuple[bytes, ...] = ()


class Ctx(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="C"):
    """A context object, found by the qualified name of its class."""

    name: str


class Ign(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="I"):
    """An argument that the tool declares `ignore`: not stored, injected at replay."""


class Sec(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="S"):
    """A secret, by its name; its value is never stored.

    `wrapped` means that the tool got a Secret, not the raw value.
    """

    name: str
    wrapped: bool = False


class ForeignSecret(Sec, frozen=True, array_like=True, gc=False, tag="F"):
    """A secret that the tool got as a SecretStr, a SecretBytes or a Secret.

    These classes of pydantic are stored as "str", "bytes" and "any".
    """

    kind: str = "str"


class Node(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="N"):
    """A container in which at least one item is bound.

    `kind` is the kind that `codec.unfold` returns for it.
    """

    kind: str
    items: tuple[Expr, ...]


Expr = Lit | Par | Part | Tpl | Ref | Ctx | Ign | Sec | ForeignSecret | Node


class Guard(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A condition of a step: an earlier output still contains a recorded value.

    This run's output of `step` must have the value of `data` at `path`, or contain it there as text.

    `path` consists of child indexes. `keys` has a key for each of them, which finds the child even if others were added
    before it: a digest of a dict's key, of a set's item or of an attribute's name. The key is empty where the index
    counts. `around` is not empty if the value was part of a longer text. It holds the character before the value and
    the one after it, which are empty at the ends of the text.

    `kind` is empty for such a guard. Other kinds say something else about the place, and `data` is what it needs:

    kind      the place                                    data
    --------  -------------------------------------------  -----------------------------------------------------
    figure    a number or date of this value, in any       the canonical text of the value; `around` are the units
              spelling
    record    an element of a list, at least one of whose  pairs of a field and its text
              texts is as it was
    least     the only element with the smallest value     the field
    most      the only element with the largest value      the field
    first     the first element with this value            the field and its value
    last      the last element                             nothing
    length    a list of this length, or a dict with these  the length, or digests of the keys
              keys in this order
    whole     a list that is not cut short                 the names that said "more follows" when recorded, those of
                                                           numbers equal to its length, and the limits asked for
    output    a text that equals an argument of this run   the parts of the argument's template
    echo      a leaf that holds a param's value of this    how it holds it (as it is, as a number or date, in
              run                                          other words, as a part), the param and the path in it
    echoes    a list whose elements all hold a param's     the same, and the field
              value of this run

    A field is a list of the names or indexes that lead to it inside an element.
    """

    step: int
    path: tuple[int, ...]
    data: bytes
    keys: tuple[bytes, ...] = ()
    around: tuple[str, ...] = ()
    kind: str = ""


class StepRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The stored form of one tool call.

    `arguments` are (parameter name, expression) in the order of the signature. `pre` and `post` are the fingerprints of
    the checks, empty without a check. `instance` distinguishes, within one process, tools with the same name and
    fingerprint. `method` means that the first argument is an object of the run's context. Members of a parallel group
    share a `group`, which is the number of its first member, counted from 1. It is 0 for a call that overlapped no
    other. A member is `late` if another one had ended when it began.
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
    """Share the names of a decoded step with the other steps in this process.

    All steps of one tool have the same names, so this saves memory.
    """
    put = msgspec.structs.force_setattr
    for field in ("tool", "fingerprint", "pre", "post", "instance"):
        name = getattr(record, field)
        if name:
            put(record, field, sys.intern(name))
    put(record, "arguments", tuple((sys.intern(name), expr) for name, expr in record.arguments))


class Leafwise(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The condition of a param of which steps use single leaves, at `paths`.

    The empty path is a use as a whole. `digest` covers the form of the value (types, keys, lengths) and the leaves that
    no step uses. `extremes` are items of lists that may have been chosen by their order: (path, level, 1 or -1). Of the
    list that the path's part at `level` is an index of, this item was the only largest or smallest by what is at the
    path in each item.
    """

    name: str
    paths: tuple[ParamPath, ...]
    digest: bytes
    extremes: tuple[tuple[ParamPath, int, int], ...] = ()


class PartOf(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A param that was also a part of another one.

    Which of them a step used cannot be determined. The param equals what is at `path` in the other param, or there the
    words from the first number in `words` up to the second, of as many words as the third number says.
    """

    name: str
    whole: str
    path: ParamPath = ()
    words: tuple[int, ...] = ()


class Body(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The identity of a trajectory: its calls and their conditions on params.

    `fixed` holds (param, digest of its value): the trajectory is valid for that value only. `equal` holds groups of
    params that had equal values. `params` are the names of the params, and `kinds` the types of their values.
    `equal_secrets` holds groups of secrets, or of secrets and params, that had equal values. `order` holds for each
    step its position when the members of parallel groups are sorted by content. It is empty if they are sorted already.
    `leafwise` are the conditions of params of which parts are used, `parts` those of params that were parts of others.
    """

    form: int
    steps: tuple[StepRecord, ...]
    params: tuple[str, ...] = ()
    fixed: tuple[tuple[str, bytes], ...] = ()
    equal: tuple[tuple[str, ...], ...] = ()
    kinds: tuple[str, ...] = ()
    equal_secrets: tuple[tuple[str, ...], ...] = ()
    order: tuple[int, ...] = ()
    leafwise: tuple[Leafwise, ...] = ()
    parts: tuple[PartOf, ...] = ()


_FIRST_FIELDS = Body.__struct_fields__[: Body.__struct_fields__.index("leafwise")]


def body_bytes(body: Body) -> bytes:
    """Return the stored bytes of a body.

    Fields that came later are left out where they are empty, so that the same calls have the same bytes, and the same
    id, as in a store that an earlier release wrote.
    """
    if body.leafwise or body.parts:
        return msgspec.msgpack.encode(body)
    return msgspec.msgpack.encode([getattr(body, name) for name in _FIRST_FIELDS])


class Suspicion(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A source of a literal that one recording cannot rule out.

    The literal may be made of something that differs from run to run. `leaf` counts the literal pieces of the step's
    arguments, as `literal_pieces` yields them. `kind` is one of `param` (it may be the whole of one of `params`, in
    another form), `part` (made of a part of one), `computed` (from them), `made_up` (for this day, month or run:
    `form`), and `derived` (computed from the figures in the outputs of earlier steps: `sources` holds pairs of step and
    digest of these figures, and of `~step` and a digest of the traits of its output). `is_narrow` says that the literal
    has so few values that two recordings confirm it between their own params only.
    """

    leaf: int
    kind: str
    params: tuple[str, ...] = ()
    form: str = ""
    sources: tuple[tuple[int, bytes], ...] = ()
    is_narrow: bool = False


class ParamTrace(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The trace of a param's value in a recording.

    It is a digest, and a number that orders numbers, dates and times.
    """

    name: str
    digest: bytes
    rank: float | None = None


class Witness(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The circumstances of a recording: its params, the day and the process.

    The day is ISO and local.
    """

    params: tuple[ParamTrace, ...] = ()
    day: str = ""
    process: str = ""


class Masked(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A snapshot with params in it: a Par, a Tpl, or a Node that contains one (B12)."""

    expr: Expr


class Chance(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An occurrence of a param in a masked snapshot that may have been chance (B12).

    `leaf` counts the occurrences of params in the snapshot, `data` is the recorded value of this one. `post` means that
    the snapshot is that of the post-check. `early` means that the leaf must be as it was recorded until another
    recording explains it: the snapshot was captured before a step had used the param, or the step is irreversible.
    """

    leaf: int
    data: bytes
    post: bool = False
    early: bool = False


class FinalAnswer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the model or the agent answered at the end, and what it had read by then.

    `expr` is the answer with params in it, as in arguments. `results` has a digest of each step's result, with params
    masked; it is empty where a result has none. `suspicions` are those of the answer's literals, as in an argument.
    """

    expr: Expr
    results: tuple[bytes, ...]
    suspicions: tuple[Suspicion, ...] = ()


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One observation of a trajectory: the values of one recording, one per step.

    The values are stored in the order that `Body.order` defines. In memory, they are in the order of the body's steps.

    `pre` and `post` hold the codec's bytes of the snapshots, None without a check. A snapshot with params in it is a
    `Masked` behind a prefix (`binding.references.masking`). `outputs` hold the codec's bytes of the outputs. An
    output that was not stored is empty, and `notes` has the reason. `keywords` are the names of the arguments that
    were passed by keyword. `seconds` are the durations of the tool calls, `agent_seconds` the time that the run took
    outside of them. `result` is the step whose output the agent returned, or -1. `judged` is set for a step whose
    post-check is neither run right after it nor after the last member of its parallel group. It is the number of
    steps that are executed before that post-check.

    `suspicions` are those of each step's literals, and `witness` says under which circumstances they arose. `origins`
    say for each literal piece of each step where its value stood when it was recorded. `pauses` are the seconds before
    each step, `pictures` hold for each step a picture for people, or nothing. `task` is the text of the task with its
    params masked: literal, name, literal, ..., literal. Where pre-checks failed before the agent went another way,
    `refused` are the ids of the observations that they refused, the preferred first, at the step `refused_at`.
    Without them, `refused_at` is the step of a loop at which a replay failed, or -2 minus the step at which the loop
    was unclear; the recording is what the agent made of it.
    `chances` are for each step the leaves of its snapshots in which a param's value may stand by chance.

    `overrides` hold for each step of a method tool the fingerprint of the override through which the tool was called,
    or "" if it was called directly. They are empty if none was overridden.
    `answers` hold for each step whose output was not stored the codec's bytes of its answers, without its data.
    `final` is the run's own answer, if a hit may give it back.
    `said` means that the arguments are JSON values of a model, for functions that declare other types.
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
    suspicions: tuple[tuple[Suspicion, ...], ...] = ()
    witness: Witness | None = None
    origins: tuple[tuple[str, ...], ...] = ()
    pauses: tuple[float, ...] = ()
    pictures: tuple[bytes, ...] = ()
    task: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    refused_at: int = -1
    overrides: tuple[str, ...] = ()
    chances: tuple[tuple[Chance, ...], ...] = ()
    answers: tuple[bytes, ...] = ()
    final: FinalAnswer | None = None
    said: bool = False


def intern_values(row: Row, pool: dict[Any, Any]) -> None:
    """Share equal values among decoded observations.

    `pool` keeps the values from one call to the next.
    """
    put = msgspec.structs.force_setattr
    intern = pool.setdefault
    for field in ("pre", "post", "outputs", "notes", "keywords", "effects", "suspicions", "origins", "answers"):
        values = getattr(row, field)
        shared = tuple(map(intern, values, values))
        put(row, field, intern(shared, shared))
