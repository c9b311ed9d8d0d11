"""Who may import whom, read from the source with ast."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import muscle_mem

ROOT = Path(muscle_mem.__file__).parent
PURE = {"asyncio", "sqlite3", "threading", "contextvars", "logging", "os", "time", "subprocess", "socket", "random"}
ENGINE_SIDE = set(
    """
    _engine _decorators _runs _given _session _stepping _turns _said _tools _perform _agent _open _telling _breakers
    _explaining _tending _health _leading
    """.split()
)
LIBRARY_SIDE = {"_memory", "_counts", "_evidence", "_growth"}
MAY = {
    "errors": set(),
    "_core": {"errors"},
    "_source": {"_core"},
    "_context": {"_core", "errors"},
    "_events": {"_core", "errors"},
    "events": {"_events"},
    "_drive": {"_core", "errors"},
    "store": {"_core", "errors"},
    "_library": {"_core", "errors", "store"} | LIBRARY_SIDE,
    "checks": {"_core", "errors"},
    "testing": {"_core", "errors", "store", "_engine", "_scripted"},
    "_scripted": {"errors"},
    "integrations": {"_core", "_events", "errors"},
    "_recordings": {"_core", "errors", "store", "_engine"},
    "cli": {"_core", "errors", "store", "demo", "_engine", "_stale"},
    "_stale": {"_core", "errors", "store", "_engine"},
    "demo": {"_engine", "_core", "_context", "errors", "store"},
    "__main__": {"cli"},
}
MAY.update({room: {"_core", "errors", "store"} for room in LIBRARY_SIDE})
MAY.update(
    {
        room: {"_core", "errors", "store", "_context", "_events", "_drive", "_library", "_source"}
        | ENGINE_SIDE
        | LIBRARY_SIDE
        for room in ENGINE_SIDE
    }
)


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@functools.cache
def imports(path: Path) -> tuple[tuple[str, bool], ...]:
    """(top name, is it ours) of every import in a file, also of those inside functions."""
    found: list[tuple[str, bool]] = []
    depth = len(path.relative_to(ROOT).parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top, _, rest = alias.name.partition(".")
                found.append((rest.split(".")[0] or "__init__", True) if top == "muscle_mem" else (top, False))
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            top, _, rest = (node.module or "").partition(".")
            found.append((rest.split(".")[0] or "__init__", True) if top == "muscle_mem" else (top, False))
        elif isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module.split(".")[0]] if node.module else [alias.name for alias in node.names]
            found += [(name, True) for name in names]
    return tuple(found)


def files() -> list[Path]:
    return [path for path in sorted(ROOT.rglob("*.py")) if path != ROOT / "__init__.py"]


def test_every_room_imports_only_what_it_may() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files()
        for name, ours in imports(path)
        if ours and name != room(path) and name not in MAY.get(room(path), set())
    ]
    assert not wrong


def test_the_core_is_pure() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files()
        if room(path) == "_core"
        for name, ours in imports(path)
        if not ours and (name in PURE or name not in ALLOWED_IN_CORE)
    ]
    assert not wrong


ALLOWED_IN_CORE = set(
    """
    __future__ ast base64 copy reprlib collections contextlib dataclasses datetime decimal dis enum fractions functools
    hashlib
    inspect itertools math msgspec numbers operator pathlib re struct sys types typing
    unicodedata uuid weakref zoneinfo keyword textwrap string
    """.split()
)


FORBIDDEN = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "importlib"}


DOORS = {ROOT / "checks" / "__init__.py"}  # imports its own rooms, by names that stand in it


def test_nothing_imports_a_pickle_or_runs_what_is_stored() -> None:
    wrong = []
    for path in files():
        if room(path) != "demo" and path not in DOORS:
            wrong += [f"{path.relative_to(ROOT)} imports {name}" for name, _ in imports(path) if name in FORBIDDEN]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"eval", "exec", "__import__"}
            ):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} calls {node.func.id}")
    assert not wrong
