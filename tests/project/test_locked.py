"""`make test` and `make test-frameworks` install the same releases on each day and machine: those that are locked."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from packaging.requirements import Requirement

from paths import ROOT

REQUIREMENTS = ROOT / "requirements"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PYTHONS = [found[1] for line in PROJECT["classifiers"] if (found := re.fullmatch(r".* :: Python :: (3\.\d+)", line))]
PLATFORMS = ["linux", "darwin"]
# Each locked file: the extras that it is made of, and what else.
LOCKED = {
    "dev.txt": (["dev", "demo"], "pages.in"),
    "frameworks.txt": (["pydantic-ai", "langchain", "openai-agents", "openai", "anthropic"], "frameworks.in"),
    "agent.txt": ([], "agent.in"),
}


def lines_of(name: str) -> list[str]:
    lines = (line.strip() for line in (REQUIREMENTS / name).read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def environment(python: str, platform: str) -> dict[str, str]:
    return {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": platform,
        "platform_system": platform.title(),
        "platform_machine": "arm64" if platform == "darwin" else "x86_64",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }


def wanted(texts: list[str]) -> Iterator[Requirement]:
    """Requirements, with those of this project's own extras in place of the extra."""
    for requirement in map(Requirement, texts):
        if requirement.name == PROJECT["name"]:
            for extra in requirement.extras:
                yield from wanted(PROJECT["optional-dependencies"][extra])
        else:
            yield requirement


def applies(requirement: Requirement, where: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(where)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", LOCKED)
def test_all_that_is_needed_is_locked_to_one_release(lock: str, python: str, platform: str) -> None:
    where = environment(python, platform)
    releases: dict[str, str] = {}
    for one in map(Requirement, lines_of(lock)):
        if applies(one, where):
            (exact,) = one.specifier
            assert exact.operator == "=="
            assert releases.setdefault(one.name, exact.version) == exact.version
    extras, further = LOCKED[lock]
    named = [line for extra in extras for line in PROJECT["optional-dependencies"][extra]]
    for requirement in wanted([*PROJECT["dependencies"], *named, *lines_of(further)]):
        if applies(requirement, where):
            assert requirement.specifier.contains(releases[requirement.name]), "out of date: make lock"


@pytest.mark.parametrize("lock", LOCKED)
def test_the_lock_names_no_index_and_no_place_of_the_machine_that_made_it(lock: str) -> None:
    text = (REQUIREMENTS / lock).read_text()
    assert "://" not in text
    assert not re.search(r"^-|\s/| @ ", text, re.MULTILINE)  # an option, an absolute path, a direct reference
