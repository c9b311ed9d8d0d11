"""What a store's name says, before anything is opened, and how it may be shown."""

from __future__ import annotations

import re

_POSTGRES = ("postgresql", "postgres")


def is_postgres(name: str) -> bool:
    """Whether a store's name is the URL of a PostgreSQL database."""
    scheme, mark, _ = name.partition("://")
    return bool(mark) and scheme.lower() in _POSTGRES


def without_secrets(url: str) -> str:
    """The URL without what may be a password: what stands before an @, and options of that name."""
    scheme, mark, rest = url.partition("://")
    rest = f"...{rest[rest.rindex('@') :]}" if "@" in rest else rest
    return re.sub(r"(?i)((?:password|secret)\w*=)[^&]*", r"\1...", f"{scheme}{mark}{rest}")
