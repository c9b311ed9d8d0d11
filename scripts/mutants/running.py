"""Running tests in private copies of the tree, so that nobody's files are ever altered."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from . import watching
from .changing import Mutant, text_of

TOOL = Path(__file__).resolve().parents[2]  # from where the plugin is imported
MEMORY = 4_000_000  # kilobytes of data that a run of tests may have: a mutant may collect without end


class Ran(NamedTuple):
    """What a run of tests came to: the exit code, None if it took too long, and what it printed."""

    code: int | None
    text: str

    @property
    def failed(self) -> list[str]:
        """The ids of the tests that failed."""
        return re.findall(r"^(?:FAILED|ERROR) (\S+?::.*?)(?: - .*)?$", self.text, re.MULTILINE)

    @property
    def why(self) -> str:
        """Which test said no; what pytest said, where it did not come to any test."""
        said = re.findall(r"^(?:FAILED|ERROR|E  ) *(.*)", self.text, re.MULTILINE)
        return self.failed[0] if self.failed else (said[0].strip() if said else f"pytest's exit code {self.code}")


class Copy:
    """A private copy of the files of a tree, in which tests are run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True)
        self.path = Path(self._folder.name).resolve() / "tree"
        for file in files_of(root):
            target = self.path / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / file, target)

    def close(self) -> None:
        """Remove it."""
        self._folder.cleanup()

    def mutate(self, mutant: Mutant) -> None:
        """Write a mutant's file."""
        self._write(mutant.path, mutant.applied(text_of(self.root, mutant.path)))

    def restore(self, path: Path) -> None:
        """Write a file as it is in the tree."""
        self._write(path, text_of(self.root, path))

    def _write(self, path: Path, text: str) -> None:
        file = self.path / path
        file.write_text(text, encoding="utf-8")
        for old in file.parent.glob(f"__pycache__/{file.stem}.*"):  # it may look as young as the new file
            old.unlink()

    def test(self, ids: Sequence[str], seconds: float) -> Ran:
        """Run tests in the order in which they are named, until one fails."""
        chosen = self.path.parent / "chosen"
        chosen.write_text("\n".join(ids), encoding="utf-8")
        files = dict.fromkeys(id.split("::")[0] for id in ids)
        return self.pytest("-x", *files, seconds=seconds, environment={watching.CHOSEN: str(chosen)})

    def pytest(self, *arguments: str, seconds: float | None = None, environment: dict[str, str] | None = None) -> Ran:
        """Run pytest here, with the plugin. What is left of it after its time is killed."""
        path = (self.path / "src", self.path, TOOL, *filter(None, [os.environ.get("PYTHONPATH")]))
        given = {name: value for name, value in os.environ.items() if not name.startswith("MUTANTS_")}
        given |= {"PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONHASHSEED": "0", "COLUMNS": "500"}
        given |= environment or {}
        same = ("--hypothesis-seed=0",) if find_spec("hypothesis") else ()
        command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=line", "-p", "no:randomly", "-p"]
        command += ["no:cacheprovider", "-p", watching.__name__, *same, *arguments]
        limited = ["sh", "-c", f'ulimit -d {MEMORY} 2>/dev/null; exec "$@"', "sh", *command]
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
            process = subprocess.Popen(
                limited, cwd=self.path, env=given, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
            )
            try:
                code: int | None = process.wait(seconds)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                _end(process)
            said.seek(0)
            return Ran(code, said.read())


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what a run has started, and the run if it is still there."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def files_of(root: Path) -> list[Path]:
    """The files of a tree: those that git knows or would take; without git, all that are not hidden or compiled."""
    command = ["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z"]
    if (root / ".git").exists():
        listed = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
        found = [Path(name) for name in listed if name]
    else:
        found = [file.relative_to(root) for file in root.rglob("*")]
    return sorted(path for path in found if (root / path).is_file() and not _is_made(path))


def _is_made(path: Path) -> bool:
    return any(part == "__pycache__" or part.startswith(".") for part in path.parts[:-1])
