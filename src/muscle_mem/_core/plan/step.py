"""A step of a plan: a stored step joined with its live tool, and why there is none."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

import msgspec

from ..binding.resolve import EMPTY_ENV, Constant, Env, Resolver, contexts_in, make_resolver
from ..model.reason import Reason
from ..model.records import Guard, Lit, StepRecord
from ..tools.check import Check
from ..tools.tool import Tool


class Refusal(msgspec.Struct, frozen=True):
    """Why a candidate is not replayed: the code, and a sentence with the names in it.

    `data` is the snapshot that a post-check refused.
    """

    reason: Reason
    message: str
    step: int = 0
    tool: str = ""
    seen: str = ""
    expected: str = ""
    error: BaseException | None = None
    data: bytes | None = None


NO_KEYWORDS: dict[str, Any] = {}
"""The keywords of all steps that have none; only ever read."""

NO_PARAMETERS: frozenset[int] = frozenset()
SELF_ONLY = frozenset({0})

Builders = list[tuple[bool, str, Resolver]]


class StepTrajectory(Protocol):
    """The trajectory that a step is of, as far as the step knows it."""

    @property
    def call_ids(self) -> Sequence[bytes]:
        """As `groups.call_id`, of each step."""
        ...


class PlanStep:
    """A step ready to be replayed, its arguments known beforehand.

    `may_check_after` says that a post-check may be due behind it.
    What only a `BoundStep` has has a default here: no guards, no context objects, no parallel group.
    """

    __slots__ = (
        "args",
        "fn",
        "is_inline",
        "is_sync",
        "kwargs",
        "may_check_after",
        "method",
        "position",
        "post",
        "pre",
        "tool",
        "trajectory",
    )

    guards: tuple[Guard, ...] = ()
    contexts: tuple[str, ...] = ()
    group_stop: int = 0
    opening_members: tuple[int, ...] = ()
    is_opening_member: bool = False

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
        self.is_sync = not tool.is_async
        self.may_check_after = tool.post is not None
        is_inline = self.is_sync and _is_inline_check(tool.pre) and _is_inline_check(tool.post)
        self.is_inline = is_inline and args is not None and tool.effect != "irreversible"

    @property
    def has_async_check(self) -> bool:
        """Whether a check of it must be awaited."""
        return any(c.capture_async or c.compare_async for c in (self.pre, self.post) if c is not None)

    @property
    def call_id(self) -> bytes:
        """As `groups.call_id`."""
        return self.trajectory.call_ids[self.position]

    def capture_key(self, post: bool) -> object:
        """A key to what a check at this step sees: equal where one capture serves two steps at a position.

        It does for the same call; and for any call, if the capture looks at no argument, or at `self` alone, which is
        one object in a run.
        """
        check = self.post if post else self.pre
        used = check.used_parameters if check is not None else None
        if used is not None and used <= (SELF_ONLY if self.method else NO_PARAMETERS):
            return check, self.tool if used else None
        return self.call_id

    def build_arguments(self, _env: Env) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of this run's call, without the context object."""
        assert self.args is not None
        return self.args, self.kwargs

    def named_arguments(self, env: Env) -> dict[str, Any]:
        """The arguments that are not ignored by name, as they are before the call."""
        args, kwargs = self.build_arguments(env)
        return {name: value for name, value in self.tool.name_arguments(args, kwargs) if name not in self.tool.ignore}


class BoundStep(PlanStep):
    """A step that knows more: its arguments are built for each run (`args` is None), guarded, or it is in a group.

    Of a parallel group: `group_stop` is behind its last member, `opening_members` are those that are judged with the
    first, which `is_opening_member` the first.
    """

    __slots__ = ("builders", "contexts", "group_stop", "guards", "is_opening_member", "opening_members")

    def __init__(
        self, trajectory: StepTrajectory, position: int, record: StepRecord, tool: Tool, builders: Builders
    ) -> None:
        known = _build(builders, EMPTY_ENV) if _is_constant(builders, record) else (None, NO_KEYWORDS)
        super().__init__(trajectory, position, record.method, tool, *known)
        self.builders = builders
        self.guards = record.guards
        varying = [expr for _, expr in record.arguments if type(expr) is not Lit]
        self.contexts = tuple([name for expr in varying for name in contexts_in(expr)])
        self.group_stop, self.opening_members, self.is_opening_member = 0, (), False
        self.is_inline = self.is_inline and not record.guards and not record.group
        self.may_check_after = self.may_check_after or record.group > 0

    def build_arguments(self, _env: Env) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of this run's call, without the context object."""
        return _build(self.builders, _env)

    def named_arguments(self, env: Env) -> dict[str, Any]:
        """The arguments that are not ignored by name, as they are before the call."""
        return {name: make(env) for _, name, make in self.builders if name not in self.tool.ignore}


def make_step(
    trajectory: StepTrajectory, position: int, record: StepRecord, tool: Tool, keywords: Sequence[str]
) -> PlanStep:
    """A stored step joined with its tool. Raises DecodeError where a class is not known in this process.

    `keywords` are the arguments that were passed by name.
    """
    builders = _builders(record, tool, keywords)
    if record.guards or record.group or not _is_constant(builders, record):
        return BoundStep(trajectory, position, record, tool, builders)
    args, kwargs = _build(builders, EMPTY_ENV)
    return PlanStep(trajectory, position, record.method, tool, args, kwargs or NO_KEYWORDS)


def _is_constant(builders: Builders, record: StepRecord) -> bool:
    """Whether every argument is given, and can never change."""
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


def _builders(record: StepRecord, tool: Tool, keywords: Sequence[str]) -> Builders:
    """(by name?, name, resolver) of each argument that is given; behind a gap only names can be used."""
    found: list[tuple[bool, str, Resolver]] = []
    gap = False
    for name, expr in record.arguments:
        make = make_resolver(expr, tool, name)
        positional = name.startswith("*") or (name in tool.positional and name not in keywords)
        if make is None:
            gap = gap or positional
        else:
            found.append((not positional or (gap and not name.startswith("*")), name, make))
    return found


def _is_inline_check(check: Check | None) -> bool:
    """Whether a check needs nothing awaited and nothing kept. One that waits does so after it failed."""
    return check is None or not (check.capture_async or check.compare_async or check.refresh)


class Registry(Protocol):
    """Where live tools are found by what was stored of them."""

    version: int

    @property
    def failing_tools(self) -> Collection[Any]:
        """The tools that failed of late, so that replays may be paused."""
        ...

    def resolve(self, record: StepRecord) -> Tool | Refusal:
        """The tool a stored step means, or why there is none."""
        ...

    def pause_refusal(self, steps: Sequence[PlanStep]) -> Refusal | None:
        """Whether replays with one of these tools are paused, since they failed too often of late."""
        ...
