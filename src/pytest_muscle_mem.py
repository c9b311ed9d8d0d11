"""The pytest plugin of muscle_mem: an agent's recordings are replayed in tests. Nothing is loaded until a test asks.

It is beside the package, so that a suite which does not use it does not import the package.
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
    "muscle_mem replayed nothing, and this mode never asks the agent. Run the test with --mm-mode=once to record it if "
    "it has no recordings yet, with --mm-mode=new_episodes to record what is new or does not fit any more, or with "
    "--mm-mode=all to record it again; see {folder}. If that records nothing, -rP shows the log, which has the reason."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --mm-mode, and the ini options muscle_mem_mode and muscle_mem_folder."""
    group = parser.getgroup("muscle_mem", "replaying an agent's recordings")
    group.addoption(
        "--mm-mode",
        choices=RECORD_MODES,
        default=None,
        help="none: only replay (default); once: record where a test has no recordings; new_episodes: replay, and "
        "record what is new; all: record again",
    )
    parser.addini("muscle_mem_mode", "the mode where --mm-mode is not given", default="none")
    parser.addini(
        "muscle_mem_folder",
        "the folder of recordings, from the folder of the test's module (default: trajectories)",
        default="trajectories",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a mode in the ini file that there is not; make the marker known."""
    mode = config.getini("muscle_mem_mode")
    if mode not in RECORD_MODES:
        raise pytest.UsageError(f"muscle_mem_mode is {mode!r}; it must be one of {', '.join(RECORD_MODES)}")
    config.addinivalue_line("markers", "muscle_mem(mode): the recording mode of a test, instead of --mm-mode")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Remember whether the test itself passed, and say what to do when nothing could be replayed."""
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
    """Names of tool arguments whose values are never recorded; override it in a conftest.py or a module."""
    from muscle_mem.testing.recordings import SECRET_NAMES

    return SECRET_NAMES


@pytest.fixture
def muscle_mem_recording(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, muscle_mem_secret_names: tuple[str, ...]
) -> Iterator[Recording]:
    """The recordings of this test: `.engine(**options)` makes an engine on them, `.use(engine)` lends them to one."""
    from muscle_mem.testing.recordings import Recording

    staging = tmp_path_factory.mktemp("muscle_mem")
    recording = Recording(_folder_of(request.node), staging, _mode_of(request), muscle_mem_secret_names)
    try:
        yield recording
    finally:
        recording.settle(passed=request.node.stash.get(_passed, False))


@pytest.fixture
def muscle_mem_engine(muscle_mem_recording: Recording) -> Engine:
    """An engine without tools and agent, whose memory is this test's folder of recordings."""
    return muscle_mem_recording.engine()


def _mode_of(request: pytest.FixtureRequest) -> str:
    mark = request.node.get_closest_marker("muscle_mem")
    if mark is not None and (mark.args or "mode" in mark.kwargs):
        return str(mark.kwargs.get("mode", *mark.args[:1]))
    return str(request.config.getoption("--mm-mode") or request.config.getini("muscle_mem_mode"))


def _folder_of(node: Any) -> Path:
    """`trajectories/test_shop/test_buys_milk` beside the test's module; a separate folder for each param."""
    parts = node.nodeid.rpartition(".py::")[2].split("::")
    name = "-".join(re.sub(r"[^A-Za-z0-9_.\[\]-]+", "_", part) for part in parts)
    if name != "-".join(parts) or len(name) > 80 or name.casefold() != name:  # two names may come to the same folder
        name = f"{name[:70]}-{hashlib.sha256('::'.join(parts).encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    module = Path(node.path)
    folder: Path = module.parent / node.config.getini("muscle_mem_folder") / module.stem / name
    return folder
