"""Measures in a process of its own what only a fresh process tells: memory, and instructions under valgrind.

`python -m benchmarks.child WORKLOAD '{"option": 1}'` prints one JSON line.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .ours import engine_of, must_hit, must_learn, plain, recorded
from .prototype import ROOT
from .workload import left_by, loop_of


def ask(workload: str, **options: Any) -> dict[str, Any]:
    """The figures of a child. Raises CalledProcessError, with what it said on standard error shown."""
    done = subprocess.run(command(workload, **options), stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def command(workload: str, **options: Any) -> list[str]:
    return [sys.executable, "-m", "benchmarks.child", workload, json.dumps(options)]


def hits_memory(hits: int) -> dict[str, Any]:
    """Bytes and blocks that hits leave behind."""
    return left_by(must_hit(recorded(plain(), 1)), hits)


def recorded_memory(runs: int, steps: int) -> dict[str, Any]:
    """Bytes that a recorded step takes in a memory store, and when each recording has been replayed once as well."""
    engine, _ = engine_of(plain(), steps)
    must_learn(engine, "warm up")
    must_hit(engine, "warm up")()
    gc.collect()
    tracemalloc.start()
    for i in range(runs):
        must_learn(engine, f"task {i}")
    gc.collect()
    stored = tracemalloc.get_traced_memory()[0]
    for i in range(runs):
        must_hit(engine, f"task {i}")()
    gc.collect()
    loaded = tracemalloc.get_traced_memory()[0]
    return {"bytes": stored / (runs * steps), "loaded": loaded / (runs * steps)}


def resident(path: str, keys: int) -> dict[str, Any]:
    """Bytes that stay resident when `keys` keys of a store have been used, and when twice as many have."""
    engine, _ = engine_of(plain(), 1, path)
    grown = []
    begun = _resident()
    for half in range(2):
        for i in range(half * keys, (half + 1) * keys):
            must_hit(engine, f"task {i}")()
        gc.collect()
        grown.append(_resident() - begun)
    engine.close()
    return {"first": grown[0], "both": grown[1]}


def _resident() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return pages * os.sysconf("SC_PAGE_SIZE")


def both(steps: int, hits: int, loops: int) -> dict[str, Any]:
    """Hits and plain loops and nothing else, for a counter of instructions around the process."""
    hit, loop = must_hit(recorded(plain(), steps)), loop_of(plain(), steps)
    for _ in range(hits):
        hit()
    for _ in range(loops):
        loop()
    return {}


WORKLOADS: dict[str, Callable[..., dict[str, Any]]] = {
    made.__name__: made for made in (hits_memory, recorded_memory, resident, both)
}

if __name__ == "__main__":
    logging.getLogger("muscle_mem").addHandler(logging.NullHandler())
    sys.stdout.write(json.dumps(WORKLOADS[sys.argv[1]](**json.loads(sys.argv[2]))) + "\n")
