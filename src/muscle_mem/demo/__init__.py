"""Demo: an agent on web pages, and what replays of its behavior save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from .._core.model.learned import is_flows_body
from .._engine.engine import Engine
from ..store import Store, open_store
from ..store.paging import each
from .agents import ScriptedAgent
from .browser import (
    UnusableBrowserError,
    find_browser,
    find_pages,
    open_browser,
    what_is_missing,
)
from .greeter import greet
from .model import ChatModel, ModelAgent
from .printing import print_line, print_paragraph
from .report import Acts, Lines
from .stages import Lab, Run, shortfalls, story
from .summary import Totals, print_summary
from .tasks import TASKS, Task
from .tools import web_page
from .watch import Watch

if TYPE_CHECKING:
    from playwright.sync_api import Page as BrowserPage

__all__ = ["Report", "run"]

PAUSE = 1.2
"""Seconds between the acts of the first task on a terminal, where a person reads along."""

WHAT = (
    "An agent does {count} tasks on web pages, several times each. muscle_mem records its steps, and replays them when "
    "a task comes again. Before each step, a check compares the page with the recorded one. The agent is asked only if "
    "a check fails, or if the recorded steps may not fit the new data."
)
SCRIPT = (
    "Agent: a script that stands in for a model and decides in milliseconds. The seconds and tokens of a model are "
    "estimates. Set OPENAI_API_KEY for a real one (gpt-4o-mini, or MUSCLE_MEM_MODEL)."
)


@dataclass(frozen=True)
class Report:
    """Result of the demo: its runs by task, and their sums.

    `totals` is None if the example without a browser ran in place of the tasks.
    """

    ok: bool
    totals: Totals | None = None
    runs: Mapping[str, Sequence[Run]] = field(default_factory=dict)


def run(
    store: str | None = None,
    headless: bool = True,
    tasks: tuple[Task, ...] = TASKS,
    console: Console | None = None,
) -> Report:
    """Run the demo.

    Without a browser, it runs a small example and prints how to install a browser.

    Args:
        store: The SQLite file for the recordings; None discards them.
        headless: Hide the window of the browser.
        tasks: The tasks to run.
        console: The console to print to.
    """
    console = console or Console()
    browser = find_browser()
    missing = what_is_missing(browser)
    if missing or browser is None:
        return _greet_instead(console, missing)
    print_line(console, "The demo of muscle_mem", "bold")
    print_paragraph(console, WHAT.format(count=len(tasks)))
    with ExitStack() as open_things:
        try:
            browser_page = open_things.enter_context(open_browser(browser, headless))
        except UnusableBrowserError as error:
            return _greet_instead(console, str(error))
        print_paragraph(console, f"Pages: MiniWoB++, a benchmark for web agents, offline in {Path(browser).name}.")
        return _run_tasks(store, browser_page, tasks, console)


def _greet_instead(console: Console, why: str) -> Report:
    print_line(console, "The demo on web pages cannot run here. A small example without a browser runs instead.")
    code = greet(console)
    print_line(console, f"\nFor the demo on web pages: {why}")
    return Report(ok=code == 0)


def _run_tasks(store: str | None, browser_page: BrowserPage, tasks: tuple[Task, ...], console: Console) -> Report:
    memory = open_store(store)
    known = _count(memory)
    watch = Watch()
    watch.on_trouble = lambda text: print_paragraph(console, f"Note: {text}", "     ", "yellow")
    with Engine(memory, observers=[watch]) as engine:
        lab = _lab(engine, memory, browser_page, watch)
        agent = lab.agent
        print_paragraph(console, f"Agent: {agent.model.model}." if isinstance(agent, ModelAgent) else SCRIPT)
        print_paragraph(console, _memory_text(store, known))
        lab.warm_up(tasks[0])
        runs = {}
        for number, task in enumerate(tasks, 1):
            if number == 2:
                print_line(console, "\nThe other tasks, one line for each run:")
            print_line(console, f"\nTask {number} of {len(tasks)}: {task.title}", "bold")
            runs[task.title] = _run_stages(console, lab, task, step_by_step=number == 1)
        measured = agent.seconds / agent.decisions if isinstance(agent, ModelAgent) and agent.decisions else None
        print_summary(console, runs, isinstance(agent, ScriptedAgent), measured)
    failed = [line for task in tasks for line in shortfalls(task, runs[task.title])]
    for line in failed:
        print_line(console, line, style="red")
    return Report(not failed, Totals.of([run_ for own in runs.values() for run_ in own]), runs)


def _memory_text(store: str | None, known: int) -> str:
    if known:
        return (
            f"Memory: {store} holds {known} recordings of earlier runs. This is a warm start: the agent is asked only "
            "for what is not recorded."
        )
    return f"Memory: {store}, still empty." if store else "Memory: empty, and discarded at the end."


def _run_stages(console: Console, lab: Lab, task: Task, step_by_step: bool) -> list[Run]:
    is_script = isinstance(lab.agent, ScriptedAgent)
    lab.watch.on_action = lab.agent.on_handover = None
    if step_by_step:
        acts = Acts(console, task, lab.page, PAUSE if console.is_terminal else 0.0, is_script)
        lab.listener, lab.watch.on_action, lab.agent.on_handover = acts, acts.acted, acts.handed_over
    else:
        lab.listener = Lines(console, task, is_script)
    return list(story(lab, task))


def _lab(engine: Engine, memory: Store, browser_page: BrowserPage, watch: Watch) -> Lab:
    page = web_page(engine)(browser_page)
    model = ChatModel.from_environment()
    agent = ModelAgent(page, model) if model else ScriptedAgent(page)
    engine.set_agent(agent)
    pages = find_pages()
    assert pages is not None
    return Lab(engine, memory, page, agent, watch, pages)


def _count(memory: Store) -> int:
    return sum(1 for stored in each(memory) if not is_flows_body(stored.sealed.body))
