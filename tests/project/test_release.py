"""The check of a release notices what is missing in an archive, and what does not belong there."""

from __future__ import annotations

import importlib.util
import io
import tarfile
from pathlib import Path

import pytest

from paths import ROOT


def the_check():
    spec = importlib.util.spec_from_file_location("release_contents", ROOT / "scripts" / "release_contents.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sdist(folder: Path, names: list[str], body: bytes = b"") -> Path:
    file = folder / "muscle_mem-1.0.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(f"muscle_mem-1.0/{name}")
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return file


@pytest.mark.parametrize(
    ("extra", "left_out", "body", "found"),
    [
        ([], "", b"", []),
        ([], "SECURITY.md", b"", ["SECURITY.md is missing"]),
        (
            ["src/__pycache__/a.cpython-311.pyc"],
            "",
            b"",
            ["src/__pycache__/a.cpython-311.pyc does not belong in a release"],
        ),
        (["docs/_build/index.html"], "", b"", ["docs/_build/index.html does not belong in a release"]),
        (["a.txt"], "LICENSE", b"", ["LICENSE is missing"]),
    ],
)
def test_what_is_missing_or_junk_is_found(tmp_path: Path, extra, left_out, body, found) -> None:
    check = the_check()
    file = sdist(tmp_path, [name for name in check.IN_SDIST if name != left_out] + extra, body)
    assert check.faults(check.contents(file), check.IN_SDIST, "/home/builder/project") == found


def test_a_path_of_the_machine_that_built_it_is_found(tmp_path: Path) -> None:
    check = the_check()
    file = sdist(tmp_path, ["a.txt"], b"see /home/builder/project/a.txt")
    assert check.faults(check.contents(file), [], "/home/builder/project") == [
        "a.txt contains the path /home/builder/project"
    ]


def test_the_example_of_the_readme_is_a_program() -> None:
    compile(the_check().example(ROOT / "README.md"), "README.md", "exec")
