"""Stores over forks, and a making that is killed; `tests/torture` holds the proofs of what was acknowledged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs signals and fork")


def start(script: str, *args: str) -> subprocess.Popen[str]:
    """A Python process, with warnings as errors, that the test must end."""
    command = [sys.executable, "-W", "error", "-c", script, *args]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def run(script: str, *args: str) -> str:
    """What a script prints, if it ends well."""
    process = start(script, *args)
    try:
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, err
    return out


KILLED_WHILE_MAKING = """
import os, sys
from muscle_mem.store import SqliteStore
from muscle_mem.store.sqlite import opening
from muscle_mem.testing import a_trajectory, an_observation, ids
folder = sys.argv[1]
real = opening.connect
for n in range(1000):
    path = os.path.join(folder, f"{n}.db")
    child = os.fork()
    if child == 0:
        left = n
        def count(statement):
            global left
            if left == 0:
                os._exit(9)
            left -= 1
        def connect(*args):
            connection = real(*args)
            connection.set_trace_callback(count)
            return connection
        opening.connect = connect
        store = SqliteStore(path)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    store = SqliteStore(path)
    store.seal(a_trajectory(), an_observation())
    assert ids(store.scan()) == ["t1"]
    store.close()
    assert sorted(f for f in os.listdir(folder) if f.startswith(f"{n}.")) == [f"{n}.db", f"{n}.db.lock"]
    if code == 0:
        break
print(n)
"""


@posix_only
def test_a_making_killed_at_any_statement_is_made_good_by_the_next(tmp_path: Path) -> None:
    assert int(run(KILLED_WHILE_MAKING, str(tmp_path))) > 10


FORK = """
import os, sys, threading, time
from muscle_mem.store import MemoryStore, SqliteStore
from muscle_mem.testing import KEY, a_trajectory, an_observation, ids
store, memory = SqliteStore(sys.argv[1]), MemoryStore()
for one in (store, memory):
    one.seal(a_trajectory("before"), an_observation())
before = store.version(KEY)
ready, go = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    store.seal(a_trajectory("child 1"), an_observation())
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    store.seal(a_trajectory("child 2"), an_observation())  # its parent has closed the store by now
    memory.seal(a_trajectory("child"), an_observation())
    assert ids(memory.find(KEY)) == ["child", "before"]
    os._exit(0)
os.read(ready[0], 1)
assert store.version(KEY) != before
assert ids(store.find(KEY)) == ["child 1", "before"]
store.seal(a_trajectory("parent"), an_observation())
store.close()
os.write(go[1], b"x")
assert os.waitpid(child, 0)[1] == 0
store = SqliteStore(sys.argv[1])
print(ids(store.find(KEY)), ids(memory.find(KEY)))
"""


@posix_only
def test_parent_and_child_of_a_fork_both_write_and_lose_nothing(tmp_path: Path) -> None:
    shown = run(FORK, str(tmp_path / "store.db")).strip()
    assert shown == "['child 2', 'parent', 'child 1', 'before'] ['before']"


FORK_AMID_WRITES = """
import os, sys, threading, warnings
from muscle_mem.store import SqliteStore
from muscle_mem.testing import a_trajectory, an_observation
warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tried here
store = SqliteStore(sys.argv[1])
stop, done = threading.Event(), []
def write(name):
    n = 0
    while not stop.is_set():
        store.seal(a_trajectory(f"{name} {n}"), an_observation())
        done.append(f"{name} {n}")
        n += 1
threads = [threading.Thread(target=write, args=(name,)) for name in ("a", "b")]
for thread in threads: thread.start()
children = []
for n in range(8):
    child = os.fork()
    if child == 0:
        for m in range(3):
            store.seal(a_trajectory(f"child {n} {m}"), an_observation())
        store.close()
        os._exit(0)
    children.append(child)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads: thread.join()
done += [f"child {n} {m}" for n in range(8) for m in range(3)]
store.close()
print(len(done))
again = SqliteStore(sys.argv[1])
found = again.scan(limit=1_000_000)
assert {one.sealed.id for one in found.stored} == set(done) and not found.damaged
again.close()
"""


@posix_only
def test_forks_amid_the_writes_of_threads_lose_nothing(tmp_path: Path) -> None:
    assert int(run(FORK_AMID_WRITES, str(tmp_path / "store.db"))) > 24


WILD_FORK = """
import ctypes, os, sys
from muscle_mem.errors import StoreError
from muscle_mem.store import SqliteStore
from muscle_mem.testing import KEY, a_trajectory, an_observation, ids, raised_by
store = SqliteStore(sys.argv[1])
store.seal(a_trajectory(), an_observation())
child = ctypes.PyDLL(None).fork()  # past Python's back
if child == 0:
    calls = [lambda: store.find(KEY), lambda: store.version(KEY), lambda: SqliteStore(sys.argv[1])]
    told = [str(raised_by(call)) for call in calls]
    store.close()
    del store
    sys.exit(0 if all("Open the store after the fork" in one for one in told) else repr(told))
assert os.waitpid(child, 0)[1] == 0
store.seal(a_trajectory("t2"), an_observation())
other = SqliteStore(sys.argv[1])
assert ids(other.find(KEY)) == ids(store.find(KEY)) == ["t2", "t1"]
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks through the C library")
def test_a_process_forked_past_pythons_back_does_not_touch_the_store(tmp_path: Path) -> None:
    run(WILD_FORK, str(tmp_path / "store.db"))
