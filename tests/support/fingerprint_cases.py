"""Functions made from text, and their fingerprints, as the tests of fingerprints share them."""

from __future__ import annotations

import importlib.util
import itertools
import linecache
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from muscle_mem._core.tools import fingerprint as room
from muscle_mem._runtime.source import find_source

_numbers = itertools.count()


def fingerprint(fn: object) -> str:
    return room.fingerprint(fn, find_source)


def define(source: str, name: str = "f", **given: Any) -> Any:
    """Runs source as a notebook cell would: its lines are known to linecache, and there is no file."""
    filename = f"<cell {next(_numbers)}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(source, filename, "exec", dont_inherit=True), given)
    return given[name]


def run_file(path: Path) -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return vars(module)


def same(*sources: str) -> bool:
    prints = {fingerprint(define(source)) for source in sources}
    assert all(form.startswith("s:") for form in prints)
    return len(prints) == 1


def all_differ(*functions: object) -> bool:
    prints = [fingerprint(fn) for fn in functions]
    return len(set(prints)) == len(prints)


def make(level: object) -> Callable[[], object]:
    return lambda: level


# fmt: off
ROW = [lambda x: x + 1, lambda x: x + 2, lambda x: 1, lambda x: 2, lambda x, y=1: lambda: (x, y)]
ALIKE = (lambda x: 1, lambda x:  1)
TWO_DEFAULTS = (lambda x=1: 0, lambda x=2: 0)
# fmt: on
