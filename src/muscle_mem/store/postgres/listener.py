"""What others change in a PostgreSQL store, known without asking: a thread polls a number, and hurries when told."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import psycopg

from ...errors import StoreError
from .connections import Line, Lines
from .errors import plain
from .opening import Sessions
from .schema import number_for, quoted
from .writer import Changes

POLLED_EVERY = 0.5
GAP = 0.02  # seconds between two polls, however often a change is told
STALE = 5.0  # seconds after which what is known is too old to be replayed by
PATIENCE = 30.0  # seconds without a question after which the thread stops asking the server
LONGEST_PAUSE = 5.0
MOST_KEYS = 100_000
NOTHING = (1 << 63) - 1  # no change has a number above this one


def channel_of(schema: str) -> str:
    """The name of the channel on which a store's changes are told: a name may have more bytes than a channel takes."""
    return f"muscle_mem_{number_for(b'change', schema.encode()) & (1 << 63) - 1}"


def poll_of(schema: str) -> str:
    """The one statement that tells what changed after a tick."""
    name = quoted(schema)
    return (
        f"SELECT s.tick, s.everything, c.key, c.tick, pg_backend_pid() FROM {name}.sequence s "
        f"LEFT JOIN {name}.change c ON c.tick > %s WHERE s.one = 1"
    )


class Known:
    """The number of each key's last change, as far as heard. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ticks: dict[bytes, int] = {}
        self._everything = 0
        self._generation = 0
        self.seen = NOTHING

    def version(self, key: bytes) -> int:
        """A number that another change of the key makes another."""
        tick = self._ticks.get(key)
        if tick is None:
            with self._lock:
                if len(self._ticks) >= MOST_KEYS:
                    self._forget_all()
                tick = self._ticks.setdefault(key, self.seen)
        return self._generation << 64 | tick

    def suspect(self) -> None:
        """Anything may have changed."""
        with self._lock:
            self._forget_all()

    def wrote(self, changes: Changes) -> None:
        """A transaction of our own has these changes."""
        if changes.any:
            with self._lock:
                if changes.everything:
                    self._everything = max(self._everything, changes.tick)
                    self._forget_all()
                for key in changes.keys:
                    self._ticks[key] = max(self._ticks.get(key, 0), changes.tick)

    def heard(self, since: int, rows: list[tuple[Any, ...]]) -> None:
        """The answer to `poll_of`, asked when `since` was seen. A number that went back is that of another store."""
        tick, everything = int(rows[0][0]), int(rows[0][1])
        with self._lock:
            back = tick < since
            if back or everything > self._everything:
                self._forget_all()
                self._everything = everything
            for _, _, key, changed, _ in rows:
                if key in self._ticks:
                    self._ticks[key] = max(self._ticks[key], int(changed))
            self.seen = tick if back else max(tick, self.seen)

    def _forget_all(self) -> None:
        self._generation += 1
        self._ticks.clear()

    def start_afresh(self) -> None:
        """In a forked child: its parent's thread may have held the lock."""
        self._lock = threading.Lock()
        self._forget_all()


class Watch:
    """Keeps `known` at most half a second behind the server, by a thread that starts with the first question.

    Where connections are sessions the server tells of changes, and the poll comes at once. `beats` counts the polls.
    """

    def __init__(self, lines: Lines, sessions: Sessions) -> None:
        self.known = Known()
        self.trouble: str | None = None
        self.beats = 0
        self._lines = lines
        self._schema = lines.options.schema
        self._poll = poll_of(self._schema)
        self._sessions = sessions
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._awake = 0.0  # when somebody last asked
        self._polled = 0.0  # when the last good poll began
        self._bell: tuple[socket.socket, socket.socket] | None = None
        self._pid = os.getpid()

    def version(self, key: bytes, ask: Callable[[], None]) -> int:
        """As `Store.version`. `ask` is called, and has to poll, where nobody has for long and nothing is amiss."""
        now = time.monotonic()
        slept = now - self._awake > PATIENCE
        self._awake = now
        if slept or self._thread is None:
            self._wake()
        if now - self._polled > STALE:
            if self.trouble is not None:
                raise StoreError(
                    f"What others changed in the store {self._lines.options.url} is not known, for the server does not "
                    f"answer ({self.trouble}). Agents run without the store meanwhile; look at the server."
                )
            ask()
        return self.known.version(key)

    def poll(self, line: Line) -> int:
        """Hear what changed, in one round trip; the process id of the server that told. Raises what psycopg raises."""
        began = time.monotonic()
        since = self.known.seen
        rows = line.ask(self._poll, since)
        if not rows:
            raise psycopg.DataError("the row of the last sequence number is missing")
        self.known.heard(since, rows)
        self._polled = began
        self.beats += 1
        return int(rows[0][4])

    def stop(self) -> None:
        """End the thread, if there is one, and wait for it, but not for a server that is gone."""
        self._stopped.set()
        self._ring()
        thread = self._thread
        if thread is not None and self._pid == os.getpid() and thread is not threading.current_thread():
            thread.join(2.0)

    def let_go_after_fork(self) -> None:
        """In the child: the thread is the parent's."""
        if self._bell is not None:
            for end in self._bell:
                end.close()
        self.known.start_afresh()
        self.trouble = None
        self._start_afresh()

    def _wake(self) -> None:
        with self._start:
            if self._stopped.is_set():
                return
            if self._thread is None:
                self._bell = socket.socketpair()
                for end in self._bell:
                    end.setblocking(False)
                self._thread = threading.Thread(target=self._run, name="muscle_mem-watch", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:  # no more threads, as when the interpreter is ending
                    self._thread = None
        self._ring()

    def _ring(self) -> None:
        if self._bell is not None:
            try:
                self._bell[1].send(b"x")
            except OSError:
                pass  # full, so it rings; or closed, so nobody listens

    def _run(self) -> None:
        bell = self._bell
        assert bell is not None
        pause = POLLED_EVERY
        try:
            while not self._stopped.is_set():
                try:
                    self._follow(bell[0])
                    pause = POLLED_EVERY
                except (psycopg.Error, StoreError, OSError, ValueError) as error:
                    self.known.suspect()
                    self.trouble = plain(error, self._lines.options)
                    self._stopped.wait(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            for end in bell:
                end.close()

    def _follow(self, bell: socket.socket) -> None:
        """Poll through one connection until nobody asks any more. A connection is not kept for those who sleep."""
        if time.monotonic() - self._awake > PATIENCE:
            _wait([bell], None)
            _drain(bell)
            return
        line = self._lines.dedicated(time.monotonic() + self._lines.options.timeout)
        try:
            home = self.poll(line)
            if self._sessions.kept:
                self._hear_changes(line)
            while not self._stopped.is_set() and time.monotonic() - self._awake <= PATIENCE:
                line.until = time.monotonic() + self._lines.options.timeout
                if self.poll(line) != home:
                    self._sessions.lost()
                if self.trouble is not None:
                    self.trouble = None
                    self._lines.breaker.worked()
                self._rest(bell, line)
        finally:
            line.close()

    def _hear_changes(self, line: Line) -> None:
        line.add_notify_handler(lambda _: None)
        try:
            line.tell(f"LISTEN {quoted(channel_of(self._schema))}")
        except psycopg.Error:
            if line.closed:
                raise
            # a standby, or no right: the poll is enough

    def _rest(self, bell: socket.socket, line: Line) -> None:
        self._stopped.wait(GAP)
        heard: list[Any] = [bell, line.pgconn.socket] if self._sessions.kept else [bell]
        _wait(heard, POLLED_EVERY - GAP)
        _drain(bell)


def _wait(heard: Iterable[Any], seconds: float | None) -> None:
    if hasattr(select, "poll"):
        poll = select.poll()
        for one in heard:
            poll.register(one, select.POLLIN)
        poll.poll(None if seconds is None else seconds * 1000)
    else:
        select.select(list(heard), [], [], seconds)


def _drain(bell: socket.socket) -> None:
    try:
        while bell.recv(4096):
            pass
    except BlockingIOError:
        pass
