"""Loops over whole lists in what the command line prints (L13)."""

from __future__ import annotations

from pathlib import Path

from cli_cases import as_json, run
from list_shop import ListShop


def taught(tmp_path: Path) -> tuple[str, list[str]]:
    """Return a store with two recordings and the standing of their loop, and the ids of the recordings."""
    store = str(tmp_path / "memory.db")
    shop = ListShop(store=store).teach(1, 3)
    ids = [one.trajectory_id for one in shop.engine.explain("ship all orders").considered[1:]]
    shop.answer = lambda order_id: {"ok": False, "error": "no label"}
    assert shop.run(4).status == "diverged"
    shop.engine.close()
    return store, ids


def test_l13_show_prints_the_loop_of_a_recording(tmp_path: Path) -> None:
    store, ids = taught(tmp_path)
    shown = [run("show", id, "--store", store).stdout for id in ids]
    assert sum("steps 1 to 3, for each of list_orders().orders" in one for one in shown) == 1
    loops = [as_json("show", id, "--store", store)["loops"] for id in ids]
    assert sorted(loops, key=len) == [[], [{"first": 1, "last": 3, "calls": 1, "list": "list_orders().orders"}]]


def test_l13_the_standing_of_a_loop_is_intact_for_doctor(tmp_path: Path) -> None:
    store, _ = taught(tmp_path)
    done = run("doctor", "--store", store)
    assert "no problems" in done.stdout
    assert "1 record of flows" in done.stdout
