"""Lines after the demo: what to try next, as commands that can be pasted."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import sys
from pathlib import Path

INSPECTOR_NEEDS = ("starlette", "uvicorn", "jinja2", "PIL")


def next_lines(store: str | None) -> list[str]:
    """Return what to try after the demo, as lines with commands that can be pasted."""
    program = _program()
    if store is None:
        return [
            "Next: keep what it learns, and see a second run start with it:",
            f"  {program} demo --store demo.db",
        ]
    lines = ["Next: look at what it remembers, in the browser (Ctrl-C ends it):"]
    if any(importlib.util.find_spec(name) is None for name in INSPECTOR_NEEDS):
        lines.append(f"  {shlex.quote(sys.executable)} -m pip install 'muscle-mem[inspector]'")
    lines.append(f"  {program} inspect --store {shlex.quote(store)}")
    return [
        *lines,
        "Or run the demo again: it starts with what is recorded, and the agent is not asked:",
        f"  {program} demo --store {shlex.quote(store)}",
        "For an agent of yours, see the tutorial and the page of your framework in the documentation.",
    ]


def _program() -> str:
    """Return how to start this program from the same folder, as it was started now."""
    started = Path(sys.argv[0])
    if started.name.removesuffix(".exe") != "muscle-mem":
        return f"{shlex.quote(sys.executable)} -m muscle_mem"
    found = shutil.which("muscle-mem")
    if found is not None and Path(found).resolve() == started.resolve():
        return "muscle-mem"
    return shlex.quote(str(started))
