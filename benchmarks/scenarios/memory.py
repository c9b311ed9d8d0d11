"""What a recording takes in memory, and what an import takes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

from ..child import ask
from ..prototype import ROOT, clean_environment
from ..scenario import Bench, Row, Target, ends, scenario
from ..timing import Spread

ENGINE = "from muscle_mem import Check, Engine"
MODULES = "import sys; {}; import json; print(json.dumps([*sys.modules]))"
SHUNNED = ("asyncio", "playwright", "psycopg", "opentelemetry", "numpy", "pydantic", "PIL", "starlette")


@scenario("memory")
def recorded_step(bench: Bench) -> Iterator[Row]:
    runs, steps = bench.pick((10, 20), (50, 100))
    ours = ask("recorded_memory", runs=runs, steps=steps)
    theirs = bench.prototype.measure("recorded_memory", {"runs": runs, "steps": steps})
    yield Row(
        "memory.step",
        "memory of a recorded step",
        "bytes",
        ours["bytes"],
        prototype=theirs.get("cannot") or theirs["bytes"],
        target=Target(655, "<"),
        note="one plain check",
    )
    yield Row("memory.loaded", "memory of a recorded step that was replayed", "bytes", ours["loaded"])


@scenario("import")
def importing(bench: Bench) -> Iterator[Row]:
    """Fresh processes with cached bytecode, in turns; beyond a process that does nothing."""
    pythons = {"pass": (sys.executable, "pass"), "msgspec": (sys.executable, "import msgspec")}
    pythons["ours"] = (sys.executable, "import muscle_mem")
    pythons["engine"] = (sys.executable, ENGINE)
    if not bench.prototype.missing:
        pythons["prototype"] = (bench.prototype.python, "import muscle_mem")
    times: dict[str, list[float]] = {name: [] for name in pythons}
    for _ in range(bench.pick(2, 15) + 1):
        for name, (python, code) in pythons.items():
            times[name].append(_process(python, code))
    for found in times.values():
        del found[0]  # wrote the bytecode
    beyond = {name: [a - b for a, b in zip(times[name], times["pass"], strict=True)] for name in pythons}
    own = Spread.over(beyond["ours"])
    row = Row("import.time", "import muscle_mem, beyond an empty process", "ms", own.median, ends(own))
    row.prototype = Spread.over(beyond["prototype"]).median if "prototype" in beyond else "not measured"
    row.loop, row.loop_unit, row.target = Spread.over(times["pass"]).median, "ms (empty process)", Target(50)
    row.note = f"import msgspec alone: {Spread.over(beyond['msgspec']).median:.1f} ms"
    row.details = {f"{name}_whole_ms": Spread.over(found).median for name, found in times.items()}
    yield row
    first = Spread.over(beyond["engine"])
    yield Row("import.engine", "the first names: " + ENGINE, "ms", first.median, ends(first))
    yield from _modules()


def _environment() -> dict[str, str]:
    return {**clean_environment(), "PYTHONPATH": str(ROOT / "src")}


def _process(python: str, code: str) -> float:
    environment = _environment() if python == sys.executable else clean_environment()
    began = time.perf_counter()
    subprocess.run([python, "-c", code], check=True, env=environment)
    return (time.perf_counter() - began) * 1e3


def _modules() -> Iterator[Row]:
    def loaded(code: str) -> set[str]:
        done = subprocess.run([sys.executable, "-c", code], check=True, env=_environment(), stdout=subprocess.PIPE)
        return set(json.loads(done.stdout))

    bare = loaded("import sys, json; print(json.dumps([*sys.modules]))")
    ours = loaded(MODULES.format("import muscle_mem")) - bare
    engine = loaded(MODULES.format(ENGINE)) - bare
    shunned = sorted(name for name in ours | engine if name in SHUNNED)
    yield Row(
        "import.modules",
        "modules that the import loads",
        "count",
        len(ours),
        target=Target(100),
        details={"own": sum(name.startswith("muscle_mem") for name in ours)},
    )
    yield Row(
        "import.engine_modules",
        "modules that are loaded with the first names",
        "count",
        len(engine),
        details={"own": sum(name.startswith("muscle_mem") for name in engine)},
    )
    yield Row(
        "import.extras",
        "of asyncio and the extras, with either",
        "count",
        len(shunned),
        target=Target(0, "=="),
        note=", ".join(shunned),
    )
