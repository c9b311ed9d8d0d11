"""Instructions of a hit, counted by valgrind: the same on a busy machine as on a quiet one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator

from ..child import command
from ..prototype import ROOT
from ..scenario import Bench, Row, scenario

FEW, MANY = 10, 40
COUNTED = re.compile(r"Collected\s*:\s*(\d+)")


@scenario("instructions")
def of_a_hit(bench: Bench) -> Iterator[Row]:
    """The difference between processes with more and with fewer hits; strings hash alike in all of them."""
    steps = 10
    id, title = "instructions.10", f"instructions of a steady hit, {steps} steps, against the loop's"
    if bench.quick or shutil.which("valgrind") is None:
        why = "left out of a quick run" if bench.quick else "skipped: there is no valgrind"
        yield Row(id, title, "x", note=why)
        return
    ours = _a_hit("hits", steps)
    loop = _a_hit("loops", steps)
    yield Row(id, title, "x", ours / loop, loop=loop, loop_unit="instructions", details={"instructions": ours})


def _a_hit(workload: str, steps: int) -> float:
    few, many = (_instructions(command(workload, steps=steps, hits=hits)) for hits in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def _instructions(run: list[str]) -> int:
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *run],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    assert json.loads(done.stdout) == {}
    found = COUNTED.search(done.stderr)
    if found is None:
        raise RuntimeError(f"valgrind said no count: {done.stderr[-300:]}")
    return int(found.group(1))
