"""What an agent does in one run, step by step, and the recording that comes of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import msgspec

from ...errors import NotStorableError
from .. import codec
from ..binding.freeze import KnownObjects, find_unencodable, freeze, has_identity, references_in
from ..binding.guards import OutputLeaves, walk_leaves
from ..binding.params import Params
from ..model.reason import Reason
from ..model.records import Body, Ctx, Ign, Par, Ref, Row, Sec, StepRecord
from ..model.secret import Secret
from ..plan.parallel import Placement, placements_of, prefix_placements
from ..redaction.secret_leaves import is_empty_value
from ..tools.tool import NamedArguments, Tool

MAX_OUTPUT_NODES = 2_000
MAX_OUTPUT_BYTES = 64 * 1024
NO_LEAVES: OutputLeaves = []
SMALL_INT_BITS = 64  # bits
SMALL_TEXT_LENGTH = 500  # characters, which take fewer bytes than an output may have


class Problem(msgspec.Struct, frozen=True):
    """Why a run cannot be learned. `tool` is empty where no single tool is meant."""

    reason: Reason
    message: str
    tool: str = ""


class RecordedStep:
    """One recorded call: what it was given, saw and returned is kept as it was when it happened.

    Most of it was encoded then. A plain number or text cannot change later, so of these the bytes are made when they
    are asked for: `pre_snapshot` and `post_snapshot` hold a snapshot or its bytes, and `result_pending` says that the
    result has none yet. Arguments that are all plain and passed by position are `plain_args`, with their `plain_names`;
    others are `frozen_args`.
    """

    __slots__ = (
        "began_at",
        "frozen_args",
        "index",
        "is_dropped",
        "keywords",
        "note",
        "output_leaves",
        "plain_args",
        "plain_names",
        "post_snapshot",
        "pre_snapshot",
        "problems",
        "result",
        "result_bytes",
        "result_pending",
        "seconds",
        "stored_output",
        "tool",
        "wall_seconds",
    )

    record: StepRecord | None = None
    judged: int = 0

    def __init__(self, tool: Tool, began: float = 0.0) -> None:
        self.tool = tool
        self.began_at = began
        self.plain_args: tuple[Any, ...] = ()
        self.plain_names: tuple[str, ...] = ()
        self.frozen_args: Sequence[tuple[str, Any]] = ()
        self.keywords: tuple[str, ...] = ()
        self.pre_snapshot: Any = None
        self.post_snapshot: Any = None
        self.result: Any = None
        self.result_pending = False
        self.result_bytes: bytes | None = None
        self.stored_output = b""
        self.note = ""
        self.output_leaves: OutputLeaves = NO_LEAVES
        self.seconds = self.wall_seconds = 0.0
        self.is_dropped = False
        self.problems: tuple[Problem, ...] = ()
        self.index = -1

    @property
    def arguments(self) -> Sequence[tuple[str, Any]]:
        """(name, frozen value) of each argument, in the order of the signature."""
        return list(zip(self.plain_names, self.plain_args, strict=False)) if self.plain_args else self.frozen_args

    @arguments.setter
    def arguments(self, frozen: Sequence[tuple[str, Any]]) -> None:
        self.plain_args, self.frozen_args = (), frozen

    @property
    def pre(self) -> bytes | None:
        """The codec's bytes of what its pre-check saw; None where there is no check, or its snapshot is not stored."""
        self.pre_snapshot = _as_bytes(self.pre_snapshot)
        return self.pre_snapshot  # type: ignore[no-any-return] # its bytes by now

    @property
    def post(self) -> bytes | None:
        """The same of its post-check."""
        self.post_snapshot = _as_bytes(self.post_snapshot)
        return self.post_snapshot  # type: ignore[no-any-return] # its bytes by now

    @property
    def output_data(self) -> bytes | None:
        """The codec's bytes of the whole result; None where it has none."""
        self._encode_result()
        return self.result_bytes

    @property
    def output(self) -> bytes:
        """The bytes of the result as they are stored: empty where it is too large, or has none."""
        self._encode_result()
        return self.stored_output

    @output.setter
    def output(self, data: bytes) -> None:
        self._encode_result()
        self.stored_output = data

    def _encode_result(self) -> None:
        if self.result_pending:
            self.result_bytes = self.stored_output = codec.encode(self.result)
            self.result_pending = False


class ReplayedStep(RecordedStep):
    """A step that a replay has made: its `record` is there already, with how many were made when it was `judged`."""

    __slots__ = ("judged", "record")

    def __init__(self, tool: Tool, record: StepRecord, judged: int) -> None:
        super().__init__(tool)
        self.record, self.judged = record, judged


def is_small_scalar(value: Any) -> bool:
    """Whether a value is a small plain one, which has the same bytes whenever they are made, and surely has some."""
    kind = type(value)
    if kind is str:
        return len(value) <= SMALL_TEXT_LENGTH
    if kind is int:
        return bool(value.bit_length() < SMALL_INT_BITS)
    return kind is bool or kind is float


def _as_bytes(seen: Any) -> bytes | None:
    return seen if seen is None or type(seen) is bytes else codec.canonical(seen)


class Recording(msgspec.Struct, frozen=True):
    """A finished recording, ready to be sealed."""

    id: str
    body: Body
    row: Row
    observation_id: str


class Recorder:
    """Collects the steps of one open run. `closed` once the agent has returned; later calls are not the run's.

    Threads of the agent may call concurrently. What they share are sets and lists whose single operations are atomic:
    `events` holds each call twice, where it began and where it ended, and all else about time follows from it.
    `repeated_calls` are first calls that repeat a step of `first_executed`, which the replay had made.
    """

    __slots__ = (
        "absorber",
        "call_numbers",
        "closed",
        "events",
        "first_executed",
        "known",
        "open_calls",
        "params",
        "prefix",
        "problems",
        "quarantine",
        "repeated_calls",
        "tokens",
    )

    def __init__(self, params: Params, known: KnownObjects) -> None:
        self.params = params
        self.known = known
        self.events: list[RecordedStep] = []
        self.prefix: list[RecordedStep] = []
        self.problems: list[Problem] = []
        self.quarantine: list[Problem] = []
        self.open_calls: set[RecordedStep] = set()
        self.closed = False
        self.tokens: list[int] = []
        self.call_numbers = itertools.count()
        self.absorber: Any = None
        self.first_executed: Sequence[Any] = ()
        self.repeated_calls: list[RecordedStep] = []

    def add_problem(self, reason: Reason, message: str, tool: str = "", step: RecordedStep | None = None) -> None:
        """Note why this run cannot be learned; the first such note is the one that is reported.

        What is wrong with a step alone does not count if the step is left out of the plan.
        """
        found = Problem(reason, message, tool)
        if step is None:
            self.problems.append(found)
        else:
            step.problems = (*step.problems, found)

    def add_quarantine(self, reason: Reason, message: str, tool: str = "") -> None:
        """Note why this run, if it is learned, must not be replayed before a review."""
        self.quarantine.append(Problem(reason, message, tool))

    def begin_call(self, tool: Tool, began: float) -> RecordedStep:
        """Begin a call."""
        step = RecordedStep(tool, began)
        self.open_calls.add(step)
        self.events.append(step)
        return step

    def _index(self, step: RecordedStep) -> int:
        """By which references know a call that has not ended: where it stands among the events, behind the prefix."""
        if step.index < 0:
            events = self.events
            at = len(events) - 1
            while events[at] is not step:  # other threads may have come in between
                at -= 1
            step.index = len(self.prefix) + at
        return step.index

    def end_call(self, step: RecordedStep) -> None:
        """End a call, however it ended."""
        if step.problems and not step.is_dropped:
            self.problems.extend(step.problems)
        self.events.append(step)
        self.open_calls.discard(step)

    @property
    def steps(self) -> list[RecordedStep]:
        """The calls that were really made, in start order."""
        return list(dict.fromkeys(self.events))

    def is_first_call(self, step: RecordedStep) -> bool:
        """Whether no other call that counts has ended yet."""
        return all(other is step or other.is_dropped or other in self.open_calls for other in self.events)

    def freeze_arguments(self, step: RecordedStep, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Freeze a call's arguments as they are now."""
        tool = step.tool
        if kwargs:
            step.keywords = tuple(kwargs)
        found: list[tuple[str, Any]] = []
        step.frozen_args = found
        known = self.known
        ignored = tool.ignore
        named = tool.name_arguments(args, kwargs)
        secrets = self._declared_secrets(tool, named) if tool.secret else {}
        for name, value in named:
            if name in ignored:
                found.append((name, Ign()))
                if isinstance(value, Secret):
                    known.redactor.add_value(value.value)
                continue
            frozen = secrets.get(name) or freeze(value, known, name)
            opaque = find_unencodable(frozen)
            if opaque is not None:
                self.add_problem(
                    Reason.OPAQUE_ARGUMENT,
                    f"tool {tool.name!r}, argument {opaque.path!r}: {opaque.message.partition(';')[0]}; make it a "
                    f"context object or a param of the run, let an earlier tool return it, declare ignore=[{name!r}] "
                    "with inject=, or register its type with muscle_mem.register",
                    tool.name,
                    step,
                )
            found.append((name, frozen))
            if len(self.open_calls) > 1:
                self._refuse_pending_output(step, name, frozen)

    def _refuse_pending_output(self, step: RecordedStep, name: str, frozen: Any) -> None:
        """An output of a call that is still in progress: which of the two comes first cannot be determined."""
        for index in references_in(frozen):
            source = self.events[index - len(self.prefix)] if index >= len(self.prefix) else None
            if source in self.open_calls and source is not None:
                tool = step.tool.name
                self.add_problem(
                    Reason.OVERLAPPING,
                    f"argument {name!r} of {tool} is what {source.tool.name} returned, whose call was still in "
                    "progress: its post-check was being captured; let the one call end before the other begins",
                    tool,
                    step,
                )

    def _declared_secrets(self, tool: Tool, named: NamedArguments) -> dict[str, Any]:
        """The marks of the arguments that the tool declares secret: known from this moment on."""
        redactor = self.known.redactor
        marks: dict[str, Any] = {}
        for value in tool.omitted_secrets(named):
            if not is_empty_value(value):
                redactor.add_value(value.value if isinstance(value, Secret) else value)
        for name, value in named:
            if is_empty_value(value) or not tool.is_secret(name):
                continue
            mark = self.known.find(value) if has_identity(value) else None
            if mark is not None or name in tool.ignore:
                redactor.add_value(value.value if isinstance(value, Secret) else value)
                marks[name] = mark
            elif isinstance(value, Secret):
                marks[name] = self.known.secret_expression(value, name, tool.name)
            else:
                marks[name] = Sec(redactor.name_of(value, name) or redactor.add_from_argument(tool.name, name, value))
        return marks

    def store_output(self, step: RecordedStep, result: Any) -> None:
        """Keep a call's output: encoded, and recognised by identity when it comes back as an argument."""
        step.result = result
        if result is None or is_small_scalar(result):
            step.result_pending = True
            return
        try:
            data = codec.encode(result)
        except NotStorableError as error:
            step.note = f"{type(result).__module__}.{type(result).__qualname__}: {error}"
            self.known.redactor.add_secrets_in(result)
            if not isinstance(self.known.find(result), Ctx | Par):
                step.output_leaves = walk_leaves(result)
            self.known.add(result, Ref(self._index(step)))
            return
        step.result_bytes = data
        if _is_storable_size(result, data):
            step.stored_output = data
        else:
            step.note = f"{type(result).__qualname__}, {len(data)} bytes"
        self.known.add(result, Ref(self._index(step)), data)

    def drop(self, step: RecordedStep) -> None:
        """Leave a call out of the plan."""
        step.is_dropped = True

    def planned_steps(self) -> list[RecordedStep]:
        """The steps of the plan, in start order."""
        return self.prefix + [step for step in self.steps if not step.is_dropped]

    def placements(self, steps: Sequence[RecordedStep]) -> list[Placement]:
        """Which of the planned steps overlapped, and how."""
        position = {step: at for at, step in enumerate(steps)}
        events = [position[step] for step in self.events if step in position]
        prefix = prefix_placements(
            [step.record for step in self.prefix if step.record], [s.judged for s in self.prefix]
        )
        return prefix + placements_of(events, len(self.prefix))

    def has_open_calls(self) -> bool:
        """Whether a call has not ended although the agent has."""
        return bool(self.open_calls)


def _is_storable_size(result: Any, data: bytes) -> bool:
    """Whether an output is small enough to be stored whole. A node takes a byte at least."""
    if len(data) <= MAX_OUTPUT_NODES:
        return True
    try:
        codec.encode(result, max_nodes=MAX_OUTPUT_NODES, max_bytes=MAX_OUTPUT_BYTES)
    except NotStorableError:
        return False
    return True
