"""The inspector on a PostgreSQL store: all pages and a change."""

from __future__ import annotations

from contextlib import closing

import pytest

from postgres_server import HOW, url_of

pytest.importorskip("psycopg", reason=HOW)
pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("PIL")

from inspector_server import served
from inspector_texts import seal_text
from muscle_mem.store import open_store
from muscle_mem.store.history_totals import By, folded, history_totals


def test_each_page_opens_and_a_change_is_stored(schema: str, database: str) -> None:
    with closing(open_store(url_of(schema))) as store:
        id, other = seal_text(store, 1, "one <b>"), seal_text(store, 2, "two")
        with served(store) as client:
            key = (1).to_bytes(32, "big").hex()
            pages = ("/", "/runs", "/run/1", "/trajectories", "/review", "/lint?file=1", f"/trajectory/{id}",
                     f"/task/{key}", f"/compare?a={id}&b={other}", f"/export?id={id}")  # fmt: skip
            for page in pages:
                answer = client.get(page)
                assert answer.status == 200, (page, answer.text)
                assert database.partition("@")[0].rpartition(":")[2] not in answer.text
            kinds: tuple[By, By] = ("task", "day")
            for by in kinds:
                wanted = folded(store.history_counts(), by)  # type: ignore[attr-defined]
                found = history_totals(store, by)  # type: ignore[arg-type]
                assert sorted(found, key=repr) == sorted(wanted, key=repr)
            assert client.post("/judge", id=id, verdict="approved").status == 303
            stored = store.get(id)
            assert stored is not None
            assert stored.standing.state == "trusted"
