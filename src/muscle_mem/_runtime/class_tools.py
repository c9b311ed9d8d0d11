"""Class methods as tools: one tool for each class that such a method is called on.

`@engine.tool` may be above or below `@classmethod`. The class does not exist yet while the decorator runs, so its tool
is made later: when the class is complete, when the method is called, or when a stored step needs the tool.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType
from typing import Any

from .._core.model.reason import Reason
from .._core.tools.closures import leads_to
from .._core.tools.fingerprint import is_async
from .context import get_frame

_MARK = "__muscle_mem_class_tool__"
MakeTool = Callable[[Any, str | None], Any]
"""Registers a function as a tool, under a name if one is given, and returns what replaces the function."""


def may_be_class_method(fn: Any) -> bool:
    """Return whether a decorated function may get `@classmethod` above the decorator."""
    if not isinstance(fn, FunctionType):
        return False
    owner = fn.__qualname__.rpartition(".")[0]
    parameters = list(inspect.signature(fn).parameters)
    return bool(owner) and not owner.endswith("<locals>") and parameters[:1] == ["cls"]


class ClassTool:
    """A class method that is a tool of each class that has it.

    Args:
        runtime: The runtime of the engine.
        fn: The class method, or the function that may become one.
        make_tool: Registers a function as a tool.
        name: The name that the user gave, or None.

    Attributes:
        result: What replaces the class method or the function.
    """

    def __init__(self, runtime: Any, fn: Any, make_tool: MakeTool, name: str | None) -> None:
        self._runtime = runtime
        is_above = isinstance(fn, classmethod)
        self._inner = fn.__func__ if is_above else fn
        self._make_tool = make_tool
        self._name = name
        self._owner: type | None = None
        self._wrappers: dict[type | None, Any] = {}
        self._called = _async_dispatch(self) if is_async(self._inner) else _dispatch(self)
        functools.update_wrapper(self._called, self._inner)
        setattr(self._called, _MARK, self)
        self.result: Any = _NamedClassMethod(self) if is_above else self._called

    @property
    def called(self) -> Any:
        """The function that calls the tool of the class that it gets."""
        return self._called

    def set_owner(self, owner: type) -> None:
        """Make the tool of the class that defines the method."""
        self._owner = owner
        self.wrapper_for(owner)

    def wrapper_for(self, cls: Any) -> Callable[..., Any] | None:
        """Return the function that records calls on a class.

        Return None if this is not a class method, but a function whose first parameter is named `cls`.
        """
        if not issubclass(type(cls), type):
            return None
        if cls not in self._wrappers:
            owner = next((base for base in cls.__mro__ if self._name_in(base)), None)
            if owner is None:
                return None
            self._owner = owner
            if not self._leads_here(inspect.getattr_static(cls, self._name_in(owner), None)):
                return functools.partial(self._call_overridden, cls)
            self._wrappers[cls] = self._make_tool(MethodType(self._inner, cls), self._name_on(cls))
        found: Callable[..., Any] = self._wrappers[cls]
        return found

    def _call_overridden(self, cls: type, *args: Any, **kwargs: Any) -> Any:
        """Call the method of a class that overrides it.

        The open run lacks what the override does.
        """
        frame = get_frame()
        if frame is not None and frame.is_recording and frame.run is not None and frame.runtime is self._runtime:
            name = self._name_on(cls) or self._inner.__qualname__
            frame.run.recorder.add_problem(
                Reason.OTHER_INSTANCE,
                f"{name!r} was called through an override, which is not a tool. Decorate the override in "
                f"{cls.__qualname__!r}.",
                name,
            )
        return self._inner(cls, *args, **kwargs)

    def call_plain(self) -> Callable[..., Any]:
        """Return the function that records calls of what is not a class method."""
        if None not in self._wrappers:
            self._wrappers[None] = self._make_tool(self._inner, self._name)
        found: Callable[..., Any] = self._wrappers[None]
        return found

    def settle(self, *, subclasses: bool) -> None:
        """Make the tools of the classes that exist by now."""
        owner = self._owner or self._find_owner()
        if owner is not None:
            for cls in (owner, *(_subclasses(owner) if subclasses else ())):
                self.wrapper_for(cls)

    def _name_on(self, cls: type) -> str | None:
        if cls is self._owner:
            return self._name
        return f"{self._name}[{cls.__qualname__}]" if self._name else f"{cls.__qualname__}.{self._inner.__name__}"

    def _name_in(self, cls: type) -> str:
        """Return the name of this class method in a class that defines it, or ""."""
        return next((name for name, entry in vars(cls).items() if self._leads_here(entry)), "")

    def _leads_here(self, entry: Any) -> bool:
        """Return whether an entry of a class is this class method.

        It may be below other decorators.
        """
        return isinstance(entry, classmethod) and leads_to(entry.__func__, (self._called,))

    def _find_owner(self) -> type | None:
        """Return the class that defines the method, by the name in its module."""
        found: Any = None
        for level, part in enumerate(self._inner.__qualname__.split(".")[:-1]):
            found = vars(found).get(part) if level else self._inner.__globals__.get(part)
            if not issubclass(type(found), type):
                return None
        return found if found is not None and self._name_in(found) else None


def settle_class_method(method: Any) -> None:
    """Make the tool of a bound class method, if it is one."""
    fn = getattr(method, "__func__", None) if inspect.ismethod(method) else None
    while fn is not None:
        tool = getattr(fn, "__dict__", {}).get(_MARK)
        if tool is not None:
            tool.wrapper_for(method.__self__)
            return
        fn = getattr(fn, "__wrapped__", None)


class _NamedClassMethod(classmethod):  # type: ignore[type-arg]
    """A class method that learns which class defines it."""

    def __init__(self, tool: ClassTool) -> None:
        super().__init__(tool.called)
        self._tool = tool

    def __set_name__(self, owner: type, name: str) -> None:
        self._tool.set_owner(owner)


def _dispatch(tool: ClassTool) -> Any:
    def called(cls: Any, /, *args: Any, **kwargs: Any) -> Any:
        wrapper = tool.wrapper_for(cls)
        return tool.call_plain()(cls, *args, **kwargs) if wrapper is None else wrapper(*args, **kwargs)

    return called


def _async_dispatch(tool: ClassTool) -> Any:
    async def called(cls: Any, /, *args: Any, **kwargs: Any) -> Any:
        wrapper = tool.wrapper_for(cls)
        return await (tool.call_plain()(cls, *args, **kwargs) if wrapper is None else wrapper(*args, **kwargs))

    return called


def _subclasses(cls: type) -> Iterator[type]:
    found: list[type] = type.__subclasses__(cls)
    for sub in found:
        yield sub
        yield from _subclasses(sub)
