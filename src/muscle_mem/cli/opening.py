"""Stores named by option or environment, never created by reading."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import unquote

import click

from .._reading.text import printable
from ..errors import MuscleMemError
from ..store import Store, open_store
from ..store.urls import postgres_versions

VARIABLE = "MUSCLE_MEM_STORE"
KEY_VARIABLE = "MUSCLE_MEM_SIGNING_KEY"

store_option = click.option("--store", metavar="PATH_OR_URL", help=f"Use this store instead of ${VARIABLE}.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class UnusableStoreError(click.ClickException):
    """Error for a store that cannot be used: one line on stderr, exit code 2."""

    exit_code = 2

    def __init__(self, message: object) -> None:
        super().__init__(printable(message))


class NotDoneError(click.ClickException):
    """Error for a request that a usable store cannot satisfy: one line, exit code 1."""

    exit_code = 1

    def __init__(self, message: object) -> None:
        super().__init__(printable(message))


def named_store(given: str | None) -> str | None:
    """Return the store's name, or None if no option or variable names one.

    The command's option comes first, then the option of `muscle-mem` itself, then the environment variable.
    """
    found = given if given is not None else click.get_current_context().find_root().obj
    return (os.environ.get(VARIABLE) or None) if found is None else str(found)


def required_store(given: str | None) -> str:
    """Return the store's name, like `named_store`. Raises UnusableStoreError."""
    found = named_store(given)
    if found is None:
        raise UnusableStoreError(
            f"no store is named: expected --store or ${VARIABLE}. Pass --store PATH, with the path that your Engine "
            "uses, as in Engine('memory.db')."
        )
    return found


def signing_key(variable: str = KEY_VARIABLE) -> str | None:
    """Return the key in an environment variable; None if it is unset or empty."""
    return os.environ.get(variable) or None


@contextmanager
def open_existing(given: str | None, *, make: bool = False) -> Iterator[Store]:
    """Open the named store, and close it afterwards.

    If MUSCLE_MEM_SIGNING_KEY is set, the store is opened with that key. `make` permits a store that does not exist
    yet. Errors of the store end the command with one line and exit code 2.
    """
    name = required_store(given)
    with store_errors():
        ensure_exists(name, make)
        with open_named(name, signing_key()) as store:
            yield store


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn the errors of stores into one line and exit code 2."""
    try:
        yield
    except MuscleMemError as error:
        raise UnusableStoreError(error) from error


@contextmanager
def open_named(name: str, key: str | None) -> Iterator[Store]:
    """Open a store by its name, create it if necessary, and close it afterwards.

    Raises what `open_store` raises.
    """
    store = open_store(name, signing_key=key)
    try:
        yield store
    finally:
        store.close()


def scheme_of(name: str) -> str:
    """Return the scheme of a store's name in lower case; a path has that of SQLite."""
    scheme, mark, _ = name.partition("://")
    return scheme.lower() if mark else "sqlite"


def file_of(name: str) -> str | None:
    """Return the path that a store's name refers to; None for a store in memory."""
    if "://" not in name:
        return None if name in ("memory:", ":memory:") else name
    location = _location(name)
    path = unquote(location.partition("?")[0], errors="surrogateescape")
    return None if path in ("", "/", "/:memory:") else path.removeprefix("/")


def _location(name: str) -> str:
    return name.partition("://")[2]


def ensure_exists(name: str, make: bool = False) -> None:
    """Raise UnusableStoreError for a store that `open_store` would create.

    A command that reads a store must not create it. `make` permits it. Names that are not valid pass: `open_store`
    raises for them.
    """
    ensure = _ENSURE.get(scheme_of(name))
    if ensure is not None:
        ensure(name, make)


def _ensure_folder(name: str, make: bool) -> None:
    path = file_of(name)
    if path and not make and not os.path.isdir(path):
        raise UnusableStoreError(
            f"store not found: expected a folder at {path!r}. Correct the path; an absolute path needs four slashes, "
            "as in 'folder:////srv/memory'."
        )


def _ensure_schema(name: str, make: bool) -> None:
    if not make and postgres_versions(name)[0] is None:
        raise UnusableStoreError(
            "store not found: the schema named by the URL does not contain a store. Correct the URL; an Engine creates "
            "its store when it first runs."
        )


def _ensure_file(name: str, make: bool) -> None:
    path = file_of(name)
    if path is None:
        raise UnusableStoreError(
            f"cannot inspect {name!r}: expected a file, got a store in the memory of one process. Pass the path of a "
            "file."
        )
    if not path or "\0" in path or ("://" in name and not _location(name).startswith("/")):
        return  # `open_store` raises for an invalid path and for a host.
    found = _stat(path)
    if found is None:
        if make:
            return
        raise UnusableStoreError(
            f"store not found: expected a file at {path!r}. Correct the path; an Engine creates its store when it "
            "first runs."
        )
    if stat.S_ISREG(found.st_mode) and found.st_size == 0:
        raise UnusableStoreError(
            f"cannot open {path!r}: expected a store, got an empty file. It was not touched; pass another path."
        )


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UnusableStoreError(f"cannot access {path!r}: {why}. Correct the path or its permissions.") from error


_ENSURE: dict[str, Callable[[str, bool], None]] = {
    "sqlite": _ensure_file,
    "folder": _ensure_folder,
    "postgres": _ensure_schema,
    "postgresql": _ensure_schema,
}
