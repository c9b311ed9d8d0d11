"""What was acknowledged is never lost, what is partial or damaged is never seen: proofs with real processes."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from muscle_mem.store import SqliteStore
from muscle_mem.testing import a_trajectory, an_observation, ids

TORTURE = int(os.environ.get("MUSCLE_MEM_TORTURE", "1"))

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs signals and fork")

WRITER = """
import os, sys
from muscle_mem.store import Note, SqliteStore
from muscle_mem.testing import a_trajectory, an_observation
path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = SqliteStore(path, busy_timeout=60)
sys.stdin.readline()
for n in range(count):
    id = f"{name}-{n}"
    body = (id * 50 * (n % 40)).encode()
    key = bytes([n % 3]) * 32
    seq = store.seal(a_trajectory(id, key, body=body), an_observation(id, body), Note(id=id, hits=7))
    store.seal(a_trajectory("shared"), an_observation(id, body), Note(id="shared", hits=1))
    os.write(1, f"{id} {seq}\\n".encode())
store.close()
"""


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


def check_writers(path: Path, acknowledged: dict[str, int]) -> None:
    """All that was acknowledged is there, and all that is there is whole."""
    with closing(SqliteStore(path)) as store:
        found = store.scan(limit=1_000_000)
        assert found.damaged == ()
        whole = {one.sealed.id: one for one in found.stored}
        shared = whole.pop("shared", None)
        assert set(acknowledged) <= set(whole)
        for id, one in whole.items():
            body = (id * 50 * (int(id.rpartition("-")[2]) % 40)).encode()
            assert (one.sealed.body, one.standing.hits) == (body, 7)
            assert [row.body for _, row in one.observations] == [body]
            assert one.seq == acknowledged.get(id, one.seq)
        if shared is not None:
            assert len(shared.observations) == shared.standing.hits
            assert set(acknowledged) <= {row.id for _, row in shared.observations}
        with store._connections.using() as lease:
            assert lease.connection is not None
            assert lease.connection.execute("PRAGMA integrity_check").fetchone() == (b"ok",)


@posix_only
def test_writers_killed_at_any_instant_lose_nothing_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    acknowledged: dict[str, int] = {}
    chance = random.Random()
    for turn in range(6 * TORTURE):
        writers = [start(WRITER, str(path), f"w{turn}.{n}", "100000") for n in range(1 + turn % 4)]
        try:
            for writer in writers:
                assert writer.stdin is not None
                writer.stdin.write("go\n")
                writer.stdin.flush()
            if turn % 3:  # else they are killed while they start
                assert writers[0].stdout is not None
                select.select([writers[0].stdout], [], [], 30)
            time.sleep(chance.random() * 0.15)
        finally:
            for writer in writers:
                writer.send_signal(signal.SIGKILL)
        for writer in writers:
            out, err = writer.communicate()
            assert err == ""
            for line in out.split("\n")[:-1]:
                id, seq = line.split()
                acknowledged[id] = int(seq)
        check_writers(path, acknowledged)
    assert acknowledged


def test_many_writers_see_no_lock_and_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    writers = [start(WRITER, str(path), f"w{n}", str(6 * TORTURE)) for n in range(8)]
    acknowledged: dict[str, int] = {}
    try:
        for writer in writers:  # all are let go at once, the first opening of the store included
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        for writer in writers:
            out, err = writer.communicate(timeout=120 * TORTURE)
            assert writer.returncode == 0, err
            acknowledged |= {line.split()[0]: int(line.split()[1]) for line in out.splitlines()}
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    assert len(acknowledged) == 8 * 6 * TORTURE
    assert len(set(acknowledged.values())) == len(acknowledged)
    check_writers(path, acknowledged)


KILLED_WHILE_MAKING = """
import os, sys
from muscle_mem.store import SqliteStore, opening
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


KILLED_WHILE_MIGRATING = """
import os, shutil, sys
from muscle_mem.store import SqliteStore, schema, sqlite
golden, folder = sys.argv[1:]
real = sqlite.connect
seen = []
for n in range(1000):
    path = os.path.join(folder, f"{n}.db")
    shutil.copy(golden, path)
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
        sqlite.connect = connect
        SqliteStore(path)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    connection = real(path, sqlite.Access.WRITE, 1.0)
    version, names = schema.user_version(connection), set(schema.shape(connection))
    columns = [row[1] for row in connection.execute("PRAGMA table_info(observation)")]
    minimum = schema.min_reader(connection)
    connection.close()
    new = ("blob" in names, "blob_user" in names, b"blobs" in columns, minimum == 2)
    assert new == (version == 2,) * 4, n
    seen.append(version)
    store = SqliteStore(path)
    assert [one.sealed.id for one in store.scan().stored] == ["one", "big", "two"], n
    assert [one.id for one in store.scan().damaged] == ["spoilt"], n
    store.close()
    if code == 0:
        break
print(len(seen), seen[0], seen[-1])
"""


@posix_only
def test_a_migration_killed_at_any_statement_leaves_a_whole_version(tmp_path: Path) -> None:
    golden = Path(__file__).parent / "golden" / "store-v1.db"
    statements, first, last = map(int, run(KILLED_WHILE_MIGRATING, str(golden), str(tmp_path)).split())
    assert statements > 15
    assert (first, last) == (1, 2)


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


DAMAGED_FILES = """
import json, os, random, shutil, sys
from muscle_mem.errors import StoreError
from muscle_mem.store import SqliteStore, opening
from muscle_mem.testing import a_trajectory, an_observation
opening.SECOND_LOOKS = 0  # nobody is writing: a broken header is broken
original, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
store = SqliteStore(original)
truth = {one.sealed.id: one for one in store.scan(limit=1000).stored}
keys = {one.sealed.key for one in truth.values()}
store.close()
chance = random.Random(seed)
size = os.path.getsize(original)
tally = {"refused": 0, "offered": 0, "reported": 0, "missing": 0, "altered": 0}

def spoil(path):
    with open(path, "r+b") as file:
        kind = chance.randrange(4)
        for _ in range(chance.choice([1, 1, 4, 30])):
            file.seek(chance.randrange(100 if chance.random() < 0.5 else 0, size))
            if kind == 0: file.write(bytes([chance.randrange(256)]))
            if kind == 1: file.write(bytes(chance.randrange(1, 600)))
            if kind == 2: file.write(chance.randbytes(chance.randrange(1, 64)))
        if kind == 3: file.truncate(chance.randrange(size))

def answers(store):
    yield lambda: store.scan(limit=1000).stored
    for key in keys: yield lambda: store.find(key).stored
    for id in truth: yield lambda: [one for one in [store.get(id)] if one]

for n in range(count):
    path = f"{original}.{n}"
    shutil.copy(original, path)
    spoil(path)
    try:
        store = SqliteStore(path)
    except StoreError:
        tally["refused"] += 1
        continue
    for ask in answers(store):
        try:
            found = ask()
        except StoreError:
            tally["reported"] += 1
            continue
        for one in found:
            tally["offered"] += 1
            right = truth.get(one.sealed.id)
            rows = set(one.observations)
            same = right and (one.sealed, one.seq, one.standing) == (right.sealed, right.seq, right.standing)
            tally["altered"] += not (same and rows <= set(right.observations))
    try:
        store.seal(a_trajectory("new"), an_observation())
        store.seal(a_trajectory("0"), an_observation("new"))
    except StoreError:
        pass
    try:
        store.forget()
    except StoreError:
        pass
    store.close()
    for end in ("", "-wal", "-shm", ".lock"):
        if os.path.exists(path + end): os.unlink(path + end)
print(json.dumps(tally))
"""


def test_damaged_files_never_yield_altered_content(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(SqliteStore(path)) as store:
        for n in range(24):
            body = random.Random(n).randbytes(40 * n * n)
            store.seal(a_trajectory(str(n), bytes([n % 5]) * 32, body=body), an_observation(body=body))
            store.seal(a_trajectory(str(n)), an_observation("o2", body=body))
        assert len(ids(store.scan())) == 24
    seed = random.randrange(10**9)
    tally = json.loads(run(DAMAGED_FILES, str(path), str(60 * TORTURE), str(seed)))
    assert tally["altered"] == 0, f"seed {seed}: {tally}"
    assert tally["offered"] > 0
    assert tally["reported"] + tally["refused"] > 0
