"""The package of a client, if a version is installed that the adapter works with."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ...errors import MissingExtraError


def installed(name: str, *, lowest: int) -> Any:
    """Return the package of a client.

    Args:
        name: Its name, which is also the name of the extra.
        lowest: Its lowest major version.

    Raises:
        MissingExtraError: It is not installed, or it is older.
    """
    failed = f"importing muscle_mem.integrations.{name} failed"
    remedy = f"Run pip install 'muscle-mem[{name}]'."
    try:
        package = import_module(name)
    except ImportError as error:
        raise MissingExtraError(f"{failed}: {name} is missing. {remedy}") from error
    found = str(getattr(package, "__version__", "unknown"))
    if not found.partition(".")[0].isdigit() or int(found.partition(".")[0]) < lowest:
        raise MissingExtraError(f"{failed}: expected {name} {lowest}.0 or later, got {found}. {remedy}")
    return package
