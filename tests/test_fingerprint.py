"""The fingerprint of a function changes with its code and with nothing else."""

from __future__ import annotations

import ast
import asyncio
import enum
import functools
import importlib.util
import itertools
import json
import linecache
import operator
import os
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from muscle_mem._core import fingerprint as room
from muscle_mem._core.fingerprint import (
    is_async,
    is_async_generator,
    is_generator,
    made_in_function,
    stored_name,
)
from muscle_mem._source import find_source

GOLDEN = Path(__file__).parent / "golden"
_numbers = itertools.count()


def fingerprint(fn: object) -> str:
    return room.fingerprint(fn, find_source)


def define(source: str, name: str = "f", **given: Any) -> Any:
    """Runs source as a notebook cell would: its lines are known to linecache, and there is no file."""
    filename = f"<cell {next(_numbers)}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(source, filename, "exec", dont_inherit=True), given)
    return given[name]


def run_file(path: Path) -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return vars(module)


def same(*sources: str) -> bool:
    prints = {fingerprint(define(source)) for source in sources}
    assert all(form.startswith("s:") for form in prints)
    return len(prints) == 1


def all_differ(*functions: object) -> bool:
    prints = [fingerprint(fn) for fn in functions]
    return len(set(prints)) == len(prints)


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
        "from muscle_mem._core.fingerprint import fingerprint\n"
        "from muscle_mem._source import find_source\n"
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


def make(level: object) -> Callable[[], object]:
    return lambda: level


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


# --- lambdas ---

# fmt: off
ROW = [lambda x: x + 1, lambda x: x + 2, lambda x: 1, lambda x: 2, lambda x, y=1: lambda: (x, y)]
ALIKE = (lambda x: 1, lambda x:  1)
TWO_DEFAULTS = (lambda x=1: 0, lambda x=2: 0)
# fmt: on


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


# --- other callables ---


class Clicker:
    def __init__(self, times: int = 1) -> None:
        self.times = times

    def __call__(self) -> int:
        return self.times

    def click(self) -> int:
        return self.times

    @staticmethod
    async def later() -> None: ...


class Other(Clicker):
    pass


def test_partials_count_with_function_and_arguments() -> None:
    def partial(*args: Any, **kwargs: Any) -> Any:
        return functools.partial(*args, **kwargs)

    assert all_differ(make, partial(make), partial(make, 1), partial(make, 2), partial(make, level=1))
    assert all_differ(len, partial(len), partial(len, 1))
    assert fingerprint(partial(make, a=1, b=2)) == fingerprint(partial(make, b=2, a=1))
    assert fingerprint(partial(make, [1])) == fingerprint(partial(make, [2]))
    assert fingerprint(partial(make, 1)).startswith("s:")


def test_bound_methods_and_objects_count_with_class_and_code() -> None:
    assert all_differ(Clicker.click, Clicker().click, Other().click, Clicker(), Other(), Clicker, Other)
    assert fingerprint(Clicker(1).click) == fingerprint(Clicker(2).click)
    assert fingerprint(Clicker(1)) == fingerprint(Clicker(2))
    assert fingerprint(vars(Clicker)["later"]) == fingerprint(Clicker.later)


def test_builtins_count_by_name() -> None:
    assert fingerprint(len) == "b:builtins.len"
    assert fingerprint(dict) == "b:builtins.dict"
    assert all_differ(len, print, dict, list, str.upper, "a".upper, "b".upper, [].append, dict.fromkeys)
    assert all_differ(
        operator.itemgetter(0),
        operator.itemgetter(1),
        operator.attrgetter("a"),
        operator.methodcaller("a", 1, k=1),
        operator.methodcaller("a", 1, k=2),
        operator.methodcaller("a", 2),
    )


def test_a_cache_around_a_function_does_not_matter_and_other_wrappers_do() -> None:
    def plain(x: int) -> int:
        return x

    def logged(fn: Callable[..., Any], level: int) -> Callable[..., Any]:
        @functools.wraps(fn)
        def wrapper(*args: Any) -> Any:
            return level, fn(*args)

        return wrapper

    assert fingerprint(functools.lru_cache(plain)) == fingerprint(plain)
    assert all_differ(plain, logged(plain, 1), logged(plain, 2), logged(make, 1))


def test_a_wrapper_of_this_library_stands_for_what_it_wraps() -> None:
    wrapper = define(
        "def f(fn):\n    def tool(*args): return fn(*args)\n    return tool\n", __name__="muscle_mem._engine"
    )(make)
    functools.update_wrapper(wrapper, make)
    assert fingerprint(wrapper) == fingerprint(make)
    assert fingerprint(make(wrapper)) == fingerprint(make(make))


def test_nothing_makes_it_raise() -> None:
    class Hostile:
        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError(name)

        __hash__ = None

    class Endless:
        @property
        def __wrapped__(self) -> Any:
            return Endless()

    loop = functools.partial(print)
    loop.__setstate__((loop, (), {}, None))
    for thing in (Hostile(), Endless(), loop):
        assert fingerprint(thing).startswith("b:")
        assert stored_name(thing)
    broken = make(1)
    broken.__wrapped__ = broken
    assert fingerprint(broken) == fingerprint(make(1))


# --- names and kinds ---


def test_stored_names() -> None:
    assert stored_name(make) == "make"
    assert stored_name(make(1)) == "make.<locals>.<lambda>"
    assert stored_name(Clicker().click) == "Clicker.click"
    assert stored_name(vars(Clicker)["later"]) == "Clicker.later"
    assert stored_name(functools.partial(functools.partial(make, 1))) == "make"
    assert stored_name(functools.lru_cache(make)) == "make"
    assert stored_name(Clicker()) == "Clicker"
    assert stored_name(Clicker) == "Clicker"
    assert stored_name(len) == "len"
    assert stored_name([].append) == "list.append"
    assert stored_name(operator.itemgetter(1)) == "itemgetter"
    assert stored_name(ROW[0]) == "<lambda>"


def test_made_in_function() -> None:
    assert made_in_function(make(1))
    assert made_in_function(functools.partial(make(1)))
    assert not made_in_function(make)
    assert not made_in_function(Clicker().click)
    assert not made_in_function(Clicker())


async def coroutine() -> None: ...


def generator() -> Iterator[int]:
    yield 1


async def stream() -> Any:
    yield 1


def ways_around(fn: Any) -> list[Any]:
    class Box:
        __call__ = fn
        method = fn
        static = staticmethod(fn)

    plain = [fn, functools.partial(functools.partial(fn)), staticmethod(fn), functools.lru_cache(fn)]
    return [*plain, Box(), Box().method, Box.static, vars(Box)["static"], functools.partial(Box())]


@pytest.mark.parametrize(
    ("fn", "expected"),
    [
        (coroutine, (True, False, False)),
        (generator, (False, True, False)),
        (stream, (False, False, True)),
        (make, (False, False, False)),
    ],
)
def test_kinds_are_seen_through_whatever_is_around(fn: Any, expected: tuple[bool, bool, bool]) -> None:
    for thing in ways_around(fn):
        assert (is_async(thing), is_generator(thing), is_async_generator(thing)) == expected


@pytest.mark.parametrize("thing", [len, dict, asyncio.sleep, Clicker, None, functools.partial(len)], ids=stored_name)
def test_kinds_of_what_has_no_code(thing: object) -> None:
    assert is_async(thing) == (thing is asyncio.sleep)
    assert not is_generator(thing)
    assert not is_async_generator(thing)
