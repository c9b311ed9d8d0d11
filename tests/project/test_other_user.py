"""Tests as root also run in a clone that only root may enter: the other user gets a copy of what it is to run."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from other_user import User, as_user, give, other_user, runnable, shared_place

NAMES = ("initdb", "postgres")
PROGRAM = '#!/bin/sh\nread -r word <"${0%/*}/../../../package.libs/word" && echo "$word"\n'

needs_root = pytest.mark.skipif(other_user() is None, reason="only root can become another user")


def other() -> User:
    user = other_user()
    assert user is not None
    return user


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A new folder whose way is open: that of `tmp_path` is not."""
    with tempfile.TemporaryDirectory(dir=shared_place()) as folder:
        yield Path(folder)


@pytest.fixture
def binaries(open_folder: Path) -> Path:
    """Programs in a package as a wheel has it, that need a library beside it."""
    folder = open_folder / "site-packages" / "package" / "install" / "bin"
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_text(PROGRAM)
        (folder / name).chmod(0o755)
    libraries = open_folder / "site-packages" / "package.libs"
    libraries.mkdir()
    (libraries / "word").write_text("found\n")
    open_folder.chmod(0o755)
    return folder


def said(program: Path, user: User) -> str:
    return subprocess.run([program], capture_output=True, text=True, check=True, **as_user(user)).stdout


@needs_root
@pytest.mark.parametrize("closed", ["", "site-packages", "site-packages/package/install/bin/postgres"])
def test_programs_below_a_folder_that_only_root_may_enter_are_copied(
    closed: str, binaries: Path, open_folder: Path
) -> None:
    (open_folder / closed).chmod(0o700)
    user = other()
    with tempfile.TemporaryDirectory(dir=shared_place()) as folder:
        found = runnable(binaries, NAMES, Path(folder), user)
        assert found.is_relative_to(folder)
        assert [said(found / name, user) for name in NAMES] == ["found\n"] * 2


@needs_root
def test_programs_that_the_other_user_can_run_stay_where_they_are(binaries: Path, open_folder: Path) -> None:
    assert runnable(binaries, NAMES, open_folder / "unused", None) == binaries
    assert runnable(binaries, NAMES, open_folder, other()) == binaries


@needs_root
def test_what_is_given_belongs_to_the_other_user(open_folder: Path) -> None:
    (open_folder / "one").write_text("")
    (open_folder / "gone").symlink_to(open_folder / "nowhere")
    give(open_folder, other())
    for path in (open_folder, open_folder / "one", open_folder / "gone"):
        assert (path.lstat().st_uid, path.lstat().st_gid) == other()


@needs_root
def test_temporary_files_for_another_user_avoid_a_closed_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # below one that pytest makes for its user alone
    place = shared_place()
    assert place is not None
    assert os.stat(place).st_mode & stat.S_IWOTH
    monkeypatch.setattr(tempfile, "tempdir", place)
    assert shared_place() is None
