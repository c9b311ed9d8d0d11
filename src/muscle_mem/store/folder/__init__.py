"""A store in a folder of JSON files, for review and version control."""

from __future__ import annotations

from .store import FolderStore

__all__ = ["FolderStore"]
