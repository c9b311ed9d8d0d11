"""The prototype, muscle-mem 0.1.0: installed beside us in an environment of its own, driven as a child process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent
PINNED = "muscle-mem==0.1.0"


def bench_folder() -> Path:
    return ROOT / ".bench-venv"


def clean_environment() -> dict[str, str]:
    """The environment without what would lead a child to our own package, or keep it from caching bytecode."""
    dropped = {"PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "MUSCLE_MEM_MODE", "VIRTUAL_ENV"}
    return {name: value for name, value in os.environ.items() if name not in dropped}


def make_environment(folder: Path, python: str, packages: list[str]) -> str:
    """A virtual environment with packages in it, made once; its interpreter. Raises RuntimeError if that fails."""
    bin = folder / ("Scripts" if os.name == "nt" else "bin")
    interpreter = str(bin / "python")
    stamp = folder / ".ready"
    if stamp.exists():
        return interpreter
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        "--retries=1",
        "--python",
        interpreter,
    ]
    for command in (
        [python, "-m", "venv", "--clear", "--without-pip", str(folder)],
        [*pip, "install", *packages],
    ):
        done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), timeout=600)
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise RuntimeError(f"{' '.join(command[1:4])} failed: {said[-1] if said else 'no message'}")
    stamp.touch()
    return interpreter


def install() -> Prototype:
    """The prototype on this Python, or one that says why it is not there."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    try:
        python = make_environment(bench_folder() / f"prototype-{version}", sys.executable, [PINNED])
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        return Prototype(missing=f"not installed ({error})")
    return Prototype(python)


class Prototype:
    """A child process that sets a workload up, runs blocks of it, and answers with figures.

    `missing` says why there is none; then every workload is refused with that.
    """

    def __init__(self, python: str = "", missing: str = "") -> None:
        self.python = python
        self.missing = missing
        self._child: subprocess.Popen[str] | None = None

    def set_up(self, workload: str, options: dict[str, Any]) -> str:
        """Make ready for `block`; empty, or why it cannot be done."""
        if self.missing:
            return "not measured"
        return str(self._ask({"do": "set_up", "workload": workload, "options": options}).get("cannot", ""))

    def block(self, n: int) -> int:
        """Nanoseconds of n calls, taken in the child."""
        return int(self._ask({"do": "block", "n": n})["ns"])

    def measure(self, what: str, options: dict[str, Any]) -> dict[str, Any]:
        """Figures that are taken in a child of their own; `cannot` in it says why not."""
        if self.missing:
            return {"cannot": "not measured"}
        self.close()
        try:
            return self._ask({"do": "measure", "workload": what, "options": options})
        finally:
            self.close()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._child is None:
            self._child = subprocess.Popen(
                [self.python, str(Path(__file__).with_name("prototype_child.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=clean_environment(),
            )
        _pipe(self._child.stdin).write(json.dumps(request) + "\n")
        _pipe(self._child.stdin).flush()
        line = _pipe(self._child.stdout).readline()
        if not line:
            code = self._child.wait()
            self._child = None
            return {"cannot": f"its process ended with code {code}"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            _pipe(self._child.stdin).close()
            _pipe(self._child.stdout).close()
            self._child.wait(timeout=30)
            self._child = None


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
