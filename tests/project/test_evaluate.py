"""The evaluation on real pages: what is chosen, counted, kept and written; and a small run in a browser."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import pytest
from benchmarks.evaluate import report, results, selection, ways
from benchmarks.evaluate.__main__ import Runner, main
from benchmarks.evaluate.agent import next_action, params_of
from benchmarks.evaluate.results import Line
from benchmarks.evaluate.tasks import LEFT_OUT, PAGES, SOLVED
from benchmarks.markdown import between_markers
from benchmarks.prototype import ROOT

from muscle_mem.demo.browser import find_browser, find_pages, what_is_missing
from muscle_mem.demo.sight import Thing, View
from muscle_mem.demo.solvers import Action, PuzzledError

SEEDS = ("one", "two")
needs_browser = pytest.mark.skipif(bool(what_is_missing(find_browser())), reason="no browser, or no pages")


def line(
    task: str = "read-table", seed: str = "one", way: str = "params", status: str = "hit", reward: float = 1.0
) -> Line:
    return Line(task, seed, way, ways.verdict(status, reward), status, "why", 2, 2, reward, "a browser")


def known(*lines: Line) -> dict[tuple[str, str, str], Line]:
    return {one.key: one for one in lines}


def thing(ref: int, role: str, name: str, state: str = "", tag: str = "") -> Thing:
    return Thing(ref, role, tag or role, name, ref, (0, 0), state, (), "")


# What is chosen


def test_the_order_is_that_of_the_hashes_without_the_tasks_of_the_demo() -> None:
    ordered = selection.in_order(["login-user", "click-test", "enter-text", "focus-text"])
    assert set(ordered) == {"click-test", "enter-text", "focus-text"}
    digests = [sha256(name.encode()).hexdigest() for name in ordered]
    assert digests == sorted(digests)


def test_the_first_solved_tasks_are_chosen_and_the_others_before_them_have_a_reason() -> None:
    names = [*SOLVED, *LEFT_OUT]
    found = selection.choose(names, 5, lambda name: "the script failed" if name == "click-checkboxes" else "")
    assert len(found.chosen) == 5
    assert found.left_out["click-checkboxes"] == "the script failed"
    assert all(found.left_out.values())
    behind = selection.in_order(names)[len(found.chosen) + len(found.left_out) :]
    assert selection.in_order(names)[: 5 + len(found.left_out)][-1] == found.chosen[-1]
    assert not set(behind) & {*found.chosen, *found.left_out}


def test_a_task_without_a_solver_is_left_out_as_such() -> None:
    assert selection.choose(["no-such-page"], 1, lambda name: "").left_out == {"no-such-page": selection.NO_SOLVER}


def test_no_task_has_both_a_solver_and_a_reason_against_one_and_the_recordings_have_other_seeds() -> None:
    assert not set(SOLVED) & set(LEFT_OUT)
    assert not selection.IN_DEMO & {*SOLVED, *LEFT_OUT}
    recorded = {seed for way in ways.WAYS for each in selection.SEEDS for seed in ways.recording_seeds(each, way)}
    assert not recorded & set(selection.SEEDS)
    assert len(recorded) == 3 * len(selection.SEEDS)


@pytest.mark.skipif(find_pages() is None, reason="no pages")
def test_the_named_tasks_are_pages_of_the_package() -> None:
    pages = find_pages()
    assert pages is not None
    names = selection.names_in(pages)
    assert len(names) == PAGES
    assert {*SOLVED, *LEFT_OUT, *selection.IN_DEMO} <= set(names)


# What counts


@pytest.mark.parametrize(
    ("status", "reward", "verdict"),
    [
        ("hit", 1.0, "solved"),
        ("hit", 0.2, "solved"),
        ("hit", 0.0, "wrong"),
        ("hit", -1.0, "wrong"),
        ("miss", 1.0, "handed over"),
        ("diverged", 1.0, "handed over"),
        ("diverged", -1.0, "unsolved"),
        ("failed", 0.0, "unsolved"),
        ("agent", 1.0, "solved"),
        ("agent", -1.0, "unsolved"),
    ],
)
def test_a_hit_without_a_reward_is_wrong_and_nothing_else_is(status: str, reward: float, verdict: str) -> None:
    assert ways.verdict(status, reward) == verdict


def test_the_summary_counts_each_way_by_itself() -> None:
    lines = known(
        line(seed="one", way="blind", reward=-1.0),
        line(seed="two", way="blind", status="diverged"),
        line(seed="one", way="params"),
        line(seed="two", way="params", status="miss", reward=-1.0),
        line("find-word", way="params", reward=-1.0),
    )
    rows = report.summary(lines, ["read-table"], SEEDS).splitlines()
    assert rows[2:] == ["| a: blind replay | 2 | 0 | 1 | 0 | 1 |", "| c: with checks and params | 2 | 1 | 0 | 1 | 0 |"]
    assert "1 solved, 1 unsolved" in report.by_task(lines, ["read-table"], SEEDS)


def test_a_wrong_hit_of_a_way_with_checks_is_found_and_one_of_a_blind_replay_is_expected() -> None:
    bad = line(way="three", reward=0.0)
    lines = known(bad, line(way="blind", reward=-1.0), line(way="before", reward=-1.0))
    assert report.wrong_hits(lines, ["read-table"], SEEDS) == [bad]
    named = report.wrong_by_task(lines, ["read-table"], SEEDS).splitlines()
    assert [row.rpartition(": ")[2] for row in named] == ["`read-table` 1", "none"]


def test_a_task_that_the_script_fails_once_is_not_chosen() -> None:
    lines = known(*(line(name, seed, "agent", "agent") for name in SOLVED for seed in SEEDS))
    assert len(report.selected(lines, 3, SEEDS).chosen) == 3
    first = report.selected(lines, 1, SEEDS).chosen[0]
    lines |= known(line(first, "two", "agent", "agent", -1.0))
    assert report.selected(lines, 3, SEEDS).left_out[first] == "the script failed at the seed two: why"
    del lines[first, "two", "agent"]
    assert report.selected(lines, 3, SEEDS).left_out[first] == "not measured yet"


# What is kept


def test_a_file_that_was_cut_off_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    writer = results.Writer(path)
    for seed in SEEDS:
        writer.add(line(seed=seed))
    path.write_bytes(path.read_bytes()[:-20])
    assert list(results.read(path)) == [line(seed="one").key]
    results.Writer(path).add(line(seed="three"))
    assert [key[1] for key in results.read(path)] == ["one", "three"]


def test_a_line_that_is_damaged_in_the_middle_is_an_error_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text("{half\n" + json.dumps(asdict(line())) + "\n")
    with pytest.raises(ValueError, match="line 1"):
        results.read(path)
    assert results.read(tmp_path / "none") == {}


def test_what_is_known_is_not_run_again(tmp_path: Path) -> None:
    ran: list[tuple[str, str, str]] = []

    class Lab:
        def run(self, task: ways.Task, seed: str, way: str) -> Line:
            ran.append((task.name, seed, way))
            return line(task.name, seed, way)

    path = tmp_path / "lines.jsonl"
    lines = known(line())
    runner = Runner(Lab(), path, lines, "a browser")  # type: ignore[arg-type]
    for seed in SEEDS * 2:
        runner("read-table", seed, "params")
    assert ran == [("read-table", "two", "params")]
    assert results.read(path).keys() == {("read-table", "two", "params")}
    assert lines["read-table", "two", "params"].versions == "a browser"


def test_a_report_needs_no_browser(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "lines.jsonl"
    writer = results.Writer(path)
    for name in SOLVED:
        writer.add(line(name, selection.SEEDS[0], "agent", "agent"))
        writer.add(line(name, selection.SEEDS[0], "params", reward=-1.0))
    words = ["--report", "--results", str(path), "--tasks", "2", "--seeds", "1"]
    assert main(words) == 1
    said = capsys.readouterr()
    assert "| c: with checks and params | 2 | 0 | 0 | 0 | 2 |" in said.out
    assert said.err.count("wrong:") == 2
    path.write_text("{}\n")
    assert main(words) == 2


# What is written


def test_the_page_has_the_figures_of_the_results() -> None:
    page = report.PAGE.read_text(encoding="utf-8")
    assert between_markers(page, report.documented(results.read(results.FILE))) == page
    readme = report.README.read_text(encoding="utf-8")
    assert between_markers(readme, report.in_readme(results.read(results.FILE))) == readme


def test_no_replay_with_checks_was_wrong() -> None:
    lines = results.read(results.FILE)
    assert report.wrong_hits(lines, report.selected(lines).chosen, selection.SEEDS) == []


def test_a_page_is_not_written_from_half_of_the_results() -> None:
    lines = results.read(results.FILE)
    first = next(key for key in lines if key[2] == "params")
    with pytest.raises(ValueError, match="missing of: params"):
        report.documented({key: one for key, one in lines.items() if key != first})


# The scripts


def test_what_the_instruction_names_is_clicked_and_what_the_page_shows_is_picked() -> None:
    fields = (thing(1, "radio", "aX"), thing(2, "radio", "b7"), thing(3, "button", "Submit"))
    asked = "Select b7 and click Submit."
    assert params_of(SOLVED["click-option"], asked) == {"choice": "b7"}
    assert next_action(SOLVED["click-option"], View(asked, False, 0.0, fields), asked) == Action("click", 'radio "b7"')
    table = (
        thing(1, "text", "Color"),
        thing(2, "text", "teal"),
        thing(3, "textbox", "tt"),
        thing(4, "button", "Submit"),
    )
    asked = "Enter the value of Color into the text field and press Submit."
    action = next_action(SOLVED["read-table"], View(asked, False, 0.0, table), asked)
    assert action == Action("answer", 'textbox "tt"', "teal")


def test_each_item_of_a_list_is_a_param() -> None:
    assert params_of(SOLVED["click-checkboxes"], "Select a, bc and click Submit.") == {"item_1": "a", "item_2": "bc"}
    assert params_of(SOLVED["click-checkboxes"], "Select nothing and click Submit.") == {}
    assert params_of(SOLVED["click-checkboxes"], "Sing.") == {}
    with pytest.raises(PuzzledError, match="Sing"):
        next_action(SOLVED["click-checkboxes"], View("Sing.", False, 0.0, ()), "Sing.")


# With a browser


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample.jsonl"
    words = [sys.executable, "-m", "benchmarks.evaluate", "--tasks", "4", "--seeds", "1", "--results", str(path)]
    done = subprocess.run(
        [*words, "--ways", "blind", *ways.CHECKED], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return path


@needs_browser
def test_a_sample_of_the_evaluation_runs_and_agrees_with_the_results(sample: Path) -> None:
    again, kept = results.read(sample), results.read(results.FILE)
    assert len([key for key in again if key[2] != "agent"]) == 4 * 4
    assert {key: one.verdict for key, one in again.items()} == {key: kept[key].verdict for key in again}
