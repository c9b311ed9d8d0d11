"""The demo: an agent on real web pages, and what a memory of its behavior saves it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from rich.console import Console

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
from .report import close, say, tell
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
    """Run the demo, its memory in `store` (a SQLite file; None: nowhere). Returns 0 if all went well.

    Without a browser it says how to get one and runs the greeter example instead.
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
        say(console, f"Browser: {browser}")
        return _tell_all(store, browser_page, tasks, console)


def _greet_instead(console: Console, why: str) -> int:
    say(console, f"The demo on web pages cannot run here. {why}")
    say(console, "Here is the small greeter example instead.\n")
    return greet(console)


def _tell_all(store: str | None, browser_page: BrowserPage, tasks: tuple[Task, ...], console: Console) -> int:
    memory = open_store(store)
    known = _count(memory)
    with Engine(memory) as engine:
        lab = _lab(engine, browser_page)
        agent = lab.agent
        who = agent.model.model if isinstance(agent, ModelAgent) else "a script (OPENAI_API_KEY brings in a model)"
        start = f"starts warm, with {known} recordings" if known else "starts cold"
        say(console, f"Agent: {who}")
        say(console, f"Memory: {store or 'this process'}; the run {start}")
        lab.warm_up(tasks[0])
        runs = {task.title: _tell_story(console, lab, task) for task in tasks}
        close(console, runs, scripted=isinstance(agent, ScriptedAgent))
    failed = [line for task in tasks for line in shortfalls(task, runs[task.title])]
    for line in failed:
        say(console, line, style="red")
    return 1 if failed else 0


def _tell_story(console: Console, lab: Lab, task: Task) -> list[Run]:
    say(console, f"\n{task.title} ({task.page})", style="bold")
    runs = []
    for run_ in story(lab, task):
        tell(console, task, run_)
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
    return sum(1 for _ in each(memory))
