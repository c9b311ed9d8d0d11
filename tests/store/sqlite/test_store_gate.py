"""The write gate: whoever waits at it is the next to pass, and those who come later wait behind."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from muscle_mem.store.locking import write_lock
from muscle_mem.store.locking.write_lock import WriteLock

LONG = 60.0


def is_somebody_next(path: str) -> bool:
    """Whether the place at the gate is taken, as somebody who comes now finds it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        write_lock._lock_queue_place(file, at_once=True)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="locks that belong to an open file are Linux's")
def test_who_waits_at_the_gate_is_next_and_makes_room_when_it_has_passed(tmp_path: Path) -> None:
    path = str(tmp_path / "store.lock")
    passed: list[str] = []

    def pass_as(name: str) -> None:
        with WriteLock(path).held(LONG):
            passed.append(name)

    with WriteLock(path).held(LONG):
        assert not is_somebody_next(path), "who has passed has made room"
        waiting = threading.Thread(target=pass_as, args=("the one who waited",))
        waiting.start()
        until = time.monotonic() + LONG
        while not is_somebody_next(path):
            assert time.monotonic() < until
            time.sleep(0.001)
        late = threading.Thread(target=pass_as, args=("the one who came later",))
        late.start()
    waiting.join(LONG)
    late.join(LONG)
    assert passed == ["the one who waited", "the one who came later"]
    assert not is_somebody_next(path)


def test_a_file_system_without_such_locks_has_a_gate_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_lock, "_lock_queue_place", lambda file, at_once=False: None)
    monkeypatch.setattr(write_lock, "_unlock_queue_place", lambda file: None)
    inside: list[int] = []

    def work(number: int) -> None:
        with WriteLock(str(tmp_path / "store.lock")).held(LONG):
            inside.append(number)
            time.sleep(0.001)
            assert inside[-1] == number, "one at a time"

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert sorted(inside) == list(range(8))
