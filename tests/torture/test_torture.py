"""Each proof of tests/torture in a small size; and with its rule switched off, where it must find fault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from paths import ROOT

if not hasattr(os, "fork"):
    pytest.skip("the proofs fork", allow_module_level=True)

from torture.history import Dump, judge, read_log
from torture.proofs import PROOFS
from torture.properties import PROOFS as PROPERTIES
from torture.table import PAGE, RESULTS, last_lines, render
from torture.work import SHARED, fits, note_of, observation_of, sealed_of

SMALL = [name for name in PROOFS if name not in PROPERTIES]  # those are tests of their own
CONTROLS = [(name, control) for name in SMALL for control in PROOFS[name].controls]


def prove(name: str, *options: str) -> dict[str, Any]:
    """The line of a proof, run as a user runs it."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.torture", name, *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout, done.stderr
    line: dict[str, Any] = json.loads(done.stdout)
    line["said"] = done.stderr[-2000:]
    return line


@pytest.mark.parametrize("name", SMALL)
def test_the_promise_holds(name: str) -> None:
    line = prove(name)
    if line["skipped"]:
        pytest.skip(line["skipped"])
    assert line["ok"], line
    assert sum(line["counted"].values()) > 0


@pytest.mark.parametrize(("name", "control"), CONTROLS)
def test_the_proof_sees_when_the_rule_is_off(name: str, control: str) -> None:
    line = prove(name, "--control", control)
    if line["skipped"]:
        pytest.skip(line["skipped"])
    assert line["wrong"].get(PROOFS[name].controls[control][0], 0) > 0, line


def test_every_line_of_figures_is_of_a_proof_that_held_and_is_in_the_page() -> None:
    lines = last_lines(RESULTS)
    assert {name for name, _ in lines} <= set(PROOFS)
    assert all(bool(one["ok"] or one["skipped"]) == (control == "") for (_, control), one in lines.items())
    page = PAGE.read_text(encoding="utf-8")
    assert render(page, lines) == page, "run python -m tests.torture.table"


def stored(item: str, **changes: Any) -> Any:
    """The row of an item as a store gives it back."""
    from muscle_mem.store import MemoryStore

    store = MemoryStore()
    store.seal(sealed_of(item, **changes), observation_of(item), note_of(changes.get("id", item)))
    return store.scan().stored[0]


def judged(events: list[tuple[str, str, str]], made: dict[str, list[Any]], damaged: tuple[str, ...] = ()) -> set[str]:
    """The kinds of fault that the checker finds."""
    dump = Dump(damaged=list(damaged))
    dump.stored.update(made)
    return {kind for kind, times in judge(events, dump, fits, SHARED).wrong.items() if times}


def test_the_checker_tells_every_kind_of_fault() -> None:
    begun, done = ("begun", "seal", "a-1"), ("done", "seal", "a-1")
    forget = [("begun", "forget", "a-1"), ("done", "forget", "a-1")]
    here = {"a-1": [stored("a-1")]}
    assert judged([begun, done], here) == set()
    assert judged([begun], here) == judged([begun], {}) == set()
    assert judged([begun, done], {}) == {"lost"}
    assert judged([begun, done, forget[0]], {}) == judged([begun, done, forget[0]], here) == set()
    assert judged([begun, done, *forget], here) == {"revived"}
    assert judged([], here) == {"stray"}
    assert judged([begun, done], {"a-1": [stored("a-1"), stored("a-1", id="other")]}) == {"duplicates"}
    assert judged([begun, done], {"a-1": [stored("a-2")]}) == {"altered"}
    assert judged([begun, done], here, damaged=("x",)) == {"partial"}
    share = [("begun", "share", "a-4"), ("done", "share", "a-4")]
    assert judged(share, {}) == {"lost"}


def test_a_log_that_was_cut_in_its_last_line_is_read_without_it(tmp_path: Path) -> None:
    (tmp_path / "w.log").write_text("begun seal a-1\ndone seal a-1\nbegun sea")
    assert read_log(tmp_path / "w.log") == [("begun", "seal", "a-1"), ("done", "seal", "a-1")]
