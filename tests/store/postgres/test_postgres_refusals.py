"""S19: what refuses for now and what refuses for good, as servers and proxies say it on the wire."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

import pgbouncer
from postgres_server import HOW, Server, place_of, through, url_of

psycopg = pytest.importorskip("psycopg", reason=HOW)

from muscle_mem import Engine
from muscle_mem.errors import StoreError
from muscle_mem.store.postgres import PostgresStore
from muscle_mem.store.postgres.connection import TRACES_LOGINS, PooledConnection, _states
from muscle_mem.store.postgres.errors import ConnectError, NotNowError, is_lost
from postgres_proxies import RefusingProxy, refusal_of
from postgres_refusals import CUT, NEVER, PASSES

OLD_LIBPQ = "this libpq does not trace logins, so words that are not known count as passing"


@pytest.fixture
def proxy(database: str) -> Iterator[RefusingProxy]:
    with closing(RefusingProxy(place_of(database))) as one:
        yield one


class Agent:
    """An engine with one tool, and an agent that counts its runs."""

    def __init__(self, url: str, **options: Any) -> None:
        self.engine = Engine(url, **options)
        self.runs = 0
        tool = self.engine.tool(effect="read")(look)
        self.engine.set_agent(lambda task: self._run(tool, task))

    def _run(self, tool: Any, task: str) -> object:
        self.runs += 1
        return tool("x")


def look(what: str) -> str:
    return what


def opened_and_recorded(make: Callable[[], str], heal: Callable[[], None]) -> None:
    """Whether an engine opens, its agent runs, and it records as soon as the server is there."""
    agent = Agent(make())
    try:
        assert agent.engine("a task").status == "miss"
        assert agent.engine.cache_info().learned == 0
        heal()
        give_up = time.monotonic() + 20
        while not agent.engine("a task"):
            assert time.monotonic() < give_up
            time.sleep(0.02)
        assert agent.engine.cache_info().learned == 1
    finally:
        agent.engine.close()


@pytest.mark.parametrize("after_login", [False, True], ids=["at-login", "at-query"])
@pytest.mark.parametrize("name", PASSES)
def test_s19_what_passes_by_itself_delays_recording_and_nothing_else(
    name: str, after_login: bool, database: str, schema: str, proxy: RefusingProxy
) -> None:
    proxy.refusal, proxy.after_login = refusal_of(*PASSES[name]), after_login

    def heal() -> None:
        proxy.refusal = None

    opened_and_recorded(lambda: url_of(schema, at=through(database, proxy.port)), heal)
    assert proxy.refused > 0


@pytest.mark.parametrize("how", CUT)
def test_s19_a_connection_that_is_cut_or_not_answered_passes(
    how: str, database: str, schema: str, proxy: RefusingProxy
) -> None:
    proxy.refusal = how

    def heal() -> None:
        proxy.refusal = None

    url = url_of(schema, at=through(database, proxy.port), connect_timeout="0.3")
    opened_and_recorded(lambda: url, heal)


def test_s19_a_refused_port_passes(database: str, schema: str) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = int(one.getsockname()[1])
    made: list[RefusingProxy] = []

    def heal() -> None:
        door = socket.create_server(("127.0.0.1", port))
        made.append(RefusingProxy(place_of(database)))
        threading.Thread(target=_forward, args=(door, made[0].port), daemon=True).start()
        made.append(door)  # type: ignore[arg-type]

    try:
        opened_and_recorded(lambda: url_of(schema, at=through(database, port)), heal)
    finally:
        for one_made in made:
            one_made.close()


def _forward(door: socket.socket, port: int) -> None:
    from postgres_proxies import _copy

    with suppress(OSError):
        while True:
            client, _ = door.accept()
            server = socket.create_connection(("127.0.0.1", port))
            for pair in ((client, server), (server, client)):
                threading.Thread(target=_copy, args=pair, daemon=True).start()


def test_s19_a_name_that_is_not_resolved_passes(database: str, schema: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host, port = place_of(database)
    there = False
    real = socket.getaddrinfo

    def resolve(name: Any, *args: Any, **options: Any) -> Any:
        if name != "db.invalid":
            return real(name, *args, **options)
        if not there:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real(host, *args, **options)

    def heal() -> None:
        nonlocal there
        there = True

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    named = database.replace(f"127.0.0.1:{port}", f"db.invalid:{port}").replace(
        f"localhost:{port}", f"db.invalid:{port}"
    )
    opened_and_recorded(lambda: url_of(schema, at=named), heal)


@pytest.mark.parametrize("name", NEVER)
def test_s19_what_no_waiting_heals_is_told_at_once(name: str, schema: str, database: str, proxy: RefusingProxy) -> None:
    if name == "in another language" and psycopg.pq.version() < TRACES_LOGINS:
        pytest.skip(OLD_LIBPQ)
    _states.clear()
    proxy.refusal = refusal_of(*NEVER[name])
    with pytest.raises(StoreError) as caught:
        PostgresStore(url_of(schema, at=through(database, proxy.port)))
    assert not isinstance(caught.value, NotNowError)
    assert NEVER[name][1] in str(caught.value)


def test_s19_a_refusal_in_unknown_words_is_traced_once(schema: str, database: str, proxy: RefusingProxy) -> None:
    if psycopg.pq.version() < TRACES_LOGINS:
        pytest.skip(OLD_LIBPQ)
    _states.clear()
    proxy.refusal = refusal_of("57P03", "das Datenbanksystem startet")
    url = url_of(schema, at=through(database, proxy.port))
    for tries in (2, 1):  # the second time, its words are known
        before = proxy.refused
        PostgresStore(url).close()
        assert proxy.refused - before == tries


def test_s19_a_full_server_is_told_with_its_remedy(
    schema: str, database: str, proxy: RefusingProxy, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.refusal = refusal_of(*PASSES["too many clients"])
    PostgresStore(url_of(schema, at=through(database, proxy.port))).close()
    assert "accepts no more connections" in caplog.text
    assert "max_connections" in caplog.text


def test_s19_tls_that_is_asked_for_and_not_there_is_told_at_once(
    schema: str, database: str, proxy: RefusingProxy, tmp_path: Path
) -> None:
    proxy.refusal = "closed"
    at = through(database, proxy.port)
    with pytest.raises(StoreError, match="does not support SSL"):
        PostgresStore(url_of(schema, at=at, sslmode="require"))
    proxy.tls = True
    with pytest.raises(StoreError, match="root certificate file"):
        PostgresStore(url_of(schema, at=at, sslmode="verify-full", sslrootcert=tmp_path / "missing.crt"))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl, which makes the certificates")
def test_s19_a_certificate_that_does_not_verify_is_told_at_once(schema: str, database: str, tmp_path: Path) -> None:
    for name in ("server", "other"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=db",
             "-keyout", tmp_path / f"{name}.key", "-out", tmp_path / f"{name}.crt"],
            check=True, capture_output=True,
        )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")

    def serve(door: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = door.accept()
                client.recv(8)
                client.sendall(b"S")
                with suppress(OSError), context.wrap_socket(client, server_side=True) as wrapped:
                    wrapped.recv(1000)

    with closing(socket.create_server(("127.0.0.1", 0))) as door:
        threading.Thread(target=serve, args=(door,), daemon=True).start()
        at = through(database, int(door.getsockname()[1]))
        for mode, root, words in (
            ("verify-ca", "other", "certificate verify failed"),
            ("verify-full", "server", "127.0.0.1"),  # its name is another one
        ):
            with pytest.raises(StoreError, match=words):
                PostgresStore(url_of(schema, at=at, sslmode=mode, sslrootcert=tmp_path / f"{root}.crt"))
        door.shutdown(socket.SHUT_RDWR)


def test_s19_sessions_that_the_server_ends_are_lost_and_not_rejected() -> None:
    from psycopg import errors

    assert all(is_lost(kind()) for kind in (errors.IdleSessionTimeout, errors.AdminShutdown, errors.ConnectionFailure))
    assert not is_lost(errors.TooManyConnections())


def test_s19_an_idle_session_that_the_server_ends_is_replaced(database: str, schema: str) -> None:
    from muscle_mem.testing import a_trajectory, an_observation

    with closing(PostgresStore(url_of(schema, options="-c idle_session_timeout=50"))) as store:
        for n in range(3):
            store.seal(a_trajectory(str(n)), an_observation())
            time.sleep(0.15)


def test_s11_connect_timeout_is_that_of_all_hosts_together(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[float, float]] = []

    def silent(params: dict[str, object], until: float) -> PooledConnection:
        asked.append((time.monotonic(), until))
        raise ConnectError("no answer")

    monkeypatch.setattr(PooledConnection, "open", silent)
    hosts, ports = ",".join(["127.0.0.1"] * 4), ",".join(map(str, range(1, 5)))
    PostgresStore(url_of(at="postgresql://me@/x", host=hosts, port=ports, connect_timeout="0.8")).close()
    assert len(asked) == 4
    first = asked[0][0]
    assert max(until for _, until in asked) <= first + 0.8 + 0.01  # and not four times as much
    assert asked[0][1] < first + 0.8 / 2  # Each of them has its turn.


def test_s11_hosts_that_do_not_answer_are_each_tried(schema: str, database: str) -> None:
    silent = [RefusingProxy(place_of(database), "silent") for _ in range(3)]
    try:
        credentials = database.partition("://")[2].rpartition("@")[0]
        there = [*(str(one.port) for one in silent), str(place_of(database)[1])]
        hosts = ",".join(["127.0.0.1"] * 4)
        base = f"postgresql://{credentials}@/postgres"
        with closing(
            PostgresStore(url_of(schema, at=base, host=hosts, port=",".join(there), connect_timeout="4"))
        ) as store:
            store.version(b"1" * 32)  # The last one answered.
        assert all(one.refused for one in silent)
    finally:
        for one in silent:
            one.close()


# a real PgBouncer


@pytest.fixture
def bouncer(own_server: Server) -> Iterator[str]:
    if pgbouncer.program() is None:
        pytest.skip(pgbouncer.HOW)
    with pgbouncer.pgbouncer(own_server, clients=2) as url:
        yield url


def test_s19_a_pgbouncer_that_is_full_passes(bouncer: str, schema: str) -> None:
    import psycopg

    others = [psycopg.connect(bouncer) for _ in range(2)]

    def heal() -> None:
        for other in others:
            other.close()

    opened_and_recorded(lambda: url_of(schema, at=bouncer), heal)


def test_s19_a_pgbouncer_whose_server_is_away_passes(bouncer: str, own_server: Server) -> None:
    own_server.stop()
    try:
        opened_and_recorded(lambda: url_of(at=bouncer, connect_timeout="3", mm_timeout="4"), own_server.start)
    finally:
        own_server.start()


def test_s19_what_a_pgbouncer_refuses_for_good_is_told_at_once(bouncer: str) -> None:
    for wrong in (bouncer.replace("muscle:", "muscle:x"), bouncer.replace("muscle:", "nobody:")):
        with pytest.raises(StoreError) as caught:
            PostgresStore(url_of(at=wrong))
        assert not isinstance(caught.value, NotNowError)
    with pytest.raises(StoreError, match="no such database"):
        PostgresStore(url_of(at=bouncer.replace("/postgres", "/elsewhere")))
