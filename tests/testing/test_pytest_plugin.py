"""The pytest plugin: recordings are replayed in somebody's suite, and a test that failed overwrites none."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import muscle_mem
from muscle_mem import InvalidTypeError, InvalidValueError
from muscle_mem.testing import FakeClock, ScriptedAgent

pytest_plugins = ["pytester"]

SUITE = """
import pytest

log = []
world = {"door": "closed"}

def build(engine):
    from muscle_mem import Check
    def open_door(): log.append("open"); return "opened"
    def shout(word): log.append(word)
    tools = engine.tool(name="open_door", version=1, pre_check=Check(lambda: world["door"], version=1))(open_door)
    say = engine.tool(name="shout", version=1)(shout)
    def agent(task):
        log.append("agent")
        if "!" in task:
            say(task)
        return tools()
    return engine.set_agent(agent)

@pytest.fixture
def engine(muscle_mem_engine):
    log.clear()
    return build(muscle_mem_engine)
"""
TEST = (
    SUITE
    + """
def test_it(engine):
    outcome = engine("let the cat in")
    assert outcome.status in ("hit", "miss")
    assert log == (["open"] if outcome else ["agent", "open"])
    print("was", outcome.status)
"""
)


def suite(pytester: pytest.Pytester, source: str = TEST, name: str = "test_door") -> None:
    pytester.makepyfile(**{name: source})


@pytest.fixture(autouse=True, scope="module")
def whole_package_is_loaded() -> None:
    """Load what the engine loads late: a run inside this process would load it, and drop it again with its classes."""
    for room in ("_core", "_engine", "_library", "_runtime", "_session", "store.folder", "store.sqlite"):
        package = importlib.import_module(f"muscle_mem.{room}")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(found.name)


@pytest.fixture(autouse=True)
def found_by_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(muscle_mem.__file__).parents[1]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # others' plugins take most of the time
    monkeypatch.delenv("MUSCLE_MEM_MODE", raising=False)


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    """A run of the suite; its modules do not stay behind."""
    plain = ["-p", "pytest_muscle_mem", "-p", "no:cacheprovider"]
    how = pytester.runpytest_subprocess if "-n" in options else pytester.runpytest_inprocess
    return how(*plain, *options)


def recordings(pytester: pytest.Pytester) -> dict[str, bytes]:
    root = pytester.path / "trajectories"
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_record_once_then_only_replay(pytester: pytest.Pytester) -> None:
    suite(pytester)
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*--mm-mode=once to record*"])
    assert recordings(pytester) == {}
    run(pytester, "--mm-mode=once").assert_outcomes(passed=1)
    kept = recordings(pytester)
    assert [name.rpartition("-")[0] for name in kept] == ["test_door/test_it/let-the-cat-in"]
    assert b'"hits"' not in next(iter(kept.values()))
    result = run(pytester, "-rP")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["was hit"])
    assert recordings(pytester) == kept


def test_replays_leave_the_files_as_they_are(pytester: pytest.Pytester) -> None:
    suite(pytester)
    run(pytester, "--mm-mode=once")
    kept = recordings(pytester)
    for mode in ("once", "none", "new_episodes"):
        run(pytester, f"--mm-mode={mode}").assert_outcomes(passed=1)
        assert recordings(pytester) == kept


def test_once_never_asks_the_agent_where_there_are_recordings(pytester: pytest.Pytester) -> None:
    suite(pytester)
    run(pytester, "--mm-mode=once")
    kept = recordings(pytester)
    suite(pytester, TEST.replace("the cat", "the dog"))
    failed = run(pytester, "--mm-mode=once")
    failed.assert_outcomes(failed=1)
    failed.stdout.fnmatch_lines(["*--mm-mode=new_episodes to record what is new*"])
    run(pytester, "--mm-mode=new_episodes").assert_outcomes(passed=1)
    now = recordings(pytester)
    assert len(now) == 2
    assert kept.items() <= now.items()


def test_all_records_anew_and_drops_what_no_test_needs(pytester: pytest.Pytester) -> None:
    suite(pytester)
    run(pytester, "--mm-mode=once")
    kept = recordings(pytester)
    suite(pytester, TEST.replace("the cat", "the dog"))
    result = run(pytester, "--mm-mode=all", "-rP")
    result.stdout.fnmatch_lines(["was miss"])
    now = recordings(pytester)
    assert len(now) == 1
    assert not kept.items() & now.items()


FAILING = """
def test_it(engine):
    engine("let the cat in")
    engine("shout!")
    assert FINE
"""


@pytest.mark.parametrize("mode", ["once", "new_episodes", "all"])
def test_a_failed_test_never_changes_its_files(pytester: pytest.Pytester, mode: str) -> None:
    suite(pytester, SUITE + FAILING.replace("FINE", "False"))
    run(pytester, f"--mm-mode={mode}").assert_outcomes(failed=1)
    assert recordings(pytester) == {}
    suite(pytester)
    run(pytester, "--mm-mode=once").assert_outcomes(passed=1)
    kept = recordings(pytester)
    suite(pytester, SUITE + FAILING.replace("FINE", "False"))
    run(pytester, f"--mm-mode={mode}").assert_outcomes(failed=1)
    assert recordings(pytester) == kept


def test_an_error_in_the_setup_changes_no_files(pytester: pytest.Pytester) -> None:
    broken = 'import pytest\n@pytest.fixture\ndef bad(engine):\n    engine("let the cat in")\n    raise ValueError\n'
    suite(pytester, SUITE + broken + "def test_it(bad):\n    pass\n")
    run(pytester, "--mm-mode=all").assert_outcomes(errors=1)
    assert recordings(pytester) == {}


def test_each_test_and_param_has_a_folder_of_its_own_on_many_workers(pytester: pytest.Pytester) -> None:
    more = """
@pytest.mark.parametrize("what", ["a/b", "a_b", "A_B", "x" * 200, "\\u00e4"])
def test_many(engine, what):
    assert engine(what).status in ("hit", "miss")

class TestDoor:
    def test_it(self, engine):
        assert engine("let the cat in").status in ("hit", "miss")
"""
    suite(pytester, TEST + more)
    run(pytester, "--mm-mode=once", "-n", "2", "-p", "xdist").assert_outcomes(passed=7)
    kept = recordings(pytester)
    assert len({str(Path(name).parent).casefold() for name in kept}) == 7
    run(pytester, "-n", "2", "-p", "xdist").assert_outcomes(passed=7)
    assert recordings(pytester) == kept


def test_an_engine_of_the_application_is_lent_the_recordings(pytester: pytest.Pytester) -> None:
    app = SUITE.partition("@pytest.fixture")[0] + "from muscle_mem import Engine\nengine = build(Engine('app.db'))\n"
    pytester.makepyfile(app=app)
    suite(
        pytester,
        """
import app

def test_it(muscle_mem_recording):
    engine = muscle_mem_recording.use(app.engine)
    outcome = engine("let the cat in")
    print("was", outcome.status)

def test_later():
    assert app.engine("let the cat in").reason == "new_task"
    assert app.engine("let the cat in")
    app.engine.close()
""",
    )
    run(pytester, "--mm-mode=once").assert_outcomes(passed=2)
    assert len(recordings(pytester)) == 1
    for path in pytester.path.glob("app.db*"):
        path.unlink()
    result = run(pytester, "-rP")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["was hit"])


SECRET = """
import pytest
log = []

@pytest.fixture
def engine(muscle_mem_engine):
    def log_in(user, password): log.append(password)
    tool = muscle_mem_engine.tool(name="log_in", version=1)(log_in)
    return muscle_mem_engine.set_agent(lambda task: tool("me", "hunter2-the-real-one"))
"""


def test_arguments_with_telling_names_are_not_recorded(pytester: pytest.Pytester) -> None:
    suite(
        pytester,
        SECRET
        + 'def test_it(engine):\n    engine("log in", secrets={"password": SAID})\n'.replace(
            "SAID", '"hunter2-the-real-one"'
        ),
    )
    run(pytester, "--mm-mode=once").assert_outcomes(passed=1)
    (text,) = recordings(pytester).values()
    assert b"hunter2" not in text
    assert b'{"$secret": "password"' in text
    suite(
        pytester,
        SECRET
        + 'def test_it(engine):\n    assert engine("log in", secrets={"password": "other"})\n'
        + '    assert log == ["other"]\n',
    )
    run(pytester).assert_outcomes(passed=1)
    suite(pytester, SECRET + 'def test_it(engine):\n    engine("log in")\n')
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*secret_missing*secrets={'password': ...}*"])


def test_which_names_are_telling_is_for_the_suite_to_say(pytester: pytest.Pytester) -> None:
    names = "\n@pytest.fixture\ndef muscle_mem_secret_names():\n    return ['user']\n"
    suite(pytester, SECRET + names + 'def test_it(engine):\n    engine("log in", secrets={"user": "me!"})\n')
    run(pytester, "--mm-mode=once").assert_outcomes(passed=1)
    (text,) = recordings(pytester).values()
    assert b"hunter2" in text


def test_ini_options_and_the_marker(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmuscle_mem_mode = once\nmuscle_mem_folder = kept/here\n")
    suite(pytester, TEST + '\n@pytest.mark.muscle_mem("none")\ndef test_not(engine):\n    engine("let the cat in")\n')
    run(pytester, "--strict-markers").assert_outcomes(passed=1, failed=1)
    assert len(list((pytester.path / "kept" / "here").rglob("*.json"))) == 1
    pytester.makeini("[pytest]\nmuscle_mem_mode = sometimes\n")
    result = run(pytester)
    result.stderr.fnmatch_lines(["*muscle_mem_mode*none, once, new_episodes, all*sometimes*"])


def test_a_damaged_recording_is_told_and_kept(pytester: pytest.Pytester) -> None:
    suite(pytester)
    run(pytester, "--mm-mode=once")
    (path,) = (pytester.path / "trajectories").rglob("*.json")
    document = json.loads(path.read_text())
    document["steps"][0]["tool"] = "close_door"
    path.write_text(json.dumps(document))
    kept = recordings(pytester)
    result = run(pytester, "--mm-mode=new_episodes")
    result.assert_outcomes(passed=1)  # the agent does it; what it did cannot be written over the damaged file
    assert recordings(pytester) == kept
    run(pytester, "--mm-mode=all").assert_outcomes(passed=1)
    assert recordings(pytester) != kept


def test_a_suite_that_does_not_use_it_does_not_load_the_package() -> None:
    code = "import pytest_muscle_mem, sys; print([m for m in sys.modules if m.startswith('muscle_mem')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_modes_of_the_plugin_are_those_of_its_room() -> None:
    import pytest_muscle_mem
    from muscle_mem.testing.recordings import RECORD_MODES

    assert pytest_muscle_mem.RECORD_MODES == RECORD_MODES


def test_a_scripted_agent_does_as_it_was_told() -> None:
    seen: list[object] = []
    agent = ScriptedAgent((seen.append, 1), lambda: "two", returns=lambda results: results[-1])
    assert agent("a task", x=1) == "two"
    assert (seen, agent.asked) == ([1], [(("a task",), {"x": 1})])
    with pytest.raises(KeyError):
        ScriptedAgent(KeyError("x"))("a task")
    with pytest.raises(InvalidTypeError, match="steps="):
        ScriptedAgent(3)


def test_a_fake_clock_goes_when_it_is_told() -> None:
    clock = FakeClock(10)
    clock.advance(-3)
    clock.sleep(5)
    assert clock() == clock() == 12.0
    with pytest.raises(InvalidValueError):
        clock.sleep(-1)
