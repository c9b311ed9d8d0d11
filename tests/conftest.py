"""Which tests run where, what each costs, and which worker gets which; the lists are in tests/support/costs.py."""

from __future__ import annotations

import gc
import logging
from collections import Counter, OrderedDict
from collections.abc import Generator
from typing import Any

import pytest

import costs

COSTS = pytest.StashKey[dict[str, costs.Cost]]()
SHARED = pytest.StashKey[list[costs.Cost]]()  # what the running test made for others too


def pytest_configure(config: pytest.Config) -> None:
    costs.today()  # before the workers begin
    config.stash[COSTS] = {}
    config.stash[SHARED] = []


@pytest.hookimpl(tryfirst=True)  # before -m looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the lists that it is in; what takes turns is in those that it is not in today."""
    names = [costs.name_of(item.nodeid) for item in items]
    cases = Counter(names)
    seen: Counter[str] = Counter()
    for item, name in zip(items, names, strict=True):
        place, seen[name] = seen[name], seen[name] + 1
        if costs.in_rest(item.nodeid, place, cases[name]):
            item.add_marker("rest")
        if not costs.in_quick(item.nodeid, place, cases[name]):
            item.add_marker("slow")


def pytest_collection_finish() -> None:
    """Spare each look for garbage the thousands of tests, which stay to the end anyway."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    before = costs.meter()
    item.config.stash[SHARED].clear()
    try:
        return (yield)
    finally:
        item.config.stash[COSTS][item.nodeid] = costs.since(before).without(item.config.stash[SHARED])


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: Any) -> Generator[None, object, object]:
    before = costs.meter()
    try:
        return (yield)
    finally:
        if fixturedef.scope != "function":
            request.config.stash[SHARED].append(costs.since(before))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep what the tests cost; a worker tells it to the process that keeps it."""
    found = session.config.stash[COSTS]
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["costs"] = {test: list(cost) for test, cost in found.items()}
    elif found:
        costs.keep(found)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    told = getattr(node, "workeroutput", {}).get("costs", {})
    node.config.stash[COSTS].update({test: costs.Cost(*cost) for test, cost in told.items()})


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile` a file goes to one worker, so that what its tests share is made once; but for `SPREAD`.

    What takes longest begins first, so that at the end no worker is left with much to do.
    """
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid if costs.named(nodeid, costs.SPREAD) else super()._split_scope(nodeid)

        def schedule(self) -> None:
            if self.collection is None:
                self.workqueue = LongestFirst()
            super().schedule()

    return ByFile(config, log)


class LongestFirst(OrderedDict[str, dict[str, bool]]):
    """Units of work, of which the one is next whose tests take longest by the list."""

    def popitem(self, last: bool = True) -> tuple[str, dict[str, bool]]:
        unit = max(self, key=lambda unit: costs.expected(self[unit]))
        return unit, self.pop(unit)


@pytest.fixture(autouse=True)
def logging_stays_as_it_was() -> Generator[None, object, None]:
    """Fail a test that changes the level of the package's logger, which would hide messages from later tests."""
    logger = logging.getLogger("muscle_mem")
    before = logger.level, logger.disabled, logging.root.manager.disable
    yield
    after = logger.level, logger.disabled, logging.root.manager.disable
    logger.setLevel(before[0])
    logger.disabled = before[1]
    logging.disable(before[2])
    assert after == before
