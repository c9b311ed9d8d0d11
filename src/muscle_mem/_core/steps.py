"""A step of a plan: a stored step joined with its live tool, and why one cannot be had."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

import msgspec

from .check import Check
from .groups import call_id
from .model import Reason, StepRecord
from .resolving import NOTHING, Constant, Env, Resolver, contexts_in, resolver
from .tool import Tool


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

NOTHING_HEEDED: frozenset[int] = frozenset()
SELF = frozenset({0})

Builders = list[tuple[bool, str, Resolver]]


class PlanStep:
    """A step ready to be replayed. `args` is None where it must be built for each run.

    Of a parallel group: `stop` is behind its last member, `opens` are those that are judged with the first, which
    `joined` the first. `after` says that a post-check may be due when the step has been made.
    """

    __slots__ = (
        "_builders",
        "_call_id",
        "_keywords",
        "after",
        "args",
        "check_async",
        "contexts",
        "direct",
        "fn",
        "joined",
        "kwargs",
        "method",
        "opens",
        "post",
        "pre",
        "record",
        "simple",
        "stop",
        "tool",
    )

    def __init__(self, record: StepRecord, tool: Tool, keywords: Sequence[str], known_id: bytes = b"") -> None:
        self.record = record
        self.tool = tool
        self.fn = tool.fn
        self.method = record.method
        self.pre = tool.pre
        self.post = tool.post
        self.direct = not tool.is_async
        self.check_async = any(c.capture_async or c.compare_async for c in (tool.pre, tool.post) if c is not None)
        self._call_id = known_id
        self.contexts = tuple(name for _, expr in record.arguments for name in contexts_in(expr))
        self._keywords = keywords
        self._builders: Builders | None = None
        self.args: tuple[Any, ...] | None = None
        self.kwargs: dict[str, Any] = NO_KEYWORDS
        builders = self.builders
        if len(builders) == len(record.arguments) and all(type(make) is Constant for _, _, make in builders):
            self.args, given = self.build(NOTHING)
            self.kwargs = given or NO_KEYWORDS
            self._builders = None  # hardly ever asked for again
        at_once = self.direct and not record.guards and all(map(_at_once, (tool.pre, tool.post)))
        self.simple = at_once and self.args is not None and tool.effect != "irreversible" and not record.group
        self.after = tool.post is not None or record.group > 0
        self.stop = 0
        self.opens: tuple[int, ...] = ()
        self.joined = False

    @property
    def call_id(self) -> bytes:
        """As `groups.call_id`; made when it is first asked for, since a plan alone at its key need not be compared."""
        if not self._call_id:
            self._call_id = call_id(self.record)
        return self._call_id

    def sight(self, post: bool) -> object:
        """A key to what a check at this step sees: equal where one capture serves two steps at a place.

        It does for the same call; and for any call, if the capture looks at no argument, or at `self` alone, which is
        one object in a run.
        """
        check = self.post if post else self.pre
        heeds = check.heeded if check is not None else None
        if heeds is not None and heeds <= (SELF if self.method else NOTHING_HEEDED):
            return check, self.tool if heeds else None
        return self.call_id

    @property
    def builders(self) -> Builders:
        """(by name?, name, resolver) of each argument that is given."""
        if self._builders is None:
            self._builders = _builders(self.record, self.tool, self._keywords)
        return self._builders

    def build(self, env: Env) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of this run's call, without the context object."""
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for by_name, name, make in self.builders:
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
        make = resolver(expr, tool, name)
        positional = name.startswith("*") or (name in tool.positional and name not in keywords)
        if make is None:
            gap = gap or positional
        else:
            found.append((not positional or (gap and not name.startswith("*")), name, make))
    return found


def _at_once(check: Check | None) -> bool:
    """Whether a check needs nothing awaited, nothing waited for and nothing kept."""
    return check is None or not (check.capture_async or check.compare_async or check.refresh or check.wait)


class Registry(Protocol):
    """Where live tools are found by what was stored of them."""

    version: int

    @property
    def failing(self) -> Collection[Any]:
        """The tools that failed of late, so that replays may be paused."""
        ...

    def resolve(self, record: StepRecord) -> Tool | Refusal:
        """The tool a stored step means, or why there is none."""
        ...

    def paused(self, steps: Sequence[PlanStep]) -> Refusal | None:
        """Whether replays with one of these tools are paused, since they failed too often of late."""
        ...
