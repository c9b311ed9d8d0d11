"""Instructions of a hit, counted by valgrind: the same on a busy machine as on a quiet one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from ..child import command
from ..prototype import ROOT
from ..scenario import Bench, Row, scenario

FEW, MANY = 10, 40
COUNTED = re.compile(r"Collected\s*:\s*(\d+)")


@scenario("instructions")
def of_a_hit(bench: Bench) -> Iterator[Row]:
    """What a process takes more with more hits, or more loops, in it; strings hash alike in all of them."""
    steps = 10
    row = Row("instructions.10", f"instructions of a steady hit, {steps} steps", "instructions")
    if bench.quick or shutil.which("valgrind") is None:
        row.note = "left out of a quick run" if bench.quick else "skipped: there is no valgrind"
        yield row
        return
    runs = ({"hits": FEW, "loops": FEW}, {"hits": MANY, "loops": FEW}, {"hits": FEW, "loops": MANY})
    with ThreadPoolExecutor(2) as pool:  # at once: what is counted does not depend on how busy the machine is
        base, hits, loops = pool.map(_instructions, [command("both", steps=steps, **run) for run in runs])
    row.ours, row.loop = (hits - base) / (MANY - FEW), (loops - base) / (MANY - FEW)
    row.loop_unit, row.details = "instructions", {"ratio": row.ours / row.loop}
    row.note = f"{row.ours / row.loop:.1f} times the loop"
    yield row


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
