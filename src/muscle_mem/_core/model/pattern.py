"""Regular expressions that are compiled when they are first used.

Only for large ones, and those that few runs need: to compile one at the import may take as long as to load ten modules.
"""

from __future__ import annotations

import functools
import re


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Return a compiled pattern. It holds its flags: "(?i)..."."""
    return re.compile(pattern)
