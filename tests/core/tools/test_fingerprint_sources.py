"""Whose source is whose: lambdas beside each other, functions without a file, files that changed."""

from __future__ import annotations

import functools
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest

from fingerprint_cases import ALIKE, ROW, TWO_DEFAULTS, all_differ, define, fingerprint, make, run_file
from muscle_mem._core.tools import fingerprint as room
from muscle_mem._core.tools.fingerprint import stored_name
from muscle_mem._runtime.source import find_source

# --- lambdas ---


def test_lambdas_on_one_line_are_told_apart() -> None:
    assert [find_source(fn) for fn in [*ROW, ROW[4](1)]] == [
        "lambda x: x + 1",
        "lambda x: x + 2",
        "lambda x: 1",
        "lambda x: 2",
        "lambda x, y=1: lambda: (x, y)",
        "lambda: (x, y)",
    ]


def test_lambdas_that_are_alike_have_the_same_fingerprint() -> None:
    assert fingerprint(ALIKE[0]) == fingerprint(ALIKE[1])
    assert all_differ(*TWO_DEFAULTS)


def test_a_lambda_of_several_lines_with_other_letters_before_it() -> None:
    pair = define("f = ('ü€', lambda a: (a\n  , 'ü'), lambda b: b)\n")
    assert [find_source(fn) for fn in pair[1:]] == ["lambda a: (a\n  , 'ü')", "lambda b: b"]
    spread = define("f = (lambda x:\n   x\n   + 1)\n")
    assert fingerprint(spread) == fingerprint(define("f = lambda x: x + 1\n"))


@pytest.mark.parametrize(
    "body",
    ["x if x else None", "None", "(yield)", "[y for y in x]", "(x, [x for _ in x])", "x and 0", "lambda: 0"],
)
def test_each_kind_of_lambda_is_found_between_others(body: str) -> None:
    fns = define(f"f = [lambda x: 'a', lambda x: {body}, lambda x: 'b', lambda x: x]\n")
    assert find_source(fns[1]) == f"lambda x: {body}"


# --- finding the source ---


def test_the_source_is_found_without_decorators_and_surroundings() -> None:
    fn = define("class A:\n\t@property\n\t@staticmethod\n\tdef f(x):\n\t\treturn x ; y = 2\nz = 1\n", "A")
    assert find_source(vars(fn)["f"].fget.__func__) == "def f(x):\n\t\treturn x ; y = 2"


def test_functions_without_source_are_known_by_their_code() -> None:
    def run(source: str) -> Any:
        given: dict[str, Any] = {}
        exec(source, given)
        return given["f"]

    one, two = run("def f(x=1): return x"), run("\n\ndef f(x=1):\n  return x")
    three = run("def f(x=2): return x")
    tag = f"c:{sys.implementation.name}-{sys.version_info[0]}{sys.version_info[1]}:"
    assert find_source(one) is None
    assert fingerprint(one).startswith(tag)
    assert fingerprint(one) == fingerprint(two) != fingerprint(three)
    assert all_differ(*map(run, ("def f(x): return x in {1, 2}", "def f(x): return x in {1, 3}", "f = lambda: 1")))


def test_a_file_edited_or_gone_since_it_was_loaded_is_no_source(tmp_path: Path) -> None:
    path = tmp_path / "edited.py"
    path.write_text("import os\ndef f(x):\n    return os.getcwd(), 1\n\ndef g(): return 3\n")
    module = run_file(path)
    assert find_source(module["f"]) == "def f(x):\n    return os.getcwd(), 1"
    path.write_text("import os\ndef f(x):\n    return os.getcwd(), 22\n\ndef g(): return 3\n")
    assert find_source(module["f"]) is None
    assert find_source(module["g"]) == "def g(): return 3"
    path.write_text("import os\n\n\ndef f(x):\n    return os.getcwd(), 1\n")
    assert find_source(module["f"]) is None
    path.write_text("def (")
    assert find_source(module["f"]) is None
    path.unlink()
    assert find_source(module["f"]) is None
    assert fingerprint(module["f"]).startswith("c:")


def test_functions_with_asserts_that_pytest_rewrote_still_have_their_source() -> None:
    def checked(x: int) -> int:
        assert x, "none"
        return x

    text = 'def checked(x: int) -> int:\n        assert x, "none"\n        return x'
    assert find_source(checked) == text
    assert fingerprint(checked).startswith("s:")


def test_source_that_would_warn_is_read_without_a_warning() -> None:
    source = "def f(x):\n    return x, '\\d'\n"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fn = define(source)
    assert fingerprint(fn) == fingerprint(define("def f(x):\n    return x, r'\\d'\n"))


@pytest.mark.parametrize("thing", [len, dict, 5, None, "text", functools.partial(len), {}.get, type], ids=stored_name)
def test_what_has_no_source_gives_none(thing: object) -> None:
    assert find_source(thing) is None
    assert fingerprint(thing).startswith("b:")


@pytest.mark.parametrize("text", ["def (", "x = 1", "def g(): 1", "", "def f(): 1\ndef g(): 1", "\0"], ids=ascii)
def test_a_text_that_is_not_of_the_function_is_not_used(text: str) -> None:
    fn = define("def f(): return 1\n")
    assert room.fingerprint(fn, lambda _: text).startswith("c:")


def test_a_finder_that_fails_costs_the_source_only() -> None:
    def fail(fn: object) -> str | None:
        raise OSError("no disk")

    assert room.fingerprint(make(1), fail).startswith("c:")


def test_fingerprints_may_be_taken_by_many_threads() -> None:
    expected, filters = [fingerprint(fn) for fn in ROW], list(warnings.filters)
    found: list[list[str]] = []
    threads = [threading.Thread(target=lambda: found.append([fingerprint(fn) for fn in ROW])) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 16
    assert list(warnings.filters) == filters
