"""The calls of an agent in one run, in order, until they are sealed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import msgspec

from ...errors import NotStorableError
from .. import codec
from ..binding.outputs.answer_skeletons import skeleton
from ..binding.outputs.paths import plain_copy
from ..binding.params.search import Params
from ..binding.tasks.freeze import KnownObjects
from ..model.reason import Reason
from ..model.records import Body, Chance, Ctx, Par, Ref, Row, StepRecord
from ..model.secret import Secret
from ..plan.parallel import Placement, placements_of, prefix_placements
from ..tools.tool import Tool
from .deferred import Deferred, encoded, is_small_scalar

MAX_OUTPUT_NODES = 2_000
MAX_OUTPUT_BYTES = 64 * 1024
_CONTAINERS = frozenset({dict, list})
MAX_SECRETS = 1_000  # secrets of one run whose reads are noted


class Problem(msgspec.Struct, frozen=True):
    """The reason why a run cannot be learned; `tool` may be empty."""

    reason: Reason
    message: str
    tool: str = ""


class RecordedStep:
    """One recorded call, with its values as they were during the call.

    Scalars passed by position are kept as `plain_args` and paired with their names later; other arguments are frozen.
    `result_bytes` is None if the result has no encoding. `note` is set if the output is not stored. A step of a replay
    has its `record` already, and in `judged` how many steps had been made when it was judged. `has_stored` says whether
    its snapshots before and after the call come from the recording, with their `chances`. If the replay skipped it,
    `recorded_output` is the output in the recording. `is_absorbed` marks a call of a restarted agent that an executed
    step answered. `picture` is a picture for people. `failure` is what a dropped call raised or returned.
    """

    # The defaults are class attributes: an __init__ that sets them would add about 4 % to the time of a recorded call.
    tool: Tool
    began_at: float = 0.0
    plain_args: tuple[Any, ...] = ()
    plain_names: tuple[str, ...] = ()
    frozen_args: Sequence[tuple[str, Any]] | None = None
    keywords: tuple[str, ...] = ()
    pre_snapshot: Deferred | None = None
    post_snapshot: Deferred | None = None
    result: Any = None
    handed_over: Any = None
    result_bytes: Deferred | None = None
    recorded_output: bytes = b""
    note: str = ""
    output_copy: Any = None
    output_answers: Any = None
    seconds: float = 0.0
    wall_seconds: float = 0.0
    is_dropped: bool = False
    is_absorbed: bool = False
    failure: str = ""
    problems: tuple[Problem, ...] = ()
    override: str = ""
    index: int = -1
    record: StepRecord | None = None
    judged: int = 0
    has_stored: tuple[bool, bool] = (False, False)
    picture: bytes = b""
    chances: tuple[Chance, ...] = ()

    @property
    def arguments(self) -> Sequence[tuple[str, Any]]:
        """(name, frozen value) of each argument, in the order of the signature."""
        if self.frozen_args is None:
            return list(zip(self.plain_names, self.plain_args, strict=False))
        return self.frozen_args

    @property
    def pre(self) -> bytes | None:
        """Bytes of the pre-check's snapshot; None if there is none, or it is not stored."""
        return None if self.pre_snapshot is None else self.pre_snapshot.get()

    @property
    def post(self) -> bytes | None:
        """Bytes of the post-check's snapshot; None if there is none, or it is not stored."""
        return None if self.post_snapshot is None else self.post_snapshot.get()

    @property
    def output_data(self) -> bytes | None:
        """Bytes of the whole result; None if it has no encoding."""
        return None if self.result_bytes is None else self.result_bytes.get()

    @property
    def output(self) -> bytes:
        """Bytes of the output as it is stored; empty if a note replaces it."""
        return b"" if self.note else self.output_data or self.recorded_output


class Recording(msgspec.Struct, frozen=True):
    """A finished recording, ready to be sealed."""

    id: str
    body: Body
    row: Row
    observation_id: str


class Recorder:
    """The steps of one open run.

    `closed` is set when the agent has returned; later calls do not belong to the run. The agent may call tools from
    several threads. They share sets and lists whose single operations are atomic. `events` contains each call twice:
    where it began and where it ended. `repeated_calls` are first calls that repeat a step of `first_executed`, which
    the replay had made. `failed_calls` are calls of idempotent tools that failed, each with the problem that counts
    unless the call was made again. `secrets_read` are the secrets whose value was read in the run, each with whether
    the agent read it, not a tool. `has_general_prefix` says that a generalized trajectory made the steps of `prefix`:
    their guards are not those of their values. `unabsorbed` is set if a restarted agent did not repeat a step of the
    replay.
    """

    __slots__ = (
        "_indexes",
        "absorber",
        "call_numbers",
        "closed",
        "events",
        "failed_calls",
        "first_executed",
        "has_general_prefix",
        "known",
        "open_calls",
        "params",
        "prefix",
        "problems",
        "quarantine",
        "repeated_calls",
        "secrets_read",
        "tokens",
        "unabsorbed",
    )

    def __init__(self, params: Params, known: KnownObjects) -> None:
        self.params = params
        self.known = known
        self.events: list[RecordedStep] = []
        self.prefix: list[RecordedStep] = []
        self.problems: list[Problem] = []
        self.quarantine: list[Problem] = []
        self.failed_calls: list[tuple[RecordedStep, Problem]] = []
        self.open_calls: set[RecordedStep] = set()
        self.closed = False
        self.tokens: list[int] = []
        self.call_numbers = itertools.count()
        self.absorber: Any = None
        self.first_executed: Sequence[Any] = ()
        self.repeated_calls: list[RecordedStep] = []
        self.secrets_read: dict[tuple[int, bool], tuple[Secret[Any], bool]] = {}
        self.unabsorbed: Problem | None = None
        self.has_general_prefix = False
        self._indexes = itertools.count()

    def add_problem(self, reason: Reason, message: str, tool: str = "", step: RecordedStep | None = None) -> None:
        """Note why this run cannot be learned; the first problem is reported.

        A problem of a step does not count if the step is dropped from the plan.
        """
        found = Problem(reason, message, tool)
        if step is None:
            self.problems.append(found)
        else:
            step.problems = (*step.problems, found)

    def note_secret_read(self, secret: Secret[Any], by_agent: bool) -> None:
        """Note that the value of a secret was read."""
        if not self.closed and len(self.secrets_read) < MAX_SECRETS:
            self.secrets_read.setdefault((id(secret), by_agent), (secret, by_agent))

    def add_quarantine(self, reason: Reason, message: str, tool: str = "") -> None:
        """Note why a recording of this run must be reviewed before it is replayed."""
        self.quarantine.append(Problem(reason, message, tool))

    def begin_call(self, tool: Tool, began: float) -> RecordedStep:
        """Begin a call."""
        step = RecordedStep()
        step.tool = tool
        step.began_at = began
        self.open_calls.add(step)
        self.events.append(step)
        return step

    def _index(self, step: RecordedStep) -> int:
        """Return the index that references use for a call, also before the call has ended."""
        if step.index < 0:
            step.index = next(self._indexes)
        return step.index

    def end_call(self, step: RecordedStep, *, is_placed: bool = False) -> None:
        """End a call, whether it returned or raised.

        `is_placed` says that its end is among the events already.
        """
        if step.problems and not step.is_dropped:
            self.problems.extend(step.problems)
        if not is_placed:
            self.events.append(step)
        self.open_calls.discard(step)

    @property
    def steps(self) -> list[RecordedStep]:
        """The agent's calls, in start order."""
        return list(dict.fromkeys(self.events))

    def is_first_call(self, step: RecordedStep) -> bool:
        """Return whether no other call in the plan has ended yet."""
        return all(other is step or other.is_dropped or other in self.open_calls for other in self.events)

    def store_output(self, step: RecordedStep, result: Any) -> None:
        """Keep the output of a call, and recognize the object in later arguments."""
        step.result = result
        if result is None or is_small_scalar(result):
            step.result_bytes = Deferred(result)
            return
        try:
            data = codec.encode(result)
        except NotStorableError as error:
            step.note = f"{type(result).__module__}.{type(result).__qualname__}: {error}"
            self.known.redactor.add_secrets_in(result)
            if not isinstance(self.known.find(result), Ctx | Par):
                step.output_copy = plain_copy(result)
                step.output_answers = skeleton(result)
            self.known.add(result, Ref(self._index(step)))
            return
        step.result_bytes = encoded(data)
        if not _is_storable_size(result, data):
            step.note = f"{type(result).__qualname__}, {len(data)} bytes"
        self.known.add(result, Ref(self._index(step)), data)

    def know_copy(self, step: RecordedStep, value: Any) -> None:
        """Recognize also the copy of a step's output that was handed over to the agent."""
        if value is not step.result:
            step.handed_over = value
            self.known.add(value, Ref(self._index(step)), step.output_data)

    def drop(self, step: RecordedStep) -> None:
        """Remove a call from the plan."""
        step.is_dropped = True

    def planned_steps(self) -> list[RecordedStep]:
        """Return the steps of the plan, in start order."""
        return self.prefix + [step for step in self.steps if not step.is_dropped]

    def placements(self, steps: Sequence[RecordedStep]) -> list[Placement]:
        """Return which of the planned steps overlapped, and how."""
        position = {step: at for at, step in enumerate(steps)}
        events = [position[step] for step in self.events if step in position]
        prefix = prefix_placements(
            [step.record for step in self.prefix if step.record], [s.judged for s in self.prefix]
        )
        return prefix + placements_of(events, len(self.prefix))

    def has_open_calls(self) -> bool:
        """Return whether a call has not ended."""
        return bool(self.open_calls)


def _is_storable_size(result: Any, data: bytes) -> bool:
    """Return whether an output is small enough to be stored whole."""
    if len(data) <= MAX_OUTPUT_NODES:  # Each node takes at least one byte.
        return True
    if len(data) > MAX_OUTPUT_BYTES or _nodes_on_top(result) > MAX_OUTPUT_NODES:
        return False
    try:
        codec.encode(result, max_nodes=MAX_OUTPUT_NODES, max_bytes=MAX_OUTPUT_BYTES)
    except NotStorableError:
        return False
    return True


def _nodes_on_top(result: Any) -> int:
    """Return how many nodes the two upper levels of an output have.

    This is enough for most that are too large, and costs much less than a walk that ends at the limit.
    """
    children = list(result.values()) if type(result) is dict else result
    if type(children) is not list:
        return 0
    count = len(children)
    if not _CONTAINERS.issuperset(map(type, children)):
        children = [child for child in children if type(child) in _CONTAINERS]
    return count + sum(map(len, children))
