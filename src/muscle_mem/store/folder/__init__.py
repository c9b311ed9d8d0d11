"""A store in a folder of JSON files, to be read, reviewed and kept in version control."""

from __future__ import annotations

from .store import FolderStore

__all__ = ["FolderStore"]
