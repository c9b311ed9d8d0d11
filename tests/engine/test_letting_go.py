"""An engine that nobody holds any more is let go, and with it its store; what it had counted is written."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Check, Engine
from muscle_mem.store import SqliteStore


def used(store: Any = None) -> Engine:
    engine = Engine(store)

    @engine.tool(pre_check=Check(lambda what: what), effect="read")
    def look(what: str) -> str:
        return what

    class Page:
        @engine.tool(effect="read")
        def read(self) -> str:
            return "text"

    page = Page()
    engine.set_context(page)
    engine.set_agent(lambda task: (look("here"), page.read()))
    engine("task")
    assert engine("task")
    return engine


def test_an_engine_with_tools_and_recordings_is_collected() -> None:
    gone = [weakref.ref(used()) for _ in range(3)]
    gc.collect()
    assert [ref() for ref in gone] == [None] * 3


def test_the_hits_of_an_engine_that_was_let_go_are_in_its_file(tmp_path: Path) -> None:
    used(str(tmp_path / "memory.db"))
    gc.collect()
    store = SqliteStore(str(tmp_path / "memory.db"))
    assert [stored.standing.hits for stored in store.scan().stored] == [1]
    store.close()


def test_a_store_that_somebody_else_uses_stays_open(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "memory.db"))
    used(store)
    gc.collect()
    assert [stored.standing.hits for stored in store.scan().stored] == [1]
    store.close()


def test_an_engine_may_be_collected_in_the_middle_of_an_operation_of_its_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The garbage collector runs in whatever thread, which may hold the locks of the store."""
    monkeypatch.setattr("muscle_mem._library.counters.FLUSH_WAIT", 0.05)
    store = SqliteStore(str(tmp_path / "memory.db"))
    held = [used(store)]
    collected = threading.Event()

    def collect() -> None:
        with store._connections.using():
            held.clear()
            gc.collect()
            collected.set()

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    assert collected.wait(30), "the collection waits for a lock of its own thread"
    thread.join(30)
    until = time.monotonic() + 30
    while [stored.standing.hits for stored in store.scan().stored] != [1] and time.monotonic() < until:
        time.sleep(0.01)
    assert [stored.standing.hits for stored in store.scan().stored] == [1]
    store.close()


def test_an_engine_that_is_let_go_says_nothing_of_a_store_that_another_has_closed() -> None:
    program = """
from muscle_mem import Engine
from muscle_mem.store import MemoryStore

store = MemoryStore()
engines = [Engine(store), Engine(store)]
for engine in engines:
    look = engine.tool(effect="read", name="look")(lambda: "seen")
    engine.set_agent(lambda task: look())
    engine("task")
    engine("task")
engines[0].close()
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_hits_after_a_fork_are_written_at_exit(tmp_path: Path) -> None:
    program = """
import multiprocessing, sys
from muscle_mem import Engine

engine = Engine(sys.argv[1])

@engine.tool(effect="read")
def look():
    return 1

engine.set_agent(lambda task: look())

if __name__ == "__main__":
    engine("task")
    child = multiprocessing.get_context("fork").Process(target=engine, args=("task",))
    child.start()
    child.join()
    assert engine("task")
"""
    path = tmp_path / "memory.db"
    script = tmp_path / "program.py"
    script.write_text(program)
    done = subprocess.run([sys.executable, str(script), str(path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    store = SqliteStore(str(path))
    assert [stored.standing.hits for stored in store.scan().stored] in ([1], [2])
    store.close()
