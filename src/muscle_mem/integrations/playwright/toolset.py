"""The tools of page actions: methods of a class that is made for each engine."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from ..._core.model.failed_calls import CallNotMadeError
from ..._core.model.secret import Secret
from ..._core.tools.check import Check
from ..._session.plain_runs import takes_pictures
from ...checks.given import walk
from ...errors import InvalidValueError
from .actions import ACTIONS, CONSTANT, OPTIONS, Action
from .checking import LOOK, Steps, check_of
from .pictures import last_picture, take_picture
from .targets import TARGET, Links, links_of, live_locator, live_text

SECRET = "secret"
"""The variadic argument of tools that type into password fields: the value under the name of the secret."""

PREFIX = "_do_"
EXPECTED_WITHIN = 2.0
"""How many seconds a tab or download that is expected may take at least, if the page waits less."""


class PasswordFieldError(CallNotMadeError):
    """Error for a text that would be typed into a password field and be stored."""


class Settings:
    """The options of a memory page that its tools depend on.

    Args:
        wait: How many seconds a replay waits for a recorded element.
        pre_check: The user's checks, by the name of the action.
        trusted: Whether texts that are read from the page are taken for the user's own.
        sink: Whether what is typed, chosen or uploaded decides where something goes.
        effects: The effects that the user declares, by the name of the action.
    """

    def __init__(
        self, wait: float, pre_check: Mapping[str, Check], trusted: bool, sink: bool, effects: Mapping[str, str]
    ) -> None:
        self.wait = wait
        self.pre_check = dict(pre_check)
        self.trusted = trusted
        self.sink = sink
        self.effects = dict(effects)
        for option, names in (("pre_check", self.pre_check), ("effects", self.effects)):
            if unknown := set(names) - set(ACTIONS):
                known = ", ".join(ACTIONS)
                raise InvalidValueError(
                    f"invalid {option}=: expected the names of actions, got {min(unknown)!r}. Use: {known}"
                )

    def key(self) -> tuple[Any, ...]:
        """Return what two pages must share to use the same tools."""
        checks = tuple(sorted((name, id(check)) for name, check in self.pre_check.items()))
        return self.wait, checks, self.trusted, self.sink, tuple(sorted(self.effects.items()))


def make_page_class(engine: Any, base: type, settings: Settings, *, is_async: bool) -> type:
    """Return a class of pages whose actions are tools of the engine.

    Args:
        engine: The engine.
        base: The class to derive from.
        settings: The options of the tools.
        is_async: Whether the tools are async.
    """
    members: dict[str, Any] = {"__module__": base.__module__, "__qualname__": base.__qualname__}
    for action in ACTIONS.values():
        for is_secret in (False, True) if action.types else (False,):
            name = action.name + ("_secret" if is_secret else "")
            function = _tool_function(action, name, is_secret=is_secret, is_async=is_async)
            members[PREFIX + name] = engine.method(
                pre_check=check_of(action, settings.wait, settings.pre_check.get(action.name)),
                name=f"page.{name}",
                version=f"playwright:{name}:1",
                **_options(action, settings, is_secret=is_secret),
            )(function)
    return type(base.__name__, (base,), members)


def _options(action: Action, settings: Settings, *, is_secret: bool) -> dict[str, Any]:
    names = set(signature_of(action, is_secret=is_secret).parameters)
    options: dict[str, Any] = {
        "effect": settings.effects.get(action.name, action.effect),
        "const": [name for name in CONSTANT if name in names],
        "refuses": (PasswordFieldError,),
    }
    if action.effect != "read":
        options["picture"] = last_picture
    if is_secret:
        options["secret"] = [SECRET]
    if action.effect == "read" and not settings.trusted:
        options["trusted"] = False
    written = [name for name in ("value", "keys", "option", "files", "url") if name in names]
    if settings.sink and written and not is_secret:
        options["sink"] = written
    return options


def signature_of(action: Action, *, is_secret: bool = False) -> inspect.Signature:
    """Return the signature of a tool: the element, the values, then the options.

    Args:
        action: The action.
        is_secret: Whether it is the variant for password fields.
    """
    names = [] if action.on_page else list(TARGET)
    names += [value.name for value in action.values if not (is_secret and value.name == action.types)]
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    required = {value.name for value in action.values if value.required}
    for name in (*names, "tab", OPTIONS):
        default = inspect.Parameter.empty if name in required else None
        parameters.append(inspect.Parameter(name, keyword, default=default))
    if is_secret:
        parameters.append(inspect.Parameter(SECRET, inspect.Parameter.VAR_KEYWORD))
    return inspect.Signature(parameters)


def _tool_function(action: Action, name: str, *, is_secret: bool, is_async: bool) -> Callable[..., Any]:
    def plain(self: Any, **given: Any) -> Any:
        return walk(perform(self, action, given, is_secret=is_secret))

    async def awaited(self: Any, **given: Any) -> Any:
        found = plain(self, **given)
        return (await found) if inspect.isawaitable(found) else found

    run: Any = awaited if is_async else plain
    run.__name__ = run.__qualname__ = name
    run.__doc__ = action.doc
    run.__signature__ = signature_of(action, is_secret=is_secret)
    return cast(Callable[..., Any], run)


def perform(root: Any, action: Action, given: dict[str, Any], *, is_secret: bool = False) -> Steps:
    """Make one action on the live page, and return what a step stores of it.

    Args:
        root: The memory page.
        action: The action.
        given: The arguments of the tool.
        is_secret: Whether the variant for password fields is called.
    """
    watch = root.watch
    watch.enter_run()
    watch.raise_surprise()
    patience = max(root.patience, EXPECTED_WITHIN)
    given = {name: _revealed(value) for name, value in given.items() if value is not None}
    if is_secret:
        given = _with_typed(action, given)
    page = yield from watch.await_tab(given.get("tab", ""), patience)
    if action.on_page:
        result = yield from _on_page(root, page, action, given, patience)
    else:
        links = links_of({key: given[key] for key in TARGET if key in given})
        if is_secret:
            root.note_secret(given.get("tab", ""), links)
        elif action.types and not root.is_known_plain(given.get("tab", ""), links):
            yield from _refuse_password(page, links, action)
        result = yield _on_element(page, links, action, given)
    watch.raise_surprise()
    if action.effect != "read" and watch.is_recording and takes_pictures(watch.engine):
        yield from take_picture(root, given.get("tab", ""))
    return result


def _on_element(page: Any, links: Links, action: Action, given: dict[str, Any]) -> Any:
    if action.name == "drag_to":
        given = {**given, "to": live_locator(page, tuple(given["to"]))}
    return action.perform(live_locator(page, links), given)


def _on_page(root: Any, page: Any, action: Action, given: dict[str, Any], patience: float) -> Steps:
    watch = root.watch
    if action.name == "answer_dialog":
        watch.answer_next(given["message"], given.get("accept", True), given.get("prompt_text"))
    elif action.name == "expect_popup":
        watch.expect_tab(given["opens"])
    elif action.name == "popup":
        yield from watch.await_tab(given["opened"], patience)
    elif action.name == "expect_download":
        watch.expect_download()
    elif action.name == "download":
        return (yield from watch.await_download(patience))
    else:
        if action.name == "wait_for_url":
            given = {**given, "url": live_text(given["url"])}
        watch.response = yield action.perform(page, given)
    return None


def _refuse_password(page: Any, links: Links, action: Action) -> Steps:
    found = yield live_locator(page, links).evaluate_all(LOOK, [])
    if found["count"] == 1 and found["secret"]:
        raise PasswordFieldError(
            f"{action.tool_name!r} was not called: the element is a password field. Call 'page.{action.name}_secret' "
            "with the value under the name of the secret, which is not stored."
        )


def _with_typed(action: Action, given: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a secret variant with its secret as the text to type."""
    known = signature_of(action).parameters
    secrets = [name for name in given if name not in known]
    if len(secrets) != 1:
        raise InvalidValueError(f"invalid secret: expected one, under its name, got {len(secrets)}")
    return {**{name: value for name, value in given.items() if name in known}, action.types: given[secrets[0]]}


def _revealed(value: Any) -> Any:
    return value.value if isinstance(value, Secret) else value
