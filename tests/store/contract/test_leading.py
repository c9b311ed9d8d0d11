"""Who learns a key: one leader at a time, gone with its holder, and nothing left behind."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from muscle_mem import StoreError
from muscle_mem.store import Leading, MemoryStore, SqliteStore
from muscle_mem.store.folder import FolderStore

KEY, OTHER = b"k" * 32, b"l" * 32
posix = pytest.mark.skipif(sys.platform == "win32", reason="there is no flock")


def test_one_leads_a_key_until_it_lets_go(tmp_path: Path) -> None:
    for store in (MemoryStore(), SqliteStore(tmp_path / "m.db"), FolderStore(tmp_path / "folder")):
        assert isinstance(store, Leading)
        first = store.lead(KEY)
        assert first is not None
        assert store.lead(KEY) is None
        other = store.lead(OTHER)
        assert other is not None
        first.release()
        second = store.lead(KEY)
        assert second is not None
        first.release()  # again: it is not the leader any more
        assert store.lead(KEY) is None
        second.release()
        other.release()
        store.close()
        with pytest.raises(StoreError):
            store.lead(KEY)


@posix
def test_two_stores_on_a_file_agree_and_leave_no_file(tmp_path: Path) -> None:
    one, two = SqliteStore(tmp_path / "m.db"), SqliteStore(tmp_path / "m.db")
    held = one.lead(KEY)
    assert held is not None
    folder = tmp_path / "m.db.leading"
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert two.lead(KEY) is None
    held.release()
    assert not list(folder.iterdir())
    again = two.lead(KEY)
    assert again is not None
    assert one.lead(KEY) is None
    again.release()
    one.close()
    two.close()


@posix
def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "m.db")
    (tmp_path / "m.db.leading").write_text("in the way")
    with pytest.raises(StoreError, match="only the threads of one process"):
        store.lead(KEY)
    store.close()


LEAD_AND_DIE = """
import os, sys, subprocess
from muscle_mem.store import SqliteStore
store = SqliteStore(sys.argv[1])
held = store.lead(b"k" * 32)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, close_fds=False)  # it has whatever it could inherit
print("led", child.pid, flush=True)
input()
os.kill(os.getpid(), 9)
"""


@posix
def test_a_lock_dies_with_its_holder_and_is_no_childs(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "m.db")
    leader = subprocess.Popen(
        [sys.executable, "-c", LEAD_AND_DIE, str(tmp_path / "m.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with leader:
        assert leader.stdout is not None
        assert leader.stdin is not None
        led, child = leader.stdout.readline().split()
        assert led == "led"
        assert store.lead(KEY) is None
        leader.stdin.write("\n")
        leader.stdin.flush()
    try:
        until = time.monotonic() + 60  # the child outlives it; a kernel closes what the dead had open in its own time
        while (held := store.lead(KEY)) is None:
            assert time.monotonic() < until
            time.sleep(0.01)
    finally:
        os.kill(int(child), signal.SIGKILL)
    held.release()
    assert not list((tmp_path / "m.db.leading").iterdir())
    store.close()


@posix
def test_a_forked_child_neither_leads_nor_keeps_the_lock(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "m.db")
    held = store.lead(KEY)
    assert held is not None
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            held.release()  # not its own: this does nothing
            code = 0 if store.lead(KEY) is None and store.lead(OTHER) is not None else 2
            os.write(ready[1], b"x")
            os.read(go[0], 1)
        finally:
            os._exit(code)
    try:
        os.read(ready[0], 1)
        assert store.lead(KEY) is None
        held.release()
        again = store.lead(KEY)
        assert again is not None
        again.release()
    finally:
        os.write(go[1], b"x")
        _, status = os.waitpid(child, 0)
        for end in (*ready, *go):
            os.close(end)
    assert os.waitstatus_to_exitcode(status) == 0
    store.close()
