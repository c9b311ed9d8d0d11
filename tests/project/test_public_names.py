"""The door: what users may rely on, and what comes along when they knock."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import muscle_mem

NAMES = set(
    """
    Answered AskAgent AsyncSession Call Finished Session
    CacheInfo Check CurrentRun DamagedStoreError DecodeError Divergence Diverged
    Engine Explanation ForeignStoreError Handover InvalidTypeError InvalidValueError Missed
    MissingExtraError MuscleMemError NewerStoreError NotFoundError NotReadyError NotStorableError Outcome Param Pruned
    Reason Secret StoreError TooLargeError UnknownTypeError checks current_run register
    DeclaredEach DeclaredFlow each ref
    """.split()
)


def test_the_public_names_are_a_closed_list() -> None:
    assert set(muscle_mem.__all__) == NAMES
    assert all(hasattr(muscle_mem, name) for name in NAMES)


def test_the_engine_is_a_class_of_its_own_with_a_runtime_behind_it() -> None:
    assert muscle_mem.Engine.__mro__ == (muscle_mem.Engine, object)


def test_every_public_name_says_what_it_is_for() -> None:
    assert all(getattr(muscle_mem, name).__doc__ for name in NAMES)


@pytest.mark.parametrize(
    "home", ["muscle_mem", "muscle_mem.events", "muscle_mem.store", "muscle_mem.store.folder", "muscle_mem.testing"]
)
def test_public_classes_name_the_module_that_users_import_them_from(home: str) -> None:
    """So that pickles and tracebacks survive a move of the file that defines them."""
    module = importlib.import_module(home)
    classes = [value for name in module.__all__ if isinstance(value := getattr(module, name), type)]
    assert len(classes) > 0
    for found in classes:
        assert found.__module__ in (home, "muscle_mem"), found
        assert getattr(importlib.import_module(found.__module__), found.__name__) is found


@pytest.mark.parametrize("name", sorted(NAMES - {"checks"}))
def test_every_name_of_the_door_is_pickled_by_that_door(name: str) -> None:
    value = getattr(muscle_mem, name)
    assert value.__module__ == "muscle_mem"
    assert pickle.loads(pickle.dumps(value)) is value


@pytest.mark.parametrize("home", ["muscle_mem", "muscle_mem.events", "muscle_mem.store", "muscle_mem.testing"])
def test_the_type_hints_of_public_classes_resolve_where_users_import_them_from(home: str) -> None:
    """Whatever reads annotations looks for their names in the module that the class names."""
    module = importlib.import_module(home)
    for found in [value for name in module.__all__ if isinstance(value := getattr(module, name), type)]:
        typing.get_type_hints(found)
    assert typing.get_type_hints(muscle_mem.Outcome)["divergence"] == muscle_mem.Divergence | None


def test_errors_have_one_root_and_a_builtin_beside_it() -> None:
    builtins = (TypeError, ValueError, LookupError, RuntimeError, ImportError)
    errors = [
        value for name in NAMES if isinstance(value := getattr(muscle_mem, name), type) and issubclass(value, Exception)
    ]
    assert all(issubclass(error, muscle_mem.MuscleMemError) for error in errors)
    assert all(issubclass(error, builtins) for error in errors if error is not muscle_mem.MuscleMemError)


HOME = Path(muscle_mem.__file__).parent


def loaded_by(statement: str) -> list[str]:
    code = f"import sys; before = set(sys.modules); {statement}; print(*sorted(set(sys.modules) - before))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(
    "statement", ["import muscle_mem", "from muscle_mem import Check, Engine, checks; Engine(); checks.equal(len)"]
)
def test_importing_loads_no_extra_no_asyncio_and_few_modules(statement: str) -> None:
    loaded = loaded_by(statement)
    extras = set("click rich psycopg starlette uvicorn jinja2 opentelemetry PIL numpy pydantic playwright".split())
    assert not [name for name in loaded if name.split(".")[0] in extras | {"asyncio", "pickle", "multiprocessing"}]
    assert not [name for name in loaded if name.startswith("muscle_mem.store.sqlite")]
    assert len([name for name in loaded if not name.startswith("muscle_mem")]) < 100, loaded


LEARNING = "learn seal merge retries redact derived doubt absorb"
GUARDING = """
guards.literals guards.chosen guards.choices guards.made_texts guards.whole_outputs
suspicions.literals suspicions.params suspicions.derived
"""
RARE = "fractions ipaddress pathlib zoneinfo"


def test_the_engine_loads_neither_what_only_learning_needs_nor_rare_modules() -> None:
    loaded = set(loaded_by("from muscle_mem import Engine; Engine()"))
    learning = {f"muscle_mem._core.record.{name}" for name in LEARNING.split()}
    guarding = {f"muscle_mem._core.binding.{name}" for name in GUARDING.split()}
    assert not loaded & (learning | guarding | set(RARE.split()))
    assert not [name for name in loaded if name.startswith(("muscle_mem._core.export", "muscle_mem.checks"))]
    empty = {path.parent for path in HOME.rglob("__init__.py") if not path.stat().st_size}
    ours = [name for name in loaded if name.split(".")[0] == "muscle_mem"]
    assert len([name for name in ours if HOME.parent.joinpath(*name.split(".")) not in empty]) < 197, sorted(loaded)


def test_a_hit_loads_nothing_that_only_learning_needs(tmp_path: Path) -> None:
    """A process that finds its recordings replays them without a word of how they are made."""
    tools = (
        "from muscle_mem import Check, Engine; engine = Engine(sys.argv[1]); seen = ['state 7']\n"
        "look = engine.tool(Check(lambda *_: list(seen)), name='look', effect='read')(lambda: {'id': 'A-17', 'n': 4})\n"
        "send = engine.tool(name='send')(lambda text: None)\n"
        "engine.set_agent(lambda task, who: send(f\"{who} {look()['id']}\"))\n"
        "outcome = engine('greet', 'Ann', params={'who': 'Ann'})\n"
    )
    told = "print(outcome.status, *sorted(name for name in sys.modules if name.startswith('muscle_mem._core.record')))"
    first, second = (
        subprocess.run(
            [sys.executable, "-c", f"import sys\n{tools}{told}", str(tmp_path / "m.db")],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    )
    assert first[0] == "miss"
    assert "muscle_mem._core.record.seal" in first
    assert second[0] == "hit"
    assert not {f"muscle_mem._core.record.{name}" for name in LEARNING.split()} & set(second)


def test_the_package_itself_loads_next_to_nothing() -> None:
    assert len(loaded_by("import muscle_mem")) < 20


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    for module in (muscle_mem, muscle_mem.checks):
        with pytest.raises(AttributeError, match="nothing_like_it"):
            module.nothing_like_it  # noqa: B018 - to read it is what is tested
        assert set(module.__all__) <= set(dir(module))


def test_the_packages_beside_the_names_are_found_without_an_import_of_their_own() -> None:
    code = "import muscle_mem; muscle_mem.store.open_store; muscle_mem.errors.StoreError; muscle_mem.checks.equal"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0


def test_every_kind_of_event_is_behind_a_public_door() -> None:
    from muscle_mem import _events, events

    kinds = {name for name, value in vars(_events).items() if isinstance(value, type) and name.endswith("Event")}
    assert kinds <= set(events.__all__)
    assert all(getattr(events, name) is getattr(_events, name) for name in events.__all__)


def test_the_lists_behind_the_lazy_doors_hold_each_name_once() -> None:
    for module in (muscle_mem, muscle_mem.checks):
        names = " ".join(module._ROOMS.values()).split()
        assert len(names) == len(set(names))
        assert set(names) <= set(module.__all__)


def test_the_version_is_the_distributions() -> None:
    from importlib.metadata import version

    assert muscle_mem.__version__ == version("muscle-mem")
