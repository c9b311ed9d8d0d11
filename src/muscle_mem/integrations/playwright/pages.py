"""Pages and locators that are used like those of Playwright, and are recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...checks.given import walk
from .acting import act, arguments_of
from .actions import ACTIONS, EVENT_ACTIONS, Action
from .expecting import ExpectedDownload, ExpectedTab
from .passing import PASSIVE_ON_LOCATORS, PASSIVE_ON_PAGES, passed
from .targets import FILTERS, Link, Links, base_link, live_locator, narrowed, shown

if TYPE_CHECKING:
    from .root import RootPage

ALIASES = {"type": "press_sequentially"}
LOCATOR_ACTIONS = {name: action for name, action in ACTIONS.items() if not action.on_page}


def _links_in(value: Any) -> list[Link] | None:
    return None if value is None else [dict(link) for link in value.links]


class Finding:
    """The methods that find elements, which pages, locators and frame locators share."""

    _page: MemoryPage
    links: Links = ()

    def _found(self, link: Link) -> MemoryLocator:
        return MemoryLocator(self._page, (*self.links, link))

    def get_by_role(self, role: str, *, name: Any = None, exact: bool | None = None, **states: Any) -> MemoryLocator:
        """Return the elements of an ARIA role; see Playwright."""
        given = {key: value for key, value in states.items() if value is not None and key != "description"}
        return self._found(base_link("role", role, name=name, exact=exact, states=given or None))

    def get_by_label(self, text: Any, *, exact: bool | None = None) -> MemoryLocator:
        """Return the fields with a label; see Playwright."""
        return self._found(base_link("label", text, exact=exact))

    def get_by_text(self, text: Any, *, exact: bool | None = None) -> MemoryLocator:
        """Return the elements that contain a text; see Playwright."""
        return self._found(base_link("text", text, exact=exact))

    def get_by_placeholder(self, text: Any, *, exact: bool | None = None) -> MemoryLocator:
        """Return the fields with a placeholder; see Playwright."""
        return self._found(base_link("placeholder", text, exact=exact))

    def get_by_alt_text(self, text: Any, *, exact: bool | None = None) -> MemoryLocator:
        """Return the images with an alternative text; see Playwright."""
        return self._found(base_link("alt_text", text, exact=exact))

    def get_by_title(self, text: Any, *, exact: bool | None = None) -> MemoryLocator:
        """Return the elements with a title; see Playwright."""
        return self._found(base_link("title", text, exact=exact))

    def get_by_test_id(self, test_id: Any) -> MemoryLocator:
        """Return the elements with a test id; see Playwright."""
        return self._found(base_link("test_id", test_id))

    def locator(self, selector: Any, **conditions: Any) -> MemoryLocator:
        """Return the elements of a selector or locator inside this one; see Playwright."""
        if isinstance(selector, MemoryLocator):
            found = MemoryLocator(self._page, (*self.links, *selector.links))
        else:
            found = self._found(base_link("css", selector))
        return found.filter(**conditions) if conditions else found

    def frame_locator(self, selector: str) -> MemoryFrameLocator:
        """Return a frame, whose elements can be found; see Playwright."""
        return MemoryFrameLocator(self._page, (*self.links, base_link("frame", selector)))


class MemoryFrameLocator(Finding):
    """A frame that is used like a FrameLocator of Playwright."""

    def __init__(self, page: MemoryPage, links: Links) -> None:
        self._page = page
        self.links = links

    def nth(self, index: int) -> MemoryFrameLocator:
        """Return one of several frames."""
        return MemoryFrameLocator(self._page, narrowed(self.links, nth=index))

    @property
    def first(self) -> MemoryFrameLocator:
        """The first of several frames."""
        return self.nth(0)

    @property
    def last(self) -> MemoryFrameLocator:
        """The last of several frames."""
        return self.nth(-1)

    def __repr__(self) -> str:
        return f"<MemoryFrameLocator {shown(self.links)}>"


class MemoryLocator(Finding):
    """An element that is used like a Locator of Playwright.

    An action on a locator that matches several elements is refused, as by Playwright.
    """

    def __init__(self, page: MemoryPage, links: Links) -> None:
        self._page = page
        self.links = links

    @property
    def page(self) -> MemoryPage:
        """The memory page that the element belongs to."""
        return self._page

    @property
    def unwrapped(self) -> Any:
        """The locator of Playwright. What is done with it is not recorded."""
        return live_locator(self._page.unwrapped, self.links)

    def filter(self, **conditions: Any) -> MemoryLocator:
        """Return those of the elements that meet conditions; see Playwright."""
        given = {name: conditions.pop(name, None) for name in FILTERS}
        if conditions:
            raise TypeError(f"filter() got an unexpected keyword argument {min(conditions)!r}")
        given["has"], given["has_not"] = _links_in(given["has"]), _links_in(given["has_not"])
        return MemoryLocator(self._page, narrowed(self.links, **given))

    def nth(self, index: int) -> MemoryLocator:
        """Return one of several elements, counted from 0, or from the end if negative."""
        return MemoryLocator(self._page, narrowed(self.links, nth=index))

    @property
    def first(self) -> MemoryLocator:
        """The first of several elements."""
        return self.nth(0)

    @property
    def last(self) -> MemoryLocator:
        """The last of several elements."""
        return self.nth(-1)

    @property
    def content_frame(self) -> MemoryFrameLocator:
        """The content of an iframe that a selector finds; see Playwright."""
        *within, last = self.links
        if set(last) == {"css"}:
            return MemoryFrameLocator(self._page, (*within, base_link("frame", last["css"])))
        found: MemoryFrameLocator = passed(self._page, self.unwrapped, "content_frame", PASSIVE_ON_LOCATORS)
        return found

    def and_(self, locator: MemoryLocator) -> MemoryLocator:
        """Return the elements that match both locators."""
        return MemoryLocator(self._page, narrowed(self.links, also=_links_in(locator)))

    def or_(self, locator: MemoryLocator) -> MemoryLocator:
        """Return the elements that match at least one of the locators."""
        return MemoryLocator(self._page, narrowed(self.links, or_else=_links_in(locator)))

    def all(self) -> Any:
        """Return a list of the elements that match now; their number is recorded."""
        return walk(self._all())

    def _all(self) -> Any:
        count = yield self.count()
        return [self.nth(index) for index in range(count)]

    def __getattr__(self, name: str) -> Any:
        action = LOCATOR_ACTIONS.get(ALIASES.get(name, name))
        if action is not None:
            return _bound(self._page, action, self.links)
        if name.startswith("_"):
            raise AttributeError(name)
        return passed(self._page, self.unwrapped, name, PASSIVE_ON_LOCATORS)

    def __repr__(self) -> str:
        return f"<MemoryLocator {shown(self.links)}>"


def _bound(page: MemoryPage, action: Action, links: Links | None) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return walk(act(page, action, arguments_of(action, links, args, kwargs)))

    call.__name__ = action.name
    call.__doc__ = action.doc
    return call


class MemoryPage(Finding):
    """A page that is used like one of Playwright, and whose actions are recorded.

    Attributes:
        tab_name: The name of the tab, empty for the page that `memory_page` got.
    """

    root: RootPage

    def __init__(self, tab: str, page: Any) -> None:
        self._page = self
        self.tab_name = tab
        self.unwrapped = page

    def answer_dialog(self, message: str, accept: bool = True, prompt_text: str | None = None) -> Any:
        """Say how the next dialog with this message is answered; a recorded step.

        Call it before the action that opens the dialog. A dialog that no step expects is dismissed. It makes a run
        unlearnable, and stops a replay.

        Args:
            message: The whole text of the dialog. White space does not count.
            accept: Whether the dialog is accepted; else it is dismissed.
            prompt_text: What is entered into a prompt.
        """
        given = {"message": message, "accept": accept, "prompt_text": prompt_text}
        return _bound(self, ACTIONS["answer_dialog"], None)(**given)

    def expect_popup(self, *, opens: str | None = None, **options: Any) -> ExpectedTab:
        """Return a block in which a tab opens; its `value` is the tab's memory page.

        The block is `with`, or `async with` for a page of the async API, where `value` is awaited.

        Args:
            opens: The name of the tab. None names it.
            options: Those of Playwright. The time limit is that of the tool.
        """
        del options
        return ExpectedTab(self, opens)

    def expect_download(self, **options: Any) -> ExpectedDownload:
        """Return a block in which a download begins; its `value` is Playwright's download."""
        del options
        return ExpectedDownload(self)

    def drag_and_drop(self, source: str, target: str, **options: Any) -> Any:
        """Drag one element to another; see Playwright."""
        return self.locator(source).drag_to(self.locator(target), **options)

    def wait_for_selector(self, selector: str, **options: Any) -> Any:
        """Wait for an element. It returns None, where Playwright returns a handle."""
        return self.locator(selector).wait_for(**options)

    def run_tool(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Make one action with the arguments of a stored step.

        Args:
            name: The name of the action, such as "click".
            arguments: The element, and what the action needs.
        """
        return getattr(self, name)(**arguments)

    def __getattr__(self, name: str) -> Any:
        action = ACTIONS.get(ALIASES.get(name, name))
        if action is not None and (action.name not in _EVENTS or action.name in ("close", "popup", "download")):
            return _bound(self, action, None)
        if name.startswith("_") or name in ("unwrapped", "root"):
            raise AttributeError(name)
        if name.endswith("_secret") and ACTIONS.get(name.removesuffix("_secret"), ACTIONS["click"]).types:
            return self.root.secret_tool(name)
        return passed(self, self.unwrapped, name, PASSIVE_ON_PAGES)

    def __repr__(self) -> str:
        return f"<MemoryPage {self.tab_name} {getattr(self.unwrapped, 'url', '')!r}>"


_EVENTS = {action.name for action in EVENT_ACTIONS}
