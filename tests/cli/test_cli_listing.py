"""`ls` on a terminal of 80 columns, its order and filters; the last failure in `show`; progress where it is seen."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from test_cli import on_terminal

from cli_cases import as_json, plain_body, plain_row, run
from muscle_mem._reading.text import clipped, display_name, short_date
from muscle_mem.cli import progress
from muscle_mem.store import HistoryBatch, Note, Observation, PastRun, Sealed, SqliteStore
from muscle_mem.store.folder import FolderStore

NOW = time.time()
TASK = ("cancel the order ", "order_id", " of the customer that asked for it by mail this morning")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "m.db"
    with closing(SqliteStore(path)) as store:
        for n, tags in enumerate((("a",), ("a", "b"), ())):
            row = plain_row(agent_seconds=(1.0, 60.0, 2.0)[n], task=TASK)
            store.seal(
                Sealed(
                    id=str(n) * 32,
                    key=bytes([n]) * 32,
                    body=msgspec.msgpack.encode(plain_body()),
                    steps=1,
                    task=f"cancel the order 47{n} of the customer that asked for it by mail this morning",
                    tags=tags,
                    created=NOW - 86_400 * (1 + 20 * n),
                ),
                Observation(id="o", body=msgspec.msgpack.encode(row), created=NOW - 86_400 * (1 + 20 * n)),
            )
        store.note(
            (
                Note(id="0" * 32, hits=9, failures=1, last_hit=5.0),
                Note(id="1" * 32, hits=3, failures=0, last_hit=9.0),
                Note(id="2" * 32, hits=1, failures=4, state="quarantined", reason="check_refused: it was another page"),
            )
        )
    return path


def ids(path: Path, *options: str) -> str:
    return "".join(one["id"][0] for one in as_json("ls", "--store", str(path), *options))


def test_ls_sorts_and_filters(path: Path) -> None:
    assert ids(path) == "210"
    assert ids(path, "--sort", "hits") == "012"
    assert ids(path, "--sort", "saved") == "102"
    assert ids(path, "--sort", "failures", "--limit", "1") == "2"
    assert ids(path, "--sort", "last") == "102"
    assert ids(path, "--tag", "a") == "10"
    assert ids(path, "--tag", "a", "--tag", "b") == "1"
    assert ids(path, "--since", "2d") == "0"
    assert ids(path, "--reason", "check_refused") == "2"
    with closing(SqliteStore(path)) as store:
        stopped = PastRun(id="r", at=NOW, status="miss", reason="stale_output", trajectory_id="1" * 32)
        store.add_history(HistoryBatch(id="1", runs=(stopped,)))
    assert ids(path, "--reason", "stale_output") == "1"
    assert run("ls", "--reason", "no_such", "--store", str(path)).stdout == "No trajectories match.\n"
    assert run("ls", "--sort", "age", "--store", str(path)).exit_code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_ls_is_one_line_a_row_in_80_columns(path: Path) -> None:
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", on_terminal(["ls", "--store", str(path)], columns=80))
    lines = [line.rstrip() for line in shown.splitlines() if line.strip()]
    assert len(lines) == 4
    assert max(map(len, lines)) <= 80
    assert "cancel the order {order_id}" in lines[3]
    assert "470" not in shown
    assert lines[3].endswith("…")
    assert re.search(r"\w…$", lines[3])
    assert "quarantined" in lines[1]
    assert "(check_refused" in lines[1]


def test_ls_shows_whole_tasks_without_values_elsewhere(path: Path) -> None:
    lines = run("ls", "--store", str(path)).stdout.splitlines()
    assert len(lines) == 4
    whole = "cancel the order {order_id} of the customer that asked for it by mail this"
    assert all(whole in line for line in lines[1:])


def test_show_has_the_last_failure(path: Path) -> None:
    assert as_json("show", "0000", "--store", str(path))["last_failure"] is None
    runs = [
        PastRun(
            id=str(n), at=NOW, status="diverged", reason="check_refused", trajectory_id="0" * 32, step=n - 1,
            tool="shop.<locals>.click", seen=f"'red {n}'", expected="'green'", calls=("shop.<locals>.click(x=1)",),
        )
        for n in range(1, 3)
    ]  # fmt: skip
    new = PastRun(id="9", at=NOW, status="miss", reason="new_task", trajectory_id="0" * 32)
    with closing(SqliteStore(path)) as store:
        store.add_history(HistoryBatch(id="1", runs=(*runs, new)))
    shown = run("show", "0000", "--store", str(path)).stdout
    assert "diverged: check_refused at step 1 (click)" in shown
    assert "saw           'red 2'" in shown
    assert "expected      'green'" in shown
    assert "agent then    click(x=1)" in shown
    assert "<locals>" not in shown
    found = as_json("show", "0000", "--store", str(path))["last_failure"]
    assert (found["step"], found["seen"], found["tool"]) == (1, "'red 2'", "shop.<locals>.click")


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("one two three", None, "one two three"),
        ("one two three", 13, "one two three"),
        ("one two three", 12, "one two…"),
        ("one two three", 8, "one two…"),
        ("one two three", 7, "one…"),
        ("abcdefghijkl", 6, "abcde…"),
        ("a bcdefghijkl", 8, "a bcdef…"),
    ],
)
def test_texts_are_cut_between_words(text: str, limit: int | None, shown: str) -> None:
    assert clipped(text, limit) == shown


def test_names_are_shown_without_the_functions_around_them() -> None:
    assert display_name("make.<locals>.Page.<locals>.click(x=1)") == "click(x=1)"
    assert display_name("Page.click") == "Page.click"


def test_dates_are_short() -> None:
    now = time.mktime((2026, 11, 30, 12, 0, 0, 0, 0, -1))
    assert short_date(now - 3600, now) == "11:00"
    assert short_date(now - 5 * 86_400, now) == "Nov 25"
    assert short_date(now - 400 * 86_400, now) == "2025-10"
    assert (short_date(0, now), short_date(float("inf"), now)) == ("never", "never")


# --- progress


class Terminal:
    """A stderr that is a terminal."""

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None: ...


@pytest.mark.parametrize(
    "command",
    [
        ("verify",),
        ("doctor",),
        ("stats", "--full"),
        ("ls",),
        ("prune", "--ttl", "900d"),
        ("copy",),
        ("export",),
    ],
)
def test_long_commands_show_progress_on_a_terminal(
    command: tuple[str, ...], path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SHOWN_AFTER", -1.0)
    monkeypatch.setattr(progress, "EVERY", -1.0)
    from muscle_mem.cli import main

    more = {"copy": [str(path), str(tmp_path / "copy.db")], "export": ["--all", str(tmp_path / "out")]}
    named = [] if command == ("copy",) else ["--store", str(path)]
    terminal = Terminal()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", terminal)
        with pytest.raises(SystemExit) as ended:
            main([*command, *more.get(command[0], []), *named])
    assert ended.value.code == 0
    assert re.search(r"\r\w+: \[#*\.*\] 3 in 0 s", terminal.text)
    assert terminal.text.endswith("\r\x1b[K")
    assert run(*command, *more.get(command[0], []), *named).stderr == ""


def test_a_store_that_is_watched_can_do_what_it_could_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress.watched("reading", FolderStore(tmp_path)) as folder:
        assert not hasattr(folder, "survey")
        assert folder.url.startswith("folder:")
    with closing(SqliteStore(tmp_path / "m.db")) as store, progress.watched("reading", store) as seen:
        assert hasattr(seen, "survey")
        assert hasattr(seen, "inspect")


def test_a_line_of_progress_fits_80_columns() -> None:
    line = progress.bar_line("verifying", 1_000_000_000, 0.5, 86_400.0)
    assert len(line) < 80
    assert line.startswith("verifying: [############............] ")
    assert progress.bar_line("reading", 3, None, 2.0) == "reading: 3 in 2 s"


def test_nothing_is_shown_where_stderr_is_no_terminal(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "muscle_mem", "verify", "--store", str(path)],
        capture_output=True,
        env=os.environ,
        check=True,
    )
    assert done.stderr == b""


def test_prune_deletes_old_history(path: Path) -> None:
    def a_run(at: float) -> Any:
        return PastRun(id=str(at), at=at, status="miss", reason="new_task")

    with closing(SqliteStore(path)) as store:
        store.add_history(HistoryBatch(id="1", runs=(a_run(NOW), a_run(NOW - 20 * 86_400))))
    assert as_json("prune", "--history-ttl", "7d", "--dry-run", "--store", str(path))["history"] == 1
    assert "Deleted 1 row of the history." in run("prune", "--history-ttl", "7d", "--store", str(path)).stdout
    assert ids(path) == "210"
    with closing(SqliteStore(path)) as store:
        assert [one.at for one in store.history_runs()] == [NOW]
