"""The demo as a whole, in a browser: what it learns, what it prints, and its second start."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from muscle_mem import demo
from muscle_mem.demo.browser import find_browser, what_is_missing
from muscle_mem.demo.stages import Run, Stage
from muscle_mem.demo.tasks import TASKS
from muscle_mem.store import open_store
from muscle_mem.store.history import keeps_history

needs_browser = pytest.mark.skipif(bool(what_is_missing(find_browser())), reason="no browser, or no pages")


def text_console() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=140), out


@needs_browser
def test_the_demo_learns_replays_and_starts_warm_the_second_time(tmp_path: Path) -> None:
    store = str(tmp_path / "memory.db")
    console, out = text_console()
    cold = demo.run(store, tasks=TASKS[:1], console=console)
    said = out.getvalue()
    assert cold.ok, said
    assert cold.totals is not None
    [runs] = cold.runs.values()
    assert [(run.stage, run.status) for run in runs] == [
        (Stage.NEW, "miss"),
        (Stage.SAME, "hit"),
        (Stage.OTHER, "hit"),
        (Stage.CHANGED, "diverged"),
        (Stage.CHANGED_AGAIN, "hit"),
        (Stage.OLD, "hit"),
    ]
    the_figures_are_those_that_the_store_counted(store, cold, said)
    it_can_be_read_by_a_stranger(said, runs)

    console, out = text_console()
    warm = demo.run(store, tasks=TASKS[:1], console=console)
    assert warm.ok, out.getvalue()
    assert warm.totals is not None
    assert (warm.totals.asked, warm.totals.replayed) == (0, warm.totals.steps)
    assert figures(out.getvalue(), "all") == [6, 0, 18, 18, 0]
    assert figures(out.getvalue(), "calls of the model")[1] == 0
    assert "warm start" in out.getvalue()
    assert "stopped at" in said
    assert "warm start" not in said
    assert "stopped at" not in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= 100


def the_figures_are_those_that_the_store_counted(store: str, report: demo.Report, said: str) -> None:
    """The table is compared with the history of the store, which the engine keeps, and with the actions on the page."""
    memory = open_store(store)
    assert keeps_history(memory)
    counts = memory.history_counts()
    runs = [run for own in report.runs.values() for run in own]
    asked = sum(one.runs for one in counts if one.status != "hit")
    replayed = sum(one.saved_calls for one in counts) + sum(
        len(past.calls) == 1 and 2 for past in memory.history_runs()
    )
    by_agent = sum(len(past.calls) for past in memory.history_runs())
    assert figures(said, "all") == [sum(one.runs for one in counts), asked, replayed + by_agent, replayed, 0]
    assert figures(said, "calls of the model")[:2] == [replayed + by_agent, by_agent]
    assert [sum(not action.by_agent for action in run.actions) for run in runs] == [run.steps for run in runs]


def it_can_be_read_by_a_stranger(said: str, runs: Sequence[Run]) -> None:
    lines = said.splitlines()
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in said
    first = next(number for number, line in enumerate(lines) if str(runs[0].actions[0]) in line)
    assert first < 16
    for run in runs[:4]:
        assert all(str(action) in said for action in run.actions)
    [stop] = [run.stop for run in runs if run.stop is not None]
    assert (stop.step, stop.expected, stop.seen) == (3, "one such button", "none")
    assert said.count(f"expected: {stop.expected}\n") == said.count(f"seen:     {stop.seen}\n") == 1
    assert "Note:" not in said


def figures(said: str, row: str) -> list[int]:
    """The numbers in the row of a table that begins with these words."""
    [line] = [line for line in said.splitlines() if line.startswith(f"  {row} ")]
    return [
        int(word.replace(",", "")) for word in line.removeprefix(f"  {row}").split() if word.replace(",", "").isdigit()
    ][:5]
