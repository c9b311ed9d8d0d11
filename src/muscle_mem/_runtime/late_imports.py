"""Modules that are imported when they are first needed, loaded before a fork.

A child would wait forever for a module that another thread was importing at the fork. Once all are loaded, none is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from .._forks import register_for_forks

loaders: list[Callable[[], None]] = []
"""Functions of other rooms that import what these import late."""


class LateImports:
    """Loads before a fork what functions import."""

    def _before_fork(self) -> None:
        with contextlib.suppress(ImportError):  # The interpreter may be shutting down.
            load_late_modules()

    def _after_fork_in_parent(self) -> None:
        """Do nothing."""

    def _after_fork_in_child(self) -> None:
        """Do nothing."""


def load_late_modules() -> None:
    """Import every module of ours that functions import, and what these import late."""
    import csv  # noqa: F401
    import fractions  # noqa: F401
    import html  # noqa: F401
    import ipaddress  # noqa: F401
    import pathlib  # noqa: F401
    import zoneinfo  # noqa: F401

    from .._core.binding.inference import infer  # noqa: F401
    from .._core.binding.outputs import index, text_tables  # noqa: F401
    from .._core.binding.references import reader, source_text  # noqa: F401
    from .._core.codec import rare_leaves  # noqa: F401
    from .._core.plan import company, generalized  # noqa: F401
    from .._core.record import compare_flows, learn, masked_rows, merge, redact  # noqa: F401
    from .._core.replay import (  # noqa: F401
        divergence,
        explain_flows,
        final_answer,
        forks,
        shadow,
        take_over,
        turn,
    )
    from . import external_tools, learned_params  # noqa: F401

    for load in loaders:
        load()


_late_imports = LateImports()
register_for_forks(_late_imports)
