"""The demo: an agent on real web pages, and what a memory of its behavior saves it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from muscle_mem import Engine
from muscle_mem.demo.agents import ScriptedAgent
from muscle_mem.demo.browser import (
    UnusableBrowserError,
    find_browser,
    find_pages,
    open_browser,
    what_is_missing,
)
from muscle_mem.demo.greeter import greet
from muscle_mem.demo.model import ChatModel, ModelAgent
from muscle_mem.demo.report import summary, tell
from muscle_mem.demo.stages import Lab, Run, shortfalls, story
from muscle_mem.demo.tasks import TASKS, Task
from muscle_mem.demo.tools import web_page

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
        console.print(f"Browser: {browser}", highlight=False, soft_wrap=True)
        return _tell_all(store, browser_page, tasks, console)


def _greet_instead(console: Console, why: str) -> int:
    console.print(f"The demo on web pages cannot run here. {escape(why)}", highlight=False, soft_wrap=True)
    console.print("Here is the small greeter example instead.\n", highlight=False)
    return greet(console)


def _tell_all(store: str | None, browser_page: BrowserPage, tasks: tuple[Task, ...], console: Console) -> int:
    warm = store is not None and Path(store).exists()
    engine = Engine(store)
    try:
        lab = _lab(engine, browser_page)
        _introduce(console, store, warm, lab)
        runs: dict[str, list[Run]] = {}
        failed: list[str] = []
        for task in tasks:
            console.print(f"\n[bold]{task.title}[/bold] ({task.page})", highlight=False)
            runs[task.title] = []
            for one in story(lab, task):
                tell(console, task, one)
                runs[task.title].append(one)
            failed += shortfalls(task, runs[task.title])
        console.print()
        console.print(summary(runs))
        for line in failed:
            console.print(f"[red]{escape(line)}[/red]", highlight=False, soft_wrap=True)
        return 1 if failed else 0
    finally:
        engine.close()


def _lab(engine: Engine, browser_page: BrowserPage) -> Lab:
    page = web_page(engine)(browser_page)
    model = ChatModel.from_environment()
    agent = ModelAgent(page, model) if model else ScriptedAgent(page)
    engine.set_agent(agent)
    pages = find_pages()
    assert pages is not None
    return Lab(engine, page, agent, pages)


def _introduce(console: Console, store: str | None, warm: bool, lab: Lab) -> None:
    agent = lab.agent
    who = agent.model.model if isinstance(agent, ModelAgent) else "a script (OPENAI_API_KEY brings in a model)"
    console.print(f"Agent: {who}", highlight=False)
    if warm:
        console.print(f"Memory: {store} exists; this run starts warm.", highlight=False, soft_wrap=True)
    else:
        console.print(f"Memory: {store or 'none on disk'}; this run starts cold.", highlight=False, soft_wrap=True)
