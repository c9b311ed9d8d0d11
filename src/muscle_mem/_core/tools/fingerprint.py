"""Fingerprints of functions: short strings that change when the code does.

Changes that do not affect the behavior do not count.

    s:<32 hex>                    from the source; equal on every machine and Python version
    c:cpython-311:<32 hex>        from the code object, where there is no source; tagged with the interpreter
    b:builtins.dict, b:A:<32 hex> by name, for builtins, C callables and classes

A fingerprint covers the syntax tree of the function without comments, layout, docstrings, annotations, its own name
and its own decorators. It also covers the values of its defaults, the contents of its closure and the attributes of
a callable object.

Plain values count by value, and functions by their own fingerprint. Anything else is state that may change while the
program runs, and counts by its type. Nested functions count with their names and decorators. The fields of nested
classes count with their annotations, since models and dataclasses are made from them.

Classes are named without their module, so that a module can be moved or run as a script. Those of the standard library
keep the first part of theirs.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import inspect
import operator
import re
import sys
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodType, MethodWrapperType
from typing import Any, TypeGuard

from .canonical_code import code_text, own_name, plain_text, source_text

FindSource = Callable[[object], "str | None"]

_PACKAGE = __name__.partition(".")[0]
_INTERPRETER = f"{sys.implementation.name}-{sys.version_info[0]}{sys.version_info[1]}"
_MAX_DEPTH = 24  # Each level takes about ten frames.
_OPERATOR_GETTERS = (operator.itemgetter, operator.attrgetter, operator.methodcaller)


def fingerprint(fn: object, find_source: FindSource) -> str:
    """Return the fingerprint of any callable.

    It never raises, and leaves out what cannot be read. `find_source` returns the text of exactly this plain function
    or lambda, or None. Partials, methods, callable objects and `functools.lru_cache` wrappers are unwrapped here, and
    what they add counts. A function made with `functools.wraps` counts with its own code, and what it wraps with its
    closure.
    """
    try:
        return _Fingerprinter(find_source).of_callable(fn)
    except Exception:
        try:
            return _Fingerprinter(lambda _: None).of_callable(fn)
        except Exception:
            return f"b:{type(fn).__qualname__}"


def stored_name(fn: object) -> str:
    """Return the name under which a callable is stored; never empty.

    It is the qualified name without the module. A partial is named after its function, a bound method after its
    function, and an object after its class.
    """
    try:
        for _ in range(_MAX_DEPTH):
            if isinstance(fn, functools.partial):
                fn = fn.func
            elif isinstance(fn, MethodType | staticmethod | classmethod):
                fn = fn.__func__
        names = (getattr(fn, attribute, None) for attribute in ("__qualname__", "__name__"))
        found = next((name for name in names if isinstance(name, str) and name), None)
    except Exception:  # An object of the user's may raise on any access.
        found = None
    return found or type(fn).__qualname__


def made_in_function(fn: object) -> bool:
    """Return whether a callable was defined inside a function.

    Several such callables may share a name.
    """
    return "<locals>" in stored_name(fn)


def is_async(fn: object) -> bool:
    """Return whether a call of `fn` returns a coroutine, as far as can be known."""
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(_unwrap(fn))


def may_be_async(fn: object) -> bool:
    """Return whether a plain function wraps an async one.

    A call of it may return a coroutine. The function that it wraps is its `__wrapped__` or in its closure.
    """
    waiting, seen = [fn], 0
    while waiting and seen < _MAX_DEPTH:
        outer, seen = waiting.pop(), seen + 1
        this = _unwrap(outer)
        if inspect.iscoroutinefunction(this):
            return True
        waiting += [inner for inner in (_wrapped(outer), _wrapped(this)) if inner is not None]
        for cell in (this.__closure__ or ()) if _is_function(this) else ():
            try:
                content = cell.cell_contents
            except ValueError:  # The cell is still empty.
                continue
            waiting += [content] if isinstance(content, FunctionType | MethodType | functools.partial) else []
    return False


def is_generator(fn: object) -> bool:
    """Return whether a call of `fn` returns a generator."""
    return inspect.isgeneratorfunction(_unwrap(fn))


def is_async_generator(fn: object) -> bool:
    """Return whether a call of `fn` returns an async generator."""
    return inspect.isasyncgenfunction(_unwrap(fn))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _stdlib_prefix(module: object) -> str:
    """Return the first part of a standard module's name with a dot, or ''."""
    top = module.partition(".")[0] if isinstance(module, str) else ""
    return f"{top}." if top in sys.stdlib_module_names else ""


def _class_name(cls: type) -> str:
    return _stdlib_prefix(cls.__module__) + cls.__qualname__


def _is_function(fn: object) -> TypeGuard[FunctionType]:
    return isinstance(fn, FunctionType)


def _wrapped(fn: object) -> object:
    """Return the function that `fn` wraps, read without running its code, or None."""
    inner = inspect.getattr_static(fn, "__wrapped__", None)
    return inner if callable(inner) else None


def _python_call_method(fn: object) -> object:
    """Return the `__call__` of an object's class if it is written in Python."""
    call = inspect.getattr_static(type(fn), "__call__", None)
    return call if _is_function(call) else None


def _is_our_wrapper(fn: FunctionType) -> bool:
    """Return whether a function is a wrapper of this library.

    Such a wrapper counts as what it wraps, so that releases may change it.
    """
    home = fn.__globals__.get("__name__")
    return isinstance(home, str) and home.partition(".")[0] == _PACKAGE and _wrapped(fn) is not None


def _unwrap(fn: object) -> object:
    """Return the innermost plain function that a call of `fn` reaches.

    If there is none, it returns what could not be unwrapped any further.
    """
    for _ in range(_MAX_DEPTH):
        if isinstance(fn, functools.partial):
            fn = fn.func
        elif isinstance(fn, MethodType | staticmethod | classmethod):
            fn = fn.__func__
        elif _is_function(fn) or isinstance(fn, type):
            break
        else:
            inner = _python_call_method(fn) or _wrapped(fn)
            if inner is None:
                break
            fn = inner
    return fn


def _attributes(fn: object) -> list[tuple[str, object]]:
    """Return the attributes that an object itself has, read without running its code."""
    try:
        found = list(object.__getattribute__(fn, "__dict__").items())
    except AttributeError:
        found = []
    for owner in type(fn).__mro__:
        for name, entry in vars(owner).items():
            if inspect.ismemberdescriptor(entry) and not _is_special(name):
                try:
                    found.append((name, entry.__get__(fn)))
                except AttributeError:  # The slot is empty.
                    pass
    return found


def _is_special(name: object) -> bool:
    """Return whether an attribute, such as `__doc__`, does not affect the behavior."""
    return not isinstance(name, str) or (name.startswith("__") and name.endswith("__"))


class _Fingerprinter:
    """One computation of a fingerprint.

    It remembers the functions seen, since closures may form cycles.
    """

    def __init__(self, find_source: FindSource) -> None:
        self._find_source = find_source
        # The functions are kept alive, so that no id is used twice.
        self._done: dict[int, tuple[object, str]] = {}
        self._in_progress: list[int] = []
        self._depth = 0

    def of_callable(self, fn: object) -> str:
        """Return the fingerprint of any callable."""
        if self._depth >= _MAX_DEPTH:
            return f"b:{stored_name(fn)}"
        self._depth += 1
        try:
            return self._of_wrapped(fn) if isinstance(fn, _UNWRAPPED) else self._of_plain(fn)
        finally:
            self._depth -= 1

    def _of_wrapped(self, fn: object) -> str:
        if isinstance(fn, functools.partial):
            given = [self.value(arg) for arg in fn.args]
            named = [f"{name!a}={self.value(arg)}" for name, arg in sorted(fn.keywords.items())]
            return _extend(self.of_callable(fn.func), f"partial({','.join(given + named)})")
        if isinstance(fn, MethodType):
            owner = fn.__self__ if isinstance(fn.__self__, type) else type(fn.__self__)
            return _extend(self.of_callable(fn.__func__), f"bound({_class_name(owner)!a})")
        assert isinstance(fn, staticmethod | classmethod)
        return self.of_callable(fn.__func__)

    def _of_plain(self, fn: object) -> str:
        if _is_function(fn):
            return self.of_callable(_wrapped(fn)) if _is_our_wrapper(fn) else self._function(fn)
        if isinstance(fn, type):
            return self._class(fn)
        call, inner = _python_call_method(fn), _wrapped(fn)
        if call is not None:
            return self._once(fn, lambda: self._object(fn, call, inner))
        if inner is not None:
            return self.of_callable(inner)
        return self._builtin(fn)

    def _object(self, fn: object, call: object, inner: object) -> str:
        within = self.of_callable(inner) if inner is not None else ""
        return _extend(self.of_callable(call), f"object({_class_name(type(fn))!a},{within}{self._state(fn)})")

    def _state(self, fn: object) -> str:
        """Return a callable object's attributes as text, in the form of closure cells."""
        found = {name: self.value(value) for name, value in _attributes(fn) if not _is_special(name)}
        return "".join(f",{name!a}={text}" for name, text in sorted(found.items()))

    def _class(self, cls: type) -> str:
        makers = []
        for name in ("__new__", "__init__"):
            maker = inspect.getattr_static(cls, name, None)
            maker = maker.__func__ if isinstance(maker, staticmethod) else maker
            if _is_function(maker) and not _stdlib_prefix(maker.__module__):
                makers.append(f"{name}={self.of_callable(maker)}")
        name = f"b:{_class_name(cls)}"
        return f"{name}:{_digest(','.join(makers))}" if makers else name

    def _builtin(self, fn: object) -> str:
        if isinstance(fn, _OPERATOR_GETTERS):
            return _extend(f"b:{_class_name(type(fn))}", self.value(fn.__reduce__()))
        owner = getattr(fn, "__self__", None)
        name = f"b:{_stdlib_prefix(getattr(fn, '__module__', None))}{stored_name(fn)}"
        if not isinstance(fn, BuiltinFunctionType | MethodWrapperType):
            return name if inspect.isroutine(fn) else f"{name}:{_digest(_class_name(type(fn)))}"
        return name if owner is None or inspect.ismodule(owner) else _extend(name, self.value(owner))

    def _function(self, fn: FunctionType) -> str:
        return self._once(fn, lambda: self._of_code(fn))

    def _once(self, fn: object, compute: Callable[[], str]) -> str:
        """Return a fingerprint that is computed once; within itself it is a cycle."""
        if id(fn) in self._in_progress:
            return f"cycle:{len(self._in_progress) - self._in_progress.index(id(fn))}"
        if id(fn) not in self._done:
            self._in_progress.append(id(fn))
            try:
                self._done[id(fn)] = (fn, compute())
            finally:
                self._in_progress.pop()
        return self._done[id(fn)][1]

    def _of_code(self, fn: FunctionType) -> str:
        source = self._source(fn)
        prefix, code = ("s:", source) if source else (f"c:{_INTERPRETER}:", code_text(fn.__code__))
        return prefix + _digest(f"{code};{self._defaults(fn)};{self._closure(fn)}")

    def _source(self, fn: FunctionType) -> str | None:
        try:
            text = self._find_source(fn)
            return None if text is None else source_text(text, fn.__code__)
        except Exception:  # The code object is used instead.
            return None

    def _defaults(self, fn: FunctionType) -> str:
        given = [self.value(value) for value in fn.__defaults__ or ()]
        named = [f"{name!a}={self.value(value)}" for name, value in sorted((fn.__kwdefaults__ or {}).items())]
        return ",".join(given + named)

    def _closure(self, fn: FunctionType) -> str:
        cells = zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True)
        own = own_name(fn.__code__)
        return ",".join(
            # Both are empty while a decorator runs. Later they always hold the same objects.
            "itself" if name == own else "class" if name == "__class__" else f"{name!a}={self._cell(cell)}"
            for name, cell in sorted(cells, key=operator.itemgetter(0))
        )

    def _cell(self, cell: Any) -> str:
        try:
            content = cell.cell_contents
        except ValueError:
            return "empty"
        return self.value(content)

    def value(self, value: object) -> str:
        """Return a default, a closure cell or an argument of a partial as text."""
        try:
            return self._value(value)
        except Exception:  # A proxy may raise on any access.
            return f"object {_class_name(type(value))!a}"

    def _value(self, value: object) -> str:
        plain = plain_text(value)
        if plain is not None:
            return plain
        if isinstance(value, enum.Enum):
            member = value._name_ if value._name_ is not None else self.value(value._value_)
            return f"enum {_class_name(type(value))!a}.{member!a}"
        if type(value) is tuple:
            return f"({','.join(map(self.value, value))})"
        if type(value) is frozenset:
            return f"{{{','.join(sorted(map(self.value, value)))}}}"
        if isinstance(value, re.Pattern):
            return f"pattern({self.value(value.pattern)},{value.flags:x})"
        if isinstance(value, type):
            return f"class {_class_name(value)!a}"
        if isinstance(value, _FUNCTIONS) or inspect.isroutine(value) or _wrapped(value) is not None:
            return f"function {self.of_callable(value)!a}"
        return f"object {_class_name(type(value))!a}"


_UNWRAPPED = (functools.partial, MethodType, staticmethod, classmethod)
_FUNCTIONS = (*_UNWRAPPED, *_OPERATOR_GETTERS, MethodWrapperType)


def _extend(found: str, more: str) -> str:
    """Return a fingerprint in the form of `found` that covers `more` as well."""
    if found.startswith("b:"):
        return f"{found}:{_digest(more)}"
    prefix, _, digest = found.rpartition(":")
    return f"{prefix}:{_digest(f'{digest} {more}')}"
