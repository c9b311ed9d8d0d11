"""What an agent does in one run, step by step, and the recording that comes of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import msgspec

from ..errors import NotStorableError
from . import codec
from .freezing import Known, freeze, has_identity, opaque_in, thaw
from .guards import Read, infer, look_into
from .model import FORM, Body, Ctx, Ign, Par, Reason, Ref, Row, Sec, StepRecord
from .params import Params, literal_leaves, used_in
from .resolving import secrets_used
from .secret import Secret
from .tool import Named, Tool
from .veil import Veil, nothing_in

OUTPUT_NODES = 2_000
OUTPUT_BYTES = 64 * 1024


class Problem(msgspec.Struct, frozen=True):
    """Why a run cannot be learned. `tool` is empty where no single tool is meant."""

    reason: Reason
    message: str
    tool: str = ""


class Step:
    """One recorded call. Everything in it was encoded when it happened."""

    __slots__ = (
        "arguments",
        "dropped",
        "index",
        "keywords",
        "note",
        "output",
        "output_data",
        "post",
        "pre",
        "problems",
        "read",
        "record",
        "result",
        "seconds",
        "tool",
        "wall",
    )

    def __init__(self, tool: Tool) -> None:
        self.tool = tool
        self.arguments: list[tuple[str, Any]] = []
        self.keywords: tuple[str, ...] = ()
        self.pre: bytes | None = None
        self.post: bytes | None = None
        self.output = b""
        self.note = ""
        self.output_data: bytes | None = None
        self.read: Read = []
        self.result: Any = None
        self.seconds = 0.0
        self.wall = 0.0
        self.dropped = False
        self.problems: list[Problem] = []
        self.index = 0
        self.record: StepRecord | None = None


class Recording(msgspec.Struct, frozen=True):
    """A finished recording, ready to be sealed."""

    id: str
    body: Body
    row: Row
    observation_id: str


class Recorder:
    """Collects the steps of one open run. `closed` once the agent has returned; later calls are not the run's.

    Its counters are sets and lists whose single operations are atomic, so that threads of the agent cannot
    lose an overlap between them.
    """

    __slots__ = (
        "absorber",
        "begins_again",
        "closed",
        "dropped",
        "first_executed",
        "known",
        "numbers",
        "open",
        "params",
        "prefix",
        "problems",
        "quarantine",
        "steps",
        "tokens",
    )

    def __init__(self, params: Params, known: Known) -> None:
        self.params = params
        self.known = known
        self.steps: list[Step] = []
        self.prefix: list[Step] = []
        self.problems: list[Problem] = []
        self.quarantine: list[Problem] = []
        self.open: set[Step] = set()
        self.dropped = 0
        self.closed = False
        self.tokens = 0
        self.numbers = itertools.count()
        self.absorber: Any = None
        self.first_executed: Any = None
        self.begins_again = False

    def problem(self, reason: Reason, message: str, tool: str = "", step: Step | None = None) -> None:
        """Note why this run cannot be learned; the first such note is the one that is told.

        What is wrong with a step alone does not count if the step is left out of the plan.
        """
        (self.problems if step is None else step.problems).append(Problem(reason, message, tool))

    def quarantine_for(self, reason: Reason, message: str, tool: str = "") -> None:
        """Note why this run, if it is learned, must not be replayed before somebody looked at it."""
        self.quarantine.append(Problem(reason, message, tool))

    def enter(self, tool: Tool) -> Step:
        """Begin a call, in start order."""
        step = Step(tool)
        step.index = len(self.prefix) + len(self.steps) - self.dropped
        self.open.add(step)
        self.steps.append(step)
        if len(self.open) > 1:
            self.problem(
                Reason.OVERLAPPING,
                f"{tool.name} was called while another tool call of the same run was in progress; "
                "runs with overlapping calls are not learned yet",
                tool.name,
            )
        return step

    def leave(self, step: Step) -> None:
        """End a call, however it ended."""
        if not step.dropped:
            self.problems += step.problems
        self.open.discard(step)

    def arguments(self, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Freeze a call's arguments as they are now."""
        tool = step.tool
        if kwargs:
            step.keywords = tuple(kwargs)
        known = self.known
        ignored = tool.ignore
        named = tool.named(args, kwargs)
        secrets = self._declared(tool, named) if tool.secret else {}
        for name, value in named:
            if name in ignored:
                step.arguments.append((name, Ign()))
                if isinstance(value, Secret):
                    known.veil.meet(value.value)
                continue
            frozen = secrets.get(name) or freeze(value, known, name)
            opaque = opaque_in(frozen)
            if opaque is not None:
                self.problem(
                    Reason.OPAQUE_ARGUMENT,
                    f"tool {tool.name!r}, argument {opaque.path!r}: {opaque.message.partition(';')[0]}; make it a "
                    f"context object or a param of the run, let an earlier tool return it, declare ignore=[{name!r}] "
                    "with inject=, or register its type with muscle_mem.register",
                    tool.name,
                    step,
                )
            step.arguments.append((name, frozen))

    def _declared(self, tool: Tool, named: Named) -> dict[str, Any]:
        """The marks of the arguments that the tool declares secret: known from this moment on."""
        veil = self.known.veil
        marks: dict[str, Any] = {}
        for value in tool.left_secrets(named):
            if not nothing_in(value):
                veil.meet(value.value if isinstance(value, Secret) else value)
        for name, value in named:
            if nothing_in(value) or not tool.is_secret(name):
                continue
            mark = self.known.find(value) if has_identity(value) else None
            if mark is not None or name in tool.ignore:
                veil.meet(value.value if isinstance(value, Secret) else value)
                marks[name] = mark
            elif isinstance(value, Secret):
                marks[name] = self.known.secret(value, name, tool.name)
            else:
                marks[name] = Sec(veil.name_of(value, name) or veil.adopt(tool.name, name, value))
        return marks

    def output(self, step: Step, result: Any) -> None:
        """Keep a call's output: encoded, and recognised by identity when it comes back as an argument."""
        step.result = result
        try:
            data = codec.encode(result)
        except NotStorableError as error:
            step.note = f"{type(result).__module__}.{type(result).__qualname__}: {error}"
            self.known.veil.meet_secrets(result)
            if not isinstance(self.known.find(result), Ctx | Par):
                step.read = look_into(result)
            self.known.add(result, Ref(step.index))
            return
        step.output_data = data
        if _fits(result, data):
            step.output = data
        else:
            step.note = f"{type(result).__qualname__}, {len(data)} bytes"
        self.known.add(result, Ref(step.index), data)

    def drop(self, step: Step) -> None:
        """Leave a call out of the plan."""
        step.dropped = True
        self.dropped += 1

    def planned(self) -> list[Step]:
        """The steps of the plan, in start order."""
        return self.prefix + [step for step in self.steps if not step.dropped]

    def still_running(self) -> bool:
        """Whether a call has not ended although the agent has."""
        return bool(self.open)


def _fits(result: Any, data: bytes) -> bool:
    """Whether an output is small enough to be stored whole. A node takes a byte at least."""
    if len(data) <= OUTPUT_NODES:
        return True
    try:
        codec.encode(result, max_nodes=OUTPUT_NODES, max_bytes=OUTPUT_BYTES)
    except NotStorableError:
        return False
    return True


def finish(
    recorder: Recorder,
    *,
    key: bytes,
    value: Any,
    run_seconds: float,
) -> Recording:
    """The recording of a finished run. Raises NotStorableError if it cannot be written."""
    steps = recorder.planned()
    params = recorder.params
    records = [step.record or record_of(step, params) for step in steps]
    veil = recorder.known.veil
    outputs = [_read(step, veil) for step in steps]
    fresh = len(recorder.prefix)
    guards = infer(records, outputs, start=fresh)
    records[fresh:] = [
        msgspec.structs.replace(record, guards=found) if found else record
        for record, found in zip(records[fresh:], guards, strict=True)
    ]
    body = Body(
        form=FORM,
        steps=tuple(records),
        params=tuple(params.plain()),
        fixed=_fixed(records, params),
        equal=params.equal_groups(),
        kinds=tuple(params.kind(name) for name in params.plain()),
        equal_secrets=veil.equal_groups(_used_secrets(records), params) if veil else (),
    )
    try:
        data = msgspec.msgpack.encode(body)
    except UnicodeEncodeError as error:
        raise NotStorableError(f"a name in the recording holds a lone surrogate: {error}") from error
    trajectory_id = codec.digest(key + data)[:16].hex()
    row = _row(recorder, steps, value, run_seconds)
    seen = msgspec.msgpack.encode((row.pre, row.post))
    return Recording(trajectory_id, body, row, codec.digest(trajectory_id.encode() + seen)[:16].hex())


def _read(step: Step, veil: Veil) -> Read:
    """What was read in an output; without the names that lead there, which are digests, where one may be a secret."""
    value = None if step.output_data is None else codec.decode(step.output_data, lenient=True)
    read = step.read if step.output_data is None else look_into(value)
    if veil and (step.output_data is None or veil.holds(value)):
        return [((path, (b"",) * len(keys)), leaf) for (path, keys), leaf in read]
    return read


def _used_secrets(records: Sequence[StepRecord]) -> set[str]:
    return {name for record in records for _, expr in record.arguments for name in secrets_used(expr)}


def record_of(step: Step, params: Params) -> StepRecord:
    """A recorded call in its stored form, params bound in it."""
    tool = step.tool
    return StepRecord(
        tool=tool.name,
        fingerprint=tool.fingerprint,
        arguments=tuple((name, thaw(frozen, params, name)) for name, frozen in step.arguments),
        method=tool.method,
        pre=tool.check_prints[0],
        post=tool.check_prints[1],
        instance=tool.instance,
    )


def _fixed(records: Sequence[StepRecord], params: Params) -> tuple[tuple[str, bytes], ...]:
    """The params for whose recorded value alone the plan is valid: unused ones, and those hidden in a literal."""
    if not params:
        return ()
    used: set[str] = set()
    hidden: set[str] = set()
    for record in records:
        for _, expr in record.arguments:
            used.update(used_in(expr))
            for leaf in literal_leaves(expr):
                hidden.update(params.hidden_in(leaf))
    for group in params.equal_groups():  # which of them was used cannot be told
        used.update(group if used.intersection(group) else ())
    names = ((set(params.values) - used) | hidden | params.changed() | params.alike()) - params.secret
    return tuple((name, params.fingerprint(name)) for name in sorted(names))


def _row(recorder: Recorder, steps: Sequence[Step], value: Any, run_seconds: float) -> Row:
    inside = sum(step.wall for step in recorder.steps)
    return Row(
        form=FORM,
        pre=tuple(step.pre for step in steps),
        post=tuple(step.post for step in steps),
        outputs=tuple(step.output for step in steps),
        notes=tuple(step.note for step in steps),
        keywords=tuple(step.keywords for step in steps),
        effects=tuple(step.tool.effect or "" for step in steps),
        seconds=tuple(step.seconds for step in steps),
        run_seconds=run_seconds,
        agent_seconds=max(0.0, run_seconds - inside),
        tokens=recorder.tokens,
        result=result_step(steps, value),
    )


def result_step(steps: Sequence[Step], value: Any) -> int:
    """The step whose output the agent returned: the last by identity, or the only one of an equal value; else -1."""
    if value is None:
        return -1
    from_identity = [i for i, step in enumerate(steps) if step.result is value]
    try:
        data = codec.encode(value)
    except NotStorableError:
        data = None
    if from_identity and not isinstance(value, bool | int | float | str | bytes):
        last = from_identity[-1]
        return last if steps[last].output_data == data else -1  # unless the agent has changed it since
    if data is None:
        return -1
    equal = [i for i, step in enumerate(steps) if step.output_data == data]
    return equal[0] if len(equal) == 1 else -1
