"""Reading of tasks from a replica that has what the last poll has seen.

Later changes change the version of a key, as they do for what was read on the primary.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import msgspec
import psycopg

from ...errors import StoreError
from ..base import Found
from .breaker import Breaker
from .connection import PooledConnection
from .connections import ConnectionPool
from .errors import DeadlineError, is_lost, plain_text
from .opening import begin
from .options import Options
from .reader import Reader

ATTEMPT_SECONDS = 1.0  # How long one attempt may take, with connecting.
REST_SECONDS = 1.0  # How long a replica is left alone that failed or was behind.
MARK_SECONDS = 1.0  # After this time, a mark is too old. The primary is polled more often.
MOST_KEYS = 100_000
CONNECT_OPTIONS = ("host", "hostaddr", "port", "load_balance_hosts")

# For a poll of the primary. Evaluated after its snapshot was taken, so it is beyond every commit that the poll sees.
MARK = (
    "CASE WHEN pg_is_in_recovery() THEN NULL ELSE substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) || ':' || "
    "pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text END"
)
# The timelines are those of the last restartpoint and of what is on disk: those of what is replayed cannot be read.
_STATE = """
SELECT pg_is_in_recovery(), coalesce(pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0'), 0)::text,
    s.system_identifier::text, c.timeline_id, r.min_recovery_end_timeline
FROM pg_control_system() s, pg_control_checkpoint() c, pg_control_recovery() r
"""

logger = logging.getLogger("muscle_mem")


class Mark(msgspec.Struct, frozen=True):
    """How far a replica must be.

    `history` is the cluster, timeline and process of the primary. `lsn` is beyond what its polls have seen, and `began`
    is when the last of them began.
    """

    history: tuple[str, int, str]
    lsn: int
    began: float


class Marks:
    """The mark of the last poll of the primary. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mark: Mark | None = None
        self._wrote = 0.0

    def note(self, began: float, system: str, server: str, place: str | None) -> None:
        """Note a poll, before what it has seen is applied. `place` is what `MARK` selects."""
        timeline, _, lsn = (place or "").partition(":")
        with self._lock:
            if not system or not lsn:  # A standby, or one whose cluster is not known.
                self._mark = None
                return
            new = Mark((system, int(timeline, 16), server), int(lsn), began)
            old = self._mark
            if old is not None and old.history == new.history:  # Polls may overtake each other.
                new = Mark(new.history, max(old.lsn, new.lsn), max(old.began, new.began))
            self._mark = new

    def note_write(self) -> None:
        """Make the mark wait for the next poll, because this process has written.

        Polls do not report the changes of this process.
        """
        with self._lock:
            self._wrote = time.monotonic()

    def current(self) -> Mark | None:
        """Return the mark, or None if it is too old."""
        with self._lock:
            mark = self._mark
            if mark is None or mark.began <= self._wrote or time.monotonic() - mark.began > MARK_SECONDS:
                return None
            return mark

    def reset_after_fork(self) -> None:
        """Forget the mark in a forked child."""
        self._lock = threading.Lock()
        self._mark = None


class Replica:
    """The replica that `mm_read` names, with one connection.

    Safe to use from any thread.
    """

    def __init__(self, options: Options) -> None:
        host, port = options.read
        kept = {name: value for name, value in options.conninfo.items() if name not in CONNECT_OPTIONS}
        conninfo = {**kept, "host": host, "port": str(port), "target_session_attrs": "any"}
        self.marks = Marks()
        self.pool = ConnectionPool(
            msgspec.structs.replace(options, conninfo=conninfo, connections=1, notify=False),
            Breaker(f"cannot reach the replica {host}:{port} of the store {options.url}"),
        )
        self._name = f"{host}:{port}"
        self._known: set[bytes] = set()
        self._busy = threading.Lock()
        self._rests_until = 0.0
        self._is_reported = False

    def find(self, key: bytes, reader: Reader) -> Found | None:
        """Return the trajectories of a key, or None to ask the primary.

        The replica is asked once for each key. Its errors are not raised.
        """
        if key in self._known:
            return None
        if len(self._known) >= MOST_KEYS:
            self._known.clear()
        self._known.add(key)
        mark = self.marks.current()
        if mark is None or time.monotonic() < self._rests_until or not self._busy.acquire(blocking=False):
            return None
        try:
            return self._find(key, reader, mark)
        except (psycopg.Error, StoreError, OSError, ValueError) as error:
            self._note_failure(error)
            return None
        finally:
            self._busy.release()

    def abandon_after_fork(self) -> None:
        """Drop the parent's connection in a forked child."""
        self._busy = threading.Lock()
        self.marks.reset_after_fork()
        self.pool.breaker.reset_after_fork()
        self.pool.abandon_after_fork()

    def _find(self, key: bytes, reader: Reader, mark: Mark) -> Found | None:
        with self.pool.borrow(time.monotonic() + min(ATTEMPT_SECONDS, self.pool.options.timeout)) as connection:
            try:
                problem = _problem(self._begin(connection), mark)
                found = reader.find(connection, key) if problem is None else None
            finally:
                if not connection.closed:
                    connection.run("ROLLBACK")
        self.pool.breaker.worked()
        if problem is not None:
            self._rest(problem)
            return None
        self._is_reported = False
        # What is damaged here may be whole on the primary.
        return found if found is not None and found.stored and not found.damaged else None

    def _begin(self, connection: PooledConnection) -> tuple[Any, ...]:
        """Begin a transaction, and return how far the replica was before.

        A place that is read within it could be newer than its snapshot.
        """
        ms = max(1, int((connection.until - time.monotonic()) * 800))
        state = f"BEGIN READ ONLY; SET LOCAL statement_timeout = {ms}; {_STATE}; COMMIT"
        return connection.run(f"{state}; {begin(connection, self.pool.options, write=False)}")[0]

    def _note_failure(self, error: Exception) -> None:
        if isinstance(error, DeadlineError) or is_lost(error):
            self.pool.mark_unreachable(plain_text(error, self.pool.options), slow=isinstance(error, DeadlineError))
        self._rest(plain_text(error, self.pool.options))

    def _rest(self, problem: str) -> None:
        """Leave the replica alone for a second. What is not a delay is logged once."""
        self._rests_until = time.monotonic() + REST_SECONDS
        if problem and not self._is_reported:
            self._is_reported = True
            logger.warning(
                "the replica %s of the store %s is not used, and the primary is asked: %s",
                self._name,
                self.pool.options.url,
                problem,
            )


def _problem(state: tuple[Any, ...], mark: Mark) -> str | None:
    """Return why a replica cannot be used, or None. "" means that it is behind."""
    standby, lsn, system, *timelines = state
    if not standby:
        return "it is not a standby"
    if system != mark.history[0]:
        return "it belongs to another cluster"
    if any(int(timeline or 0) != mark.history[1] for timeline in timelines) or int(lsn) < mark.lsn:
        return ""
    return None
