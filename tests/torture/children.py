"""Forked children: cheap, from a warm parent, and able to die without taking it along."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

Work = Callable[[], Any]


@contextmanager
def scratch(fast: bool = False) -> Iterator[Path]:
    """A folder for one seed. `fast`: in memory where there is such a place, for proofs that do not ask the disk."""
    place = "/dev/shm" if fast and os.path.isdir("/dev/shm") else None
    folder = tempfile.mkdtemp(prefix="muscle-mem-proof-", dir=place)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fork(work: Work) -> int:
    """The id of a child that does this and nothing else. It ends with 0, or with 1 and a line on stderr."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _do(work)
    return pid


def _do(work: Work) -> NoReturn:
    code = 1
    try:
        gc.freeze()  # what the parent has is not this child's to finalize
        work()
        code = 0
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        print(f"{place.name}, line {place.lineno}: {type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(code)


def ended(pid: int) -> int:
    """Wait for a child: its code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kill(pid: int) -> int:
    """kill -9, and wait."""
    os.kill(pid, signal.SIGKILL)
    return ended(pid)


class Child:
    """A child whose work answers with something that JSON can say."""

    def __init__(self, work: Work) -> None:
        self._answer, write = os.pipe()

        def answer() -> None:
            os.close(self._answer)
            said = json.dumps(work()).encode()
            while said:
                said = said[os.write(write, said) :]

        self.pid = fork(answer)
        os.close(write)

    def result(self) -> tuple[int, Any]:
        """Its code as of `ended`, and its answer; None if it gave none."""
        parts = []
        while part := os.read(self._answer, 1 << 16):
            parts.append(part)
        os.close(self._answer)
        code = ended(self.pid)
        text = b"".join(parts)
        return code, json.loads(text) if code == 0 and text else None


def in_child(work: Work) -> tuple[int, Any]:
    """Do this in a child and wait; see `Child.result`."""
    return Child(work).result()


class StartLine:
    """Lets many children go at once."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def wait(self) -> None:
        """In a child: until the parent says go, or is gone."""
        os.close(self._write)
        os.read(self._read, 1)

    def go(self) -> None:
        """In the parent."""
        os.close(self._write)
        os.close(self._read)
