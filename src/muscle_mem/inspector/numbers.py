"""Numbers in addresses."""

from __future__ import annotations


def sequence_number(text: str) -> int | None:
    """Return a number from an address; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
