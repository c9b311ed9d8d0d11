"""One connection to a PostgreSQL server, each of whose calls has a deadline."""

from __future__ import annotations

import os
import re
import select
import sys
import time
from collections.abc import Generator, Mapping
from typing import Any, TypeVar

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo
from psycopg.waiting import Ready

from .errors import ConnectError, DeadlineError, is_understood, refuses_for_good

RV = TypeVar("RV")
Rows = list[tuple[Any, ...]]
Identity = tuple[str, str]

# Of a standby, the timeline is not asked: it may lag behind.
_ROLE = "SELECT pg_is_in_recovery()"
_IDENTITY = """
SELECT r.standby, c.system_identifier, CASE WHEN r.standby THEN NULL ELSE
    substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END
FROM pg_control_system() c, (SELECT pg_is_in_recovery() AS standby) r
"""


class PooledConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that is closed if a wait passes its deadline.

    `until` is the deadline, a time of time.monotonic(). `writer` identifies the connection in the table of writers, and
    `op` counts its transactions there. `standby` says whether its server was one when it was last asked, at `asked`.
    `identity` is the server's system identifier and timeline, as far as they are known. `returned` is when the
    connection was last returned to its pool.
    """

    until: float = 0.0
    writer: bytes = b""
    op: int = 0
    standby: bool = False
    asked: float = 0.0
    identity: Identity = ("", "")
    returned: float = 0.0

    @classmethod
    def open(cls, params: Mapping[str, Any], until: float) -> PooledConnection:
        """Connect to one address, and ask which server answers.

        Raises:
            ConnectError: The connection was refused or could not be made.
            psycopg.Error: The server did not say what it is.
        """
        connection = cls(_logged_in(params, until))
        connection.until = until
        connection.prepare_threshold = None
        connection.writer = os.urandom(16)
        try:
            connection.autocommit = True
            connection.ask_role()
        except BaseException:
            connection.close()
            raise
        return connection

    def ask_role(self) -> None:
        """Ask whether the server is a standby, and which cluster and timeline it is."""
        try:
            standby, system, timeline = self.fetch(_IDENTITY)[0]
            self.identity = (str(system), str(timeline or ""))
        except psycopg.ProgrammingError:  # Some hosting providers do not let a role call these functions.
            standby = self.fetch(_ROLE)[0][0]
        self.standby = bool(standby)
        self.asked = time.monotonic()

    def wait(self, gen: Generator[Any, Any, RV], *args: object, **options: object) -> RV:  # noqa: ARG002 - `until` is the deadline
        """Wait as psycopg does, but not beyond the deadline.

        An interrupted wait closes the connection.
        """
        try:
            return _drive(gen, self.pgconn, self.until)
        except DeadlineError:
            self.pgconn.finish()
            raise
        except psycopg.Error:
            raise
        except BaseException:
            self.pgconn.finish()
            raise

    def fetch(self, query: Any, *values: Any) -> Rows:
        """Return the rows of one statement, in PostgreSQL's binary format."""
        cursor = self.execute(query, values, binary=True)
        return cursor.fetchall() if cursor.description is not None else []

    def run(self, statements: str) -> Rows:
        """Run statements without values in one round trip.

        Returns the rows of the last statement that has a result.
        """
        return next(reversed(self.run_all(statements)), [])

    def run_all(self, statements: str) -> list[Rows]:
        """Run statements in one round trip, and return the rows of each that has a result."""
        cursor = self.execute(statements.encode("utf-8", "surrogatepass"))
        found: list[Rows] = []
        while True:
            if cursor.description is not None:
                found.append(cursor.fetchall())
            if not cursor.nextset():
                return found


_states: dict[str, str] = {}  # The SQLSTATEs of refusals in words that are not known.
MAX_STATES = 100
TRACES_LOGINS = 180000  # The first version of libpq whose trace has the refusal of a login.


def _logged_in(params: Mapping[str, Any], until: float) -> pq.abc.PGconn:
    """Return a connection of libpq that is ready. Raises ConnectError.

    libpq gives a refusal as a text only, in the language of the server. For words that are not known, it is asked a
    second time with libpq's trace, which has the SQLSTATE. This happens once for each text, since a trace costs memory.
    """
    conninfo = make_conninfo("", **params).encode()
    pgconn = pq.PGconn.connect_start(conninfo)
    text = _poll_login(pgconn, until)
    if text is None:
        return pgconn
    pgconn.finish()
    if not is_understood(text) and text not in _states and len(_states) < MAX_STATES:
        _states[text] = _traced_refusal(conninfo, until)
    state = _states.get(text, "")
    raise ConnectError(text, final=refuses_for_good(text, state), states=[state] if state else [])


def _poll_login(pgconn: pq.abc.PGconn, until: float) -> str | None:
    """Log in, and return the error, or None if that succeeded."""
    try:
        while pgconn.status != pq.ConnStatus.BAD:
            status = pgconn.connect_poll()
            if status == pq.PollingStatus.OK:
                pgconn.nonblocking = 1
                return None
            if status == pq.PollingStatus.FAILED:
                break
            wanted = 1 if status == pq.PollingStatus.READING else 2
            if not _ready(pgconn.socket, wanted, until - time.monotonic()):
                return f"{pgconn.get_error_message()} no answer in time".strip()
    except BaseException:
        pgconn.finish()
        raise
    return " ".join(pgconn.get_error_message().split())


def _traced_refusal(conninfo: bytes, until: float) -> str:
    """Try a login again, and return the SQLSTATE that refuses it, or "".

    The trace is only in memory.
    """
    if not hasattr(os, "memfd_create") or pq.version() < TRACES_LOGINS:
        return ""
    try:
        file = os.memfd_create("muscle_mem")
        try:
            pgconn = pq.PGconn.connect_start(conninfo)
            pgconn.trace(file)
            _poll_login(pgconn, until)
            pgconn.untrace()  # This writes what libpq still holds back.
            said = os.pread(file, 1 << 16, 0)
            pgconn.finish()
        finally:
            os.close(file)
    except (OSError, psycopg.Error):
        return ""
    states = re.findall(rb'ErrorResponse\t.*? C "(\w{5})"', said)
    return states[-1].decode() if states else ""


def _drive(gen: Generator[Any, Any, RV], connection: psycopg.pq.abc.PGconn, until: float) -> RV:
    try:
        wanted = next(gen)
        while True:
            # The socket is read each time: libpq closes that of a lost connection, and its number may be reused.
            ready = _ready(connection.socket, wanted, until - time.monotonic())
            if not ready:
                raise DeadlineError("the deadline of the call has passed")
            wanted = gen.send(Ready(ready))
    except StopIteration as end:
        answer: RV = end.value
        return answer


def _ready(socket: int, wanted: int, seconds: float) -> int:
    """Return whether reading (1) and writing (2) are possible within some seconds."""
    seconds = max(0.0, seconds)
    if sys.platform == "win32":
        read, write, _ = select.select([socket] * bool(wanted & 1), [socket] * bool(wanted & 2), [], seconds)
        return bool(read) | 2 * bool(write)
    poll = select.poll()
    poll.register(socket, select.POLLIN * bool(wanted & 1) | select.POLLOUT * bool(wanted & 2))
    events = poll.poll(seconds * 1000)
    if not events:
        return 0
    seen = events[0][1]
    if seen & ~(select.POLLIN | select.POLLOUT):
        return wanted  # An error or the end of the connection. libpq finds out which.
    return bool(seen & select.POLLIN) | 2 * bool(seen & select.POLLOUT)
