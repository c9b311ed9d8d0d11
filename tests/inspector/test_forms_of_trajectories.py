"""Loops and optional steps on the page of a trajectory."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from inspector_server import served
from list_shop import ListShop
from muscle_mem import Check, Engine
from muscle_mem.store import SqliteStore


def test_the_page_of_a_trajectory_names_its_loops(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    shop = ListShop(store=str(path)).teach(1, 3)
    ids = [one.trajectory_id for one in shop.engine.explain("ship all orders").considered[1:]]
    shop.engine.close()
    with closing(SqliteStore(path)) as store, served(store) as client:
        pages = [client.get(f"/trajectory/{id}").text for id in ids]
    shown = [page for page in pages if "Loops and optional steps" in page]
    assert len(shown) == 1
    assert '<a href="#step-1">Steps 1</a> to 3 are made for each of <strong>list_orders().orders</strong>' in shown[0]


def test_the_page_of_a_trajectory_names_its_optional_steps(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    engine = Engine(str(path))
    shown = {"news": False}

    @engine.tool(name="close_news", effect="idempotent", pre_check=Check(lambda: shown["news"]))
    def close_news() -> None:
        shown["news"] = False

    @engine.tool(name="press", effect="write", pre_check=Check(lambda: shown["news"]))
    def press() -> None:
        """Press the button, which the news covers."""

    def agent(task: str) -> None:
        if shown["news"]:
            close_news()
        press()

    engine.set_agent(agent)
    for has_news in (False, False, True, True):
        shown["news"] = has_news
        engine("press it", mode="record")
    ids = [one.trajectory_id for one in engine.explain("press it").considered]
    engine.close()
    with closing(SqliteStore(path)) as store, served(store) as client:
        pages = [client.get(f"/trajectory/{id}").text for id in ids]
    assert sum("step 0 (close_news) is optional (2 recordings with it, 2 without)" in page for page in pages) == 1
