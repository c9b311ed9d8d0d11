"""Blocks in which a new tab or a download is expected."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Self

from ..._session.plain_runs import recording_of
from ...checks.given import walk
from .acting import act
from .actions import ACTIONS
from .checking import Steps


class Expected:
    """A block in which something is expected; `value` is what came."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self._value: Any = None
        if not page.root.watch.is_async:
            walk(self._begin())

    @property
    def value(self) -> Any:
        """What came; to be awaited with a page of the async API."""
        return _ready(self._value) if self._page.root.watch.is_async else self._value

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            walk(self._end())

    async def __aenter__(self) -> Self:
        await self
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            await walk(self._end())

    def __await__(self) -> Generator[Any, Any, None]:
        found: Generator[Any, Any, None] = _awaited(self._begin()).__await__()
        return found

    def _begin(self) -> Steps:
        raise NotImplementedError

    def _end(self) -> Steps:
        raise NotImplementedError


class ExpectedTab(Expected):
    """A block in which a new tab opens.

    Args:
        page: The memory page that opens it.
        opens: The name of the tab. None names it.
    """

    def __init__(self, page: Any, opens: str | None = None) -> None:
        page.root.watch.enter_run()
        self._tab = page.root.watch.next_tab() if opens is None else opens
        super().__init__(page)

    def _begin(self) -> Steps:
        yield from act(self._page, ACTIONS["expect_popup"], {"opens": self._tab})

    def _end(self) -> Steps:
        yield from act(self._page, ACTIONS["popup"], {"opened": self._tab})
        self._value = self._page.root.tab(self._tab)


class ExpectedDownload(Expected):
    """A block in which a download begins."""

    def _begin(self) -> Steps:
        yield from act(self._page, ACTIONS["expect_download"], {})

    def _end(self) -> Steps:
        yield from act(self._page, ACTIONS["download"], {})
        watch = self._page.root.watch
        if watch.downloads:
            self._value = watch.downloads.pop(0)
        elif recording_of(watch.engine) is None:
            raise LookupError("the download is not there any more")


async def _ready(value: Any) -> Any:
    return value


async def _awaited(steps: Steps) -> None:
    found = walk(steps)
    if found is not None:
        await found
