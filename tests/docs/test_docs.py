"""Every code block of the README and the docs runs; every public name, reason, keyword and command is in the docs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import muscle_mem
import postgres_server
from muscle_mem import Reason
from muscle_mem.demo.browser import find_browser
from paths import ROOT

TOP = [ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")]
PAGES = [*TOP, *sorted((ROOT / "docs").rglob("*.md"))]
# Pages of adapters run where their framework is installed: in its tests, too, in tests/integrations/in_*.
FRAMEWORKS = ("pydantic_ai", "langchain", "agents", "openai", "anthropic", "google.adk", "strands", "playwright")
FRAMEWORKS += ("browser_use", "claude_agent_sdk")
BLOCK = re.compile(r"^```([\w{}-]*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    text = page.read_text(encoding="utf-8")
    return [(text[: m.start()].count("\n") + 2, m.group(2)) for m in BLOCK.finditer(text) if m.group(1) == language]


def commands(page: Path) -> list[tuple[int, str]]:
    """The muscle-mem commands of a tutorial, as code that runs them where they stand."""
    if page.name != "tutorial.md":
        return []
    made = []
    for line, code in blocks(page, "console"):
        words = [shlex.split(command) for command in re.findall(r"^\$ muscle-mem (.*)$", code, re.MULTILINE)]
        runs = [f"subprocess.run([sys.executable, '-m', 'muscle_mem', *{each!r}], check=True)" for each in words]
        if runs:
            made.append((line, "import subprocess, sys; " + "; ".join(runs) + "\n"))
    return made


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_the_python_blocks_of_a_page_run_one_after_the_other(page: Path, tmp_path: Path) -> None:
    """Blocks of a page share their names, as a reader would expect; each page gets a process and folder of its own."""
    parts = []
    for line, code in sorted([*blocks(page, "python"), *commands(page)]):
        parts.append("\n" * max(0, line - 1 - "".join(parts).count("\n")) + code)
    for framework in FRAMEWORKS:
        if re.search(rf"^(from|import) {framework}\b", "".join(parts), re.MULTILINE):
            pytest.importorskip(framework, reason=f"{framework} is not installed")
    if "sync_playwright" in "".join(parts) and find_browser() is None:
        pytest.skip("no browser")
    script = tmp_path / f"page_{page.stem}.py"  # a page called langchain.md must not hide the package
    script.write_text("".join(parts), encoding="utf-8")
    environment = dict(os.environ)
    if "DATABASE_URL" in "".join(parts):
        if postgres_server.dsn() is None:
            pytest.skip(postgres_server.HOW)
        environment["DATABASE_URL"] = postgres_server.url_of()
    done = subprocess.run(
        [sys.executable, "-W", "error", script.name],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_the_guide_on_lists_shows_what_its_program_prints(tmp_path: Path) -> None:
    page = ROOT / "docs" / "guides" / "work-through-a-list.md"
    script = tmp_path / "script.py"
    script.write_text(blocks(page, "python")[0][1], encoding="utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == blocks(page, "console")[0][1]


def test_no_page_has_a_block_that_is_not_run() -> None:
    known = {"python", "console", "{eval-rst}"}
    assert not [
        (page.name, m.group(1)) for page in PAGES for m in BLOCK.finditer(page.read_text()) if m.group(1) not in known
    ]


def test_every_command_that_the_pages_show_exists() -> None:
    """`$ make x` is a target of the Makefile; `$ muscle-mem x` is a command with these options."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    seen = 0
    for page in PAGES:
        for _, code in blocks(page, "console"):
            for line in re.findall(r"^\$ (.*)$", code, re.MULTILINE):
                words = shlex.split(line, comments=True)
                while words and "=" in words[0]:
                    words = words[1:]
                seen += 1
                if words[0] == "make":
                    assert words[1] in targets, line
                elif words[0] == "muscle-mem":
                    known_command(words[1:], line)
                else:
                    assert words[0] in {"pip", "python", "python3"}, line
    assert seen > 5


def known_command(words: list[str], line: str) -> None:
    from muscle_mem.cli import main

    assert words[0] in main.commands, line
    if "--" in words:  # What follows is the command of another program.
        words = words[: words.index("--")]
    options = {flag for parameter in main.commands[words[0]].params for flag in parameter.opts}
    assert not [word for word in words[1:] if word.startswith("--") and word.split("=")[0] not in options], line


def everything() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def test_every_reason_has_a_row_with_a_remedy() -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    rows = {cells[1].strip(" `"): cells for line in text.splitlines() if len(cells := line.split("|")) == 6}
    assert not [reason.value for reason in Reason if reason.value not in rows and reason != Reason.HIT]


def test_every_code_of_a_log_line_is_a_heading() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    codes = set(re.findall(r"(?:notify|emit|notice)\(\s*[\"'](?:warning|info)[\"'],\s*[\"'](\w+)[\"']", source))
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    assert len(codes) > 10
    assert not [code for code in codes if f"### `{code}`" not in text]


def test_every_command_and_check_is_in_the_docs() -> None:
    from muscle_mem.cli import main

    text = everything()
    assert not [name for name in main.commands if f"muscle-mem {name}" not in text]
    assert not [name for name in muscle_mem.checks.__all__ if f"`{name}" not in text and f"checks.{name}" not in text]


def test_every_environment_variable_is_in_the_reference() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    named = set(re.findall(r"MUSCLE_MEM_[A-Z_]+|OPENAI_[A-Z_]+", source))
    text = (ROOT / "docs" / "reference" / "environment.md").read_text(encoding="utf-8")
    assert named
    assert not [name for name in named if f"`{name}`" not in text]


def test_links_between_the_pages_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        broken += [f"{page.name}: {to}" for to in targets if "://" not in to and not (page.parent / to).exists()]
    assert not broken


def test_the_changelog_tells_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_no_path_of_somebodys_machine_is_in_the_tree() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:  # an unpacked source distribution
        return
    home = os.path.expanduser("~")
    for name in listed.stdout.split():
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".sh", ".js", ".json", ""} and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            assert str(ROOT) not in text, name
            assert home == "/" or len(home) < 6 or home + "/" not in text, name
