"""The documentation builds as a site without a warning, and holds every public name, command and event."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import muscle_mem
from muscle_mem import _events
from muscle_mem.cli import main
from paths import ROOT

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sphinx", reason="pip install 'muscle-mem[docs]'")
    built = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", str(built / ".trees")]
    # sphinx and its themes may be old enough to warn on a new Python: only warnings about the pages count here
    quiet = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([*command, str(DOCS), str(built)], capture_output=True, text=True, env=quiet)
    assert done.returncode == 0, done.stderr
    return built


def test_the_site_builds_without_a_warning(site: Path) -> None:
    assert (site / "index.html").exists()


def test_every_public_name_has_a_place_in_the_generated_reference(site: Path) -> None:
    ids = set()
    for page in (site / "reference").glob("*.html"):
        ids |= {name.rpartition(".")[2] for name in re.findall(r'id="([\w.]+)"', page.read_text(encoding="utf-8"))}
    names = [name for name in muscle_mem.__all__ if not inspect.ismodule(getattr(muscle_mem, name))]
    names += muscle_mem.checks.__all__
    names += [name for name, value in vars(_events).items() if inspect.isclass(value) and name.endswith("Event")]
    names += [name for name in vars(muscle_mem.Engine) if not name.startswith("_")]
    assert len(names) > 50
    assert not [name for name in names if name not in ids]


def test_every_command_has_a_place_in_the_generated_reference(site: Path) -> None:
    text = (site / "reference" / "command-line.html").read_text(encoding="utf-8")
    assert not [name for name in main.commands if f'id="muscle-mem-{name}"' not in text]


def test_commands_can_be_copied_from_the_generated_reference(site: Path) -> None:
    page = (site / "reference" / "command-line.html").read_text(encoding="utf-8")
    assert "--store memory.db" in page
    assert not set("\u2013\u201c\u201d") & set(page)


def test_every_page_is_reachable(site: Path) -> None:
    index = (site / "index.html").read_text(encoding="utf-8")
    pages = [path.relative_to(DOCS).with_suffix(".html").as_posix() for path in DOCS.rglob("*.md")]
    pages = [page for page in pages if not page.startswith(("decisions/0", "_build/")) and page != "index.html"]
    assert not [page for page in pages if f'href="{page}' not in index]
