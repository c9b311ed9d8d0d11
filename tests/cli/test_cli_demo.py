"""`muscle-mem demo`: its options, what it names to try next, and its colors."""

from __future__ import annotations

import importlib.util
import io
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli_cases import run
from muscle_mem import Engine
from muscle_mem.cli.commands.demo import _console as demo_console
from muscle_mem.demo import Report
from muscle_mem.demo.summary import Totals

TOTALS = Totals(runs=6, asked=2, steps=18, replayed=14, wrong=0, changed=1, stopped=1)


def test_the_demo_is_run_with_its_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[tuple[Any, bool]] = []

    def fake(store: str | None = None, headless: bool = True, console: Any = None) -> Report:
        console.print("the story")
        calls.append((store, headless))
        return Report(ok=len(calls) < 4, totals=TOTALS)

    monkeypatch.setattr("muscle_mem.demo.run", fake)
    path = str(tmp_path / "demo.db")
    assert "demo --store demo.db" in run("demo", env={"MUSCLE_MEM_STORE": "mine.db"}).stdout
    assert f"inspect --store {path}" in run("demo", "--store", path).stdout
    result = run("demo", "--json", "--headed", "--store", path)
    assert json.loads(result.stdout) == {"ok": True, "store": path, "totals": TOTALS.as_dict()}
    assert result.stderr == "the story\n"
    failed = run("--store", f"sqlite:///{path}", "demo")
    assert (failed.exit_code, failed.stdout) == (1, "the story\n")
    assert calls == [(None, True), (path, True), (path, False), (path, True)]


def test_without_a_browser_the_demo_names_no_store_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muscle_mem.demo.run", lambda **_: Report(ok=True))
    assert run("demo", "--store", "demo.db").stdout == ""


def commands_after_the_demo(store: str, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    monkeypatch.setattr("muscle_mem.demo.run", lambda **_: Report(ok=True, totals=TOTALS))
    lines = run("demo", "--store", store).stdout.splitlines()
    return [shlex.split(line) for line in lines if line.startswith("  ")]


def test_the_command_named_after_the_demo_opens_its_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store = str(tmp_path / "a demo.db")
    Engine(store).close()
    *install, inspect, again = commands_after_the_demo(store, monkeypatch)
    assert again == [*inspect[: inspect.index("inspect")], "demo", "--store", store]
    has_inspector = all(map(importlib.util.find_spec, ("starlette", "uvicorn", "jinja2", "PIL")))
    assert install == ([] if has_inspector else [[sys.executable, "-m", "pip", "install", "muscle-mem[inspector]"]])
    if not has_inspector:
        pytest.skip("the inspector is not installed")
    with subprocess.Popen([*inspect, "--json"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert json.loads(process.stdout.readline())["url"].startswith("http://127.0.0.1:")
        finally:
            process.terminate()


def test_without_the_inspector_the_demo_names_its_installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    install, inspect, _ = commands_after_the_demo(str(tmp_path / "demo.db"), monkeypatch)
    assert install == [sys.executable, "-m", "pip", "install", "muscle-mem[inspector]"]
    assert "inspect" in inspect


@pytest.mark.skipif(sys.platform == "win32", reason="makes a POSIX script")
def test_the_named_command_starts_the_program_that_ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "bin" / "muscle-mem"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    for started, on_path, named in (
        ("bin/muscle-mem", "", ["bin/muscle-mem"]),
        (str(script), str(script.parent), ["muscle-mem"]),
        ("somewhere/muscle_mem/__main__.py", "", [sys.executable, "-m", "muscle_mem"]),
    ):
        monkeypatch.setattr(sys, "argv", [started, "demo"])
        monkeypatch.setenv("PATH", on_path)
        assert commands_after_the_demo("demo.db", monkeypatch)[-2][: len(named) + 1] == [*named, "inspect"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_demo_has_colors_on_a_terminal_only_and_not_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def shown(file: io.StringIO) -> str:
        made = demo_console(file)
        assert made.width <= 100
        made.print("done", style="bold green")
        return file.getvalue()

    assert "\x1b[" in shown(Terminal())
    assert shown(io.StringIO()) == "done\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert shown(Terminal()) == "done\n"


def test_trouble_with_the_demos_store_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(store: str | None = None, **_: Any) -> Report:
        Engine(store).close()
        return Report(ok=True)

    monkeypatch.setattr("muscle_mem.demo.run", fake)
    for name in (str(tmp_path), "mongodb://x/y"):
        result = run("demo", "--store", name)
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
