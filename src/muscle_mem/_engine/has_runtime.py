"""What the methods of the engine that stand in files of their own know of it."""

from __future__ import annotations

from typing import Protocol

from .._runtime.runtime import Runtime


class HasRuntime(Protocol):
    """An engine, to those of its methods that only need its runtime."""

    _runtime: Runtime
