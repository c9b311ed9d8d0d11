"""The actions that are recorded: their arguments, effects and methods."""

from __future__ import annotations

from typing import Any, NamedTuple

OPTIONS = "options"


class Value(NamedTuple):
    """An argument of an action beside the element.

    Attributes:
        name: The name of the stored argument.
        schema: Its JSON schema.
        required: Whether a call must have it.
        native: The name that Playwright has for it, if that is another one. "" if it is passed by position.
    """

    name: str
    schema: dict[str, Any]
    required: bool = True
    native: str = ""


class Action(NamedTuple):
    """One recorded action.

    Attributes:
        name: Its name, after which the tool is called "page.<name>".
        doc: What it does, for a model.
        effect: "read" or "write". Waits and actions that could be repeated are "write" too, so that a restarted agent,
            whose page is ahead of it, gets their results and does not make them again.
        values: Its arguments beside the element.
        check: What its check looks at: "element", "content" (a read of one element), "some" (a read that also works
            without an element), or "page" (the tab is open).
        method: The method of Playwright.
        on_page: Whether it is a method of the page; else of a locator.
        types: The argument that is typed into a field, or "".
        for_models: Whether it is among `page.tools()`.
    """

    name: str
    doc: str
    effect: str
    values: tuple[Value, ...] = ()
    check: str = "element"
    method: str = ""
    on_page: bool = False
    types: str = ""
    for_models: bool = False

    @property
    def tool_name(self) -> str:
        """The stored name of the tool."""
        return f"page.{self.name}"

    def perform(self, live: Any, given: dict[str, Any]) -> Any:
        """Call the method of Playwright; the result may have to be awaited.

        Args:
            live: The locator, or the page.
            given: The values of the action, by name.
        """
        args = [given[value.name] for value in self.values if value.required and not value.native]
        named = {value.native: given[value.name] for value in self.values if value.native and value.name in given}
        optional = [value.name for value in self.values if not value.required and not value.native]
        args += [given[name] for name in optional if name in given]
        return getattr(live, self.method or self.name)(*args, **named, **given.get(OPTIONS, {}))


TEXT: dict[str, Any] = {"type": "string"}
FLAG: dict[str, Any] = {"type": "boolean"}
TEXTS: dict[str, Any] = {"anyOf": [TEXT, {"type": "array", "items": TEXT}]}

ELEMENT_ACTIONS = (
    Action("click", "Click an element.", "write", for_models=True),
    Action("dblclick", "Double-click an element.", "write"),
    Action("tap", "Tap an element.", "write"),
    Action("hover", "Move the mouse over an element.", "write", for_models=True),
    Action("fill", "Replace the text of a field.", "write", (Value("value", TEXT),), types="value", for_models=True),
    Action("clear", "Empty a field.", "write"),
    Action("press_sequentially", "Type into a field, key by key.", "write", (Value("keys", TEXT),), types="keys"),
    Action("press", "Press a key, such as Enter, in an element.", "write", (Value("key", TEXT),), for_models=True),
    Action(
        "select_option",
        "Choose one option of a list, or several, by label or value.",
        "write",
        (
            Value("option", TEXTS, False),
            Value("option_label", TEXTS, False, "label"),
            Value("option_index", {"type": "integer"}, False, "index"),
        ),
        for_models=True,
    ),
    Action("check", "Check a check box or a radio button.", "write", for_models=True),
    Action("uncheck", "Uncheck a check box.", "write", for_models=True),
    Action("set_checked", "Check or uncheck a check box.", "write", (Value("checked", FLAG),)),
    Action(
        "set_input_files",
        "Choose the file of an upload field, or several, by path.",
        "write",
        (Value("files", TEXTS),),
        for_models=True,
    ),
    Action("focus", "Focus an element.", "write"),
    Action("blur", "Remove the focus of an element.", "write"),
    Action("select_text", "Select the text of an element.", "write"),
    Action("scroll_into_view_if_needed", "Scroll to an element.", "write"),
    Action(
        "dispatch_event",
        "Dispatch a DOM event.",
        "write",
        (Value("event", TEXT), Value("detail", {"type": "object"}, False)),
    ),
    Action("drag_to", "Drag an element to another one.", "write", (Value("to", {"type": "array"}),)),
    Action(
        "wait_for",
        "Wait until an element is visible, hidden, attached or detached.",
        "write",
        (Value("state", TEXT, False, "state"),),
        check="page",
        for_models=True,
    ),
)
READS = (
    Action("inner_text", "Read the text of an element.", "read", check="content", for_models=True),
    Action("text_content", "Read the text of an element, also where it is hidden.", "read", check="content"),
    Action("input_value", "Read the value of a field.", "read", check="content", for_models=True),
    Action("get_attribute", "Read an attribute.", "read", (Value("attribute", TEXT),), check="content"),
    Action("is_checked", "Read whether a box is checked.", "read", check="content"),
    Action("is_enabled", "Read whether an element is enabled.", "read", check="content"),
    Action("is_disabled", "Read whether an element is disabled.", "read", check="content"),
    Action("is_editable", "Read whether a field can be edited.", "read", check="content"),
    Action("is_visible", "Read whether an element is visible.", "read", check="some"),
    Action("is_hidden", "Read whether an element is hidden.", "read", check="some"),
    Action("count", "Count the elements.", "read", check="some"),
    Action("all_inner_texts", "Read the texts of all elements.", "read", check="some", for_models=True),
    Action("all_text_contents", "Read the texts of all elements, also hidden ones.", "read", check="some"),
)
PAGE_ACTIONS = (
    Action("goto", "Open an address.", "write", (Value("url", TEXT),), "page", on_page=True, for_models=True),
    Action("reload", "Load the page again.", "write", check="page", on_page=True),
    Action("go_back", "Go to the page before this one.", "write", check="page", on_page=True),
    Action("go_forward", "Go to the page after this one.", "write", check="page", on_page=True),
    Action(
        "wait_for_timeout",
        "Wait for a time in milliseconds.",
        "write",
        (Value("milliseconds", {"type": "number"}),),
        "page",
        on_page=True,
    ),
    Action(
        "wait_for_load_state",
        "Wait until the page is loaded.",
        "write",
        (Value("state", TEXT, False, "state"),),
        "page",
        on_page=True,
    ),
    Action("wait_for_url", "Wait for an address.", "write", (Value("url", TEXT),), "page", on_page=True),
)
EVENT_ACTIONS = (
    Action(
        "answer_dialog",
        "Say how the next dialog is answered. Call it before the action that opens the dialog.",
        "write",
        (
            Value("message", {**TEXT, "description": "The whole text of the dialog."}),
            Value("accept", FLAG, False),
            Value("prompt_text", TEXT, False),
        ),
        "page",
        on_page=True,
        for_models=True,
    ),
    Action("expect_popup", "Expect a new tab.", "write", (Value("opens", TEXT),), "page", on_page=True),
    Action("popup", "Wait for the expected tab.", "write", (Value("opened", TEXT),), "page", on_page=True),
    Action("expect_download", "Expect a download.", "write", (), "page", on_page=True),
    Action("download", "Wait for the expected download.", "write", (), "page", on_page=True),
    Action("close", "Close a tab.", "write", (), "page", on_page=True),
)
ACTIONS = {action.name: action for action in (*ELEMENT_ACTIONS, *READS, *PAGE_ACTIONS, *EVENT_ACTIONS)}

CONSTANT = ("opens", "opened", "tab", "state", "milliseconds", OPTIONS, "exact", "states", "accept", "event")
"""The arguments that no param or output replaces."""
