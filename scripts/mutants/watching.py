"""A pytest plugin: which test executes which lines, and how long each takes; or only the tests that were chosen.

Loaded with `-p`, by the workers of xdist too. The environment says what it is to do. What was seen is written into a
folder: lines as a data file of coverage, times as JSON, one of each per process.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path

import pytest

FOLDER = "MUTANTS_SEEN"  # where to write what was seen
SOURCE = "MUTANTS_SOURCE"  # the folder whose lines are of interest
CHOSEN = "MUTANTS_CHOSEN"  # a file with the ids of tests, in the order in which to run them
LINES = "lines"
TIMES = "times"


def pytest_configure(config: pytest.Config) -> None:
    """Watch from here on, unless this process only hands tests out to others."""
    hands_out = getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput")
    if FOLDER in os.environ and not hands_out:
        config.pluginmanager.register(Watcher(Path(os.environ[FOLDER]), os.environ[SOURCE]))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the chosen tests. One that is not there was parametrized by what the mutant changed."""
    if CHOSEN in os.environ:
        wanted = {id: place for place, id in enumerate(Path(os.environ[CHOSEN]).read_text().split("\n"))}
        items[:] = sorted((item for item in items if item.nodeid in wanted), key=lambda item: wanted[item.nodeid])


class Watcher:
    """Keeps lines and times by the ids of tests. A fixture's lines are those of the first test that asked for it."""

    def __init__(self, folder: Path, source: str) -> None:
        import coverage

        self.folder = folder
        self.times: dict[str, float] = {}
        self.coverage = coverage.Coverage(
            data_file=str(folder / f"{LINES}.{os.getpid()}"), source=[source], config_file=False, messages=False
        )
        self.coverage.start()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Count what is executed from here on to this test, and then to none."""
        self.coverage.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self.coverage.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add what one phase of a test took."""
        self.times[report.nodeid] = self.times.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        """Write what was seen."""
        self.coverage.stop()
        self.coverage.save()
        (self.folder / f"{TIMES}.{os.getpid()}.json").write_text(json.dumps(self.times))
