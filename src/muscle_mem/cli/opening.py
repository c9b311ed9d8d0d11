"""The way from the command line to a store that is there: found by option or environment, never made."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import unquote

import click

from ..errors import MuscleMemError
from ..store import Store, open_store
from ..store.naming import is_postgres
from ..store.urls import postgres_versions
from .text import printable

F = TypeVar("F", bound=Callable[..., Any])
VARIABLE = "MUSCLE_MEM_STORE"
KEY_VARIABLE = "MUSCLE_MEM_SIGNING_KEY"

store_option = click.option("--store", metavar="PATH_OR_URL", help=f"The store to use, else ${VARIABLE}.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class UnusableStoreError(click.ClickException):
    """The store cannot be used: one line to stderr, exit code 2."""

    exit_code = 2

    def __init__(self, message: object) -> None:
        super().__init__(printable(message))


class NotDoneError(click.ClickException):
    """The store is fine, and what was asked cannot be done with what is in it: one line, exit code 1."""

    exit_code = 1

    def __init__(self, message: object) -> None:
        super().__init__(printable(message))


def named_store(given: str | None) -> str | None:
    """What names the store: the command's option, else the group's, else the environment's; None if nothing does."""
    found = given if given is not None else click.get_current_context().find_root().obj
    return (os.environ.get(VARIABLE) or None) if found is None else str(found)


def required_store(given: str | None) -> str:
    """As `named_store`; the command ends if nothing does."""
    found = named_store(given)
    if found is None:
        raise UnusableStoreError(
            f"No store is named. Give --store PATH, or set {VARIABLE}: it is the file that your Engine was given, "
            "as in Engine('memory.db')."
        )
    return found


def signing_key(variable: str = KEY_VARIABLE) -> str | None:
    """The key in an environment variable; None if it is unset or empty."""
    return os.environ.get(variable) or None


@contextmanager
def open_existing(given: str | None, *, make: bool = False) -> Iterator[Store]:
    """The store that is meant, open; closed afterwards. Trouble with it ends the command with one line and code 2.


    If MUSCLE_MEM_SIGNING_KEY is set, it is opened with that key. With `make` it may be one that is not there yet.
    """
    name = required_store(given)
    with store_errors():
        ensure_exists(name, make)
        with open_named(name, signing_key()) as store:
            yield store


@contextmanager
def store_errors() -> Iterator[None]:
    """Errors of stores end the command with one line and code 2."""
    try:
        yield
    except MuscleMemError as error:
        raise UnusableStoreError(error) from error


@contextmanager
def open_named(name: str, key: str | None) -> Iterator[Store]:
    """A store by its name, made if it is not there; closed afterwards. Raises what `open_store` raises."""
    store = open_store(name, signing_key=key)
    try:
        yield store
    finally:
        store.close()


def file_of(name: str) -> str | None:
    """The path of the file that a store's name means; None for a store that lives in memory."""
    if "://" not in name:
        return None if name in ("memory:", ":memory:") else name
    location = name.partition("://")[2].partition("?")[0]
    path = unquote(location, errors="surrogateescape")
    return None if path in ("", "/", "/:memory:") else path.removeprefix("/")


def ensure_exists(name: str, make: bool = False) -> None:
    """Refuse what open_store would make again: to look at a store must never be what makes it."""
    scheme, mark, _ = name.partition("://")
    if mark and scheme.lower() == "folder":
        path = file_of(name)
        if path and not make and not os.path.isdir(path):
            raise UnusableStoreError(
                f"There is no folder {path!r}, and this command makes none. Mend the path; an absolute one takes four "
                "slashes, as in 'folder:////srv/memory'."
            )
        return
    if is_postgres(name):
        if not make and postgres_versions(name)[0] is None:
            raise UnusableStoreError(
                "There is no store in the schema that the URL names, and this command makes none. Mend the URL; an "
                "Engine makes its store when it first runs."
            )
        return
    if mark and scheme.lower() != "sqlite":
        return  # open_store says what is wrong with it
    path = file_of(name)
    if mark and path is not None and not name.partition("://")[2].startswith("/"):
        return  # a host, which open_store refuses
    if path is None:
        raise UnusableStoreError(
            f"The store {name!r} lives in the memory of one process, so there is nothing to look at. Give the path of "
            "a file."
        )
    if not path or "\0" in path:
        return
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        if make:
            return  # open_store says what is wrong with it, if anything is
        raise UnusableStoreError(
            f"There is no store at {path!r}, and this command makes none. Mend the path; an Engine makes its store "
            "when it first runs."
        ) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UnusableStoreError(f"The store {path!r} cannot be looked at ({why}). Mend the path.") from error
    if stat.S_ISREG(found.st_mode) and found.st_size == 0:
        raise UnusableStoreError(f"The file {path!r} is empty, so it is not a store yet; it was not touched.")
