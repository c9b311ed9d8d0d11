"""Packages of clients that are not installed, or too old."""

import sys
import types

import pytest

from muscle_mem.errors import MissingExtraError

ADAPTERS = [("openai", "2.54.0", 3), ("anthropic", "0.125.0", 1)]


@pytest.fixture(autouse=True)
def _imported_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, _, _ in ADAPTERS:
        monkeypatch.delitem(sys.modules, f"muscle_mem.integrations.{name}", raising=False)


@pytest.mark.parametrize(("name", "old", "lowest"), ADAPTERS)
def test_an_old_version_is_named(monkeypatch: pytest.MonkeyPatch, name: str, old: str, lowest: int):
    package = types.ModuleType(name)
    package.__version__ = old  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, package)
    with pytest.raises(
        MissingExtraError, match=rf"expected {name} {lowest}\.0 or later, got {old}.*muscle-mem\[{name}\]"
    ):
        __import__(f"muscle_mem.integrations.{name}")


@pytest.mark.parametrize("name", [name for name, _, _ in ADAPTERS])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setitem(sys.modules, name, None)  # type: ignore[arg-type]
    with pytest.raises(MissingExtraError, match=rf"{name} is missing.*muscle-mem\[{name}\]"):
        __import__(f"muscle_mem.integrations.{name}")
