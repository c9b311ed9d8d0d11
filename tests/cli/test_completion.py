"""What a shell offers to complete: ids, scopes and tags of the store, and never more than a line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from muscle_mem.store import SqliteStore
from muscle_mem.testing import a_trajectory, an_observation
from paths import GOLDEN


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "m.db"
    with closing(SqliteStore(path)) as store:
        store.seal(a_trajectory("aaaa1111", task="pay the bill", scope="tenant-1", tags=("home",)), an_observation())
        store.seal(a_trajectory("bbbb2222", task="x\x1b[31m", scope="tenant-2\n", tags=("work",)), an_observation())
    return path


def offered(words: str, store: str = "") -> list[str]:
    """What bash would offer behind these words."""
    env = {**os.environ, "_MUSCLE_MEM_COMPLETE": "bash_complete", "COMP_WORDS": f"muscle-mem {words}"}
    env |= {"COMP_CWORD": str(len(words.split(" "))), "MUSCLE_MEM_STORE": store}
    code = "from muscle_mem.cli import main; main(prog_name='muscle-mem')"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_ids_scopes_and_tags_are_those_of_the_store(path: Path) -> None:
    assert offered("show ", str(path)) == ["aaaa1111", "bbbb2222"]
    assert offered("show aa", str(path)) == ["aaaa1111"]
    assert offered(f"forget --store {path} bb") == ["bbbb2222"]
    assert offered("ls --scope ", str(path)) == ["tenant-1"]  # No text with a line break.
    assert offered("ls --tag w", str(path)) == ["work"]
    assert "tail" in offered("ta", str(path))


def test_nothing_is_offered_without_a_store_and_none_is_made(tmp_path: Path) -> None:
    assert offered("show ") == []
    assert offered("show ", str(tmp_path / "none.db")) == []
    assert list(tmp_path.iterdir()) == []


def test_completion_migrates_no_store(tmp_path: Path) -> None:
    old = shutil.copy(GOLDEN / "store-v1.db", tmp_path / "old.db")
    before = old.read_bytes()
    assert offered("show ", str(old)) == []
    assert old.read_bytes() == before
