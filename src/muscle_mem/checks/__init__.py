"""Ready-made checks for common things that agents depend on."""

from .basic import age, all_of, any_of, equal, file_unchanged

__all__ = ["age", "all_of", "any_of", "equal", "file_unchanged"]
