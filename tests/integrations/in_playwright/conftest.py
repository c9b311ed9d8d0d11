"""One browser for the tests of a file, a page and an engine for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from playwright_desk import Desk, open_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with open_chromium() as opened:
        yield opened


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    made = browser.new_context(viewport={"width": 480, "height": 320}, accept_downloads=True)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def desk(context: Any) -> Desk:
    return Desk(context)


@pytest.fixture
def make_desk(context: Any) -> Callable[..., Desk]:
    return lambda **options: Desk(context, **options)
