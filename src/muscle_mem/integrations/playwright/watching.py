"""What happens beside the actions: tabs, dialogs and downloads."""

from __future__ import annotations

import inspect
import weakref
from typing import Any

from ..._core.model.failed_calls import CallNotMadeError
from ..._session.plain_runs import Recording, active_recording, recording_of, run_in_context
from ...errors import InvalidValueError
from .checking import POLL, Steps

UNEXPECTED_TAB = "a new tab opened without page.expect_popup()"
UNEXPECTED_DOWNLOAD = "a download began without page.expect_download()"
OWN_HANDLER = "a handler of the program answered a dialog. Use page.answer_dialog(message), which is recorded"
FIRST = ""
"""The name of the tab that a memory page was made of."""


_watches: weakref.WeakKeyDictionary[Any, PageWatch] = weakref.WeakKeyDictionary()


class UnexpectedEventError(CallNotMadeError):
    """Error for an action after a tab, dialog or download that no step expects."""


class PageWatch:
    """The tabs of one memory page, and what they announce.

    Attributes:
        engine: The engine.
        is_async: Whether the page is one of Playwright's async API.
        tabs: The pages of Playwright, by the names of their tabs.
        downloads: Downloads that arrived as expected and were not fetched.
        response: What the last navigation returned.
        has_own_handler: Whether the program handles dialogs itself.
    """

    def __init__(self, engine: Any, page: Any) -> None:
        self.engine = engine
        self.is_async = inspect.iscoroutinefunction(type(page).goto)
        self.tabs: dict[str, Any] = {FIRST: page}
        self.downloads: list[Any] = []
        self.response: Any = None
        self.has_own_handler = False
        self._answers: list[tuple[str, bool, str | None]] = []
        self._expected_tabs: list[str] = []
        self._expected_downloads = 0
        self._surprises: list[str] = []
        self._count = 1
        self._run: Any = None
        self._recording: Recording | None = None
        former = _watches.get(page)
        if former is not None:
            former.detach()
        _watches[page] = self
        self._listen(page)

    def detach(self) -> None:
        """Stop to listen, since another memory page of the same page does."""
        for page in self.tabs.values():
            page.remove_listener("popup", self._on_tab)
            page.remove_listener("download", self._on_download)
            page.remove_listener("dialog", self._on_dialog_async if self.is_async else self._on_dialog)

    def enter_run(self) -> Recording | None:
        """Note the run in this context, and return it if it records."""
        run = run_in_context(self.engine)
        self._recording = active_recording(self.engine)
        if run is not None and run is not self._run:
            self._run = run
            self._answers, self._expected_tabs, self._surprises = [], [], []
            self._expected_downloads, self._count = 0, 1
            self.downloads.clear()
        return recording_of(self.engine)

    @property
    def is_recording(self) -> bool:
        """Whether the run is that of an agent that was asked."""
        return self._recording is not None

    def unlearnable(self, why: str) -> None:
        """Prevent the run that records from being learned."""
        if self._recording is not None:
            self._recording.unlearnable(why)

    def next_tab(self) -> str:
        """Return a name for the next tab of this run."""
        self._count += 1
        return f"tab{self._count}"

    def seek(self, tab: str) -> Steps:
        """Return the page of a tab, or None; events that have arrived are handled first."""
        if tab not in self.tabs:
            yield self.tabs[FIRST].wait_for_timeout(1)
        return self.tabs.get(tab)

    def await_tab(self, tab: str, seconds: float) -> Steps:
        """Wait for an expected tab, and return its page.

        Raises InvalidValueError if it does not open.
        """
        left = seconds * 1000
        while tab not in self.tabs and left > 0:
            yield self.tabs[FIRST].wait_for_timeout(POLL)
            left -= POLL
        if tab not in self.tabs:
            raise InvalidValueError(f"no tab {tab!r} has opened within {seconds:g} s")
        return self.tabs[tab]

    def await_download(self, seconds: float) -> Steps:
        """Wait for an expected download, and return the name that the page suggests.

        Raises InvalidValueError if none begins.
        """
        left = seconds * 1000
        while not self.downloads and left > 0:
            yield self.tabs[FIRST].wait_for_timeout(POLL)
            left -= POLL
        if not self.downloads:
            raise InvalidValueError(f"no download has begun within {seconds:g} s")
        return self.downloads[-1].suggested_filename

    def expect_tab(self, tab: str) -> None:
        """Take the next new tab for an expected one."""
        self.tabs.pop(tab, None)
        self._expected_tabs.append(tab)

    def expect_download(self) -> None:
        """Take the next download for an expected one."""
        self._expected_downloads += 1

    def answer_next(self, message: str, accept: bool, prompt_text: str | None) -> None:
        """Answer the next dialog with this message."""
        self._answers.append((_clean(message), accept, prompt_text))

    def raise_surprise(self) -> None:
        """Raise UnexpectedEventError in a replay if an event came that no step expects."""
        surprises, self._surprises = self._surprises, []
        if surprises and self._recording is None:
            raise UnexpectedEventError(". ".join(surprises))

    def _listen(self, page: Any) -> None:
        page.on("popup", self._on_tab)
        page.on("download", self._on_download)
        page.on("dialog", self._on_dialog_async if self.is_async else self._on_dialog)

    def _surprised(self, what: str) -> None:
        if self._run is not None:
            self._surprises.append(what)
            self.unlearnable(what)

    def _on_tab(self, page: Any) -> None:
        self._listen(page)
        if self._expected_tabs:
            self.tabs[self._expected_tabs.pop(0)] = page
        else:
            self._surprised(UNEXPECTED_TAB)

    def _on_download(self, download: Any) -> None:
        if self._expected_downloads:
            self._expected_downloads -= 1
            self.downloads.append(download)
        else:
            self._surprised(UNEXPECTED_DOWNLOAD)

    def _answer_to(self, dialog: Any) -> tuple[bool, str | None] | None:
        """Return whether a dialog is accepted, and its text; None if others answer it."""
        if self.has_own_handler:
            self.unlearnable(OWN_HANDLER)
            return None
        message = _clean(dialog.message)
        for answer in self._answers:
            if answer[0] == message:
                self._answers.remove(answer)
                return answer[1:]
        if dialog.type == "beforeunload":
            return True, None
        self._surprised(
            f"the dialog {message[:200]!r} was dismissed, because no answer was declared. Call "
            "page.answer_dialog(message) before the action that opens it"
        )
        return False, None

    def _on_dialog(self, dialog: Any) -> None:
        answer = self._answer_to(dialog)
        if answer is None:
            return
        try:
            if not answer[0]:
                dialog.dismiss()
            elif answer[1] is None:
                dialog.accept()
            else:
                dialog.accept(answer[1])
        except Exception:  # A handler of the program has answered it already.
            self.unlearnable(OWN_HANDLER)

    async def _on_dialog_async(self, dialog: Any) -> None:
        answer = self._answer_to(dialog)
        if answer is None:
            return
        try:
            if not answer[0]:
                await dialog.dismiss()
            elif answer[1] is None:
                await dialog.accept()
            else:
                await dialog.accept(answer[1])
        except Exception:  # A handler of the program has answered it already.
            self.unlearnable(OWN_HANDLER)


def _clean(text: str) -> str:
    return " ".join(text.split())
