"""Proxies that stand in front of a PostgreSQL server: one that cuts connections, one that pools transactions."""

from __future__ import annotations

import queue
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

LETTER, LENGTH = 1, 4


class _Proxy:
    """Takes connections on a free loopback port, each in a thread, until it is closed."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self._open: list[socket.socket] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for one in self._open:
            cut(one)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        raise NotImplementedError


def cut(one: socket.socket) -> None:
    """End a connection at once, in both directions."""
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


class CuttingProxy(_Proxy):
    """Passes everything on, until `when` says of a piece that a client sends: "before" or "after" it gets there, cut.

    `when` gets the number of the piece, counted since `arm`, and the piece. After one cut it is asked no more.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._when: Callable[[int, bytes], str | None] | None = None
        self._count = 0
        self.cuts = 0
        super().__init__(target)

    def arm(self, when: Callable[[int, bytes], str | None]) -> None:
        self._count = 0
        self._when = when

    def cut_all(self) -> None:
        """Cut all connections at once."""
        for one in list(self._open):
            cut(one)

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self.target)
        except OSError:
            cut(client)
            return
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.append(server)
        threading.Thread(target=self._pass_back, args=(server, client), daemon=True).start()
        with suppress(OSError):
            while piece := client.recv(1 << 20):
                how = self._when(self._count, piece) if self._when is not None else None
                self._count += 1
                if how is not None:
                    self._when = None
                    self.cuts += 1
                    with suppress(OSError):
                        client.shutdown(socket.SHUT_RDWR)  # the answer goes nowhere
                    if how == "after":
                        server.sendall(piece)
                        server.shutdown(socket.SHUT_WR)  # the server carries out what it got, then sees the end
                    if how == "after":
                        return
                    break
                server.sendall(piece)
        cut(server)

    def _pass_back(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while piece := server.recv(1 << 20):
                with suppress(OSError):
                    client.sendall(piece)
        cut(server)
        cut(client)


class PoolingProxy(_Proxy):
    """Lends one of two servers for a transaction, in turn, as pgbouncer does in transaction mode.

    It logs in as the role `pooled`, which needs no password, whoever its clients are. `lent` counts transactions.
    """

    def __init__(self, target: tuple[str, int], database: str = "postgres", *, servers: int = 2) -> None:
        self._free: queue.Queue[socket.socket] = queue.Queue()
        self.lent = 0
        self._greeting = b""
        for _ in range(servers):
            self._free.put(self._log_in(target, database))
        super().__init__(target)
        self._open += list(self._free.queue)

    def _log_in(self, target: tuple[str, int], database: str) -> socket.socket:
        server = socket.create_connection(target)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        words = b"user\0pooled\0database\0" + database.encode() + b"\0client_encoding\0UTF8\0\0"
        server.sendall(struct.pack(">ii", len(words) + 8, 196608) + words)
        self._greeting = b""
        while True:
            kind, message = _message(server)
            self._greeting += message if kind == b"S" else b""
            assert kind != b"E", message
            if kind == b"Z":
                return server

    def _serve(self, client: socket.socket) -> None:
        server: socket.socket | None = None
        with suppress(OSError, EOFError):
            while (length := struct.unpack(">i", _exactly(client, 4))[0]) and (
                code := struct.unpack(">i", _exactly(client, length - 4)[:4])[0]
            ) != 196608:
                if code == 80877102:  # a cancel request
                    return cut(client)
                client.sendall(b"N")  # no encryption
            key = struct.pack(">cIII", b"K", 12, 4_000_000, 1)
            client.sendall(struct.pack(">cII", b"R", 8, 0) + self._greeting + key + b"Z\0\0\0\5I")
            while True:
                kind, message = _message(client)
                if kind == b"X":
                    break
                if server is None:
                    server = self._free.get()
                    self.lent += 1
                server.sendall(message)
                if kind in b"QS" and self._answer(server, client):
                    server = None
        if server is not None:
            server.sendall(struct.pack(">cI", b"Q", 13) + b"ROLLBACK\0")
            self._answer(server, None)
        return cut(client)

    def _answer(self, server: socket.socket, client: socket.socket | None) -> bool:
        """Pass an answer on; whether it ended the transaction, and the server is free again.

        It is so before the client hears of the end: what the client does next may not find the turns in disorder.
        """
        while True:
            kind, message = _message(server)
            over = kind == b"Z" and message[-1:] == b"I"
            if over:
                self._free.put(server)
            if client is not None:
                with suppress(OSError):
                    client.sendall(message)
            if kind == b"Z":
                return over


def _message(one: socket.socket) -> tuple[bytes, bytes]:
    """One message of PostgreSQL's protocol: its kind, and all of it."""
    head = _exactly(one, LETTER + LENGTH)
    return head[:LETTER], head + _exactly(one, struct.unpack(">i", head[LETTER:])[0] - LENGTH)


def _exactly(one: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        piece = one.recv(size - len(parts))
        if not piece:
            raise EOFError
        parts += piece
    return parts


class RefusingProxy(_Proxy):
    """Passes everything on, except while `refusal` is set: then each new connection is refused in this way.

    A refusal is an ErrorResponse (see `refusal_of`), or one of "reset", "closed", "silent". `tls` answers the request
    for TLS with "S" instead of "N", and `after_login` lets the client log in and refuses its first query. `refused`
    counts.
    """

    def __init__(self, target: tuple[str, int], refusal: bytes | str | None = None, *, tls: bool = False) -> None:
        self.refusal = refusal
        self.after_login = False
        self.tls = tls
        self.refused = 0
        super().__init__(target)

    def _serve(self, client: socket.socket) -> None:
        refusal = self.refusal
        if refusal is None:
            self._pass_on(client)
            return
        self.refused += 1
        with suppress(OSError, EOFError):
            self._refuse(client, refusal)
        if refusal == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        elif refusal != "silent":
            cut(client)

    def _refuse(self, client: socket.socket, refusal: bytes | str) -> None:
        while struct.unpack(">i", _exactly(client, struct.unpack(">i", _exactly(client, 4))[0] - 4)[:4])[0] != 196608:
            client.sendall(b"S" if self.tls else b"N")
        if isinstance(refusal, bytes):
            if self.after_login:
                client.sendall(struct.pack(">cII", b"R", 8, 0) + b"Z\0\0\0\5I")
                _message(client)
            client.sendall(refusal)

    def _pass_on(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self.target)
        except OSError:
            cut(client)
            return
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.append(server)
        threading.Thread(target=_copy, args=(server, client), daemon=True).start()
        _copy(client, server)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(1 << 20):
            target.sendall(piece)
    cut(source)
    cut(target)


def refusal_of(state: str, text: str, severity: str = "FATAL") -> bytes:
    """An ErrorResponse of PostgreSQL's protocol."""
    body = b"".join(kind + said.encode() + b"\0" for kind, said in (
        (b"S", severity), (b"V", "FATAL"), (b"C", state), (b"M", text)
    )) + b"\0"  # fmt: skip
    return b"E" + struct.pack(">i", len(body) + 4) + body
