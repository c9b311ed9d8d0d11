"""Steps of a plan: stored steps joined with their live tools, or refusals."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from ..binding.references.resolve import EMPTY_ENV, Constant, Env, contexts_in
from ..model.reason import Reason
from ..model.records import Expr, Guard, Lit, StepRecord
from ..tools.check import Check
from ..tools.tool import Tool
from ..tools.typed_arguments import has_types, typed_arguments
from .derived import Sources
from .signature import Builders, argument_builders, constant_arguments

if TYPE_CHECKING:
    from .answers import Looks


class Refusal(msgspec.Struct, frozen=True):
    """The reason why a candidate is not replayed, with a message.

    `data` is the snapshot that a post-check refused. `snapshots` are the encoded values that were found and expected,
    each None if it is large or has no encoding.
    `did_nothing` means that the call that failed had no effect. `values` are the snapshots that a check compared.
    """

    reason: Reason
    message: str
    step: int = 0
    tool: str = ""
    seen: str = ""
    expected: str = ""
    error: BaseException | None = None
    data: bytes | None = None
    snapshots: tuple[bytes | None, bytes | None] | None = None
    did_nothing: bool = False
    values: tuple[Any, Any] | None = None


LOOP_OPENS: Final[Any] = "loop_opens"
"""The reason of a stop that has the list of a loop read. No outcome has it."""

NO_KEYWORDS: dict[str, Any] = {}
"""The shared keywords of all steps without any; never modified."""

NO_PARAMETERS: frozenset[int] = frozenset()
SELF_ONLY = frozenset({0})


class StepTrajectory(Protocol):
    """The part of a trajectory that its steps use.

    `stop` is why replays stop before a step, whatever a run brings.
    """

    stop: Refusal | None

    @property
    def call_ids(self) -> Sequence[bytes]:
        """The `parallel.call_id` of each step."""
        ...


class PlanStep:
    """A step ready to be replayed, with constant arguments.

    `may_check_after` says that something may be due after it: a post-check, or `looks` at its result. The class
    attributes are defaults for what only a `BoundStep` has: guards, context objects and a parallel group.
    """

    __slots__ = (
        "args",
        "fn",
        "is_inline",
        "is_left",
        "is_sync",
        "kwargs",
        "looks",
        "may_check_after",
        "method",
        "position",
        "post",
        "pre",
        "quick",
        "sources",
        "tool",
        "trajectory",
    )

    guards: tuple[Guard, ...] = ()
    recorded_guards: tuple[Guard, ...] = ()
    contexts: tuple[str, ...] = ()
    group_stop: int = 0
    opening_members: tuple[int, ...] = ()
    is_opening_member: bool = False
    expressions: tuple[Expr, ...] = ()

    def __init__(
        self,
        trajectory: StepTrajectory,
        position: int,
        method: bool,
        tool: Tool,
        args: tuple[Any, ...] | None,
        kwargs: dict[str, Any],
    ) -> None:
        self.trajectory = trajectory
        self.position = position
        self.tool = tool
        self.fn = tool.fn
        self.method = method
        self.pre = tool.pre
        self.post = tool.post
        self.args = args
        self.kwargs = kwargs
        self.is_sync = not (tool.is_async or tool.may_be_async)
        self.may_check_after = tool.post is not None
        self.looks: Looks | None = None
        is_inline = self.is_sync and _is_inline_check(tool.pre) and _is_inline_check(tool.post)
        self.is_inline = self.quick = is_inline and args is not None and tool.effect != "irreversible"
        self.is_left = False
        self.sources: tuple[Sources, ...] = ()

    def leave_quick_path(self, leave: bool) -> None:
        """Have the step decided outside of the loop of the replay.

        Without `leave`, have it decided in the loop again where it can be.
        """
        self.is_left = leave
        self.is_inline = self.quick and not leave and not self.sources

    def depend_on(self, sources: tuple[Sources, ...]) -> None:
        """Replay the step only while earlier outputs hold one of these figures.

        An empty tuple asks nothing.
        """
        self.sources = sources
        self.is_inline = self.quick and not self.is_left and not sources

    def keep_guards(self, guards: tuple[Guard, ...]) -> None:
        """Replay the step only under these of its guards. Only a `BoundStep` has any."""

    def stay_off_quick_path(self) -> None:
        """Have the step decided outside of the loop of the replay.

        A snapshot of it has params in it.
        """
        self.is_inline = self.quick = False

    @property
    def is_said(self) -> bool:
        """Whether the arguments are JSON values of a model, for other types."""
        return type(self.fn) is _Converting

    def convert_arguments(self) -> None:
        """Pass the arguments in the types that the function declares.

        The arguments are JSON values of a model.
        """
        tool = self.tool
        if has_types(tool):
            self.stay_off_quick_path()
            self.fn = _Converting(tool)

    def set_looks(self, looks: Looks | None) -> None:
        """Set what a replay looks at in the results once this step is done."""
        has_check = self.post is not None or self.group_stop > 0
        self.looks = looks
        self.may_check_after = has_check or looks is not None
        if looks is not None:
            looks.is_quick = not has_check

    @property
    def has_async_check(self) -> bool:
        """Return whether one of its checks must be awaited."""
        return any(c.capture_async or c.compare_async for c in (self.pre, self.post) if c is not None)

    @property
    def call_id(self) -> bytes:
        """The `parallel.call_id` of the step."""
        return self.trajectory.call_ids[self.position]

    def capture_key(self, post: bool) -> object:
        """Return a key that two steps at a position share if one capture serves both.

        One capture serves the same call. It serves any call if the capture uses no argument, or only `self`, which is
        one object in a run.
        """
        check = self.post if post else self.pre
        used = check.used_parameters if check is not None else None
        if used is not None and used <= (SELF_ONLY if self.method else NO_PARAMETERS):
            return check, self.tool if used else None
        return self.call_id

    def build_arguments(self, _env: Env) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of this run's call, without the context object."""
        assert self.args is not None
        return self.args, self.kwargs

    def named_arguments(self, env: Env) -> dict[str, Any]:
        """Return the arguments that are not ignored, by name, as before the call."""
        args, kwargs = self.build_arguments(env)
        return {name: value for name, value in self.tool.name_arguments(args, kwargs) if name not in self.tool.ignore}


class BoundStep(PlanStep):
    """A step with guards, in a parallel group, or with arguments built for each run.

    `args` is None if the arguments are built for each run. `group_stop` is the position behind the last member of its
    group. On the first member, `opening_members` are the others whose checks run together with its own; on those,
    `is_opening_member` is true.
    """

    __slots__ = (
        "builders",
        "contexts",
        "expressions",
        "group_stop",
        "guards",
        "is_opening_member",
        "opening_members",
        "recorded_guards",
    )

    def __init__(
        self, trajectory: StepTrajectory, position: int, record: StepRecord, tool: Tool, builders: Builders
    ) -> None:
        known = _build(builders, EMPTY_ENV) if _is_constant(builders, record) else (None, NO_KEYWORDS)
        super().__init__(trajectory, position, record.method, tool, *known)
        self.builders = builders
        self.guards = self.recorded_guards = record.guards
        varying = [expr for _, expr in record.arguments if type(expr) is not Lit]
        self.expressions = tuple(varying)
        self.contexts = tuple([name for expr in varying for name in contexts_in(expr)])
        self.group_stop, self.opening_members, self.is_opening_member = 0, (), False
        self.is_inline = self.quick = self.is_inline and not record.guards and not record.group
        self.may_check_after = self.may_check_after or record.group > 0

    def keep_guards(self, guards: tuple[Guard, ...]) -> None:
        """Replay the step only under these of its guards."""
        self.guards = guards

    def build_arguments(self, _env: Env) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of this run's call, without the context object."""
        return _build(self.builders, _env)

    def named_arguments(self, env: Env) -> dict[str, Any]:
        """Return the arguments that are not ignored, by name, as before the call."""
        return {name: make(env) for _, name, make in self.builders if name not in self.tool.ignore}


class _Converting:
    """A function that calls a tool with the arguments of a model."""

    __slots__ = ("tool",)

    def __init__(self, tool: Tool) -> None:
        self.tool = tool

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = typed_arguments(self.tool, args, kwargs)
        return self.tool.fn(*args, **kwargs)


def make_step(
    trajectory: StepTrajectory,
    position: int,
    record: StepRecord,
    tool: Tool,
    keywords: Sequence[str],
    said: bool = False,
) -> PlanStep:
    """Return a stored step joined with its tool.

    `keywords` are the arguments that were passed by name, and `said` is that of the row. Raises DecodeError for a class
    that is not known in this process.
    """
    step = _make_step(trajectory, position, record, tool, keywords)
    if said:
        step.convert_arguments()
    return step


def _make_step(
    trajectory: StepTrajectory, position: int, record: StepRecord, tool: Tool, keywords: Sequence[str]
) -> PlanStep:
    if not (keywords or tool.inject or record.guards or record.group):
        values = constant_arguments(record, tool)
        if values is not None:
            return PlanStep(trajectory, position, record.method, tool, values, NO_KEYWORDS)
    builders = argument_builders(record, tool, keywords)
    if record.guards or record.group or not _is_constant(builders, record):
        return BoundStep(trajectory, position, record, tool, builders)
    args, kwargs = _build(builders, EMPTY_ENV)
    return PlanStep(trajectory, position, record.method, tool, args, kwargs or NO_KEYWORDS)


def _is_constant(builders: Builders, record: StepRecord) -> bool:
    """Return whether every argument is given and can never change."""
    return len(builders) == len(record.arguments) and all(type(make) is Constant for _, _, make in builders)


def _build(builders: Builders, env: Env) -> tuple[tuple[Any, ...], dict[str, Any]]:
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for by_name, name, make in builders:
        if by_name:
            kwargs[name] = make(env)
        else:
            args.append(make(env))
    return tuple(args), kwargs


def _is_inline_check(check: Check | None) -> bool:
    """Return whether a check needs neither an await nor a stored snapshot.

    A check with `wait` is inline as well, since it waits only after it failed.
    """
    return check is None or not (check.capture_async or check.compare_async or check.refresh)


class Registry(Protocol):
    """The registry that finds live tools for stored steps."""

    version: int

    @property
    def failing_tools(self) -> Collection[Any]:
        """The tools that failed recently, for which replays may be paused."""
        ...

    def resolve(self, record: StepRecord) -> Tool | Refusal:
        """Return the tool of a stored step, or why there is none."""
        ...

    def pause_refusal(self, steps: Sequence[PlanStep]) -> Refusal | None:
        """Return a refusal if replays with one of these tools are paused.

        They are after too many recent failures.
        """
        ...
