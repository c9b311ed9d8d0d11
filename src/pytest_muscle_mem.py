"""Pytest plugin that replays an agent's recordings in tests.

It is a separate module, so that a test suite that does not use it does not import muscle_mem.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from muscle_mem import Engine
    from muscle_mem.testing.recordings import Recording

RECORD_MODES = ("none", "once", "new_episodes", "all")
_passed = pytest.StashKey[bool]()
_HINT = (
    "no recording matched, and this mode never runs the agent. Run the test with --mm-mode=once to record a test "
    "without recordings, with --mm-mode=new_episodes to record what is new or no longer matches, or with "
    "--mm-mode=all to record it again. Recordings are in {folder}. If nothing is recorded, run pytest with -rP: "
    "the log has the reason."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --mm-mode, and the ini options muscle_mem_mode and muscle_mem_folder."""
    group = parser.getgroup("muscle_mem", "replay of an agent's recordings")
    group.addoption(
        "--mm-mode",
        choices=RECORD_MODES,
        default=None,
        help="none: only replay (default); once: record tests without recordings; new_episodes: replay, and record "
        "what is new; all: record again",
    )
    parser.addini("muscle_mem_mode", "the mode without --mm-mode", default="none")
    parser.addini(
        "muscle_mem_folder",
        "the folder of recordings, relative to the test's module (default: trajectories)",
        default="trajectories",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Reject an unknown mode in the ini file, and register the marker."""
    mode = config.getini("muscle_mem_mode")
    if mode not in RECORD_MODES:
        raise pytest.UsageError(f"muscle_mem_mode: expected one of {', '.join(RECORD_MODES)}, got {mode!r}")
    config.addinivalue_line("markers", "muscle_mem(mode): the recording mode of a test, instead of --mm-mode")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Record whether the test passed, and add a hint if no recording matched."""
    outcome: Any = yield
    report = outcome.get_result()
    if "muscle_mem_recording" not in getattr(item, "fixturenames", ()):
        return
    if report.when == "call":
        item.stash[_passed] = report.passed
        error = call.excinfo.value if call.excinfo is not None else None
        if type(error).__name__ == "Missed" and type(error).__module__ == "muscle_mem":
            report.sections.append(("muscle_mem", _HINT.format(folder=_folder_of(item))))


@pytest.fixture
def muscle_mem_secret_names() -> tuple[str, ...]:
    """Return the names of tool arguments whose values are never recorded.

    Override this fixture in a conftest.py or a module.
    """
    from muscle_mem.testing.recordings import SECRET_NAMES

    return SECRET_NAMES


@pytest.fixture
def muscle_mem_recording(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, muscle_mem_secret_names: tuple[str, ...]
) -> Iterator[Recording]:
    """Yield the recordings of this test.

    `.engine(**options)` returns an engine that uses them, and `.use(engine)` makes an existing engine use them.
    """
    from muscle_mem.testing.recordings import Recording

    staging = tmp_path_factory.mktemp("muscle_mem")
    recording = Recording(_folder_of(request.node), staging, _mode_of(request), muscle_mem_secret_names)
    try:
        yield recording
    finally:
        recording.settle(passed=request.node.stash.get(_passed, False))


@pytest.fixture
def muscle_mem_engine(muscle_mem_recording: Recording) -> Engine:
    """Return an engine without tools and agent, which uses this test's recordings."""
    return muscle_mem_recording.engine()


def _mode_of(request: pytest.FixtureRequest) -> str:
    mark = request.node.get_closest_marker("muscle_mem")
    if mark is not None and (mark.args or "mode" in mark.kwargs):
        return str(mark.kwargs.get("mode", *mark.args[:1]))
    return str(request.config.getoption("--mm-mode") or request.config.getini("muscle_mem_mode"))


def _folder_of(node: Any) -> Path:
    """Return the folder of a test, such as `trajectories/test_shop/test_buys_milk`.

    It is beside the test's module. Each parameter set has a separate folder.
    """
    parts = node.nodeid.rpartition(".py::")[2].split("::")
    name = "-".join(re.sub(r"[^A-Za-z0-9_.\[\]-]+", "_", part) for part in parts)
    if name != "-".join(parts) or len(name) > 80 or name.casefold() != name:  # Different names must not share a folder.
        name = f"{name[:70]}-{hashlib.sha256('::'.join(parts).encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    module = Path(node.path)
    folder: Path = module.parent / node.config.getini("muscle_mem_folder") / module.stem / name
    return folder
