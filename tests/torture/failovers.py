"""A PostgreSQL server dies and its standby takes over; programs start at a server that refuses or is nearly full."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from unittest import mock

from muscle_mem import Engine
from muscle_mem.errors import StoreError

from .children import Child, StartLine
from .figures import Figures, Proof, Size

SECONDS = 2.0  # within which a writer records again, after the promotion
PATIENCE = 10.0  # after which a writer that does not is given up
PROCESSES_OF = 25  # engines each
TASKS = 20


def _missing() -> str:
    """Why there is nothing to try this on; "" if there is."""
    try:
        import postgres_cluster
    except ImportError as error:
        return f"there is no PostgreSQL store in this tree ({error})"
    return postgres_cluster.missing()


# -- a writer recovers alone


class _Writer:
    """Records all the while, and keeps what was acknowledged, and when."""

    def __init__(self, name: str, url: str) -> None:
        from muscle_mem.store.postgres import PostgresStore

        self.name = name
        self.store = PostgresStore(url)
        self.acknowledged: list[str] = []
        self.last_began = 0.0  # when the seal began that was acknowledged last
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        from muscle_mem.testing import a_trajectory, an_observation

        n = 0
        while not self._over.is_set():
            id = f"{self.name}.{n}"
            began = time.monotonic()
            try:
                self.store.seal(a_trajectory(id), an_observation(id))
            except StoreError:
                self._over.wait(0.02)
            else:
                self.acknowledged.append(id)
                self.last_began = began
                n += 1
                self._over.wait(0.01)

    def end(self) -> None:
        self._over.set()
        self._thread.join()
        self.store.close()


def recovers(seed: int, size: int, control: str) -> Figures:
    """The primary dies `size` times, and its synchronous standby takes over."""
    why = _missing()
    if why:
        return Figures(skipped=why)
    from postgres_cluster import Cluster

    figures = Figures()
    figures.wrong.update(dict.fromkeys(("late", "lost", "twice"), 0))
    cluster = Cluster(synchronous=True)
    try:
        with _without_promotion(control == "a standby may be promoted"):
            _fail_over(cluster, size, figures)
    finally:
        cluster.remove()
    return figures


@contextmanager
def _without_promotion(off: bool) -> Iterator[None]:
    """Switch off that a connection to a standby is asked again, and exchanged for one to a primary."""
    from muscle_mem.store.postgres.connections import ConnectionPool

    with mock.patch.object(ConnectionPool, "_may_look", return_value=False) if off else mock.MagicMock():
        yield


def _fail_over(cluster: Any, size: int, figures: Figures) -> None:
    from muscle_mem.store.postgres import PostgresStore

    a, b = cluster.primary, cluster.standby
    acknowledged: list[str] = []
    with closing(PostgresStore(cluster.url(a))):
        pass  # The schema is there.
    cluster.standby.await_copy(cluster.primary)
    for n in range(size):
        a, b = cluster.primary, cluster.standby
        orders = {"primary first": (a, b), "standby first": (b, a), "opened on the standby": (b,)}
        writers = [_Writer(f"{n} {name}", cluster.url(*order)) for name, order in orders.items()]
        try:
            time.sleep(0.3)
            before = {writer.name: len(writer.acknowledged) for writer in writers}
            cluster.fail_over()
            promoted = time.monotonic()
            _await_all(writers, promoted, figures)
        finally:
            for writer in writers:
                writer.end()
        figures.counted["failovers"] += 1
        figures.counted["recorded before"] += sum(before.values())
        acknowledged += [id for writer in writers for id in writer.acknowledged]
        if n + 1 < size:
            cluster.bring_back()
    figures.counted["acknowledged"] = len(acknowledged)
    with closing(PostgresStore(cluster.url(cluster.standby if size else cluster.primary))) as store:
        found = store.scan(limit=1_000_000)
    ids = [one.sealed.id for one in found.stored]
    figures.wrong["lost"] += len(set(acknowledged) - set(ids))
    figures.wrong["twice"] += len(ids) - len(set(ids))


def _await_all(writers: list[_Writer], promoted: float, figures: Figures) -> None:
    """Wait until each writer has recorded since the promotion, and count those that took too long."""
    for writer in writers:
        while writer.last_began < promoted and time.monotonic() < promoted + PATIENCE:
            time.sleep(0.005)
        seconds = time.monotonic() - promoted
        figures.most("seconds until recorded", seconds)
        if writer.last_began < promoted or seconds > SECONDS:
            figures.fault("late", f"{writer.name}: {seconds:.2f} seconds")


# -- programs start


def starts(seed: int, size: int, control: str) -> Figures:
    """So many engines start at once, at a server for half as many connections; and at one that refuses in each way."""
    why = _missing()
    if why:
        return Figures(skipped=why)
    import postgres_server

    figures = Figures()
    figures.wrong.update(dict.fromkeys(("raised", "too few hits", "too many connections"), 0))
    logging.getLogger("muscle_mem").setLevel(logging.CRITICAL)  # Each refusal is logged.
    place = postgres_server.binaries()
    assert place is not None
    server = postgres_server.Server(place, settings={"max_connections": size // 2, "superuser_reserved_connections": 1})
    try:
        _start_refused(server, figures, control)
        _start_many(server, size, figures, control)
    finally:
        server.remove()
    return figures


def _start_refused(server: Any, figures: Figures, control: str) -> None:
    from muscle_mem.store.postgres import store
    from postgres_proxies import RefusingProxy, refusal_of
    from postgres_refusals import CUT, PASSES
    from postgres_server import place_of, through, url_of

    class Never(Exception):
        pass

    refusals: list[bytes | str] = [*(refusal_of(*words) for words in PASSES.values()), *CUT]
    with (
        mock.patch.object(store, "NotNowError", Never) if control == "not now is not never" else mock.MagicMock(),
        closing(RefusingProxy(place_of(server.dsn))) as proxy,
    ):
        for refusal in refusals:
            proxy.refusal = refusal
            figures.counted["refusals"] += 1
            try:
                engine = _engine(url_of(at=through(server.dsn, proxy.port), connect_timeout="0.2"))
            except StoreError as error:
                figures.fault("raised", str(error))
                continue
            outcome = engine("task")
            figures.counted["agent runs"] += outcome.status == "miss"
            engine.close()


def _start_many(server: Any, size: int, figures: Figures, control: str) -> None:
    from postgres_server import url_of

    url = url_of("muscle_mem", at=server.dsn, application_name="proof")
    with closing(_engine(url)) as engine:
        for n in range(TASKS):
            engine(f"task {n}")
    line, processes = StartLine(), max(2, size // PROCESSES_OF)
    shares = [size // processes + (n < size % processes) for n in range(processes)]
    children = [Child(lambda share=share: _work(url, share, line, control)) for share in shares]
    counting = _Counting(server)
    line.go()
    for code, said in [child.result() for child in children]:
        if code or said is None:
            figures.fault("raised", f"a process ended with {code}")
            continue
        figures.counted.update(said)
    most = counting.end()
    figures.wrong["raised"] += figures.counted.pop("raised", 0)
    figures.counted["engines"] = size
    figures.most("connections", most)
    if most > size // 2:
        figures.fault("too many connections", str(most))
    if figures.counted["hits"] < 0.95 * figures.counted["runs"]:
        figures.fault("too few hits", f"{figures.counted['hits']} of {figures.counted['runs']}")


class _Counting:
    """Counts the connections of the engines, until it is ended. It holds one of the server's reserved connections."""

    def __init__(self, server: Any) -> None:
        import psycopg

        self._connection = psycopg.connect(server.dsn, autocommit=True)
        self._over = threading.Event()
        self._most = 0
        self._thread = threading.Thread(target=self._count)
        self._thread.start()

    def _count(self) -> None:
        look = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'proof'"
        while not self._over.wait(0.02):
            row = self._connection.execute(look).fetchone()
            self._most = max(self._most, row[0] if row is not None else 0)

    def end(self) -> int:
        self._over.set()
        self._thread.join()
        self._connection.close()
        return self._most


def _work(url: str, share: int, line: StartLine, control: str) -> dict[str, int]:
    """In a child: so many engines, each with a few known tasks."""
    from muscle_mem.store.postgres import sharing, store

    said = {"raised": 0, "hits": 0, "runs": 0}
    line.wait()
    if control == "one pool a process":
        store.acquire = sharing.Shared  # type: ignore[assignment]
    engines = []
    for _ in range(share):
        try:
            engines.append(_engine(url))
        except StoreError:
            said["raised"] += 1
    for n, engine in enumerate(engines):
        for task in range(n, n + 3):
            said["runs"] += 1
            said["hits"] += bool(engine(f"task {task % TASKS}"))
    return said  # Without closing: connections that are not given back count.


def _engine(url: str) -> Engine:
    engine = Engine(url, observers=[lambda event: None], miss_wait=0)
    tool = engine.tool(effect="read", name="look", version=1)(_look)
    engine.set_agent(lambda task: tool("x"))
    return engine


def _look(what: str) -> str:
    return what


PROOFS = {
    "postgres-recovers": Proof(
        recovers,
        promise="When a PostgreSQL server crashes and its standby takes over, every writer records again by "
        "itself within 2 seconds after the promotion. The servers of the URL may be in any order, and "
        "a store may have been opened on the standby. With a synchronous standby, nothing "
        "acknowledged is lost or there twice.",
        blind="Failovers by a cluster manager, which take additional time. Split networks, where two "
        "servers take writes.",
        unit="failovers",
        small=Size(1, 1),
        large=Size(5, 10),
        controls={"a standby may be promoted": ("late", Size(1, 1))},
    ),
    "postgres-starts": Proof(
        starts,
        promise="A program starts, and its agent runs, despite every temporary failure of a PostgreSQL server "
        "or a pooling proxy. Engines that start together at a server with half as many connections "
        "replay what is known.",
        blind="More processes than half of the server's connections. Those need a pooling proxy.",
        unit="engines",
        small=Size(1, 40),
        large=Size(5, 200),
        controls={
            "not now is not never": ("raised", Size(1, 40)),
            "one pool a process": ("too few hits", Size(1, 40)),
        },
    ),
}
