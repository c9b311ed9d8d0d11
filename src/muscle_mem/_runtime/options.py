"""What users choose: for one call, for one engine, for one tool."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict, cast

import msgspec

from .._core.model.reason import GENERALIZE, MODES, ON_STORE_ERROR, POLICIES, Effect, Generalize, Mode, OnDivergence
from .._core.plan.trust import TRUSTS, Trust
from .._core.tools.validation import validated_choice
from .._library.limits import make_limits, validated_count, validated_seconds
from ..errors import InvalidTypeError, InvalidValueError
from ..store.pruning import Limits
from .validation import ensure_callable


class CallOptions(msgspec.Struct, frozen=True):
    """The engine's own keywords of one call; see `Engine.__call__`. Not validated yet."""

    tags: str | Iterable[str] = ()
    params: Mapping[str, Any] | None = None
    key: str | None = None
    mode: Mode | None = None
    success: Callable[..., Any] | None = None
    approve: Callable[..., Any] | None = None
    context: Any = None
    on_divergence: OnDivergence | None = None
    secrets: Mapping[str, Any] | None = None


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of an engine; see `Engine`. Raises InvalidTypeError or InvalidValueError when it is made."""

    scope: str
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
    miss_wait: float
    library_bytes: int
    max_items: int | None
    max_bytes: int | None
    ttl: float | None
    on_store_error: str
    generalize: Generalize
    clock: Callable[[], float] | None

    def __post_init__(self) -> None:
        if not isinstance(self.scope, str):
            raise InvalidTypeError(f"scope must be a string, got {self.scope!r}; as in Engine(scope='tenant-42')")
        for role in ("key", "success", "approve", "result", "clock"):
            ensure_callable(f"Engine({role}=...)", getattr(self, role))
        if isinstance(self.max_lookups, bool) or not isinstance(self.max_lookups, int) or self.max_lookups < 1:
            raise InvalidValueError(f"max_lookups must be 1 or more, got {self.max_lookups!r}")
        validated_seconds("miss_wait", self.miss_wait)
        validated_count("library_bytes", self.library_bytes, "bytes")
        validated_choice("mode", self.mode, MODES)
        validated_choice("on_divergence", self.on_divergence, POLICIES)
        validated_choice("on_store_error", self.on_store_error, ON_STORE_ERROR)
        validated_choice("generalize", self.generalize, GENERALIZE)
        validated_choice("trust", self.trust, TRUSTS)
        make_limits(self.max_items, self.max_bytes, self.ttl)

    @property
    def limits(self) -> Limits:
        """How large and how old the store may grow."""
        return make_limits(self.max_items, self.max_bytes, self.ttl)


class ToolOptions(TypedDict, total=False):
    """The options of `tool`, `function` and `method` that are given by name; see `Engine.tool`."""

    name: str | None
    aliases: Sequence[str]
    version: str | int | None
    effect: Effect | None
    ignore: Sequence[str]
    inject: Mapping[str, Any] | None
    secret: Sequence[str]
    trust: Trust | None
    undo: str | Callable[..., Any] | None
    optional: bool


TOOL_OPTIONS = frozenset(ToolOptions.__annotations__)


def mode_of(name: str, value: Any) -> Mode:
    """Return a mode that a user names. Raises InvalidValueError."""
    return cast(Mode, validated_choice(name, value, MODES))
