"""The long proofs: the property tests with many more cases, on all processors, and one line of JSON in the end.

python tests/torture.py [files...]; MUSCLE_MEM_CASES says how many cases (50,000).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
USUAL = 2_000  # what `make test` runs
BY_FACTOR = ("test_property_worlds.py", "test_drivers_agree.py")  # there MUSCLE_MEM_TIMES multiplies the usual number
FILES = ("test_property_middle.py", *BY_FACTOR)


def run(file: str, cases: int) -> dict[str, object]:
    """Run one file in processes; what came of it."""
    said = {"MUSCLE_MEM_CASES": str(cases)}
    if file in BY_FACTOR:
        said = {"MUSCLE_MEM_TIMES": str(max(1, cases // USUAL))}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", str(os.cpu_count() or 1), "--tb=short", str(HERE / file)],
        env={**os.environ, **said},
        cwd=HERE.parent,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
    failed = sorted({int(seed) for seed in re.findall(r"\bseed (\d+)", done.stdout)})
    seconds = round(time.monotonic() - began, 1)
    return {"file": file, "ok": done.returncode == 0, "failed_seeds": failed, "seconds": seconds}


def main(files: list[str]) -> int:
    cases = int(os.environ.get("MUSCLE_MEM_CASES", "50000"))
    runs = [run(Path(file).name, cases) for file in files or FILES]
    result = {
        "cases": cases,
        "seeds": f"crc32 of the test's word and a number, 0 to {cases - 1}",
        "seconds": round(sum(float(str(one["seconds"])) for one in runs), 1),
        "failures": sum(not one["ok"] for one in runs),
        "runs": runs,
    }
    print(json.dumps(result))
    return 1 if result["failures"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
