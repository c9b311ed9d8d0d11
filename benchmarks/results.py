"""A run's results: written and read as JSON, with all that is needed to hold two of them against each other."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .prototype import PINNED, ROOT
from .scenario import Row

FORM = 1
FOLDER = ROOT / "benchmarks" / "results"
GC = "on, as in a user's program; one full collection between the warm-up and the first block of a race"
WARM_UP = (
    "each racer runs four blocks of one call, from which its blocks are sized; each block begins with one more call"
)


def about(size: str, seed: int, prototype: str) -> dict[str, Any]:
    """Machine, versions, commit and how it was measured."""
    return {
        "form": FORM,
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "size": size,
        "seed": seed,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "machine": {
            "system": f"{platform.system()} {platform.release()}",
            "processor": _processor(),
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        },
        "versions": {name: _version(name) for name in ("muscle-mem", "msgspec")} | {"sqlite": _sqlite()},
        "prototype": prototype or PINNED,
        "commit": _commit(),
        "gc": GC,
        "warm_up": WARM_UP,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "from its source"


def _sqlite() -> str:
    import sqlite3

    return sqlite3.sqlite_version


def _commit() -> str:
    try:
        done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def as_json(about: dict[str, Any], rows: list[Row]) -> dict[str, Any]:
    """The whole result. A target is written as its text, its limit and how it is held."""
    written = []
    for row in rows:
        made = asdict(row)
        made["met"] = row.met
        made["target"] = None if row.target is None else str(row.target)
        written.append(made)
    return {**about, "rows": written}


def write(result: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """A result that `write` wrote. Raises ValueError for anything else, OSError where there is no such file."""
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or found.get("form") != FORM or not isinstance(found.get("rows"), list):
        raise ValueError(f"{path} holds no result of `make bench` of this form ({FORM}); measure it anew")
    return found


def usual_path(result: dict[str, Any]) -> Path:
    """Where a result is kept: by date and Python, so that another run of the day replaces it."""
    minor = ".".join(result["python"].split(".")[:2])
    kind = "" if result["size"] == "default" else f"-{result['size']}"
    return FOLDER / f"{result['when'][:10]}-{sys.implementation.name}{minor}{kind}.json"
