"""The benchmarks: a quick run of all of them, and their arithmetic, tables and plots."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from benchmarks import bulk, docs, markdown, pythons, results, svg, timing, workload
from benchmarks.__main__ import main
from benchmarks.compare import changes, only_in_one
from benchmarks.ours import engine_of, must_hit, plain
from benchmarks.prototype import ROOT, Prototype
from benchmarks.scenario import SCENARIOS, Bench, Row, Target, chosen
from benchmarks.summary import QUESTIONS, summary

from muscle_mem import Engine
from muscle_mem.cli import main as command_line
from muscle_mem.store import MemoryStore

GROUPS = (
    "replay growth keys recording sqlite postgres many memory import safety learning instructions bytecodes frameworks "
    "gateway"
).split()


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The result of a whole quick run, in a process of its own, without the prototype."""
    path = tmp_path_factory.mktemp("bench") / "quick.json"
    words = [sys.executable, "-m", "benchmarks", "--quick", "--no-prototype", "--out", str(path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("| scenario |") == len(GROUPS)
    return results.read(path)


def test_a_quick_run_has_rows_of_every_kind_with_figures_in_them(quick: dict) -> None:
    assert {row["group"] for row in quick["rows"]} == set(GROUPS)
    ids = [row["id"] for row in quick["rows"]]
    assert len(ids) == len(set(ids)) > 50
    empty = [row["id"] for row in quick["rows"] if row["ours"] is None and not row["note"].startswith("skipped")]
    assert empty == ["instructions.10"]
    assert {"safety.plain", "safety.observer", "safety.untraced", "safety.unheard", "safety.traced"} <= set(ids)


def test_a_quick_run_says_where_it_was_taken(quick: dict) -> None:
    assert quick["size"] == "quick"
    assert quick["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"when", "seed", "commit", "machine", "versions", "gc", "warm_up"} <= quick.keys()
    assert str(ROOT) not in json.dumps(quick)


def test_a_replayed_step_is_one_capture_one_compare_and_one_call(quick: dict) -> None:
    rows = {row["id"]: row for row in quick["rows"]}
    assert [rows[f"counted.{what}"]["ours"] for what in ("captures", "compares", "calls")] == [10, 10, 10]


def test_counted_operations_of_many_recordings_are_within_their_targets(quick: dict) -> None:
    counted = [row for row in quick["rows"] if row["unit"] == "count" and row["group"] == "growth" and row["target"]]
    assert counted
    assert not [row["id"] for row in counted if not row["met"]]


def test_a_spread_is_median_and_percentiles() -> None:
    assert timing.Spread.over([5, 1, 3, 2, 4]) == timing.Spread(3, pytest.approx(1.4), pytest.approx(4.6), 5)
    assert timing.quantile([7], 0.9) == 7
    assert timing.quantile([1, 2], 0.5) == 1.5
    with pytest.raises(ValueError, match="no values"):
        timing.quantile([], 0.5)


def test_a_race_takes_turns_and_makes_ratios_within_a_round() -> None:
    told: list[str] = []

    def racer(name: str, cost: int) -> timing.Block:
        def block(n: int) -> int:
            told.append(name)
            return n * cost * (10 if len(told) > 20 else 1)  # the machine turns slow: the ratio stays

        return block

    race = timing.run_race({"loop": racer("loop", 10_000), "ours": racer("ours", 30_000)}, timing.Effort(9, 1e-5, 60))
    assert told[-18:] == ["loop", "ours"] * 9
    assert race.ratio("ours", "loop").median == pytest.approx(3)
    assert race.beyond("ours", "loop", each=2).p10 in (pytest.approx(10), pytest.approx(100))


def test_a_racer_without_budget_still_runs_once() -> None:
    race = timing.run_race({"loop": lambda n: 10 * n, "slow": lambda n: 10**9 * n}, timing.Effort(5, 1e-4, 0.0))
    assert (len(race.times["loop"]), len(race.times["slow"])) == (1, 1)
    assert race.ratio("slow", "loop").of == 1


def test_a_target_knows_when_it_is_met() -> None:
    assert Target(8).met(8)
    assert not Target(8, "<").met(8)
    assert Target(10, "==").met(10)
    assert (str(Target(12.5)), str(Target(0, "=="))) == ("<= 12.5", "== 0")
    assert Row("a", "A", "x", target=Target(8)).met is None


def test_scenarios_are_chosen_by_a_word_of_their_name() -> None:
    assert {group for group, _, _ in SCENARIOS} == set(GROUPS)
    assert [name for _, name, _ in chosen(["replay.steady_e"])] == ["steady_exact"]
    assert main(["--only", "nothing of that name"]) == 2


def result_of(*rows: Row) -> dict:
    for row in rows:
        row.group = row.group or "replay"
    about = results.about("quick", 1, "left out")
    return json.loads(json.dumps(results.as_json(about, list(rows))))


def test_a_comparison_flags_what_left_the_spread() -> None:
    def result(steady: float, captures: float, alone: float) -> dict:
        return result_of(
            Row("steady.10", "steady", "x", steady, (steady - 0.5, steady + 0.5)),
            Row("captures", "captures", "count", captures),
            Row("open", "open", "ms", alone),
            Row("none", "none", "x"),
        )

    words = {change.id: change.word for change in changes(result(8, 10, 5), result(8.4, 10, 5.4))}
    assert words == {"steady.10": "", "captures": "", "open": ""}
    found = {change.id: change for change in changes(result(8, 10, 5), result(4, 11, 10))}
    assert [found[id].word for id in ("steady.10", "captures", "open")] == ["better", "worse", "worse"]
    assert found["steady.10"].ratio == 0.5


def test_a_higher_throughput_is_better() -> None:
    before, after = (result_of(Row("many.threads", "threads", "x", value)) for value in (0.5, 1.0))
    assert [change.word for change in changes(before, after)] == ["better"]
    assert only_in_one(before, result_of()) == (["many.threads"], [])


def test_the_command_compares_two_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in (("a", 8.0), ("b", 4.0)):
        results.write(result_of(Row("steady.10", "steady", "x", value, (value, value))), tmp_path / f"{name}.json")
    assert main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 0
    assert "| steady | x | 8 | 4 | 0.50 | better |" in capsys.readouterr().out
    (tmp_path / "c.json").write_text("{}")
    assert main(["compare", str(tmp_path / "a.json"), str(tmp_path / "c.json")]) == 2
    assert "holds no result" in capsys.readouterr().err


def test_a_table_tells_figures_spreads_notes_and_refusals() -> None:
    row = Row("a", "a | hit", "x", 7.94, (7.5, 8.25), "cannot (a|b)", None, 1.5, "us", Target(8), note="why")
    table = markdown.tables(result_of(row, Row("b", "b", "x", 1234.5, target=Target(2), note="why")))
    assert "| a \\| hit [1] | x | 7.94 (7.5 to 8.25) | cannot (a\\|b) | 1.5 us | <= 8 | yes |" in table
    assert "| b [1] | x | 1,234 |  |  | <= 2 | **no** |" in table
    assert table.endswith("1. why")


def test_the_page_keeps_what_stands_outside_of_the_markers() -> None:
    page = "before\n<!-- bench:tables -->\nold\n<!-- bench:end -->\nafter\n"
    once = markdown.between_markers(page, {"tables": "new \\1"})
    assert once == "before\n<!-- bench:tables -->\n\nnew \\1\n\n<!-- bench:end -->\nafter\n"
    assert markdown.between_markers(once, {"tables": "new \\1"}) == once
    with pytest.raises(ValueError, match="no markers"):
        markdown.between_markers(page, {"plots": ""})


def test_the_pages_of_the_docs_have_all_markers_and_take_a_result(quick: dict, tmp_path: Path) -> None:
    for page in (docs.PAGE, docs.TABLES):
        (tmp_path / page).parent.mkdir(exist_ok=True)
        (tmp_path / page).write_text((docs.DOCS / page).read_text(encoding="utf-8"), encoding="utf-8")
    docs.write(quick, tmp_path)
    text = (tmp_path / docs.PAGE).read_text(encoding="utf-8")
    assert "![A hit, as a multiple of the plain loop](plots/replay.svg)" in text
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {"replay.svg", "safety.svg", "length.svg"}
    assert markdown.tables(quick) in (tmp_path / docs.TABLES).read_text(encoding="utf-8")


def test_a_quick_run_answers_every_question_of_users(quick: dict) -> None:
    assert summary(quick).count("\n") == 1 + len(QUESTIONS)


def test_a_summary_leaves_out_what_was_not_measured_and_takes_the_last_of_several_rows() -> None:
    steady = Row("steady.10", "steady", "x", 2.0, loop=4.0, details={"ours_us": 8.0})
    few, many = (Row(f"miss.{n}", "a miss", "x", n / 1000) for n in (1000, 20_000))
    text = summary(result_of(steady, few, many, Row("sqlite.open", "5 keys: opening", "ms", 0.8)))
    assert text.splitlines()[2:] == [
        "| A hit of 10 steps | 8 microseconds; the checks and tools alone: 4 microseconds |",
        "| Opening a SQLite store of 5 keys | 800 microseconds |",
        "| A miss beside 20,000 recordings of other tasks | 20 times as long as in an empty store |",
    ]


def test_plots_are_whole_svg_for_light_and_dark_ground() -> None:
    bars = svg.bars("A < B", [("a & b", 8.0, 400.0, 6.0), ("c", 0.5, None, None)])
    lines = svg.lines("Lines", "steps", [("a", "ours", [(1, 10), (1000, 6000)]), ("c", "loop", [(1, 0.0)])])
    for picture in (bars, lines):
        assert ElementTree.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"
        assert "prefers-color-scheme: dark" in picture
    assert bars.count("<rect") == 3
    assert "a &amp; b" in bars
    with pytest.raises(ValueError, match="above zero"):
        svg.bars("nothing", [("a", 0.0, None, None)])


def test_a_scale_goes_by_powers_of_ten() -> None:
    scale = svg.Scale([2.0, 300.0], 0, 300)
    assert scale.ticks() == [1, 10, 100, 1000]
    assert [scale.at(value) for value in (0, 1, 10, 1000)] == [0, 0, 100, 300]


def test_what_is_cast_in_bulk_is_hit_by_an_engine(tmp_path: Path) -> None:
    path = tmp_path / "bulk.db"
    assert bulk.fill_sqlite(path, bulk.many_keys(plain(), 5, 3)) == 15
    engine, _ = engine_of(plain(), 1, str(path))
    for i in range(5):
        must_hit(engine, f"task {i}")()
    assert engine("a task of its own").learned
    assert must_hit(engine, "a task of its own")() is None
    engine.close()
    with pytest.raises(SystemExit) as ended:
        command_line(["doctor", "--store", str(path)])
    assert ended.value.code == 0


def test_what_is_cast_has_the_ids_that_a_recording_gets() -> None:
    mould, store = bulk.Mould(plain(), 3), MemoryStore()
    sealed, observation = mould.shape().cast(mould.key)
    engine, _ = engine_of(plain(), 3, store)
    engine("task")
    [stored] = store.scan().stored
    assert (stored.sealed.id, stored.observations[0][1].id) == (sealed.id, observation.id)


def test_cast_observations_are_hit_where_their_snapshot_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    mould, store = bulk.Mould(plain(), 2), MemoryStore()
    bulk.fill(store, (mould.shape().cast(mould.key, "task", f"page {i}") for i in (3, 4)))
    engine: Engine = engine_of(plain(), 2, store)[0]
    monkeypatch.setitem(workload.state, "page", "page 4")
    must_hit(engine)()
    monkeypatch.setitem(workload.state, "page", "page 5")
    assert engine.explain("task").reason == "first_check_refused"


@pytest.mark.skipif(os.name == "nt", reason="the Pythons here are scripts")
def test_later_pythons_are_found_where_they_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soon, much_later, too_old = (f"python3.{sys.version_info.minor + more}" for more in (1, 2, 0))
    kept = tmp_path / "pyenv" / "versions" / "3.x" / "bin"
    for folder, name, code in (
        (tmp_path / "path", soon, 1),  # as pyenv's stand-ins for what is not switched on
        (kept, soon, 0),
        (tmp_path / "path", much_later, 0),
        (kept, much_later, 0),
        (kept, too_old, 0),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    assert pythons.later() == [str(kept / soon), str(tmp_path / "path" / much_later)]


def test_without_the_prototype_a_scenario_goes_on(tmp_path: Path) -> None:
    bench = Bench("quick", tmp_path, Prototype(missing="left out"))
    race, missing = bench.race({"loop": lambda n: n}, ("replay", {"world": "plain", "steps": 1}))
    assert (missing, list(race.times)) == ("not measured", ["loop"])
    assert bench.prototype.measure("counted", {"steps": 1}) == {"cannot": "not measured"}
