"""The options of one call, of an engine and of a tool."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypedDict, cast

import msgspec

from .._core.model.declared_flow import DeclaredEach, DeclaredFlow
from .._core.model.reason import GENERALIZE, MODES, ON_STORE_ERROR, POLICIES, Effect, Generalize, Mode, OnDivergence
from .._core.model.text import safe_repr
from .._core.plan.trust import TRUSTS, Trust
from .._core.tools.fingerprint import is_async
from .._core.tools.validation import validated_choice
from .._library.history import KEEPING, PICTURES, Keeping, Pictures
from .._library.limits import make_limits, validated_count, validated_seconds
from ..errors import InvalidTypeError, InvalidValueError
from ..store.history import HISTORY_TTL
from ..store.pruning import Limits
from .validation import ensure_callable

Answer = Literal["auto", "model", "recorded"] | Callable[..., Any]
ANSWERS = ("auto", "model", "recorded")


def validated_answer(answer: Any, may_ask: bool = True) -> Any:
    """Return where the answer of a hit comes from.

    `may_ask` says whether a model can be asked for it alone. Raises InvalidTypeError or InvalidValueError.
    """
    if answer is None or callable(answer):
        return answer
    validated_choice("answer", answer, ANSWERS)
    if not may_ask and answer != "recorded":
        raise InvalidValueError(
            f"invalid answer=: expected 'recorded' or a function, got {answer!r}. A call of the engine cannot ask a "
            "model only for its answer. Use a session, a task or an adapter."
        )
    return answer


def validated_learn_params(value: Any) -> bool:
    """Return whether params are learned from task texts. Raises InvalidTypeError."""
    if not isinstance(value, bool):
        raise InvalidTypeError(f"invalid learn_params=: expected True or False, got {safe_repr(value)}")
    return value


class CallOptions(msgspec.Struct, frozen=True):
    """The engine's own keywords of one call, not validated; see `Engine.__call__`."""

    tags: str | Iterable[str] = ()
    params: Mapping[str, Any] | None = None
    key: str | None = None
    mode: Mode | None = None
    success: Callable[..., Any] | None = None
    approve: Callable[..., Any] | None = None
    context: Any = None
    on_divergence: OnDivergence | None = None
    secrets: Mapping[str, Any] | None = None
    answer: Answer | None = None
    learn_params: bool | None = None


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The validated options of an engine; see `Engine`.

    Raises InvalidTypeError or InvalidValueError.
    """

    scope: str | Callable[..., str]
    key: Callable[..., str] | None
    mode: Mode
    on_divergence: OnDivergence
    strict: bool
    success: Callable[..., Any] | None
    approve: Callable[..., Any] | None
    trust: Trust
    result: Callable[[list[Any]], Any] | None
    max_lookups: int
    adopt_threads: bool
    miss_wait: float | None
    library_bytes: int
    max_items: int | None
    max_bytes: int | None
    ttl: float | None
    on_store_error: str
    generalize: Generalize
    clock: Callable[[], float] | None
    name: str = ""
    learn_flows: bool = True
    probation: int = 0
    answer: Answer | None = None
    history: Keeping = "full"
    history_ttl: float = HISTORY_TTL
    pictures: Pictures = "checks"
    learn_params: bool = False
    accept_cache_store: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.scope, str) and (not callable(self.scope) or is_async(self.scope)):
            raise InvalidTypeError(
                f"invalid scope=: expected a string or a plain function, got {self.scope!r}. Pass a name, as in "
                "scope='tenant-42'."
            )
        for role in ("key", "success", "approve", "result", "clock"):
            ensure_callable(role, getattr(self, role))
        if isinstance(self.max_lookups, bool) or not isinstance(self.max_lookups, int) or self.max_lookups < 1:
            raise InvalidValueError(f"invalid max_lookups=: expected an int from 1, got {self.max_lookups!r}")
        if not isinstance(self.name, str):
            raise InvalidTypeError(f"invalid name=: expected a string, got {self.name!r}. Pass one, as in name='shop'.")
        if not isinstance(self.learn_flows, bool):
            raise InvalidTypeError(f"invalid learn_flows=: expected True or False, got {self.learn_flows!r}")
        validated_learn_params(self.learn_params)
        if not isinstance(self.accept_cache_store, bool):
            raise InvalidTypeError(
                f"invalid accept_cache_store=: expected True or False, got {self.accept_cache_store!r}"
            )
        validated_answer(self.answer)
        validated_count("probation", self.probation, "values")
        if self.miss_wait is not None:
            validated_seconds("miss_wait", self.miss_wait)
        validated_count("library_bytes", self.library_bytes, "bytes")
        validated_choice("mode", self.mode, MODES)
        validated_choice("on_divergence", self.on_divergence, POLICIES)
        validated_choice("on_store_error", self.on_store_error, ON_STORE_ERROR)
        validated_choice("generalize", self.generalize, GENERALIZE)
        validated_choice("trust", self.trust, TRUSTS)
        validated_choice("history", self.history, KEEPING)
        validated_choice("pictures", self.pictures, PICTURES)
        validated_seconds("history_ttl", self.history_ttl)
        make_limits(self.max_items, self.max_bytes, self.ttl)

    @property
    def limits(self) -> Limits:
        """The limits of the store's size and of the age of its recordings."""
        return make_limits(self.max_items, self.max_bytes, self.ttl)


class RuleOptions(TypedDict, total=False):
    """The options of a tool but its name; see `Engine.tool`."""

    aliases: Sequence[str]
    version: str | int | None
    effect: Effect | None
    ignore: Sequence[str]
    inject: Mapping[str, Any] | None
    secret: Sequence[str]
    trust: Trust | None
    undo: str | Callable[..., Any] | None
    optional: bool
    any: Sequence[str]
    failed: Callable[[Any], Any] | Literal[False] | None
    refuses: type[BaseException] | Sequence[type[BaseException]]
    answers: Literal["any"] | None
    flows: Mapping[str, DeclaredFlow | DeclaredEach] | None
    const: Sequence[str]
    outputs: Sequence[str] | None
    trusted: bool
    sink: str | Sequence[str]
    picture: Callable[..., Any] | None


class ToolOptions(RuleOptions, total=False):
    """The options of a tool that are given by name; see `Engine.tool`."""

    name: str | None


TOOL_OPTIONS = ToolOptions.__optional_keys__


def mode_of(name: str, value: Any) -> Mode:
    """Return the mode of this name. Raises InvalidValueError."""
    return cast(Mode, validated_choice(name, value, MODES))
