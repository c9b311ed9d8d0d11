"""A fleet of engines on one PostgreSQL server: one agent run a task, and a bad trajectory stops everywhere."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from muscle_mem import Check, Engine, Missed

from .children import Child, StartLine, scratch
from .figures import Figures, Proof, Size
from .fleet import own_server
from .history import count_acts
from .postgres import missing

WORKERS = 32
STEPS = 2
AGENT_SECONDS = 0.1
STALLS = 3  # A poll waits for a core as often: the thread, the server, the thread again.
BOUNDS = {"direct": 1.0, "pooled": 1.0, "frozen": 5.0}  # seconds after which no worker replays a bad trajectory


class _Nothing:
    """A leadership that keeps nobody out."""

    fence, is_late = 0, False

    def release(self) -> None:
        pass


def _engine(url: str, world: int, number: int, version: int, effect: str = "idempotent") -> Engine:
    """A worker's engine; what is done is written where it is done."""
    engine = Engine(url, miss_wait=60, observers=[lambda event: None], accept_cache_store=True)  # fsync may be off

    @engine.tool(_check(effect), name="act", effect=effect, version=version)
    def act(what: str) -> None:
        os.write(world, f"w{number} {what}\n".encode())

    def agent(task: str) -> str:
        os.write(world, f"agent {version} {task}\n".encode())
        for step in range(STEPS):
            act(f"{task}/{step}")
            time.sleep(AGENT_SECONDS / STEPS)
        return task

    engine.set_agent(agent)
    return engine


def _check(effect: str) -> Any:
    return None if effect == "idempotent" else Check(lambda *_: "the same")


@contextmanager
def _way(server: Any, way: str, schema: str) -> Iterator[str]:
    """The URL of a store, directly or through PgBouncer in transaction mode."""
    import pgbouncer
    import postgres_server

    if way != "pooled":
        yield postgres_server.url_of(schema, at=server.dsn, mm_timeout=60)
        return
    with pgbouncer.pgbouncer(server) as dsn:
        yield postgres_server.url_of(schema, at=dsn, mm_timeout=60)


def _ways() -> tuple[str, ...]:
    import pgbouncer

    return ("direct", "pooled") if pgbouncer.program() is not None else ("direct",)


def elect(seed: int, size: int, control: str) -> Figures:
    """32 workers do `size` tasks in one order; then as many tasks with half of them on other code."""
    import postgres_server

    if missing():
        return Figures(skipped=missing())
    figures = Figures()
    figures.wrong["agent runs"] = 0
    with own_server() as server:
        for way in _ways():
            for codes in (1, 2):
                with scratch() as folder, _way(server, way, postgres_server.new_schema()) as url:
                    _elect(folder, url, size, codes, control, way, figures)
    return figures


def _elect(folder: Path, url: str, size: int, codes: int, control: str, way: str, figures: Figures) -> None:
    from muscle_mem.store.postgres import PostgresStore

    PostgresStore(url).close()
    line = StartLine()
    tasks = [f"task{n}" for n in range(size)]

    def work(number: int) -> dict[str, Any]:
        if control == "leases":
            PostgresStore.lead = lambda self, key, code=b"": _Nothing()  # type: ignore[method-assign, assignment, return-value]
        world = os.open(folder / "world.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        engine = _engine(url, world, number, 1 + number % codes)
        line.wait()
        hits = sum(bool(engine(task)) for task in tasks)
        engine.close()
        return {"hits": hits}

    children = [Child(lambda n=n: work(n)) for n in range(WORKERS)]
    line.go()
    ends = [child.result() for child in children]
    if any(code for code, _ in ends):
        figures.fault("broken", f"workers ended with {[code for code, _ in ends]}")
    runs = {act: times for act, times in count_acts(folder / "world.log").items() if act.startswith("agent")}
    figures.counted[f"tasks, {way}, {codes} codes"] += len(tasks)
    figures.counted["hits"] += sum(said["hits"] for _, said in ends if said)
    asked = sum(runs.values())
    figures.counted["agent runs"] += asked
    if asked != len(tasks) * codes:
        figures.fault("agent runs", f"{asked} of {len(tasks)} tasks with {codes} codes, {way}")


def report(seed: int, size: int, control: str) -> Figures:
    """A trajectory that 32 workers replay is reported as bad, `size` times in each way; when does the last one stop?"""
    import psycopg

    import postgres_server

    if missing():
        return Figures(skipped=missing())
    figures = Figures()
    figures.wrong.update(dict.fromkeys(("late", "irreversible"), 0))
    with own_server() as server:
        with postgres_server.raw("public", server.dsn) as connection:
            connection.execute("CREATE DATABASE elsewhere")
        with closing(psycopg.connect(server.dsn.replace("/postgres", "/elsewhere"))) as long:
            long.execute("CREATE TABLE t(x int)")  # a write transaction of another database, open all the while
            for way in (*_ways(), "frozen"):
                for _ in range(size):
                    with scratch() as folder, _way(server, way, postgres_server.new_schema()) as url:
                        _report(folder, url, server, way, control, figures)
    return figures


def _report(folder: Path, url: str, server: Any, way: str, control: str, figures: Figures) -> None:
    """All workers replay one task until told; some of them one that cannot be undone."""
    world = os.open(folder / "world.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    effects = ("idempotent",) if way == "frozen" else ("idempotent", "irreversible")
    ids = {}
    for effect in effects:
        engine = _engine(url, world, -1, 1, effect)
        engine(effect)
        ids[effect] = engine(effect).trajectory_id
    over = folder / "over"
    children = [
        Child(lambda n=n: _replay(url, world, n, effects[n % 8 == 1 and len(effects) > 1], over, control))
        for n in range(WORKERS)
    ]
    give_up = time.monotonic() + 120
    while len(list(folder.glob("ready *"))) < WORKERS:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    began = time.monotonic()
    for id in ids.values():
        engine.report_bad(id)
    reported = time.monotonic()
    if way == "frozen":
        server.freeze()
    time.sleep(BOUNDS[way] + (6 if control else 2))  # with a control, also beyond what busy cores excuse
    over.touch()
    if way == "frozen":
        server.thaw()
    for number, child in enumerate(children):
        code, said = child.result()
        if code:
            figures.fault("broken", f"a worker ended with {code}")
            continue
        irreversible = len(effects) > 1 and number % 8 == 1
        after = said["last"] - (reported if irreversible else began)
        figures.counted["workers"] += 1
        if irreversible:
            figures.wrong["irreversible"] += said["last"] > reported
            continue
        figures.most(f"{way}, seconds", max(0.0, after))
        figures.most("a worker did not get a core, seconds", said["stall"])
        if after > BOUNDS[way] + STALLS * said["stall"]:
            figures.fault("late", f"a worker replayed {after:.2f} seconds after the report, {way}")
    engine.close()


def _replay(url: str, world: int, number: int, effect: str, over: Path, control: str) -> dict[str, float]:
    """In a child: replay until told, and say when the last replay began."""
    from muscle_mem.store.postgres import PostgresStore, listener

    if control == "polls":
        listener.ChangeListener.version = lambda self, key, ask: 1  # type: ignore[method-assign, assignment, misc]
        PostgresStore.confirm = lambda self, key: None  # type: ignore[method-assign, assignment, misc]
    engine = _engine(url, world, number, 1, effect)
    last, stall = 0.0, 0.0
    while not over.exists():
        began = time.monotonic()
        with suppress(Missed):
            engine(effect, mode="replay")
            if not last:
                (over.parent / f"ready {number}").touch()
            last = began
        slept = time.monotonic()
        time.sleep(0.02)
        stall = max(stall, time.monotonic() - slept - 0.02)
    engine.close()
    return {"last": last, "stall": stall}


PROOFS = {
    "fleet-agents": Proof(
        elect,
        promise="When 32 workers on a PostgreSQL server miss the same task together, one agent runs. This "
        "applies directly and through PgBouncer in transaction mode. During a rolling deploy, one "
        "agent runs for each version of the tools' code.",
        blind="Waits that are longer than `miss_wait`, and leaders that are cut off for longer than a "
        "lease. Then a second agent runs.",
        unit="tasks of 32 workers, for each way and number of codes",
        small=Size(1, 2),
        large=Size(1, 20),
        controls={"leases": ("agent runs", Size(1, 2))},
    ),
    "fleet-report": Proof(
        report,
        promise="A second after a trajectory is reported as bad, none of 32 workers replays it, directly and "
        "through PgBouncer. If the server is frozen right after the report, it takes five seconds. "
        "This applies also while a transaction of another database stays open. A trajectory with an "
        "irreversible tool is not replayed from then on.",
        blind="Replays that had begun before the report: they are finished. Cores that are busy otherwise: "
        "three times the longest time for which a worker did not get one is added to the bounds.",
        unit="reports in each way",
        small=Size(1, 1),
        large=Size(1, 10),
        controls={"polls": ("late", Size(1, 1))},
    ),
}
