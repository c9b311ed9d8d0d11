"""`make mutants`: what is changed, which tests are asked, and what is told."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from scripts.mutants.changing import mutants_of, says_something_else

from paths import ROOT

CODE = {
    "src/toy/deep/limits.py": "BOUND = 10\n\n\ndef small(number):\n    return number < BOUND\n",
    "src/toy/deep/raised.py": "def raised(number):\n    if number > 0:\n        return number\n    return -number\n",
    "src/toy/deep/unknown.py": "def unknown(number):\n    return not number\n",
    "tests/deep/test_limits.py": "from toy.deep.limits import small\n\n\n"
    "def test_nine_is_small_and_ten_is_not():\n    assert small(9)\n    assert not small(10)\n",
    "tests/deep/test_raised.py": "from toy.deep.raised import raised\n\n\n"
    "def test_a_number_is_raised():\n    assert raised(5) == raised(-5) == 5\n",
}


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A tree of a package with one test that sees all, one that sees little, and a function that none calls."""
    for name, text in CODE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def run(toy: Path, *options: str) -> str:
    command = [sys.executable, "-m", "scripts.mutants", "--root", str(toy), "--source", "src/toy", "--jobs", "1"]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == (1 if "the tests fail" in done.stdout else 0), done.stdout + done.stderr
    return done.stdout


def fates(said: str) -> dict[str, str]:
    """What became of each change."""
    return {m[1]: m[2] for m in re.finditer(r"^ *\d+ \S+:\d+: (.*?): (killed|survived), ", said, re.MULTILINE)}


def test_a_sample_tells_what_was_killed_by_which_test_and_what_survived(toy: Path) -> None:
    pytest.importorskip("coverage")
    said = run(toy, "-n", "9", "--only", "deep/limits.py", "*/unknown.py", "--seed", "7")
    assert fates(said) == {
        **dict.fromkeys(("10 -> 11", "10 -> 9", "< -> <=", "return number < BOUND -> return None"), "killed"),
        **dict.fromkeys(("not is dropped", "return not number -> return None"), "survived"),
    }
    assert said.count("by tests/deep/test_limits.py::test_nine_is_small_and_ten_is_not") == 4
    assert "6 mutants of seed 7: 4 killed, 2 survived, 0 timed out" in said
    assert {name: (toy / name).read_text() for name in CODE} == CODE
    number = next(m[1] for m in re.finditer(r"^ *(\d+) .* < -> <=", said, re.MULTILINE))
    assert "+    return number <= BOUND\n" in run(
        toy, "--only", "*/limits.py", "*/unknown.py", "--seed", "7", "--show", number
    )


def test_a_test_that_fails_anyway_ends_it(toy: Path) -> None:
    pytest.importorskip("coverage")
    (toy / "tests/deep/test_raised.py").write_text("def test_no():\n    assert False\n")
    assert "test_no" in run(toy, "--only", "deep/raised.py")


def changes(tmp_path: Path, text: str) -> list[str]:
    """The texts that one becomes."""
    (tmp_path / "code.py").write_text(text)
    return [
        mutant.applied(text) for mutant in mutants_of(tmp_path, Path("code.py")) if says_something_else(text, mutant)
    ]


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("a < b", ["a <= b"]),
        ("(é) is not b", ["(é) is b"]),
        ("a and (b) and c", ["a or (b) and c", "a and (b) or c"]),
        ("not(a)", ["(a)"]),
        ("x = a[1]", ["x = a[0]", "x = a[2]"]),
        ("x = 0", ["x = 1", "x = (-1)"]),
        ("x = True", ["x = False"]),
        ("a()", ["pass"]),
        ("a(\n  b)  # c", ["pass\n  # c"]),
        ("a += b", ["pass"]),
        ("while a: break", ["while a: continue"]),
        ("def f():\n return (a\n )", ["def f():\n return None\n"]),
        ("x = a + b", ["x = a - b"]),
        ("x = a + 'b'", []),
        ("x: 'int | 1' = a", []),
        ("'''1 < 2'''", []),
        ("x = f'{a < 1}'", []),
        ("if TYPE_CHECKING: f()", []),
    ],
)
def test_a_change_is_small_and_leaves_the_lines_where_they_were(tmp_path: Path, text: str, changed: list[str]) -> None:
    found = changes(tmp_path, text)
    assert sorted(found) == sorted(changed)
    assert {one.count("\n") for one in found} <= {text.count("\n")}
