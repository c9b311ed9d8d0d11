"""A PgBouncer in transaction mode in front of a PostgreSQL server of the tests."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from other_user import as_user, give, other_user, shared_place
from postgres_server import Server

HOW = "no PgBouncer: apt-get install pgbouncer"


def program() -> str | None:
    """The path of PgBouncer, or None."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def pgbouncer(server: Server, *, servers: int = 20, clients: int = 1000) -> Iterator[str]:
    """The URL of the server's database through a PgBouncer with so many connections to it, and from clients."""
    binary = program()
    assert binary is not None, HOW
    folder = Path(tempfile.mkdtemp(prefix="mmbouncer-", dir=shared_place()))
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = int(one.getsockname()[1])
    (folder / "users.txt").write_text(f'"muscle" "{server.password}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\npostgres = host=127.0.0.1 port={server.port} dbname=postgres\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = plain\n"
        f"auth_file = {folder / 'users.txt'}\npool_mode = transaction\ndefault_pool_size = {servers}\n"
        f"max_client_conn = {clients}\nserver_login_retry = 1\nlog_connections = 0\nlog_disconnections = 0\n"
        "ignore_startup_parameters = options\n"
    )
    user = other_user()  # PgBouncer refuses to run as root
    if user:
        give(folder, user)
    with open(folder / "log", "ab") as log:
        process = subprocess.Popen(
            [binary, str(folder / "pgbouncer.ini")], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
            **as_user(user),
        )  # fmt: skip
    try:
        give_up = time.monotonic() + 30
        while True:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < give_up
            time.sleep(0.02)
        yield f"postgresql://muscle:{server.password}@127.0.0.1:{port}/postgres"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
