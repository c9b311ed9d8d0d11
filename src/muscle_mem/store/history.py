"""Records of the history: counts of runs, and single runs other than hits.

The history is for people. It is unsigned, and nothing that decides about a replay reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeGuard, TypeVar, runtime_checkable

import msgspec

T = TypeVar("T")

RUNS_PER_TASK = 200
MAX_RUNS = 10_000
MAX_COUNTS = 100_000
"""Rows of counts in a store: one per task, day, status and reason."""

PICTURE_BYTES = 32 * 2**10
PICTURES_BYTES = 64 * 2**20
"""The bytes of all pictures of a store."""

MAX_BATCHES = 1_000
"""Ids of batches that are remembered, so that one that is written again adds nothing."""

HISTORY_TTL = 30 * 86_400.0
DAY = 86_400


class DayCount(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of one task on one day that ended alike.

    `task` is the task's text with its params masked, without secrets. `day` counts days since 1970-01-01 in UTC.
    `status` is "hit", "miss", "diverged" or "raised", `reason` a code of `Reason`, or the type of an exception.
    `seconds` is the duration of these runs in all, `agent_seconds` what their agent took outside of tool calls.

    The saved amounts are those of the recordings that hits repeated: `saved_seconds` of the agent outside of tool
    calls, `saved_tokens`, and `saved_calls`, the tool calls that were made without the agent. `timed` is the number of
    hits whose recording has the seconds, `metered` of those whose recording has tokens. The others add nothing.
    `last` is the time of the last run, in seconds since the epoch.
    """

    __module__ = "muscle_mem.store"

    key: bytes
    day: int
    status: str
    reason: str
    scope: str = ""
    task: str = ""
    runs: int = 0
    seconds: float = 0.0
    agent_seconds: float = 0.0
    saved_seconds: float = 0.0
    saved_tokens: int = 0
    saved_calls: int = 0
    timed: int = 0
    metered: int = 0
    last: float = 0.0


class PastRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run other than a plain hit, without secrets.

    `id` is the run's id, as in events. `seq` is given by the store and only grows; it is 0 in a new record. `at` is the
    end of the run, in seconds since the epoch. `key` is empty if the run had none. `step` is the index of the step
    that stopped the replay, -1 if none did; `tool` is its tool. `seen` and `expected` are texts.
    `seen_data` and `expected_data` are the same values in the encoding of stored recordings, empty if they are too
    large or have no encoding. `seen_picture` and `expected_picture` are hashes for `picture`, empty without one.
    `trajectory_id` is the trajectory that was followed or learned. `calls` are the tool calls that the agent made
    then, as texts, at most 50.
    `learned` says whether the run was stored, `not_learned` is the reason why it was not.
    """

    __module__ = "muscle_mem.store"

    id: str
    at: float
    status: str
    reason: str
    key: bytes = b""
    scope: str = ""
    task: str = ""
    message: str = ""
    step: int = -1
    tool: str = ""
    seen: str = ""
    expected: str = ""
    seen_data: bytes = b""
    expected_data: bytes = b""
    seen_picture: str = ""
    expected_picture: str = ""
    trajectory_id: str = ""
    calls: tuple[str, ...] = ()
    seconds: float = 0.0
    agent_seconds: float = 0.0
    learned: bool = False
    not_learned: str = ""
    seq: int = 0


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture for people, at most `PICTURE_BYTES` of PNG, JPEG or WebP.

    `hash` is the SHA-256 of `data` in hexadecimal. `key` is the task's. A picture of a step has the `trajectory_id` and
    the index of the `step`; one that a run refers to has neither.
    """

    __module__ = "muscle_mem.store"

    hash: str
    data: bytes
    at: float
    key: bytes = b""
    trajectory_id: str = ""
    step: int = -1


class HistoryBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What is added to a history in one transaction.

    `id` is random. A batch that is written again is ignored. What is older than `keep_from` is deleted; it is in
    seconds since the epoch.
    """

    __module__ = "muscle_mem.store"

    id: str
    counts: tuple[DayCount, ...] = ()
    runs: tuple[PastRun, ...] = ()
    pictures: tuple[Picture, ...] = ()
    keep_from: float = 0.0


@runtime_checkable
class KeepsHistory(Protocol):
    """A store that keeps a history beside its trajectories.

    It is bounded: `RUNS_PER_TASK` runs of a task, `MAX_RUNS` of a store, `MAX_COUNTS` rows of counts and
    `PICTURES_BYTES` of pictures. The oldest are deleted first. `Store.forget` deletes the runs and pictures that refer
    to a trajectory, and all of a task's history with its last trajectory.
    """

    def add_history(self, batch: HistoryBatch) -> None:
        """Add counts, runs and pictures. It need not survive a crash of the machine."""
        ...

    def history_counts(
        self, *, scope: str | None = None, key: bytes | None = None, since: float | None = None
    ) -> tuple[DayCount, ...]:
        """Return counts, the last day first.

        Args:
            scope: Only those of this scope.
            key: Only those of this task.
            since: Only those of days that end after this time, in seconds since the epoch.
        """
        ...

    def history_runs(
        self,
        *,
        key: bytes | None = None,
        scope: str | None = None,
        reason: str | None = None,
        trajectory_id: str | None = None,
        since: float | None = None,
        after: int | None = None,
        newer_than: int | None = None,
        limit: int = 100,
    ) -> tuple[PastRun, ...]:
        """Return single runs other than plain hits, newest first.

        Args:
            key: Only those of this task.
            scope: Only those of this scope.
            reason: Only those with this reason.
            trajectory_id: Only those that followed or learned this trajectory.
            since: Only those that ended at this time or later, in seconds since the epoch.
            after: Only those with a lower `seq`: the next page.
            newer_than: Only those with a higher `seq`: what has been added since.
            limit: The maximum number of runs.
        """
        ...

    def picture(self, hash: str) -> bytes | None:
        """Return the data of a picture by its hash, or None."""
        ...

    def step_pictures(self, trajectory_id: str) -> dict[int, str]:
        """Return the hashes of the pictures of a trajectory's steps, by step."""
        ...

    def prune_history(
        self, *, before: float | None = None, keys: tuple[bytes, ...] | None = None, dry_run: bool = False
    ) -> int:
        """Delete history, and return the number of runs and rows of counts.

        Args:
            before: Only what is older than this, in seconds since the epoch. None means all.
            keys: Only that of these tasks. None means all.
            dry_run: Whether to count without deleting.
        """
        ...


KeepsHistory.__module__ = "muscle_mem.store"


class RunQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are wanted; see `KeepsHistory.history_runs`."""

    key: bytes | None = None
    scope: str | None = None
    reason: str | None = None
    trajectory_id: str | None = None
    since: float | None = None
    after: int | None = None
    newer_than: int | None = None


class HistoryTables(Protocol):
    """The history of a store within one operation; see `KeepsHistory` for each method."""

    def add(self, batch: HistoryBatch) -> None: ...
    def counts(self, scope: str | None, key: bytes | None, since: float | None) -> tuple[DayCount, ...]: ...
    def totals(self, by: Literal["task", "day"], since: float | None) -> tuple[DayCount, ...]: ...
    def runs(self, query: RunQuery, limit: int) -> tuple[PastRun, ...]: ...
    def picture(self, hash: str) -> bytes | None: ...
    def step_pictures(self, trajectory_id: str) -> dict[int, str]: ...
    def prune(self, before: float | None, keys: tuple[bytes, ...] | None, *, dry_run: bool) -> int: ...


class HistoryMethods:
    """The methods of `KeepsHistory` for a store that implements two."""

    def _read_history(self, work: Callable[[HistoryTables], T]) -> T:
        """Return the result of `work` on one consistent view."""
        raise NotImplementedError

    def _write_history(self, work: Callable[[HistoryTables], T]) -> T:
        """Return the result of `work` in one transaction."""
        raise NotImplementedError

    def add_history(self, batch: HistoryBatch) -> None:
        """Add to the history; see `KeepsHistory`."""
        self._write_history(lambda tables: tables.add(batch))

    def history_counts(
        self, *, scope: str | None = None, key: bytes | None = None, since: float | None = None
    ) -> tuple[DayCount, ...]:
        """Return counts of runs, the last day first; see `KeepsHistory`.

        Args:
            scope: Only those of this scope.
            key: Only those of this task.
            since: Only those of days that end after this time, in seconds since the epoch.
        """
        return self._read_history(lambda tables: tables.counts(scope, key, since))

    def history_totals(self, *, by: Literal["task", "day"], since: float | None = None) -> tuple[DayCount, ...]:
        """Return sums of counts; see `muscle_mem.store.history_totals.SumsHistory`.

        Args:
            by: Sums by task and status, or by day, status and reason.
            since: Only those of days that end after this time, in seconds since the epoch.
        """
        return self._read_history(lambda tables: tables.totals(by, since))

    def history_runs(
        self,
        *,
        key: bytes | None = None,
        scope: str | None = None,
        reason: str | None = None,
        trajectory_id: str | None = None,
        since: float | None = None,
        after: int | None = None,
        newer_than: int | None = None,
        limit: int = 100,
    ) -> tuple[PastRun, ...]:
        """Return single runs, newest first; see `KeepsHistory`.

        Args:
            key: Only those of this task.
            scope: Only those of this scope.
            reason: Only those with this reason.
            trajectory_id: Only those that followed or learned this trajectory.
            since: Only those that ended at this time or later, in seconds since the epoch.
            after: Only those with a lower `seq`: the next page.
            newer_than: Only those with a higher `seq`: what has been added since.
            limit: The maximum number of runs.
        """
        query = RunQuery(
            key=key,
            scope=scope,
            reason=reason,
            trajectory_id=trajectory_id,
            since=since,
            after=after,
            newer_than=newer_than,
        )
        return self._read_history(lambda tables: tables.runs(query, limit))

    def picture(self, hash: str) -> bytes | None:
        """Return the data of a picture by its hash, or None."""
        return self._read_history(lambda tables: tables.picture(hash))

    def step_pictures(self, trajectory_id: str) -> dict[int, str]:
        """Return the hashes of the pictures of a trajectory's steps, by step."""
        return self._read_history(lambda tables: tables.step_pictures(trajectory_id))

    def prune_history(
        self, *, before: float | None = None, keys: tuple[bytes, ...] | None = None, dry_run: bool = False
    ) -> int:
        """Delete history; see `KeepsHistory`.

        Args:
            before: Only what is older than this, in seconds since the epoch. None means all.
            keys: Only that of these tasks. None means all.
            dry_run: Whether to count without deleting.

        Returns:
            The number of runs and rows of counts.
        """
        use = self._read_history if dry_run else self._write_history
        return use(lambda tables: tables.prune(before, keys, dry_run=dry_run))


def keeps_history(value: object) -> TypeGuard[KeepsHistory]:
    """Return whether a store keeps a history.

    A wrapper around a store may use `__getattr__`, so the methods are looked up one by one.
    """
    return all(hasattr(value, name) for name in vars(KeepsHistory) if not name.startswith("_"))


def added(one: DayCount, other: DayCount) -> DayCount:
    """Return two counts of the same task, day, status and reason as one."""
    return msgspec.structs.replace(
        one,
        task=other.task or one.task,
        runs=one.runs + other.runs,
        seconds=one.seconds + other.seconds,
        agent_seconds=one.agent_seconds + other.agent_seconds,
        saved_seconds=one.saved_seconds + other.saved_seconds,
        saved_tokens=one.saved_tokens + other.saved_tokens,
        saved_calls=one.saved_calls + other.saved_calls,
        timed=one.timed + other.timed,
        metered=one.metered + other.metered,
        last=max(one.last, other.last),
    )


def day_of(seconds: float) -> int:
    """Return the day of a time in UTC, counted from 1970-01-01."""
    return int(seconds // DAY)


def run_bytes(run: PastRun) -> bytes:
    """Return the stored form of a run.

    Lone surrogates are escaped, since the form has no place for them.
    """
    try:
        return msgspec.msgpack.encode(run)
    except UnicodeEncodeError:
        texts = {name: _without_surrogates(getattr(run, name)) for name in PastRun.__struct_fields__}
        return msgspec.msgpack.encode(msgspec.structs.replace(run, **texts))


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_without_surrogates, value))
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def run_of(data: object, seq: int) -> PastRun | None:
    """Return a stored run, or None if its bytes are damaged."""
    if not isinstance(data, bytes):
        return None
    try:
        return msgspec.structs.replace(_RUNS.decode(data), seq=seq)
    except (msgspec.DecodeError, UnicodeError):
        return None


_RUNS = msgspec.msgpack.Decoder(PastRun)
