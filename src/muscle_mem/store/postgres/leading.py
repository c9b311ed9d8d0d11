"""Leadership of keys across processes, as rows with a lease.

They work through every proxy.
A leader that is gone stops renewing its lease, and another one takes it when it has expired. The fence of a lease grows
with each holder, so that what a late leader writes can be recognized.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import psycopg
from psycopg import ClientCursor, errors

from ...errors import StoreError
from .attempts import Attempts
from .connections import ConnectionPool, PooledConnection, Rows
from .errors import StandbyError
from .opening import begin

LEASE_SECONDS = 10
RENEW_INTERVAL = 2.0  # Seconds between two renewals, of which several fit into a lease.

_UNTIL = f"clock_timestamp() + interval '{LEASE_SECONDS} seconds'"
# A taken lease is only read. Asking again and again would otherwise lock its row.
_TAKE = f"""
INSERT INTO lease AS l (key, code, holder, until)
SELECT %(key)s, %(code)s, %(holder)s, {_UNTIL} WHERE NOT EXISTS (
    SELECT 1 FROM lease b WHERE b.key = %(key)s AND b.code = %(code)s AND b.holder <> %(holder)s
    AND b.until > clock_timestamp())
ON CONFLICT (key, code) DO UPDATE SET holder = excluded.holder, until = excluded.until, fence = DEFAULT
WHERE l.until <= clock_timestamp() OR l.holder = excluded.holder
RETURNING l.fence
"""
_RENEW = f"UPDATE lease SET until = {_UNTIL} WHERE holder = %(holder)s RETURNING fence"
_RELEASE = "DELETE FROM lease WHERE holder = %(holder)s AND fence = ANY(%(fences)s::bigint[])"
IS_CURRENT = "SELECT EXISTS (SELECT 1 FROM lease WHERE fence = %s)"

# A role or a server that cannot write takes no lease, but its runs can still replay.
_READ_ONLY = (errors.ReadOnlySqlTransaction, errors.InsufficientPrivilege, errors.FeatureNotSupported)


class KeyLock:
    """The leadership of a key; see `muscle_mem.store.base.Leadership`.

    `fence` is 0 if the key is only led among the threads of this process. `is_late` says that another process has
    taken over.
    """

    __slots__ = ("_key_locks", "_pid", "fence", "is_late", "name")

    def __init__(self, key_locks: KeyLocks, name: tuple[bytes, bytes]) -> None:
        self._key_locks = key_locks
        self._pid = os.getpid()
        self.name = name
        self.fence = 0
        self.is_late = False

    def release(self) -> None:
        if self._pid == os.getpid():
            self._key_locks.release(self)


class KeyLocks:
    """The leaderships of this process: leases on keys, each for one code."""

    def __init__(self, pool: ConnectionPool, attempts: Attempts) -> None:
        self._pool = pool
        self._attempts = attempts
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._holder = os.urandom(16)
        self._held: dict[tuple[bytes, bytes], KeyLock] = {}
        self._renewed = 0.0

    @property
    def any_held(self) -> bool:
        """Return whether leases must be renewed."""
        return bool(self._held)

    def lead(self, key: bytes, code: bytes = b"") -> KeyLock | None:
        """Lead a key, or return None if another run does; see `Leading.lead`.

        Raises StoreError, or what psycopg raises.
        """
        name = bytes(key), bytes(code)
        lead = KeyLock(self, name)
        with self._lock:
            if name in self._held:
                return None
            self._held[name] = lead
        try:
            rows = self._carry_out(_TAKE, key=name[0], code=name[1])
        except StandbyError:
            return lead
        except StoreError as error:
            if isinstance(error.__cause__, _READ_ONLY):
                return lead
            self._drop(lead)
            raise
        except BaseException:
            self._drop(lead)
            raise
        if not rows:
            self._drop(lead)
            return None
        lead.fence = int(rows[0][0])
        return lead

    def held(self, key: bytes) -> list[KeyLock]:
        """Return the leaderships of a key in this process."""
        return [lead for name, lead in list(self._held.items()) if name[0] == key and lead.fence]

    def release(self, lead: KeyLock) -> None:
        """Release a leadership. Never raises.

        If the server cannot be reached, the lease expires.
        """
        if self._drop(lead) and lead.fence:
            self._give_back([lead.fence])

    def renew_if_due(self, connection: PooledConnection) -> None:
        """Renew the leases. Leaders that have lost theirs are marked.

        Raises what psycopg raises.
        """
        leads = [lead for lead in list(self._held.values()) if lead.fence]
        if not leads or connection.standby or time.monotonic() - self._renewed < RENEW_INTERVAL:
            return
        fences = {int(fence) for (fence,) in self._run(connection, _RENEW, {})}
        self._renewed = time.monotonic()
        for lead in leads:
            if lead.fence not in fences and self._held.get(lead.name) is lead:
                lead.is_late = True

    def close(self) -> None:
        """Release all leaderships. Never raises."""
        with self._lock:
            fences = [lead.fence for lead in self._held.values() if lead.fence]
            self._held.clear()
        if fences:
            self._give_back(fences)

    def abandon_after_fork(self) -> None:
        """Drop all leaderships in a forked child: they belong to the parent."""
        self._reset()

    def _give_back(self, fences: list[int]) -> None:
        try:
            self._carry_out(_RELEASE, fences=fences)
        except (psycopg.Error, StoreError):
            pass

    def _carry_out(self, query: str, **values: Any) -> Rows:
        return self._attempts.retrying(lambda connection: self._run(connection, query, values), write=True)

    def _run(self, connection: PooledConnection, query: str, values: dict[str, Any]) -> Rows:
        """Run one statement in a transaction that does not wait for the disk.

        A lost lease costs an agent run, and never a wrong answer.
        """
        text = ClientCursor(connection).mogrify(query, {**values, "holder": self._holder})
        opening = begin(connection, self._pool.options, write=True, durable=False)
        try:
            return connection.run(f"{opening}; {text}; COMMIT")
        except BaseException:
            if not connection.closed:
                connection.run("ROLLBACK")
            raise

    def _drop(self, lead: KeyLock) -> bool:
        with self._lock:
            if self._held.get(lead.name) is not lead:
                return False
            del self._held[lead.name]
            return True
