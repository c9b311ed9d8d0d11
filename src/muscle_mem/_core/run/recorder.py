"""What an agent does in one run, step by step, and the recording that comes of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import msgspec

from ...errors import NotStorableError
from .. import codec
from ..binding.freeze import Known, freeze, has_identity, opaque_in, references_in
from ..binding.guards import Read, look_into
from ..binding.params import Params
from ..model.reason import Reason
from ..model.records import Body, Ctx, Ign, Par, Ref, Row, Sec, StepRecord
from ..model.secret import Secret
from ..plan.parallel import Shape, prefix_shapes, shapes_of
from ..redaction.redactor import nothing_in
from ..tools.tool import Named, Tool

OUTPUT_NODES = 2_000
OUTPUT_BYTES = 64 * 1024
NOTHING_READ: Read = []
SMALL_NUMBER = 64  # bits
SMALL_TEXT = 500  # characters, which take fewer bytes than an output may have


class Problem(msgspec.Struct, frozen=True):
    """Why a run cannot be learned. `tool` is empty where no single tool is meant."""

    reason: Reason
    message: str
    tool: str = ""


class Step:
    """One recorded call: what it was given, saw and returned is kept as it was when it happened.

    Most of it was encoded then. A plain number or text cannot change later, so of these the bytes are made when they
    are asked for: `before` and `after` hold a snapshot or its bytes, and `unwritten` says that the result has none yet.
    Arguments that are all plain and passed by position are `given`, with their `names`; others are `frozen`.
    """

    __slots__ = (
        "after",
        "before",
        "began",
        "dropped",
        "frozen",
        "given",
        "index",
        "keywords",
        "names",
        "note",
        "problems",
        "read",
        "result",
        "seconds",
        "stored",
        "tool",
        "unwritten",
        "wall",
        "written",
    )

    record: StepRecord | None = None
    judged: int = 0

    def __init__(self, tool: Tool, began: float = 0.0) -> None:
        self.tool = tool
        self.began = began
        self.given: tuple[Any, ...] = ()
        self.names: tuple[str, ...] = ()
        self.frozen: Sequence[tuple[str, Any]] = ()
        self.keywords: tuple[str, ...] = ()
        self.before: Any = None
        self.after: Any = None
        self.result: Any = None
        self.unwritten = False
        self.written: bytes | None = None
        self.stored = b""
        self.note = ""
        self.read: Read = NOTHING_READ
        self.seconds = self.wall = 0.0
        self.dropped = False
        self.problems: tuple[Problem, ...] = ()
        self.index = -1

    @property
    def arguments(self) -> Sequence[tuple[str, Any]]:
        """(name, frozen value) of each argument, in the order of the signature."""
        return list(zip(self.names, self.given, strict=False)) if self.given else self.frozen

    @arguments.setter
    def arguments(self, frozen: Sequence[tuple[str, Any]]) -> None:
        self.given, self.frozen = (), frozen

    @property
    def pre(self) -> bytes | None:
        """The codec's bytes of what its pre-check saw; None where there is no check, or its snapshot is not stored."""
        self.before = _data_of(self.before)
        return self.before  # type: ignore[no-any-return] # its bytes by now

    @property
    def post(self) -> bytes | None:
        """The same of its post-check."""
        self.after = _data_of(self.after)
        return self.after  # type: ignore[no-any-return] # its bytes by now

    @property
    def output_data(self) -> bytes | None:
        """The codec's bytes of the whole result; None where it has none."""
        self._write()
        return self.written

    @property
    def output(self) -> bytes:
        """The bytes of the result as they are stored: empty where it is too large, or has none."""
        self._write()
        return self.stored

    @output.setter
    def output(self, data: bytes) -> None:
        self._write()
        self.stored = data

    def _write(self) -> None:
        if self.unwritten:
            self.written = self.stored = codec.encode(self.result)
            self.unwritten = False


class ReplayedStep(Step):
    """A step that a replay has made: its `record` is there already, with how many were made when it was `judged`."""

    __slots__ = ("judged", "record")

    def __init__(self, tool: Tool, record: StepRecord, judged: int) -> None:
        super().__init__(tool)
        self.record, self.judged = record, judged


def cannot_change(value: Any) -> bool:
    """Whether a value is a small plain one, which has the same bytes whenever they are made, and surely has some."""
    kind = type(value)
    if kind is str:
        return len(value) <= SMALL_TEXT
    if kind is int:
        return bool(value.bit_length() < SMALL_NUMBER)
    return kind is bool or kind is float


def _data_of(seen: Any) -> bytes | None:
    return seen if seen is None or type(seen) is bytes else codec.canonical(seen)


class Recording(msgspec.Struct, frozen=True):
    """A finished recording, ready to be sealed."""

    id: str
    body: Body
    row: Row
    observation_id: str


class Recorder:
    """Collects the steps of one open run. `closed` once the agent has returned; later calls are not the run's.

    Threads of the agent may call at once. What they share are sets and lists whose single operations are atomic:
    `events` holds each call twice, where it began and where it ended, and all else about time follows from it.
    `again` are first calls that repeat a step of `first_executed`, which the replay had made.
    """

    __slots__ = (
        "absorber",
        "again",
        "closed",
        "events",
        "first_executed",
        "known",
        "numbers",
        "open",
        "params",
        "prefix",
        "problems",
        "quarantine",
        "tokens",
    )

    def __init__(self, params: Params, known: Known) -> None:
        self.params = params
        self.known = known
        self.events: list[Step] = []
        self.prefix: list[Step] = []
        self.problems: list[Problem] = []
        self.quarantine: list[Problem] = []
        self.open: set[Step] = set()
        self.closed = False
        self.tokens: list[int] = []
        self.numbers = itertools.count()
        self.absorber: Any = None
        self.first_executed: Sequence[Any] = ()
        self.again: list[Step] = []

    def problem(self, reason: Reason, message: str, tool: str = "", step: Step | None = None) -> None:
        """Note why this run cannot be learned; the first such note is the one that is told.

        What is wrong with a step alone does not count if the step is left out of the plan.
        """
        found = Problem(reason, message, tool)
        if step is None:
            self.problems.append(found)
        else:
            step.problems = (*step.problems, found)

    def quarantine_for(self, reason: Reason, message: str, tool: str = "") -> None:
        """Note why this run, if it is learned, must not be replayed before somebody looked at it."""
        self.quarantine.append(Problem(reason, message, tool))

    def enter(self, tool: Tool, began: float) -> Step:
        """Begin a call."""
        step = Step(tool, began)
        self.open.add(step)
        self.events.append(step)
        return step

    def _index(self, step: Step) -> int:
        """By which references know a call that has not ended: where it stands among the events, behind the prefix."""
        if step.index < 0:
            events = self.events
            at = len(events) - 1
            while events[at] is not step:  # other threads may have come in between
                at -= 1
            step.index = len(self.prefix) + at
        return step.index

    def leave(self, step: Step) -> None:
        """End a call, however it ended."""
        if step.problems and not step.dropped:
            self.problems.extend(step.problems)
        self.events.append(step)
        self.open.discard(step)

    @property
    def steps(self) -> list[Step]:
        """The calls that were really made, in start order."""
        return list(dict.fromkeys(self.events))

    def first(self, step: Step) -> bool:
        """Whether no other call that counts has ended yet."""
        return all(other is step or other.dropped or other in self.open for other in self.events)

    def freeze(self, step: Step, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Freeze a call's arguments as they are now."""
        tool = step.tool
        if kwargs:
            step.keywords = tuple(kwargs)
        found: list[tuple[str, Any]] = []
        step.frozen = found
        known = self.known
        ignored = tool.ignore
        named = tool.named(args, kwargs)
        secrets = self._declared(tool, named) if tool.secret else {}
        for name, value in named:
            if name in ignored:
                found.append((name, Ign()))
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
            found.append((name, frozen))
            if len(self.open) > 1:
                self._refuse_early(step, name, frozen)

    def _refuse_early(self, step: Step, name: str, frozen: Any) -> None:
        """An output of a call that is still in progress: which of the two comes first cannot be told."""
        for index in references_in(frozen):
            source = self.events[index - len(self.prefix)] if index >= len(self.prefix) else None
            if source in self.open and source is not None:
                tool = step.tool.name
                self.problem(
                    Reason.OVERLAPPING,
                    f"argument {name!r} of {tool} is what {source.tool.name} returned, whose call was still in "
                    "progress: its post-check was being captured; let the one call end before the other begins",
                    tool,
                    step,
                )

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
        if result is None or cannot_change(result):
            step.unwritten = True
            return
        try:
            data = codec.encode(result)
        except NotStorableError as error:
            step.note = f"{type(result).__module__}.{type(result).__qualname__}: {error}"
            self.known.veil.meet_secrets(result)
            if not isinstance(self.known.find(result), Ctx | Par):
                step.read = look_into(result)
            self.known.add(result, Ref(self._index(step)))
            return
        step.written = data
        if _fits(result, data):
            step.stored = data
        else:
            step.note = f"{type(result).__qualname__}, {len(data)} bytes"
        self.known.add(result, Ref(self._index(step)), data)

    def drop(self, step: Step) -> None:
        """Leave a call out of the plan."""
        step.dropped = True

    def planned(self) -> list[Step]:
        """The steps of the plan, in start order."""
        return self.prefix + [step for step in self.steps if not step.dropped]

    def shapes(self, steps: Sequence[Step]) -> list[Shape]:
        """Which of the planned steps overlapped, and how."""
        place = {step: at for at, step in enumerate(steps)}
        events = [place[step] for step in self.events if step in place]
        prefix = prefix_shapes([step.record for step in self.prefix if step.record], [s.judged for s in self.prefix])
        return prefix + shapes_of(events, len(self.prefix))

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
