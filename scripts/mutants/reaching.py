"""Which tests can tell a mutant from the code: those that execute its lines, found out once per state of the tree."""

from __future__ import annotations

import ast
import hashlib
import json
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from . import watching
from .changing import Mutant, text_of
from .running import Copy, files_of

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class TestsFailError(Exception):
    """The tests fail without any mutant."""


class Reach:
    """Who executes what: the tests of each line of each file, and the seconds that a test takes."""

    def __init__(
        self, root: Path, source: Path, lines: dict[Path, dict[int, set[str]]], times: dict[str, float]
    ) -> None:
        self.root = root
        self.times = times
        self._lines = lines
        self._trees = {
            file: ast.parse(text_of(root, file))
            for file in files_of(root)
            if file.suffix == ".py" and file.is_relative_to(source)
        }

    def tests(self, mutant: Mutant) -> list[str]:
        """The tests that execute a mutant's lines in the process of pytest, likely killers first."""
        return self._ordered(self._of_lines(self._lines_of(mutant)))

    def near(self, mutant: Mutant) -> list[str]:
        """The tests that execute anything of a mutant's file."""
        return self._ordered({test for tests in self._lines.get(mutant.path, {}).values() for test in tests})

    def _of_lines(self, places: Iterable[tuple[Path, int]]) -> set[str]:
        nobody: dict[int, set[str]] = {}
        return {test for path, line in places for test in self._lines.get(path, nobody).get(line, ())}

    def _ordered(self, tests: Iterable[str]) -> list[str]:
        """Quick ones first; of a parametrized test first one, then the others."""
        variants: defaultdict[str, int] = defaultdict(int)
        ranked = []
        for test in sorted(tests, key=lambda test: (self.times[test], test)):
            function = test.split("[")[0]
            ranked.append((variants[function] > 0, self.times[test], test))
            variants[function] += 1
        return [test for _, _, test in sorted(ranked)]

    def _lines_of(self, mutant: Mutant) -> Iterator[tuple[Path, int]]:
        """The lines whose execution matters: its own in a function; else those that use what it defines."""
        names: set[str] = set()
        for node in _around(self._trees[mutant.path], mutant.line):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                inside = node.body[0].lineno <= mutant.line
                lines = _statement(node, mutant.line) if inside else _lines(node.body)
                yield from ((mutant.path, line) for line in lines)
                return
            names |= {node.name} if isinstance(node, ast.ClassDef) else _assigned(node)
        for path, tree in self._trees.items():
            yield from ((path, line) for line in _using(tree, names))


def _assigned(node: ast.AST) -> set[str]:
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}


def _around(tree: ast.AST, line: int) -> Iterator[ast.AST]:
    """The nodes around a line, the outermost first."""
    for child in ast.iter_child_nodes(tree):
        if getattr(child, "lineno", line + 1) <= line <= getattr(child, "end_lineno", 0) or _decorated(child, line):
            yield child
            yield from _around(child, line)


def _decorated(node: ast.AST, line: int) -> bool:
    first = next(iter(getattr(node, "decorator_list", ())), None)
    return first is not None and first.lineno <= line <= node.lineno  # type: ignore[attr-defined]


def _statement(function: ast.AST, line: int) -> Iterable[int]:
    """The lines of the innermost statement at a line, without the statements in it."""
    found = [node for node in _around(function, line) if isinstance(node, ast.stmt)]
    if not found:
        return (line,)
    body = getattr(found[-1], "body", None)
    end = body[0].lineno - 1 if isinstance(body, list) and body else found[-1].end_lineno
    return range(found[-1].lineno, max(end or line, line) + 1)


def _lines(body: Iterable[ast.stmt]) -> Iterable[int]:
    return {node.lineno for part in body for node in ast.walk(part) if isinstance(node, ast.stmt)}


def _using(tree: ast.AST, names: set[str]) -> Iterator[int]:
    """The lines inside of functions where one of these names is used."""
    for function in ast.walk(tree):
        if isinstance(function, FUNCTIONS):
            for node in ast.walk(function):
                if getattr(node, "id", None) in names or getattr(node, "attr", None) in names:
                    yield node.lineno  # type: ignore[attr-defined]


def reach_of(root: Path, source: Path, tests: list[str], jobs: int, cache: Path) -> Reach:
    """The reach of this state of the tree. The first time all tests are run for it; raises TestsFailError."""
    folder = cache / _digest(root, source, tests)
    if not (folder / "whole").exists():
        shutil.rmtree(folder.parent, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder.parent / ".gitignore").write_text("*\n")
        print("running all tests once, to see which executes what; until a file changes this is kept", flush=True)
        (folder / "whole").write_text(json.dumps(_watch(root, source, tests, jobs, folder)))
    prefix, unsteady = json.loads((folder / "whole").read_text())
    times: dict[str, float] = {}
    for file in folder.glob(f"{watching.TIMES}.*"):
        times.update(json.loads(file.read_text()))
    for id in unsteady:
        times.pop(id, None)
    return Reach(root, source, _read(folder, Path(prefix), times), times)


def _digest(root: Path, source: Path, tests: list[str]) -> str:
    """What a reach depends on: all code of the tree, which Python, and which tests."""
    found = hashlib.sha256(repr((sys.version, source.as_posix(), tests)).encode())
    for file in files_of(root):
        if file.suffix in (".py", ".toml", ".ini", ".cfg"):
            found.update(file.as_posix().encode() + b"\0" + (root / file).read_bytes())
    return found.hexdigest()[:16]


def _watch(root: Path, source: Path, tests: list[str], jobs: int, folder: Path) -> tuple[str, list[str]]:
    """Run all tests; where the copy was, and which tests fail only sometimes, and so prove nothing."""
    copy = Copy(root)
    try:
        environment = {watching.FOLDER: str(folder.resolve()), watching.SOURCE: str(copy.path / source)}
        shared = ("-n", str(jobs), "--dist", "loadfile") if jobs > 1 else ()
        ran = copy.pytest(*shared, *tests, environment=environment | {"COVERAGE_CORE": "ctrace"})
        if ran.code not in (0, 1) or (ran.code and not ran.failed):
            raise TestsFailError(ran.text)
        if ran.failed and copy.test(ran.failed, 600).code != 0:
            raise TestsFailError(ran.text)
        return str(copy.path), ran.failed
    finally:
        copy.close()


def _read(folder: Path, prefix: Path, times: dict[str, float]) -> dict[Path, dict[int, set[str]]]:
    from coverage import CoverageData

    found: dict[Path, dict[int, set[str]]] = {}
    for file in folder.glob(f"{watching.LINES}.*"):
        data = CoverageData(basename=str(file))
        data.read()
        for measured in data.measured_files():
            lines = found.setdefault(Path(measured).relative_to(prefix), {})
            for line, contexts in data.contexts_by_lineno(measured).items():
                lines.setdefault(line, set()).update(times.keys() & set(contexts))
    return found
