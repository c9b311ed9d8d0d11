"""The hosts that a URL names, and the order in which they are tried.

One that takes writes comes first, any other after.
"""

from __future__ import annotations

import ipaddress
import os
import random
import socket
import time
from typing import Any

import msgspec
import psycopg

from .connection import PooledConnection
from .errors import ConnectError
from .options import Options

FOR_ANY = ("", "any")  # Values of target_session_attrs that leave the choice to the store.
LOOK_SECONDS = 1.0  # How long a search for a primary may wait for each host, while a standby is there.


class _Attempt(msgspec.Struct, frozen=True):
    """One address to connect to. `params` are for libpq."""

    name: str
    params: dict[str, Any]


class Hosts:
    """The hosts of a URL. Safe to use from any thread."""

    def __init__(self, options: Options) -> None:
        self._conninfo = {name: value for name, value in options.conninfo.items() if name != "connect_timeout"}
        self._seconds = _seconds(options.conninfo.get("connect_timeout"))
        self._wanted = str(_param(options.conninfo, "target_session_attrs"))
        self._primary = ""  # The name of the attempt that found a primary last.
        self._slow: frozenset[str] = frozenset()  # The attempts that got no answer the last time.

    @property
    def may_differ(self) -> bool:
        """Return whether another connection may reach another server.

        One may have reached a standby, and the next a server that takes writes.
        """
        host, address = (str(_param(self._conninfo, name)) for name in ("host", "hostaddr"))
        several = "," in host or "," in address or (_is_name(host) and not address)
        return several and self._wanted in FOR_ANY

    def connect(self, until: float) -> PooledConnection:
        """Connect to the first host whose server takes writes, or else to any.

        All attempts together end with `connect_timeout`, or at `until` if that is earlier. Raises ConnectError.
        """
        deadline = until if self._seconds <= 0 else min(until, time.monotonic() + self._seconds)
        return self._first(deadline, needs_primary=False)

    def find_primary(self, until: float) -> PooledConnection:
        """Connect to a host whose server takes writes, and give up early.

        Raises ConnectError.
        """
        count = str(_param(self._conninfo, "host")).count(",") + 1
        return self._first(min(until, time.monotonic() + LOOK_SECONDS * count), needs_primary=True)

    def _first(self, deadline: float, *, needs_primary: bool) -> PooledConnection:
        attempts = self._attempts()
        standby: PooledConnection | None = None
        failures: list[tuple[str, ConnectError]] = []
        for index, attempt in enumerate(attempts):
            share = (deadline - time.monotonic()) / (len(attempts) - index)
            began = time.monotonic()
            try:
                connection = PooledConnection.open(attempt.params, began + max(share, 0.001))
            except ConnectError as error:
                failures.append((attempt.name, error))
                self._note_slow(attempt.name, time.monotonic() - began >= share)
                continue
            except psycopg.Error as error:  # It logged in, and was closed before it said what the server is.
                failures.append((attempt.name, ConnectError(" ".join(str(error).split()))))
                continue
            self._note_slow(attempt.name, False)
            if not connection.standby or (self._wanted not in FOR_ANY and not needs_primary):
                if standby is not None:
                    standby.close()
                self._primary = "" if connection.standby else attempt.name
                return connection
            if standby is None and not needs_primary:
                standby = connection
            else:
                connection.close()
        if standby is not None:
            return standby
        raise _joined(failures) if failures else ConnectError("no server takes writes: each is a standby")

    def _attempts(self) -> list[_Attempt]:
        """Return the attempts: the last primary first, and silent hosts last."""
        attempts: list[_Attempt] = []
        failure: ConnectError | None = None
        for params in _split(self._conninfo):
            try:
                attempts += _resolved(params)
            except OSError as error:
                failure = ConnectError(f"failed to resolve host {params.get('host')!r}: {error}")
        if not attempts:
            raise failure or ConnectError("no host")
        if _param(self._conninfo, "load_balance_hosts") == "random":
            random.shuffle(attempts)
        if self._wanted == "prefer-standby":
            plain = [_with(attempt, "any") for attempt in attempts]
            return [_with(attempt, "standby") for attempt in attempts] + plain
        attempts.sort(key=lambda attempt: (attempt.name != self._primary, attempt.name in self._slow))
        return attempts

    def _note_slow(self, name: str, slow: bool) -> None:
        if slow != (name in self._slow):
            self._slow = self._slow | {name} if slow else self._slow - {name}


def _with(attempt: _Attempt, wanted: str) -> _Attempt:
    return _Attempt(attempt.name, {**attempt.params, "target_session_attrs": wanted})


def _seconds(value: object) -> float:
    """Return a connect_timeout in seconds. 0 means that there is none."""
    try:
        return float(str(value))
    except ValueError:
        return 0.0


_ENVIRONMENT = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "load_balance_hosts": "PGLOADBALANCEHOSTS",
}


def _param(conninfo: dict[str, Any], name: str) -> Any:
    """Return a parameter, from the URL or from libpq's environment variable, or ""."""
    return conninfo.get(name) or os.environ.get(_ENVIRONMENT[name], "")


def _split(conninfo: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters for each host.

    What libpq would not understand is left to it, for its message.
    """
    lists = {name: str(_param(conninfo, name)).split(",") for name in ("host", "hostaddr", "port")}
    count = max(len(lists["host"]), len(lists["hostaddr"]))
    if count == 1 or any(len(values) not in (1, count) for values in lists.values()):
        return [conninfo]
    split = []
    for index in range(count):
        one = {name: values[index] if len(values) > 1 else values[0] for name, values in lists.items()}
        split.append({**conninfo, **{name: value for name, value in one.items() if value}})
    return split


def _resolved(params: dict[str, Any]) -> list[_Attempt]:
    """Return an attempt for each address of a host.

    libpq would give all of them one deadline.
    """
    host, port = str(_param(params, "host")), str(_param(params, "port") or "5432")
    name = f"{host or _param(params, 'hostaddr') or 'local'}:{port}"
    if not _is_name(host) or _param(params, "hostaddr") or not port.isdecimal():
        return [_Attempt(name, params)]
    found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(address[4][0]) for address in found))
    return [_Attempt(f"{name} ({address})", {**params, "hostaddr": address}) for address in addresses]


def _is_name(host: str) -> bool:
    """Return whether a host is a name, and not a path or an address."""
    if not host or host.startswith(("/", "@")) or host[1:2] == ":":
        return False
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return True
    return False


def _joined(failures: list[tuple[str, ConnectError]]) -> ConnectError:
    """Return one error for the failures of all hosts. It is final if each of them is."""
    if len(failures) == 1:
        return failures[0][1]
    text = "; ".join(f"{name}: {' '.join(str(error).split())}" for name, error in failures)
    states = [state for _, error in failures for state in error.states]
    return ConnectError(text, final=all(error.final for _, error in failures), states=states)
