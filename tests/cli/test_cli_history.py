"""`stats` and `tail`: what a store keeps of runs, for people."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cli_cases import as_json, run
from muscle_mem.store import DayCount, HistoryBatch, PastRun, SqliteStore
from muscle_mem.testing import KEY, OTHER_KEY, a_trajectory, an_observation

NOW = time.time()
TODAY = int(NOW // 86_400)


def a_count(**changes: Any) -> DayCount:
    fields: dict[str, Any] = {"key": KEY, "day": TODAY, "status": "hit", "reason": "hit", "task": "pay {bill}"}
    return DayCount(**(fields | {"runs": 1, "last": NOW} | changes))


def a_run(**changes: Any) -> PastRun:
    fields: dict[str, Any] = {"id": "r", "at": NOW, "status": "miss", "reason": "new_task", "key": KEY, "task": "pay"}
    return PastRun(**(fields | changes))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "m.db"
    with closing(SqliteStore(path)) as store:
        store.seal(a_trajectory("aaaa"), an_observation())
        store.seal(a_trajectory("bbbb", OTHER_KEY), an_observation())
        counts = (
            a_count(runs=6, saved_seconds=90.0, saved_tokens=1200, saved_calls=18, timed=6, metered=4),
            a_count(status="miss", reason="first_check_refused", runs=2, agent_seconds=7.0),
            a_count(key=OTHER_KEY, scope="t1", task="cancel", status="raised", reason="ValueError", runs=2),
            a_count(day=TODAY - 9, status="miss", reason="new_task", runs=1),
        )
        store.add_history(HistoryBatch(id="1", counts=counts))
    return path


def test_stats_show_rate_reasons_and_savings_with_what_they_rest_on(path: Path) -> None:
    shown = run("stats", "--store", path).stdout
    assert "runs              11 in 10 days: 6 hits, 3 misses, 2 raised" in shown
    assert "hit rate          54.5 %" in shown
    assert "agent time saved  1 min 30 s, measured for 6 of 6 hits" in shown
    assert "tokens saved      1200, reported for 4 of 6 hits" in shown
    assert "calls saved       18 tool calls" in shown
    assert "trajectories      2 (2 fresh) of 2 tasks" in shown
    assert "unsigned" in shown
    reasons = [line.split()[:5] for line in shown.splitlines() if "first_check_refused" in line]
    assert reasons == [["2", "18.2", "%", "miss", "first_check_refused"]]
    tasks = [line for line in shown.splitlines() if line.endswith(("pay {bill}", "cancel @t1"))]
    assert [line.split()[:4] for line in tasks] == [["9", "6", "66.7", "%"], ["2", "0", "0.0", "%"]]


def test_stats_select_by_age_and_scope(path: Path) -> None:
    found = as_json("stats", "--since", "3d", "--store", str(path))["history"]
    assert (found["runs"], found["hits"], found["statuses"]["miss"]) == (10, 6, 2)
    found = as_json("stats", "--scope", "t1", "--store", str(path))["history"]
    assert (found["runs"], found["hit_rate"], found["tasks"][0]["task"]) == (2, 0.0, "cancel")
    assert as_json("stats", "--scope", "nobody", "--store", str(path))["history"] is None


def test_stats_read_no_recording_unless_they_are_asked_to(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []
    scan = SqliteStore.scan
    monkeypatch.setattr(SqliteStore, "scan", lambda *given, **named: read.append(1) or scan(*given, **named))
    quick = as_json("stats", "--store", str(path))
    assert not read
    assert "observations" not in quick
    full = as_json("stats", "--full", "--store", str(path))
    assert read
    assert (full["observations"], full["damaged"], full["history"]) == (2, 0, quick["history"])
    assert "hits times the agent's time" in run("stats", "--full", "--store", path).stdout


def test_tail_shows_the_last_runs_in_plain_lines(path: Path) -> None:
    runs = [a_run(id=str(n), at=NOW + n, task=f"task {n}") for n in range(3)]
    refused = a_run(
        id="x", status="diverged", reason="check_refused", step=2, tool="click", seen="'red'", expected="'green'",
        calls=("click(x=1)",), scope="t1", at=NOW + 9, task="paint \x1b[31m",
    )  # fmt: skip
    with closing(SqliteStore(path)) as store:
        store.add_history(HistoryBatch(id="2", runs=(*runs, refused)))
    lines = run("tail", "--no-follow", "-n", "2", "--store", path).stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("  miss  new_task  task 2")
    assert lines[1].endswith(
        "  diverged  check_refused  step 2 (click)  saw 'red', expected 'green'  1 call  paint \\x1b[31m @t1"
    )
    assert run("tail", "--no-follow", "--reason", "check_refused", "--store", path).stdout.count("\n") == 1
    assert run("tail", "--no-follow", "--scope", "t1", "--json", "--store", path).stdout.count("\n") == 1
    found = [json.loads(line) for line in run("tail", "--no-follow", "--json", "--store", path).stdout.splitlines()]
    assert [one["task"] for one in found] == ["task 0", "task 1", "task 2", "paint \x1b[31m"]
    assert (found[3]["step"], found[3]["seen"], found[0]["step"], found[0]["tool"]) == (2, "'red'", None, None)


def test_tail_follows_what_other_processes_write(path: Path) -> None:
    words = [sys.executable, "-m", "muscle_mem", "tail", "--json", "-n", "1", "--store", str(path)]
    with closing(SqliteStore(path)) as store:
        store.add_history(HistoryBatch(id="2", runs=(a_run(task="before"),)))
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
            try:
                assert child.stdout is not None
                assert json.loads(child.stdout.readline())["task"] == "before"
                store.add_history(HistoryBatch(id="3", counts=(a_count(runs=5),), runs=(a_run(task="after"),)))
                assert json.loads(child.stdout.readline())["task"] == "after"
                hits = json.loads(child.stdout.readline())
                assert (hits["status"], hits["runs"], hits["task"]) == ("hit", 5, "pay {bill}")
            finally:
                child.terminate()


def test_a_store_without_runs_has_an_empty_tail(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "m.db").close()
    assert run("tail", "--no-follow", "--store", tmp_path / "m.db").stdout == ""


def test_json_is_utf_8_whatever_the_locale_and_controls_no_terminal(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    with closing(SqliteStore(path)) as store:
        store.seal(a_trajectory("aaaa", task="Büro \u202e\x9b31m 注文"), an_observation())
    done = subprocess.run(
        [sys.executable, "-m", "muscle_mem", "ls", "--json", "--store", str(path)],
        capture_output=True,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        check=True,
    )
    assert "Büro \\u202e\\u009b31m 注文".encode() in done.stdout
    assert json.loads(done.stdout)[0]["task"] == "Büro \u202e\x9b31m 注文"
