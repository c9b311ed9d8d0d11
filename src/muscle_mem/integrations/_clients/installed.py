"""The installed package of a client, in a version that the adapter works with."""

from __future__ import annotations

from typing import NoReturn

from ...errors import MissingExtraError


def raise_missing(name: str, error: ImportError) -> NoReturn:
    """Raise that the package of a client is not installed.

    Args:
        name: Its name, which is also the name of the extra.
        error: What importing it raised.
    """
    raise MissingExtraError(f"{_failed(name)}: {name} is missing. {_remedy(name)}") from error


def ensure_version(name: str, found: str, *, lowest: int) -> None:
    """Raise if the package of a client is older than the adapter works with.

    Args:
        name: Its name, which is also the name of the extra.
        found: Its version.
        lowest: Its lowest major version.

    Raises:
        MissingExtraError: It is older, or its version cannot be read.
    """
    major = found.partition(".")[0]
    if not major.isdigit() or int(major) < lowest:
        raise MissingExtraError(f"{_failed(name)}: expected {name} {lowest}.0 or later, got {found}. {_remedy(name)}")


def _failed(name: str) -> str:
    return f"importing muscle_mem.integrations.{name} failed"


def _remedy(name: str) -> str:
    return f"Run pip install 'muscle-mem[{name}]'."
