"""Docstrings have the form that the reference and editors rely on. Ruff checks their grammar and blank lines."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import muscle_mem

ROOT = Path(muscle_mem.__file__).parent
LONGEST_FIRST_LINE = 80
MODULES = (
    "muscle_mem",
    "muscle_mem.checks",
    "muscle_mem.events",
    "muscle_mem.store",
    "muscle_mem.store.folder",
    "muscle_mem.testing",
)
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def first_lines() -> Iterator[tuple[str, str]]:
    """(place, first line) of every docstring of the package."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Documented) and (text := ast.get_docstring(node)):
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}", text.splitlines()[0]


def functions(home: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """(name, function) of the public functions of a module, and of the public methods of its classes."""
    module = importlib.import_module(home)
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isfunction(value):
            yield name, value
        if not inspect.isclass(value):
            continue
        for base in value.__mro__:
            for method, found in vars(base).items():
                found = found.__func__ if isinstance(found, staticmethod | classmethod) else found
                if inspect.isfunction(found) and (method == "__call__" or not method.startswith("_")):
                    yield f"{name}.{method}", found


def argument_names(function: Callable[..., Any]) -> list[str]:
    """The names of the arguments, without `self` and those that only collect others."""
    collecting = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(function).parameters.items()
    return [name for name, each in parameters if name not in ("self", "cls") and each.kind not in collecting]


def test_first_lines_are_short_sentences() -> None:
    lines = list(first_lines())
    assert len(lines) > 1000
    assert not [place for place, line in lines if len(line) > LONGEST_FIRST_LINE]
    assert not [place for place, line in lines if not line.endswith(".")]


@pytest.mark.parametrize("home", MODULES)
def test_public_functions_document_their_arguments(home: str) -> None:
    missing = {
        name
        for name, function in functions(home)
        if function.__module__.startswith("muscle_mem")
        and function.__doc__
        and len(argument_names(function)) > 1
        and "Args:" not in function.__doc__
    }
    assert not missing


def test_public_functions_are_found() -> None:
    found = {name for home in MODULES for name, _ in functions(home)}
    assert {"Engine.__call__", "Engine.acall", "Session.said", "register", "open_store"} <= found
