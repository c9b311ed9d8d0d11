"""What each adapter of a framework is tested with: the names of the scenarios, and the table of who proves which.

A test names the scenarios that it proves: `@pytest.mark.scenario("hit", "usage")`. A scenario without a test needs a
reason, as a line `scenario: reason` in the file missing.txt beside the adapter's tests. A missing hook of the framework
is a reason, a missing day is not. `python tests/support/framework_scenarios.py --write` writes the table of all into
docs/integrations/what-is-tested.md, and tests/project/test_framework_scenarios.py compares them. Tests are read, not
run, so that the table is the same where a framework is not installed.

The folders of the tests begin with `in_`: a folder `openai` on the path would be found as a package of that name where
the real one is not installed, and nothing would be skipped.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from paths import ROOT, TESTS

# In the order of the table. One line each: what happens, and what must come of it.
SCENARIOS = {
    # What it is for.
    "record": "a run of three or four tool calls is learned from the framework's loop",
    "hit": "the same task again: the same tool calls in the same order, no model call, and the recorded answer",
    "hit_other_params": "the same task with other params: their values in the arguments, and no model call",
    "sync": "a synchronous run of an agent is recorded and replayed",
    "async": "an asynchronous run is recorded and replayed, with sync and async tools",
    "streaming": "a streamed run is recorded; on a hit, the replayed turns arrive as events or chunks",
    "parallel_calls": "several calls of one turn are replayed as one turn; all are captured before the first is made",
    "typed_answer": "a typed answer is returned as its type, also on a hit; another schema is another task",
    "usage": "a replayed turn has usage 0 and is marked; the saved tokens of a hit are those that the model reported",
    # The middle of a run.
    "check_refuses": "a check fails in the middle: the model continues with the history of the executed steps",
    "rejoin": "rejoin=True: after another call of the model, the stopped replay resumes",
    "state_changed": "the state changes between the turn and the tool: the replayed call is not made",
    "tool_raises": "a tool raises during a replay: the replay stops, the exception passes, and the model continues",
    "error_as_text": "a tool that reports its error in the framework's way counts as a tool that raised",
    "model_error": "an error of the model passes unchanged, and nothing is learned",
    "unknown_tool": "the agent no longer offers a tool: a miss before the first effect",
    "tool_changed": "the schema of a tool changed: the reason is `tool_changed`",
    # People.
    "approval": "a tool that needs an approval also asks for it on a hit, before and after a refusal",
    "denied": "a person refuses a call: `refused_by_person`, no count against the recording, and the model continues",
    "approved_later": "approved after the block has ended: the run continues, and `task.outcome` is set",
    "approved_elsewhere": "approved in another process: the results pass through, and nothing is replayed or learned",
    "checkpoint": "a run that is resumed from a checkpoint or from its messages continues at the same step",
    # Several at a time.
    "hand_off": "a hand-off to another agent is recorded and replayed",
    "sub_agent": "an agent used as a tool is one step of the outer run",
    "two_tasks": "two tasks in one conversation are two runs",
    "twelve_at_once": "twelve concurrent runs do not affect each other",
    "decorated_tools": "one run uses functions decorated with the engine and tools of the framework",
    # What makes a task, and what is kept of it.
    "other_image": "the same prompt with another image is another task",
    "other_prompt": "a block around a prompt with another name and without params is another task",
    "dated_instructions": "instructions that contain the date: an event names them after five misses",
    "secrets": "secrets in arguments are never in the store, and are passed again on a hit",
    # Traces, speed.
    "replayed_span": "a replayed call has one span: that of the framework, marked as replayed",
    "no_model_span": "a hit has no span of a model call",
    "overhead": "a hit of three steps costs at most the framework's loop with an instant model, and 1 ms",
    # What goes wrong.
    "no_run": "a block that no adapter saw logs one warning, `no_run`",
    "old_framework": "a version without the hook: an ImportError that names both versions",
    "abandoned": "a run is abandoned: nothing is learned, and the next run is not affected",
    "cancelled": "a run is cancelled: nothing is learned, and the cancellation passes",
    "turn_limit": "a run exceeds its turn limit: the framework's error passes, and nothing is learned",
    "server_history": "the server stores the history: the adapter passes the run through, with a message",
    "hosted_tools": "the provider runs tools: the adapter passes the run through, with a message",
    "many_choices": "several answers are requested (n > 1): the adapter passes the request through, with a message",
    "renamed_tool": "a tool whose name differs from its function's is recorded and replayed by the framework's name",
    "two_engines": "two engines around one client or agent: the outer one works, and neither breaks the run",
    "wrapped_twice": "a wrapped model with a wrapped client is recorded once",
    "odd_results": "results that are not JSON: the run continues, and is replayed if the result was not needed",
    "adapter_fails": "the adapter fails: one event, and the run continues without it",
}

FOLDERS = {
    "pydantic-ai": "in_pydantic_ai",
    "langchain": "in_langchain",
    "openai-agents": "in_openai_agents",
    "openai": "in_openai",
    "anthropic": "in_anthropic",
    "google-adk": "in_google_adk",
    "strands": "in_strands",
}
# These record, replay and hand over, and are not yet tested with the rest. They are not in the environment of CI.
FIRST_VERSIONS = ("google-adk", "strands")

PAGE = ROOT / "docs" / "integrations" / "what-is-tested.md"
BEGIN, END = "<!-- scenarios: begin -->", "<!-- scenarios: end -->"


def _marks(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Find the scenarios that the marks in a file name, each with the test's name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.scenario":
                    for name in mark.args:
                        yield ast.literal_eval(name), node.name


def proven(adapter: str) -> dict[str, list[str]]:
    """Return the scenarios that an adapter's tests name, each with the tests, as file::test."""
    found: dict[str, list[str]] = {}
    for file in sorted((TESTS / "integrations" / FOLDERS[adapter]).glob("test_*.py")):
        for scenario, test in _marks(ast.parse(file.read_text())):
            found.setdefault(scenario, []).append(f"{file.name}::{test}")
    return found


def reasons(adapter: str) -> dict[str, str]:
    """Return the scenarios that an adapter cannot have, each with the reason."""
    file = TESTS / "integrations" / FOLDERS[adapter] / "missing.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    return {name: reason for name, _, reason in (line.partition(": ") for line in lines if line.strip())}


def open_scenarios(adapter: str) -> list[str]:
    """Return the scenarios for which an adapter has neither a test nor a reason."""
    known = {**proven(adapter), **reasons(adapter)}
    return [name for name in SCENARIOS if name not in known]


def table() -> str:
    """Return the table of scenarios by adapter, as Markdown, with the reasons below it."""
    tests = {adapter: proven(adapter) for adapter in FOLDERS}
    why = {adapter: reasons(adapter) for adapter in FOLDERS}
    notes: list[str] = []
    lines = [f"| scenario | {' | '.join(FOLDERS)} |", "| --- |" + " :-: |" * len(FOLDERS)]
    for name, line in SCENARIOS.items():
        cells = []
        for adapter in FOLDERS:
            if name in tests[adapter]:
                cells.append("yes")
            elif name in why[adapter]:
                note = f"{adapter}: {why[adapter][name]}"
                notes += [] if note in notes else [note]
                cells.append(f"no ({notes.index(note) + 1})")
            else:
                cells.append("not yet")
        lines.append(f"| {line} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"{n}. {note}" for n, note in enumerate(notes, 1))]).rstrip() + "\n"


def page_with_table(page: str) -> str:
    """Return the text of the page with the table of now between its two marks."""
    head, rest = page.split(BEGIN)
    return f"{head}{BEGIN}\n\n{table()}\n{END}{rest.split(END)[1]}"


def main(page: Path = PAGE) -> None:
    """Write the table into the page, or print it."""
    if "--write" in sys.argv:
        page.write_text(page_with_table(page.read_text()))
    else:
        print(table())


if __name__ == "__main__":
    main()
