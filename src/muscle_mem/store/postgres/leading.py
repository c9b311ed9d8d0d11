"""Who learns a key, across processes: session advisory locks, which die with the connection of who holds them."""

from __future__ import annotations

import os
import threading
import time

import psycopg

from .connections import Line, Lines
from .opening import Sessions
from .schema import number_for


class Lead:
    """Being the only learner of a key, until released; see `muscle_mem.store.base.Leadership`."""

    def __init__(self, leads: Leads, key: bytes) -> None:
        self._leads = leads
        self._key = key
        self._pid = os.getpid()

    def release(self) -> None:
        if self._pid == os.getpid():
            self._leads.release(self._key, self)


class Leads:
    """The keys that this process leads, by one connection of its own.

    Behind a proxy that keeps no session only the threads of this process know of one another: processes do
    not wait, which costs an agent's run and never a wrong answer.
    """

    def __init__(self, lines: Lines, sessions: Sessions) -> None:
        self._lines = lines
        self._sessions = sessions
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._door = threading.Lock()
        self._talk = threading.Lock()
        self._held: dict[bytes, Lead] = {}
        self._line: Line | None = None
        self._home = 0

    def lead(self, key: bytes) -> Lead | None:
        """As `Leading.lead`. Raises StoreError, or what psycopg raises."""
        lead = Lead(self, key)
        with self._door:
            if key in self._held:
                return None
            self._held[key] = lead
        try:
            got = not self._sessions.kept or self._lock(key)
        except BaseException:
            self._drop(key, lead)
            raise
        if not got:
            self._drop(key, lead)
            return None
        return lead

    def release(self, key: bytes, lead: Lead) -> None:
        """Never raises: a lock that cannot be given back dies with its connection, which is then closed."""
        with self._talk:
            if self._held.get(key) is not lead:
                return
            line = self._line
            if line is not None:
                try:
                    line.until = time.monotonic() + self._lines.options.timeout
                    line.ask("SELECT pg_advisory_unlock(%s)", self._number(key))
                except psycopg.Error:
                    self._hang_up()
        self._drop(key, lead)

    def close(self) -> None:
        """Let all go."""
        with self._talk:
            self._hang_up()
        with self._door:
            self._held.clear()

    def let_go_after_fork(self) -> None:
        """In the child: all is the parent's."""
        self._start_afresh()

    def _lock(self, key: bytes) -> bool:
        with self._talk:
            kept = self._line is not None
            try:
                return self._try(key)
            except psycopg.OperationalError:
                self._hang_up()
                if not kept:
                    raise
                return self._try(key)  # the connection was an old one, and lost since

    def _try(self, key: bytes) -> bool:
        until = time.monotonic() + self._lines.options.timeout
        if self._line is None:
            self._lines.breaker.admit()
            self._line = self._lines.dedicated(until)
            self._home = self._ask_home(self._line)
        self._line.until = until
        got, home = self._line.ask("SELECT pg_try_advisory_lock(%s), pg_backend_pid()", self._number(key))[0]
        if home == self._home:
            return bool(got)
        self._sessions.lost()  # the lock lies with a server that others use too: useless, and in the way
        self._line.ask("SELECT pg_advisory_unlock(%s)", self._number(key))
        self._hang_up()
        return True

    @staticmethod
    def _ask_home(line: Line) -> int:
        return int(line.ask("SELECT pg_backend_pid()")[0][0])

    def _number(self, key: bytes) -> int:
        return number_for(b"lead", self._lines.options.schema.encode(), key)

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def _drop(self, key: bytes, lead: Lead) -> None:
        with self._door:
            if self._held.get(key) is lead:
                del self._held[key]
