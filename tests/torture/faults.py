"""Faults at chosen operations on files, by a small C library that stands before the real one.

It is compiled with `cc` when first needed, and preloaded into a process of its own whose forked children are armed
one after the other. Where there is no Linux or no compiler, proofs that need it are skipped and say so.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .figures import Figures

READ, WRITE, SYNC, TRUNCATE, NAME, OPEN, LOCK, MAP, STAT = (1 << n for n in range(9))
CHANGING = WRITE | SYNC | TRUNCATE | NAME
EVERYTHING = (1 << 9) - 1
COUNT, KILL, FAIL, SHORT, TORN = range(5)

HERE = Path(__file__).parent
WHERE = "MUSCLE_MEM_PROOF_SHIM"
# It is preloaded by that process's environment, so that its parent and other programs are left alone.
MISSING = "needs Linux and a C compiler (cc) to stand between the store and its files"


def build(folder: Path) -> Path | None:
    """The compiled library; None where it cannot be made."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not sys.platform.startswith("linux") or compiler is None:
        return None
    library = folder / "shim.so"
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(HERE / "shim.c"), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True)
    return library if done.returncode == 0 else None


def under_shim(module: str, seed: int, size: int, control: str) -> Figures:
    """Run `module.armed(seed, size, control)` in a process with the library before it."""
    with tempfile.TemporaryDirectory() as folder:
        library = build(Path(folder))
        if library is None:
            return Figures(skipped=MISSING)
        command = [sys.executable, "-W", "error", "-m", f"{__package__}.faults", module, str(seed), str(size), control]
        environment = {
            **os.environ,
            "LD_PRELOAD": str(library),
            WHERE: str(library),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        figures = Figures()
        figures.fault("broken", f"the process of {module} ended with {done.returncode}")
        return figures
    return Figures.of(json.loads(done.stdout.splitlines()[-1]))


class Shim:
    """The library, from within the process that it was preloaded into."""

    def __init__(self) -> None:
        self._library: Any = ctypes.CDLL(os.environ[WHERE])
        self._library.shim_counted.restype = ctypes.c_long
        self._library.shim_happened.restype = ctypes.c_long
        self._arm = self._library.shim_arm
        self._arm.argtypes = [ctypes.c_char_p, *[ctypes.c_int] * 3, ctypes.c_long, ctypes.c_int]

    def arm(
        self, folder: Path, kinds: int, action: int = COUNT, at: int = 0, error: int = 0, sticky: bool = False
    ) -> None:
        """From now on, in this process, the `at`-th operation of these kinds under a folder meets the action.

        `sticky`: and all that follow it. `error` is an errno. Logs of writers (`.log`) are left alone.
        """
        self._arm(os.fsencode(folder), kinds, action, error, at, sticky)

    def disarm(self) -> None:
        self._library.shim_disarm()

    def counted(self) -> int:
        """How many operations there were since it was armed."""
        return int(self._library.shim_counted())

    def happened(self) -> int:
        """How many of them met the action."""
        return int(self._library.shim_happened())

    def log_to(self, file: int) -> None:
        """Write down every change of a file, and every sync, as `power.read_record` reads it."""
        self._library.shim_log(file)

    def mark(self, text: str) -> None:
        """A line of our own in that record."""
        self._library.shim_mark(text.encode())


def main() -> None:
    module, seed, size, control = sys.argv[1:]
    armed = importlib.import_module(f"{__package__}.{module}").armed
    print(json.dumps(armed(int(seed), int(size), control).as_dict()))


if __name__ == "__main__":
    main()
