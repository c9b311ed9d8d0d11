"""Bad days of a store: opened twice, forked, clocks set back, disks full, folders that cannot be written."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import pytest

from muscle_mem import Check, Engine
from muscle_mem.store import MemoryStore, Note, SqliteStore, Store, open_store
from muscle_mem.testing import KEY, a_trajectory, an_observation, ids, standing_of

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs rights, limits and fork")
NOW = 1_700_000_000.0
HOUR, TEN_YEARS = 3600.0, 10 * 365 * 86_400.0


def child(script: str, *args: str) -> str:
    """What a script prints in a process of its own, with warnings as errors."""
    command = [sys.executable, "-W", "error", "-c", script, *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# twice in one process


def test_a_store_opened_twice_in_one_process_is_one_store(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(SqliteStore(path)) as first:
        with closing(SqliteStore(f"{tmp_path}/../{tmp_path.name}/store.db")) as second:
            errors: list[BaseException] = []

            def write(store: Store, name: str) -> None:
                try:
                    for n in range(25):
                        store.seal(a_trajectory(f"{name} {n}"), an_observation(blobs=(b"shared",)))
                except BaseException as error:
                    errors.append(error)

            writers = [threading.Thread(target=write, args=(one, str(n))) for n, one in enumerate((first, second))]
            for writer in writers:
                writer.start()
            for writer in writers:
                writer.join()
            assert not errors
            assert ids(first.scan()) == ids(second.scan())
        first.seal(a_trajectory("after the other was closed"), an_observation())
    with closing(SqliteStore(path)) as store:
        assert len(store.scan().stored) == 51
        assert store.verify()


def test_two_engines_on_one_file_learn_from_each_other(tmp_path: Path) -> None:
    def look(at: str) -> str:
        return at

    engines = [Engine(tmp_path / "store.db") for _ in range(2)]
    for engine in engines:
        tool = engine.tool(effect="read", name="look")(look)
        engine.set_agent(lambda task, tool=tool: tool(task))
    with engines[0], engines[1]:
        assert not engines[0]("a task")
        assert engines[1]("a task")


# forks

FORK = """
import os, sys, warnings
from muscle_mem.store import SqliteStore
from muscle_mem.testing import *
store = SqliteStore(sys.argv[1], signing_key="a key of sixteen bytes")
store.seal(a_trajectory("before"), an_observation(blobs=(b"one", b"two")))
child = os.fork()
if child == 0:
    store.seal(a_trajectory("child"), an_observation(blobs=(b"one",)))
    store.drop(("before",))
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
store.seal(a_trajectory("parent"), an_observation(blobs=(b"two",)))
found = store.backup(sys.argv[1] + ".copy")
print(ids(store.scan()), bool(store.verify()), bool(found), found.blobs)
"""


@posix_only
def test_both_sides_of_a_fork_use_blobs_and_keys(tmp_path: Path) -> None:
    assert child(FORK, str(tmp_path / "store.db")) == "['parent', 'child'] True True 2"


# clocks


FORK_AMID_THREADS = """
import os, signal, sys, threading, warnings
from muscle_mem import Engine
warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of forks amid threads
engine = Engine(sys.argv[1] or None, observers=lambda event: None, max_items=1000)
look = engine.tool(effect="read", name="look")(lambda task: task)
engine.set_agent(lambda task: look(task))
over, held = threading.Event(), threading.Event()
def work(name):
    n = 0
    while not over.is_set():
        engine(f"{name} {n}")
        n += 1
def hold():
    with engine._runtime.library._lock:
        held.set()
        over.wait()
threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
for thread in threads:
    thread.start()
said = []
for n in range(6):
    if n == 5:
        threads.append(threading.Thread(target=hold))
        threads[-1].start()
        held.wait()
    pid = os.fork()
    if not pid:
        signal.alarm(30)
        os._exit(0 if engine(f"child {n}").learned and engine(f"child {n}") else 1)
    said.append(os.waitpid(pid, 0)[1])
over.set()
for thread in threads:
    thread.join()
print(said)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("name", ["store.db", ""])
def test_a_fork_amid_threads_that_use_the_engine_leaves_a_child_that_works(name: str, tmp_path: Path) -> None:
    assert child(FORK_AMID_THREADS, str(tmp_path / name) if name else "") == "[0, 0, 0, 0, 0, 0]"


@pytest.mark.parametrize("back", [HOUR, TEN_YEARS])
def test_a_clock_set_back_changes_no_order(back: float, tmp_path: Path) -> None:
    for opened in (MemoryStore(), SqliteStore(tmp_path / f"{back}.db")):
        with closing(opened) as store:
            store.seal(a_trajectory("old", created=NOW), an_observation("o1", created=NOW))
            store.seal(a_trajectory("new", created=NOW - back), an_observation("o1", created=NOW - back))
            store.seal(a_trajectory("new"), an_observation("o2", created=NOW - back + 1))
            assert ids(store.find(KEY)) == ["new", "old"]
            newest = store.find(KEY).stored[0]
            assert [row.id for _, row in newest.observations] == ["o2", "o1"]
            assert [one.id for one in store.survey()] == ["new", "old"]
            store.note((Note(id="old", last_hit=NOW), Note(id="old", last_hit=NOW - back, hits=1)))
            assert (standing_of(store, "old").last_hit, standing_of(store, "old").hits) == (NOW - back, 1)
            assert ids(store.find(KEY)) == ["new", "old"]


def test_times_before_1970_and_far_away_are_kept(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        for n, time in enumerate((-1.5, -1e12, 1e15, float("inf"), float("-inf"))):
            store.seal(a_trajectory(str(n), created=time), an_observation(created=time))
            assert store.survey()[0].created == time
            stored = store.get(str(n))
            assert stored is not None
            assert stored.sealed.created == time
        assert store.verify()


# disks

FULL = """
import resource, signal, sys
from muscle_mem import Check, Engine
from muscle_mem.errors import StoreError
from muscle_mem.store import SqliteStore
from muscle_mem.testing import *
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = sys.argv[1]
store = SqliteStore(path)
store.seal(a_trajectory("small"), an_observation(blobs=(b"kept",)))
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
told = [
    str(raised_by(lambda: store.seal(a_trajectory("big", body=bytes(10**6)), an_observation()))),
    str(raised_by(lambda: store.seal(a_trajectory("big"), an_observation(blobs=(bytes(10**6),))))),
]
assert all(path in one and "disk" in one for one in told), told
print(ids(store.scan()), end=" ")
print(ids(store.find(KEY)), end=" ")
events = []
engine = Engine(path, observers=events.append)
@engine.tool(effect="read")
def look(at):
    return at
engine.set_agent(lambda task: look(task) and "done")
resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
outcome = engine("a task")
print(outcome.value, outcome.not_learned, any(type(one).__name__ == "StoreEvent" for one in events), end=" ")
backup = raised_by(lambda: store.backup(path + ".copy"))
assert isinstance(backup, StoreError), backup
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.seal(a_trajectory("later"), an_observation())
print(ids(store.scan()), bool(store.verify()))
engine.close()
"""


@posix_only
def test_a_full_disk_costs_the_recording_and_nothing_else(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk and a used-up quota: SQLite sees the same failed write."""
    said = child(FULL, str(tmp_path / "store.db"))
    assert said == "['small'] ['small'] done store_unavailable True ['later', 'small'] True"
    assert sorted(os.listdir(tmp_path)) == ["store.db", "store.db.lock"]


READ_ONLY_FOLDER = """
import os, sys
from muscle_mem import Check, Engine
from muscle_mem.errors import StoreError
from muscle_mem.store import SqliteStore, open_store
import muscle_mem.store.urls
from muscle_mem.testing import *
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
folder = sys.argv[1]
made = raised_by(lambda: SqliteStore(os.path.join(folder, "new.db")))
assert isinstance(made, StoreError) and "writable" in str(made), made
store = SqliteStore(os.path.join(folder, "store.db"))
backup = raised_by(lambda: store.backup(os.path.join(folder, "copy.db")))
assert isinstance(backup, StoreError) and "copy.db" in str(backup), backup
for call in (lambda: store.drop(("t1",)), lambda: store.note((Note(id="t1", hits=1),))):
    assert "read-only" in str(raised_by(call))
print([one.id for one in store.survey()], bool(store.verify()), bool(store.backup(sys.argv[2])))
"""


@posix_only
def test_a_read_only_folder_is_read_and_backed_up_to_elsewhere() -> None:
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as elsewhere:
        os.chmod(elsewhere, 0o777)
        with closing(SqliteStore(Path(folder) / "store.db")) as store:
            store.seal(a_trajectory(), an_observation(blobs=(b"b",)))
        os.chmod(Path(folder) / "store.db", 0o444)
        os.chmod(folder, 0o555)
        try:
            script = READ_ONLY_FOLDER.replace("import *", "import *\nfrom muscle_mem.store import Note")
            assert child(script, folder, f"{elsewhere}/copy.db") == "['t1'] True True"
        finally:
            os.chmod(folder, 0o755)


def test_blobs_are_forgotten_to_the_last_byte(tmp_path: Path) -> None:
    canary = b"canary-7f3a" * 1000
    with closing(SqliteStore(tmp_path / "store.db")) as store:
        store.seal(a_trajectory("gone"), an_observation(blobs=(canary, b"shared" * 500)))
        store.seal(a_trajectory("kept"), an_observation(blobs=(b"shared" * 500,)))
        assert store.forget(("gone",)) == 1
        assert not store.erasure_pending
        assert not [one.name for one in tmp_path.iterdir() if b"canary-7f3a" in one.read_bytes()]
        assert store.verify().blobs == 1


def test_a_store_name_with_everything_in_it(tmp_path: Path) -> None:
    name = 'it\'s "my" store; DROP TABLE--?mode=memory#x%00 ü\n.db'
    for given in (tmp_path / name, str(tmp_path / name)):
        with closing(open_store(given)) as store:
            store.seal(a_trajectory(), an_observation())
            assert isinstance(store, SqliteStore)
            with closing(open_store(store.url)) as again:
                assert ids(again.scan()) == ["t1"]
    assert sorted(os.listdir(tmp_path)) == [name, name + ".lock"]


# damage


def columns(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as raw:
        tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [(table, row[1]) for table in tables for row in raw.execute(f"PRAGMA table_info({table})")]


def edited(path: Path, table: str, column: str) -> bool:
    """Change a column of every row; False if the table does not take it."""
    change = (
        f"CASE typeof({column}) WHEN 'blob' THEN CAST(X'00' || substr({column}, 2) AS BLOB) "
        f"WHEN 'text' THEN {column} || 'x' ELSE {column} + 1 END"
    )
    with closing(sqlite3.connect(path)) as raw, raw:
        try:
            raw.execute(f"UPDATE {table} SET {column} = {change}")
        except sqlite3.IntegrityError:
            return False
    return True


def test_whatever_column_is_edited_the_task_is_done_and_nothing_false_is_replayed(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.db", tmp_path / "edited.db"

    def an_engine(at: Path) -> Engine:
        engine = Engine(at, observers=lambda event: None)
        seen = bytes(range(256)) * 600  # large enough to be kept beside the row
        look = engine.tool(Check(lambda n: seen), effect="read", name="look")(lambda n: n)
        return engine.set_agent(lambda task: look(7))

    with an_engine(whole) as engine:
        assert engine("task").learned
    held = columns(whole)
    assert len(held) > 30
    for table, column in held:
        shutil.copy(whole, path)
        if not edited(path, table, column):
            continue
        with an_engine(path) as engine:
            engine.explain("task")
            for mode in ("frozen", "auto", "shadow", "auto"):
                outcome = engine("task", mode=mode)
                assert outcome.value == 7, (table, column)
                if mode == "frozen" and table in ("trajectory", "standing", "observation", "blob") and column != "n":
                    assert not outcome, (table, column)  # the rest says nothing of what is replayed
            assert asyncio.run(engine.acall("task")).value == 7
            with engine.session("task", mode="frozen") as session:
                session.next()


def test_a_trajectory_without_a_whole_observation_is_a_miss_until_it_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "store.db"

    def an_engine() -> Engine:
        engine = Engine(path, observers=lambda event: None)
        look = engine.tool(effect="read", name="look")(lambda: "seen")
        return engine.set_agent(lambda task: look())

    with an_engine() as engine:
        engine("task")
    assert edited(path, "observation", "created")
    with an_engine() as engine:
        outcome = engine("task")
        assert (outcome.value, outcome.reason, outcome.not_learned) == ("seen", "damaged", "store_unavailable")
        assert engine.explain("task").reason == "damaged"
        assert engine._runtime.library.store.forget() == 1
        assert engine("task").learned
        assert engine("task")


def test_a_new_observation_beside_a_damaged_one_is_replayed(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    world = [1]

    def an_engine() -> Engine:
        engine = Engine(path, observers=lambda event: None)
        look = engine.tool(Check(lambda: world[0]), effect="read", name="look")(lambda: "seen")
        return engine.set_agent(lambda task: look())

    with an_engine() as engine:
        engine("task")
    assert edited(path, "observation", "created")
    with an_engine() as engine:
        assert engine("task").reason == "damaged"
        world[0] = 2
        assert engine("task").learned
        assert engine("task")
        assert engine._runtime.store_health.failures == {}
