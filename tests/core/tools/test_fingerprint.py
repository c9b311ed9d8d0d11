"""The fingerprint of a function changes with its code and with nothing else."""

from __future__ import annotations

import ast
import enum
import functools
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fingerprint_cases import all_differ, define, fingerprint, make, run_file, same
from muscle_mem._core.tools import fingerprint as room
from paths import GOLDEN

# --- golden ---


def test_fingerprints_are_what_they_always_were() -> None:
    samples = run_file(GOLDEN / "samples.py")["SAMPLES"]
    found = {name: fingerprint(fn) for name, fn in samples.items()}
    assert found == json.loads((GOLDEN / "fingerprints.json").read_text())


def test_no_two_samples_have_the_same_fingerprint() -> None:
    prints = json.loads((GOLDEN / "fingerprints.json").read_text())
    assert len(set(prints.values())) == len(prints)


@pytest.mark.parametrize("seed", ["1", "2"])
def test_fingerprints_are_equal_in_other_processes(seed: str) -> None:
    script = (
        "import json, runpy, sys\n"
        "from muscle_mem._core.tools.fingerprint import fingerprint\n"
        "from muscle_mem._runtime.source import find_source\n"
        "samples = runpy.run_path(sys.argv[1], run_name='__main__')['SAMPLES']\n"
        "print(json.dumps({name: fingerprint(fn, find_source) for name, fn in samples.items()}))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-O", "-c", script, str(GOLDEN / "samples.py")],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        check=True,
    )
    assert json.loads(answer.stdout) == json.loads((GOLDEN / "fingerprints.json").read_text())


# --- what does not matter ---


def test_comments_layout_docstrings_and_decorators_do_not_matter() -> None:
    assert same(
        "def f(x, y=1):\n  return [x, y + 1]\n",
        'def f(x, y=1):\n    """Says what."""\n    return [x, y + 1]\n',
        "def f(\n    x,\n    y=1,  # one\n):\n    # Here.\n    return [\n        x,\n        (y + 1),\n ]\n",
        "@(lambda fn: fn)\ndef f(x, y=1):\n\treturn [x, y+1]\n",
        "if True:\n\tif True:\n\t\tdef f(x, y=1): return [x, y + 1]\n",
        "def f(x: int, y: 'str' = 1) -> list[int]:\n    return [x, y + 1]  # type: ignore\n",
    )


def test_docstrings_of_nested_functions_and_pass_do_not_matter() -> None:
    assert same(
        "def f():\n    def g():\n        'doc'\n    class A:\n        'doc'\n    return g\n",
        "def f():\n    pass\n    def g():\n        pass\n    class A: pass\n    return g\n",
    )


def test_annotations_of_locals_do_not_matter_and_those_of_fields_do() -> None:
    assert same("def f():\n    x: int = 1\n    return x\n", "def f():\n    x = 1\n    return x\n")
    assert not same("def f():\n    class Row:\n        x: int = 1\n", "def f():\n    class Row:\n        x: str = 1\n")


def test_its_own_name_does_not_matter_even_when_it_calls_itself() -> None:
    one = define("def f(n):\n    return n and f(n - 1)\n")
    two = define("def g(n):\n    return n and g(n - 1)\n", "g")
    other = define("def f(n):\n    return n and g(n - 1)\n")
    assert fingerprint(one) == fingerprint(two) != fingerprint(other)


def test_a_method_does_not_call_itself_by_its_plain_name() -> None:
    one = define("class A:\n    def stop(self): stop()\n", "A").stop
    two = define("class A:\n    def halt(self): halt()\n", "A").halt
    assert all_differ(one, two)


def test_a_decorator_sees_the_same_as_anyone_afterwards() -> None:
    seen = []

    def note(fn: Callable[..., Any]) -> Callable[..., Any]:
        seen.append(fingerprint(fn))
        return fn

    class Child(dict):
        @note
        def get(self) -> Any:
            return super().get(1)

    @note
    def again() -> Any:
        return again()

    assert seen == [fingerprint(Child.get), fingerprint(again)]


def test_the_content_of_a_string_of_several_lines_is_kept_exactly() -> None:
    assert not same(
        'if 1:\n    def f():\n        return """a\n        b"""\n',
        'if 1:\n    def f():\n        return """a\n    b"""\n',
    )
    assert same('if 1:\n    def f():\n        return """a\nb"""\n', 'def f():\n    return "a\\nb"\n')


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax came with 3.12")
def test_type_parameters_do_not_matter() -> None:
    assert same("def f[T: int](x: T) -> T:\n    return x\n", "def f(x):\n    return x\n")


# --- what matters ---

MUTATED = '''
def f(a, b=1, *rest, key="k", **more):
    """Doc."""
    total, limit = a + b * 2, -10
    for index, item in enumerate(rest, start=1):
        if item > total and not key.startswith("x") or item is None:
            total -= more["step"] // 3
            continue
        elif isinstance(item, (int, float)):
            limit = item if limit == 0.5 else ~item
        while total < 100:
            total <<= 2
            break
    try:
        text = f"{total:>{limit}} of {a!r}"
    except (KeyError, ValueError) as error:
        raise RuntimeError("bad", *error.args) from None
    with open(text, mode="rb") as stream:
        data = stream.read()[1:limit]
    pick = [y ** 2 for y in rest if y != b]
    call = lambda p, q=3: (p, q, b"raw", 2j, True, ...)
    match data:
        case {"kind": kind, **others}:
            return kind, others
        case [1, *tail] | str(tail):
            return tail
    del pick
    import os.path as path, sys
    return (z := call(path, **more)), z, sys
'''

_SWAPS: dict[type, type] = {
    **dict.fromkeys((ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Pow, ast.LShift), ast.Mod),
    **dict.fromkeys((ast.Gt, ast.Lt, ast.Eq, ast.NotEq, ast.Is), ast.GtE),
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Not: ast.Invert,
    ast.Invert: ast.Not,
    ast.USub: ast.UAdd,
}
_OTHERS = {str: "other", bytes: b"other", int: 77, float: 7.5, complex: 7j, bool: None, type(None): 5}


def _changed(value: object) -> object:
    return _OTHERS.get(type(value), 0)


def mutations() -> Iterator[str]:
    """The source with one constant, operator, name or list entry changed, for all of them."""
    tree = ast.parse(MUTATED)
    root = tree.body[0]
    assert isinstance(root, ast.FunctionDef)
    docstring = ast.walk(root.body[0])
    untouched = {id(root), *map(id, docstring)}
    for node in (node for node in ast.walk(root) if id(node) not in untouched):
        for field, value in ast.iter_fields(node):
            if field in ("ctx", "kind", "is_async", "conversion", "level", "simple"):
                continue
            if type(value) in _SWAPS:
                changed: Any = _SWAPS[type(value)]()
            elif isinstance(value, list) and value and type(value[0]) in _SWAPS:
                changed = [_SWAPS[type(value[0])](), *value[1:]]
            elif isinstance(value, list) and len(value) > 1 and field != "keys":
                changed = value[::-1]
            elif isinstance(node, ast.Constant) or (isinstance(value, str) and value):
                changed = _changed(value)
            else:
                continue
            setattr(node, field, changed)
            yield ast.unparse(tree)
            setattr(node, field, value)


def test_every_single_change_of_a_constant_an_operator_or_a_name_matters() -> None:
    fn = define(MUTATED)
    prints = [fingerprint(fn)]
    for text in mutations():
        prints.append(room.fingerprint(fn, lambda _, text=text: text))
        assert prints[-1].startswith("s:"), text
        assert prints[-1] != prints[0], text
    assert len(prints) > 140


def test_every_statement_matters() -> None:
    tree = ast.parse(MUTATED)
    fn = define(MUTATED)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if node is not tree and isinstance(body, list) and len(body) > 1:
            for place in range(isinstance(node, ast.FunctionDef), len(body)):
                dropped = body.pop(place)
                text = ast.unparse(tree)
                assert room.fingerprint(fn, lambda _, text=text: text) != fingerprint(fn), text
                body.insert(place, dropped)


def test_kinds_of_parameters_and_async_matter() -> None:
    parameters = ("a, b", "a, /, b", "a, *, b", "a, *b", "a, **b", "b, a")
    heads = [*(f"def f({names})" for names in parameters), "async def f(a, b)"]
    assert all_differ(*(define(f"{head}:\n    return a\n") for head in heads))


def test_decorators_of_nested_functions_matter() -> None:
    assert not same("def f():\n    def g(): ...\n", "def f():\n    @cache\n    def g(): ...\n")


def test_values_of_defaults_matter_where_the_expression_is_the_same() -> None:
    source = "def f(x=X, *, y=None): return x\n"
    numbers = (0, False, 0.0, -0.0, 0j, float("nan"), 10**5000)
    others = (None, "", b"", (), ..., "0", (0,), (False,), frozenset())
    assert all_differ(*(define(source, X=value) for value in numbers + others))
    assert fingerprint(define(source, X=(1, "a"))) == fingerprint(define(source, X=(1, "a")))


def test_values_in_a_closure_matter() -> None:
    assert all_differ(*map(make, (1, 2, True, "1", None, len, print, (1, 2))))
    assert fingerprint(make("a" * 3)) == fingerprint(make("aaa"))
    assert fingerprint(make(frozenset("abcdef"))) == fingerprint(make(frozenset("fedcba")))


def test_state_in_a_closure_counts_by_its_type_only() -> None:
    assert fingerprint(make([1])) == fingerprint(make([2])) != fingerprint(make({}))
    assert fingerprint(make(threading.Lock())) == fingerprint(make(threading.Lock()))


def test_enum_members_count_by_name() -> None:
    class Size(enum.IntFlag):
        S = 1
        M = 2

    assert all_differ(*map(make, (Size.S, Size.M, Size.S | Size.M, Size(0), 1)))


def test_functions_in_a_closure_count_with_their_code() -> None:
    assert all_differ(make(make(1)), make(make(2)), make(lambda: 1), make(lambda: 2))
    assert fingerprint(make(make(1))) == fingerprint(make(make(1)))
    assert all_differ(make(functools.partial(print, 1)), make(functools.partial(print, 2)))
    assert all_differ(*map(make, (dict, list, str.upper, str.lower, "a".join, "b".join)))
    assert all_differ(*map(make, (re.compile("a"), re.compile("b"), re.compile("a", re.IGNORECASE))))


def test_closures_that_lead_back_to_each_other_end() -> None:
    def pair(step: int) -> Callable[[int], Any]:
        def even(n: int) -> Any:
            return odd(n - step)

        def odd(n: int) -> Any:
            return even(n - step)

        return even

    assert fingerprint(pair(1)) == fingerprint(pair(1)) != fingerprint(pair(2))


def test_a_long_chain_of_closures_ends_and_a_wide_one_is_quick() -> None:
    fn = make(0)
    for _ in range(500):
        fn = make((fn, fn, fn))
    assert fingerprint(fn).startswith("s:")


def test_a_cell_not_yet_filled_is_empty() -> None:
    def outer() -> Callable[[], object]:
        def inner() -> object:
            return later

        found.append(fingerprint(inner))
        later = 1
        return inner

    found: list[str] = []
    assert found != [fingerprint(outer())]


def test_a_proxy_that_refuses_to_be_looked_at_counts_by_its_type() -> None:
    class Proxy:
        @property
        def __class__(self) -> Any:
            raise RuntimeError("outside of a request")

        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("outside of a request")

    assert fingerprint(make(Proxy())) == fingerprint(make(Proxy())) != fingerprint(make([]))
