"""The door: what users may rely on, and what comes along when they knock."""

from __future__ import annotations

import subprocess
import sys

import muscle_mem

NAMES = set(
    """
    Answered AskAgent AsyncSession Call Finished Session
    CacheInfo Check CurrentRun DamagedStoreError DecodeError Divergence Diverged
    Engine Explanation ForeignStoreError Handover InvalidTypeError InvalidValueError Missed
    MissingExtraError MuscleMemError NewerStoreError NotFoundError NotReadyError NotStorableError Outcome Pruned Reason
    Secret StoreError TooLargeError UnknownTypeError checks current_run register
    """.split()
)


def test_the_public_names_are_a_closed_list() -> None:
    assert set(muscle_mem.__all__) == NAMES
    assert all(hasattr(muscle_mem, name) for name in NAMES)


def test_every_public_name_says_what_it_is_for() -> None:
    assert all(getattr(muscle_mem, name).__doc__ for name in NAMES)


def test_errors_have_one_root_and_a_builtin_beside_it() -> None:
    builtins = (TypeError, ValueError, LookupError, RuntimeError, ImportError)
    errors = [
        value for name in NAMES if isinstance(value := getattr(muscle_mem, name), type) and issubclass(value, Exception)
    ]
    assert all(issubclass(error, muscle_mem.MuscleMemError) for error in errors)
    assert all(issubclass(error, builtins) for error in errors if error is not muscle_mem.MuscleMemError)


def test_importing_loads_no_extra_no_asyncio_and_few_modules() -> None:
    code = "import sys; before = set(sys.modules); import muscle_mem; print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    extras = {
        "click",
        "rich",
        "psycopg",
        "starlette",
        "uvicorn",
        "jinja2",
        "opentelemetry",
        "PIL",
        "numpy",
        "pydantic",
        "playwright",
    }
    assert not [name for name in loaded if name.split(".")[0] in extras | {"asyncio", "pickle", "multiprocessing"}]
    theirs = [name for name in loaded if not name.startswith("muscle_mem")]
    assert len(theirs) < 100, theirs


def test_the_version_is_the_distributions() -> None:
    from importlib.metadata import version

    assert muscle_mem.__version__ == version("muscle-mem")
