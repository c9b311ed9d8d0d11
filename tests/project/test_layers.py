"""Which room may import which, read from the source with ast. The rooms are described in docs/contributing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import muscle_mem

ROOT = Path(muscle_mem.__file__).parent
Imports = dict[Path, list[tuple[str, bool]]]

CODEC = {"_core.model", "_core.codec"}
BINDING = CODEC | {"_core.redaction", "_core.tools", "_core.binding"}
PLAN = BINDING | {"_core.plan"}
RUN = PLAN | {"_core.run"}
RECORD = RUN | {"_core.record"}
CORE = RECORD | {"_core.replay", "_core.flow"}
READING = CODEC | {"_core.binding", "_core.plan", "_core.export"}
STORES = {"store", "store.sqlite", "store.postgres", "store.folder", "store.locking"}

# Every room may also import itself and `errors`.
MAY: dict[str, set[str]] = {
    "errors": set(),
    "_core.model": set(),
    "_core.codec": CODEC,
    "_core.redaction": CODEC,
    "_core.tools": CODEC,
    "_core.binding": BINDING,
    "_core.plan": PLAN,
    "_core.export": CODEC | {"_core.binding", "_core.plan"},
    "_core.run": RUN,
    "_core.record": RECORD,
    "_core.replay": (RECORD | {"_core.replay"}) - {"_core.redaction"},
    "_core.flow": CORE,
    "_forks": set(),
    "_files": set(),
    "_events": {"_core.model"},
    "events": {"_events"},
    "store": CODEC | {"_core.export", "_core.plan", "_forks", "store.locking"},
    "store.locking": {"_forks", "_files"},
    "checks": CODEC | {"_core.tools", "_files"},
    "_library": CORE | {"store", "_forks"},
    "_runtime": CORE | {"_library", "store", "_events", "_forks"},
    "_session": CORE | {"_runtime"},
    "_engine": CORE | {"store", "_forks", "_events", "_library", "_runtime", "_session"},
    "testing": {"_core.model", "_engine", "store", "store.folder"},
    "integrations": {"_core.model", "_core.tools", "_events", "_session", "checks"},
    "_reading": READING | {"store"},
    "inspector": READING | {"store", "_reading"},
    "cli": READING | {"_engine", "_files", "_reading", "store", "store.sqlite", "inspector", "demo", "integrations"},
    "demo": CODEC | {"_core.tools", "_engine", "_events", "_runtime", "store"},
    "__main__": {"cli"},
}
MAY.update({backend: {"store", "store.locking", "_forks", "_files"} for backend in STORES - {"store", "store.locking"}})
DOORS_TO_BACKENDS = {"store/__init__.py", "store/urls.py"}  # they turn a URL into a store


def room(path: Path) -> str:
    """The room of a file: its top folder, and in `_core` and `store` the folder below it."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] in ("_core", "store") and len(parts) > (1 if parts[0] == "_core" else 2):
        return f"{parts[0]}.{parts[1]}"
    return parts[0]


def found(names: list[str]) -> Path | None:
    """The file of a module of ours, None for a name that is not a module."""
    place = ROOT.joinpath(*names)
    candidates = [place / "__init__.py"]
    if names:
        candidates.append(place.with_name(place.name + ".py"))
    return next((path for path in candidates if path.exists()), None)


def named(path: Path, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, bool]]:
    """(name, is it ours) for each thing an import statement names: a file of ours, or another's top module."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            top, *rest = alias.name.split(".")
            yield (str(found(rest)), True) if top == "muscle_mem" else (top, False)
        return
    parts = (node.module or "").split(".") if node.module else []
    if node.level:
        home = list(path.relative_to(ROOT).parts[: -node.level])
        parts = ["muscle_mem", *home, *parts]
    if parts[0] != "muscle_mem":
        yield parts[0], False
        return
    for alias in node.names:
        yield str(found([*parts[1:], alias.name]) or found(parts[1:])), True


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(ROOT.rglob("*.py"))}


@pytest.fixture(scope="module")
def imports(trees: dict[Path, ast.Module]) -> Imports:
    """What each file imports, also inside functions; but for the door, which hands on names."""
    return {
        path: [
            each
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for each in named(path, node)
        ]
        for path, tree in trees.items()
        if path != ROOT / "__init__.py"
    }


def allowed(path: Path, target: Path) -> bool:
    mine, other = room(path), room(target)
    if mine == other or other == "errors":
        return True
    if str(path.relative_to(ROOT)) in DOORS_TO_BACKENDS and other in STORES:
        return True
    return other in MAY.get(mine, set())


def test_every_room_imports_only_what_it_may(imports: Imports) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {Path(name).relative_to(ROOT)}"
        for path, names in imports.items()
        for name, ours in names
        if ours and not allowed(path, Path(name))
    ]
    assert not wrong


def test_every_room_is_in_the_table(imports: Imports) -> None:
    assert {room(path) for path in imports} <= {*MAY, "_core.__init__"}


def test_the_rooms_have_no_import_circle() -> None:
    """The table itself is a ladder: it can be climbed room by room, each after all that it may import."""
    left, done = {name: needs - {name} for name, needs in MAY.items()}, {"errors"}
    while left:
        ready = {name for name, needs in left.items() if needs <= done}
        assert ready, f"a circle among {sorted(left)}"
        done |= ready
        left = {name: needs for name, needs in left.items() if name not in ready}


# From low to high: each may import the rooms before it.
ROOMS_OF_BINDING = "texts outputs params suspicions tasks references guards inference".split()


def test_the_rooms_of_binding_import_only_lower_ones(imports: Imports) -> None:
    home = ROOT / "_core" / "binding"
    rooms = {path: path.relative_to(home).parts[0] for path in imports if path.parent.parent == home}
    assert set(rooms.values()) == set(ROOMS_OF_BINDING)
    wrong = [
        f"{path.relative_to(home)} imports {Path(name).relative_to(home)}"
        for path, mine in rooms.items()
        for name, ours in imports[path]
        if ours and (other := rooms.get(Path(name)))
        if ROOMS_OF_BINDING.index(other) > ROOMS_OF_BINDING.index(mine)
    ]
    assert not wrong


def test_no_file_lies_flat_in_the_core_but_the_story_of_a_run() -> None:
    assert {path.name for path in (ROOT / "_core").glob("*.py")} == {"__init__.py", "flow.py"}
    assert {path.name for path in (ROOT / "_core" / "binding").glob("*.py")} == {"__init__.py"}


def test_files_of_ours_are_imported_by_relative_names(trees: dict[Path, ast.Module]) -> None:
    absolute = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == "muscle_mem"
    ]
    assert not absolute


PURE = {"asyncio", "sqlite3", "threading", "contextvars", "logging", "os", "time", "subprocess", "socket", "random"}
ALLOWED_IN_CORE = set(
    """
    __future__ ast base64 bisect copy reprlib collections contextlib csv dataclasses datetime decimal dis enum fractions
    functools hashlib html ipaddress
    inspect itertools math msgspec numbers operator pathlib re struct sys types typing
    unicodedata uuid weakref zoneinfo keyword textwrap string builtins
    """.split()
)


def test_the_core_is_pure(imports: Imports) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path, names in imports.items()
        if path.is_relative_to(ROOT / "_core")
        for name, ours in names
        if not ours and (name in PURE or name not in ALLOWED_IN_CORE)
    ]
    assert not wrong


FORBIDDEN = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "importlib"}
LAZY_DOORS = {ROOT / "checks" / "__init__.py"}  # imports its own files, by names that stand in it


def test_nothing_imports_a_pickle_or_runs_what_is_stored(trees: dict[Path, ast.Module], imports: Imports) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path, names in imports.items()
        if room(path) != "demo" and path not in LAZY_DOORS
        for name, _ in names
        if name in FORBIDDEN
    ]
    wrong += [
        f"{path.relative_to(ROOT)}:{node.lineno} calls {node.func.id}"
        for path, tree in trees.items()
        if path != ROOT / "__init__.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"eval", "exec", "__import__"}
    ]
    assert not wrong
