"""Demo: an agent on web pages, and what replays of its behavior save."""

from __future__ import annotations

from contextlib import ExitStack
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
from .report import print_line, print_run, print_summary
from .stages import Lab, Run, shortfalls, story
from .tasks import TASKS, Task
from .tools import web_page

if TYPE_CHECKING:
    from playwright.sync_api import Page as BrowserPage

__all__ = ["run"]


def run(
    store: str | None = None,
    headless: bool = True,
    tasks: tuple[Task, ...] = TASKS,
    console: Console | None = None,
) -> int:
    """Run the demo and return its exit code, 0 for success.

    Without a browser, it prints how to install one and runs the greeter example.

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
    with ExitStack() as open_things:
        try:
            browser_page = open_things.enter_context(open_browser(browser, headless))
        except UnusableBrowserError as error:
            return _greet_instead(console, str(error))
        print_line(console, f"Browser: {browser}")
        return _run_tasks(store, browser_page, tasks, console)


def _greet_instead(console: Console, why: str) -> int:
    print_line(console, f"The demo on web pages cannot run here. {why}")
    print_line(console, "The greeter example runs instead.\n")
    return greet(console)


def _run_tasks(store: str | None, browser_page: BrowserPage, tasks: tuple[Task, ...], console: Console) -> int:
    memory = open_store(store)
    known = _count(memory)
    with Engine(memory) as engine:
        lab = _lab(engine, browser_page)
        agent = lab.agent
        who = agent.model.model if isinstance(agent, ModelAgent) else "a script (set OPENAI_API_KEY to use a model)"
        start = f"starts with {known} recordings" if known else "starts without recordings"
        print_line(console, f"Agent: {who}")
        print_line(console, f"Store: {store or 'this process'}; the run {start}")
        lab.warm_up(tasks[0])
        runs = {task.title: _run_stages(console, lab, task) for task in tasks}
        print_summary(console, runs, scripted=isinstance(agent, ScriptedAgent))
    failed = [line for task in tasks for line in shortfalls(task, runs[task.title])]
    for line in failed:
        print_line(console, line, style="red")
    return 1 if failed else 0


def _run_stages(console: Console, lab: Lab, task: Task) -> list[Run]:
    print_line(console, f"\n{task.title} ({task.page})", style="bold")
    runs = []
    for run_ in story(lab, task):
        print_run(console, task, run_)
        runs.append(run_)
    return runs


def _lab(engine: Engine, browser_page: BrowserPage) -> Lab:
    page = web_page(engine)(browser_page)
    model = ChatModel.from_environment()
    agent = ModelAgent(page, model) if model else ScriptedAgent(page)
    engine.set_agent(agent)
    pages = find_pages()
    assert pages is not None
    return Lab(engine, page, agent, pages)


def _count(memory: Store) -> int:
    return sum(1 for stored in each(memory) if not is_flows_body(stored.sealed.body))
