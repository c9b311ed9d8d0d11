"""What each test costs, which are slow, and which run where.

`make slow` measures: it runs all tests and writes `tests/slow.txt`. `make slow-check` looks at what the last runs cost:
a test that is not in the list and took over a second is tried again by itself, and if it takes as long as before, it
belongs into the list. The first test of a process pays for what it imports, so shorter ones are not looked at.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from paths import ROOT, TESTS

SLOW = 0.03  # seconds, from which on a test is in the list
TOO_SLOW = 1.0  # seconds that no test may take which is not in the list
LIST = TESTS / "slow.txt"
KEPT = ROOT / ".pytest_cache" / "costs.json"

# Too long for `make test` on any day: `make test-rest` has them. A rule switched off that a proof must see; the whole
# site; a quick run of all benchmarks; a sample of the evaluation; mutations; whole runs of the demo beside the one that
# learns; property runs with one seed each; the pages of the inspector and actions on pages in a browser; whole commands
# of the gateway.
REST = """
demo/test_demo.py::test_the_greeter_example_holds_its_three_assertions_for_real
demo/test_demo.py::test_the_same_seed_shows_the_same_page
demo/test_demo.py::test_the_solver_solves_every_task_and_the_audit_agrees
docs/test_docs_site.py
gateway/test_gateway_command.py
inspector/test_browser.py
integrations/in_playwright/test_playwright_actions.py
integrations/in_playwright/test_playwright_async.py
integrations/in_playwright/test_playwright_events.py
integrations/in_playwright/test_playwright_secrets.py
project/test_bench.py
project/test_evaluate.py::test_a_sample_of_the_evaluation_runs_and_agrees_with_the_results
project/test_loop_findings.py
project/test_mutants.py
property/test_property_params.py
property/test_property_restarted.py
store/contract/test_parted_store.py
torture/test_torture.py::test_the_proof_sees_when_the_rule_is_off
""".split()

DAY = "MUSCLE_MEM_DAY"
NOT_KEPT = "MUSCLE_MEM_COSTS_NOT_KEPT"  # set where an environment lacks what some tests need
SHARE = 8  # a run has each day another eighth of what it has in turns
TABLE = 3  # cases of a test, beyond which `make quick` has them in turns, and `make test` too if they are slow
QUARTERS = 4  # `make test` has each day another quarter of a table of quick cases
LONG = 1.0  # seconds, from which on `make test` has a test in turns that stands for itself, or has few cases
ALWAYS = """
demo/test_whole_demo.py::test_the_demo_learns_replays_and_starts_warm_the_second_time
engine/test_miss_wait.py::test_of_eight_processes_one_asks_its_agent_and_a_killed_leader_costs_one_more
""".split()  # but for these: the main job of the demo, and that of a store among processes

# What their tests share takes seconds to make: a server, a whole benchmark, a map of what the tests cover.
COSTLY = ("project/test_bench.py", "project/test_mutants.py", "store/postgres/")

# Files of long tests that share nothing costly: their tests go one by one to whichever worker is free.
SPREAD = """
demo/test_demo.py
docs/test_docs.py
property/test_codec_properties.py
property/test_drivers_agree.py
property/test_property_middle.py
property/test_property_params.py
gateway/test_gateway_command.py
inspector/test_browser.py
project/test_loop_findings.py
property/test_property_worlds.py
store/postgres/test_postgres_opening.py
torture/test_torture.py
""".split()


def name_of(nodeid: str) -> str:
    """A test as the lists name it: its file below `tests` and its function, without what it is given."""
    return nodeid.split("[")[0].removeprefix("tests/")


def named(nodeid: str, names: Iterable[str]) -> bool:
    """Whether a list has a test, or its whole file."""
    name = name_of(nodeid)
    return name in names or name.split("::")[0] in names


def is_slow(nodeid: str) -> bool:
    """Whether a test is in the list, or what it shares with others is costly."""
    return name_of(nodeid).startswith(COSTLY) or named(nodeid, slow())


def today() -> int:
    """The number of the day, the same in all processes of a run: at midnight UTC the turn of other cases begins."""
    return int(os.environ.setdefault(DAY, str(int(time.time()) // 86_400)))


def due(turn: int, turns: int = SHARE) -> bool:
    """Whether it is somebody's turn today, of so many who take turns, or of as many as make a share."""
    return (turn - today()) % min(turns, SHARE) == 0


def in_quick(nodeid: str, place: int = 0, cases: int = 1) -> bool:
    """Whether `make quick` has a test, the case at a place of so many, today."""
    return not (is_slow(nodeid) or named(nodeid, REST)) and (cases <= TABLE or due(place, cases))


def in_rest(nodeid: str, place: int = 0, cases: int = 1) -> bool:
    """Whether a test, the case at a place of so many, is left to `make test-rest` today."""
    if named(nodeid, REST) or named(nodeid, ALWAYS):
        return named(nodeid, REST)
    if not named(nodeid, slow()):
        return cases > TABLE and not due(place, QUARTERS)
    if cases > TABLE:
        return not due(place, cases)
    return expected([nodeid]) >= LONG and not due(zlib.crc32(nodeid.encode()))


@cache
def slow() -> dict[str, float]:
    """The slow tests, and the seconds that each takes."""
    lines = LIST.read_text(encoding="utf-8").splitlines() if LIST.exists() else []
    return {name: float(seconds) for seconds, name in (line.split(maxsplit=1) for line in lines if line[:1] != "#")}


def expected(tests: Iterable[str]) -> float:
    """The seconds that some tests take by the list, and a little for each that is not in it."""
    known = slow()
    return sum(known.get(name := name_of(test), known.get(name.split("::")[0], 0.01)) for test in tests)


class Cost(NamedTuple):
    """The seconds of a test: those it computed, its children too, and those that passed while it was not kept waiting.

    On a busy machine the second is far less than what a clock shows; where the system does not say how long a thread
    waited for a processor, it is that.
    """

    computed: float
    passed: float

    @property
    def seconds(self) -> float:
        return max(self)

    def without(self, others: Iterable[Cost]) -> Cost:
        """This but for some parts of it."""
        return Cost(*(round(mine - sum(theirs), 3) for mine, *theirs in zip(self, *others, strict=True)))


def meter() -> tuple[float, float]:
    """What to subtract from a later reading."""
    times = os.times()
    waited = 0.0
    try:
        with open("/proc/thread-self/schedstat", encoding="ascii") as file:
            waited = int(file.read().split()[1]) / 1e9
    except (OSError, IndexError):
        pass
    return time.process_time() + times.children_user + times.children_system, time.monotonic() - waited


def since(before: tuple[float, float]) -> Cost:
    """What was spent since a reading."""
    now = meter()
    return Cost(round(now[0] - before[0], 3), round(now[1] - before[1], 3))


def keep(costs: dict[str, Any]) -> None:
    """Add what was measured to what is kept of earlier runs."""
    if os.environ.get(NOT_KEPT):
        return
    KEPT.parent.mkdir(exist_ok=True)
    known = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    fresh = KEPT.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(known | costs))
    fresh.replace(KEPT)


def kept() -> dict[str, Cost]:
    return {test: Cost(*cost) for test, cost in json.loads(KEPT.read_text()).items()} if KEPT.exists() else {}


def write() -> None:
    """The slow tests, by the costs of a whole run; a file stands for all of them, if most are slow and none is long."""
    of_test: dict[str, float] = defaultdict(float)
    for nodeid, cost in kept().items():
        of_test[name_of(nodeid)] = max(of_test[name_of(nodeid)], cost.seconds)
    of_file: dict[str, list[float]] = defaultdict(list)
    for name, seconds in of_test.items():
        of_file[name.split("::")[0]].append(seconds)
    most = {file for file, all_of in of_file.items() if sum(one >= SLOW for one in all_of) > len(all_of) / 2}
    whole = {file for file in most if max(of_file[file]) < LONG}
    found = {file: max(of_file[file]) for file in whole}
    found |= {name: one for name, one in of_test.items() if one >= SLOW and name.split("::")[0] not in whole}
    head = f"# Tests that take {SLOW} seconds or more, with their seconds. Written by make slow.\n"
    LIST.write_text(head + "".join(f"{found[name]:6.2f} {name}\n" for name in sorted(found)), encoding="utf-8")
    print(f"{len(found)} in {LIST.relative_to(ROOT)}")


def too_slow(costs: dict[str, Cost]) -> dict[str, Cost]:
    return {
        test: cost
        for test, cost in costs.items()
        if cost.seconds > TOO_SLOW and not (is_slow(test) or named(test, REST))
    }


def check() -> int:
    """Whether the list is true. What seems too slow is tried again, twice, with nothing beside it."""
    costs = kept()
    if not costs:
        print("run make test first: no costs are known", file=sys.stderr)
        return 2
    found = {test: cost for test, cost in too_slow(costs).items() if (TESTS.parent / test.split("::")[0]).exists()}
    for _ in range(2):
        if not found:
            break
        KEPT.unlink()
        subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", *found], cwd=ROOT, check=False)
        again = kept()
        keep({test: list(cost) for test, cost in costs.items()} | {test: list(cost) for test, cost in again.items()})
        found = too_slow({test: cost for test, cost in again.items() if test in found})
    for test, cost in found.items():
        print(f"{test} takes {cost.seconds:.2f} s and is not in tests/slow.txt: make slow", file=sys.stderr)
    print(f"slow tests: {len(found)} of {len(costs)} are not in the list")
    return 1 if found else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser("costs", description="Which tests are slow, by what the last runs took.")
    parser.add_argument("--write", action="store_true", help="write tests/slow.txt")
    if parser.parse_args().write:
        write()
    else:
        sys.exit(check())
