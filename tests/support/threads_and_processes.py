"""Many threads at once, or many processes, for tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from muscle_mem import Engine
from muscle_mem.store import Store

THREADS = 8


def quiet(store: Store | None = None, **options: Any) -> Engine:
    """An engine that logs nothing."""
    return Engine(store, observers=[lambda event: None], **options)


@contextmanager
def switching_often() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def in_threads(work: Callable[[int], Any], count: int = THREADS) -> list[Any]:
    """What each of so many threads makes of its number; they start together."""
    gate = threading.Barrier(count)

    def begin(number: int) -> Any:
        gate.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(begin, number) for number in range(count)]]


PROCESS = """
import os, sys, threading, time
from muscle_mem import Engine
engine = Engine(sys.argv[1], miss_wait=300.0, observers=[lambda event: None])
tool = engine.tool(effect="read", name="tool")(lambda: "done")
def agent(task):
    with open(sys.argv[2], "ab", 0) as file:
        file.write(b"%d\\n" % os.getpid())
    if sys.argv[3:] == ["hang"]:
        print("leads", flush=True)
        time.sleep(3600)
    return tool()
def tell_of_waiting():
    while not engine.cache_info().waited:
        time.sleep(0.01)
    print("waits", flush=True)
engine.set_agent(agent)
print("ready", flush=True)
sys.stdin.readline()
if sys.argv[3:] != ["hang"]:
    threading.Thread(target=tell_of_waiting, daemon=True).start()
outcome = engine("task")
print(outcome.status, outcome.value, flush=True)
engine.close()
"""


def process(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def say(one: subprocess.Popen[str]) -> None:
    assert one.stdin is not None
    one.stdin.write("go\n")
    one.stdin.flush()


def hear(one: subprocess.Popen[str]) -> str:
    assert one.stdout is not None
    return one.stdout.readline().strip()


def one_of_eight_leads(store: str, runs: Path) -> None:
    """One of eight processes that wait for a leader asks its agent, once the leader was killed in its own run."""
    leader = process(store, str(runs), "hang")
    assert hear(leader) == "ready"
    say(leader)
    assert hear(leader) == "leads"
    others = [process(store, str(runs)) for _ in range(8)]
    for one in others:
        assert hear(one) == "ready"
    for one in others:
        say(one)
    for one in others:
        assert hear(one) == "waits"
    assert len(runs.read_bytes().splitlines()) == 1
    os.kill(leader.pid, signal.SIGKILL)
    with leader:
        pass
    said = []
    for one in others:
        said.append(hear(one))
        with one:
            pass
    assert sorted(said) == ["hit done"] * 7 + ["miss done"]
    assert len(runs.read_bytes().splitlines()) == 2
