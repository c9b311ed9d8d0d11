"""Names of stores: the kind that a name selects, and names without secrets."""

from __future__ import annotations

import re

_POSTGRES = ("postgresql", "postgres")


def is_postgres(name: str) -> bool:
    """Return whether a store's name is the URL of a PostgreSQL database."""
    scheme, mark, _ = name.partition("://")
    return bool(mark) and scheme.lower() in _POSTGRES


def without_secrets(url: str) -> str:
    """Return a URL without possible passwords.

    Text before an @ and the values of password options are replaced by dots.
    """
    scheme, mark, rest = url.partition("://")
    rest = f"...{rest[rest.rindex('@') :]}" if "@" in rest else rest
    return re.sub(r"(?i)((?:password|secret)\w*=)[^&]*", r"\1...", f"{scheme}{mark}{rest}")
